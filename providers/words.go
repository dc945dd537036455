package providers

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// An answer that is an error says why in the provider's own words, and those may hold
// anything: a name, an address, an id, the credential itself. What is kept of them are
// words of a fixed vocabulary, the language of API errors, in small letters; anything
// else becomes "…", numbers go. A name that is a word of it, too (Grant, Key, Will), is
// kept only where it is written as no name is: in small letters, or in an identifier with
// a word that is no name (invalid_grant).

const (
	longestPhrase = 160     // characters
	longestSpeech = 4 << 10 // bytes of one text that are looked at
)

// plainWords are those that tell nothing alone.
const plainWords = `a about above access account after again against all allow allowed allows also an and another any are aren't as at available
be because been before behind being belong belongs below between both but by can can't cannot check complete contact contains correct could couldn't current currently
did didn't do does doesn't don't during each either else empty ensure every exist exists field fields find following for found from given got
had has have haven't here how if in include included includes including incorrectly inside instead into is isn't it its just lack lacks later least less list made make many maximum may
minimum missing more most must my name need needed needs neither never new no none nor not now of off on once one only or other our out
outside over own page path per please possible provide provided proper properly read reading reason request requested requests required
requires same see seems send sent set should shouldn't since so some something specified still such supplied than that the their them then
there these they this those through to too try trying under until unable up us use used user users using value values via was wasn't we
well were what when where whether which while who why will with within without won't would write writing wrong yet you your yours`

// tellingWords are the language of errors.
const tellingWords = `abuse accept accepted allow allowed missing required action activate activated active admin administrator admins allowlist allowlisted api app
application applications apps archived associated attempt attempts attribute audience auth authenticate authenticated authentication
authorisation authorise authorised authorization authorize authorized backend bad balance banned basic bearer billing blacklisted blocked
bucket business busy call callback calls cancelled candidate candidates capacity certificate challenge changed client clients closed
code company configuration configured confirmed conflict connection consent consumer content contract corrupt create created credential
credentials credit customer daily data database date day days deactivated declined default deleted denied deny deprecated developer disabled
disallowed domain down duplicate edition empty employee employees employment employments enable enabled endpoint endpoints enterprise
entitled entitlement entitlements entity environment error errors exceeded exception expire expired expires external failed failure
feature features firewall forbid forbidden format free gateway grant granted grants group groups hash header headers hour hourly hours host
hostname id identifier identity impersonation inactive incorrect instance insufficient integration integrations internal interview
interviews invalid invoice ip issue issued issuer job jobs json key keys level licence license licensed licenses limit limitation limited
limits link locale locked log logged login logout maintenance malformed match matching method mfa minute minutes mismatch module modules
month monthly multi needed network nonce nonexistent object oauth offline offset online operation option organisation organization origin
overdue overloaded owner package parameter parameters parse partner password past payload payment pending permission permissions permitted
plan plans platform policy portal posting postings premium private privilege privileges problem product production profile project
protected provider public quota rate record records redirect refresh refused region regional register registered reject rejected remote
renew report reports resource resources response restricted retry revoke revoked right rights role roles sandbox scheme scope scopes second
seconds secret security server service session sessions sign signature signed signin site sso standard starter state status subdomain subscribe
subscribed subscription subscriptions supported suspended suspension syntax system team temporarily temporary tenant terminated test
throttle throttled throttling tier time timeout timestamp timezone token tokens trial trusted two type unauthenticated unauthorised
unauthorized unavailable unconfirmed undefined unexpected unknown unlicensed unpaid unprocessable unrecognised unrecognized unsupported
unverified update upgrade upgraded uri url username valid validate validated validation validity verified verify version view violated
violation web webhook week whitelist whitelisted workspace`

// nameWords are words of both that people are called, too.
const nameWords = `day field fields free given grant grants hash key keys link made may page read right still will`

// shortWord is how long a plain word can be that a name is written like (An, Do, My):
// amid a sentence it is kept in small letters only.
const shortWord = 3

var vocabulary = readVocabulary()

// wordClass is what a word of the vocabulary is.
type wordClass struct{ telling, name bool }

func readVocabulary() map[string]wordClass {
	words := map[string]wordClass{}
	for w := range strings.FieldsSeq(plainWords) {
		words[w] = wordClass{}
	}
	for w := range strings.FieldsSeq(tellingWords) {
		words[w] = wordClass{telling: true}
	}
	for w := range strings.FieldsSeq(nameWords) {
		if class, ok := words[w]; ok {
			class.name = true
			words[w] = class
		}
	}
	return words
}

// trimmed is what may be kept of a text: "" where that says too little. Secrets are
// dropped, even one that is a word of the vocabulary.
func trimmed(text string, secrets []string) string {
	if len(text) > longestSpeech {
		text = text[:longestSpeech]
	}
	p := phrase{secrets: secrets}
	for chunk := range strings.FieldsSeq(strings.ReplaceAll(text, "’", "'")) {
		p.take(chunk)
	}
	return p.String()
}

// phrase is made of the words of a text.
type phrase struct {
	b              strings.Builder
	words, dropped int
	telling        bool
	gap            bool   // something was dropped since the last word
	stop           string // sign behind the last word
	cut            bool
	secrets        []string
}

// take adds what is between two spaces.
func (p *phrase) take(chunk string) {
	core := strings.Trim(chunk, "\"'`“”‘’«»([{<>}]).,:;!?*|-_/\\=")
	switch {
	case core == "":
		return
	case strings.Trim(core, "0123456789.,:%+-") == "":
		return // a number
	}
	word, class, ok := p.known(core)
	if !ok {
		p.dropped, p.gap = p.dropped+1, true
		return
	}
	p.telling = p.telling || class.telling
	p.words++
	p.write(word)
	if last := chunk[len(chunk)-1]; strings.IndexByte(".,:;", last) >= 0 {
		p.stop = string(last)
	}
}

// write appends a word, what was dropped before it, and the sign after the last one.
func (p *phrase) write(word string) {
	lead := ""
	switch {
	case p.gap && p.b.Len() > 0:
		lead = " … "
	case p.gap:
		lead = "… "
	case p.b.Len() > 0:
		lead = p.stop + " "
	}
	p.gap, p.stop = false, ""
	if p.cut = p.cut || utf8.RuneCountInString(p.b.String()+lead+word) > longestPhrase-2; !p.cut {
		p.b.WriteString(lead + word)
	}
}

func (p *phrase) String() string {
	if !p.telling || p.words < 2 && p.dropped > 0 || p.dropped > p.words {
		return ""
	}
	if p.cut || p.gap {
		return p.b.String() + " …"
	}
	return p.b.String()
}

// known writes a word of the vocabulary, or an identifier made of such words, as it may
// be shown.
func (p *phrase) known(core string) (word string, class wordClass, ok bool) {
	parts := identifierParts(core)
	if len(parts) == 0 {
		return "", class, false
	}
	names := 0
	for i, part := range parts {
		c, ok := vocabulary[strings.ToLower(part)]
		if !ok || p.secret(part) || p.secret(core) {
			return "", class, false
		}
		class.telling = class.telling || c.telling
		if c.name || !c.telling && len(part) <= shortWord && !p.begins() {
			names++
		}
		parts[i] = strings.ToLower(part)
	}
	if names == len(parts) && !(len(parts) == 1 && core == parts[0]) && !p.after("api") {
		return "", class, false
	}
	return strings.Join(parts, "_"), class, true
}

// secret tells whether a word is one, or a word of one.
func (p *phrase) secret(word string) bool {
	return slices.ContainsFunc(p.secrets, func(s string) bool {
		return slices.ContainsFunc(strings.Fields(s), func(part string) bool { return strings.EqualFold(part, word) })
	})
}

// begins tells whether a sentence does.
func (p *phrase) begins() bool { return p.words == 0 && !p.gap || p.stop == "." || p.stop == ":" }

// after tells whether a word was the last one, with nothing dropped in between.
func (p *phrase) after(word string) bool {
	text := p.b.String()
	return !p.gap && p.stop == "" && (text == word || strings.HasSuffix(text, " "+word))
}

// identifierParts splits invalid_grant, INSUFFICIENT-SCOPE, employees:read and
// InvalidToken into words; nothing where other signs than letters stand in it.
func identifierParts(core string) []string {
	var parts []string
	from := 0
	for i := 0; i < len(core); i++ {
		c := core[i]
		switch {
		case c == '_' || c == '-' || c == ':' || c == '/' || c == '.':
			parts = append(parts, core[from:i])
			from = i + 1
		case c >= 'A' && c <= 'Z' && i > from && core[i-1] >= 'a' && core[i-1] <= 'z':
			parts = append(parts, core[from:i])
			from = i
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '\'':
		default:
			return nil
		}
	}
	if parts = append(parts, core[from:]); len(parts) > 6 {
		return nil
	}
	return parts
}
