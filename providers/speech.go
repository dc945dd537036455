package providers

import (
	"bytes"
	"cmp"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// speechKeys are where JSON says what is wrong, the most general first; in small letters
// and without signs.
var speechKeys = []string{
	"error", "errors", "fault", "code", "errorcode", "type", "title", "reason", "message", "msg", "errormessage", "errordescription", "detail", "details",
	"description", "faultstring", "userfriendlymessage", "hint",
}

var (
	pageTitle = regexp.MustCompile(`(?is)<title[^>]*>([^<]{1,300})`)
	challenge = regexp.MustCompile(`error(?:_description)?="([^"]{1,300})"`)
)

// speech is what of an answer that is an error may be told: words of a fixed vocabulary
// (see trimmed), at most longestPhrase characters; "" where it says too little. Of an
// answer that is no error by its status, only what stands where errors do.
func (a *answer) speech(secrets []string) string {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	body := bytes.TrimLeft(a.body[:min(len(a.body), maxErrorBody)], " \t\r\n\xef\xbb\xbf")
	var texts []string
	switch {
	case media == "text/html" || bytes.HasPrefix(body, []byte("<")):
		if title := pageTitle.FindSubmatch(body); title != nil {
			texts = []string{string(title[1])}
		}
	case bytes.HasPrefix(body, []byte("{")) || bytes.HasPrefix(body, []byte("[")) || bytes.HasPrefix(body, []byte(`"`)):
		if gjson.ValidBytes(body) {
			texts = spoken(parsed(body), 0)
		}
	case a.status >= 400:
		texts = []string{string(body)}
	}
	if said := phraseOf(texts, secrets); said != "" || a.status < 400 {
		return said
	}
	texts = nil
	for _, header := range a.header.Values("WWW-Authenticate") {
		for _, match := range challenge.FindAllStringSubmatch(header, 4) {
			texts = append(texts, match[1])
		}
	}
	return phraseOf(texts, secrets)
}

// spoken are the texts that stand where JSON says what is wrong.
func spoken(v gjson.Result, depth int) (texts []string) {
	switch {
	case depth > 4:
	case v.Type == gjson.String:
		texts = []string{v.Str}
	case v.IsArray():
		n := 0
		v.ForEach(func(_, element gjson.Result) bool {
			texts = append(texts, spoken(element, depth+1)...)
			n++
			return n < 3
		})
	case v.IsObject():
		type member struct {
			rank  int
			value gjson.Result
		}
		var members []member
		v.ForEach(func(key, value gjson.Result) bool {
			name := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key.Str))
			if rank := slices.Index(speechKeys, name); rank >= 0 {
				members = append(members, member{rank, value})
			}
			return len(members) < len(speechKeys)
		})
		slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.rank, b.rank) })
		for _, m := range members {
			texts = append(texts, spoken(m.value, depth+1)...)
		}
	}
	return texts
}

// phraseOf makes one phrase of what may be told of each text.
func phraseOf(texts, secrets []string) string {
	var said []string
	for _, text := range texts {
		if t := trimmed(text, secrets); t != "" && !slices.Contains(said, t) {
			said = append(said, t)
		}
	}
	runes := []rune(strings.Join(said, ": "))
	if len(runes) <= longestPhrase {
		return string(runes)
	}
	short := string(runes[:longestPhrase-2])
	return short[:max(strings.LastIndexByte(short, ' '), 0)] + " …"
}

// hear adds the provider's own words to an error, and takes from them whether it is the
// plan that a 403 is about.
func (e *Error) hear(a *answer, secrets []string) {
	said := a.speech(secrets)
	if said == "" {
		return
	}
	words := strings.FieldsFunc(said, func(r rune) bool { return r < 'a' || r > 'z' })
	speaksOf := func(list ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	ofPlan := speaksOf("plan", "plans", "subscription", "subscriptions", "upgrade", "tier", "edition", "license", "licence", "licensed", "unlicensed", "billing", "payment", "trial", "unpaid", "overdue")
	if e.Fault == FaultScope && ofPlan && !speaksOf("scope", "scopes", "permission", "permissions", "role", "roles", "privilege", "privileges") {
		e.Fault, e.Detail = FaultPlan, planDetail(a.status)
	}
	e.said = ` (the provider says: "` + said + `")`
	e.Detail += e.said
}
