package dashboard_test

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

var (
	formTag    = regexp.MustCompile(`(?s)<form ([^>]*)>(.*?)</form>`)
	formAction = regexp.MustCompile(`action="([^"]*)"`)
	hiddenTag  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
	linkTag    = regexp.MustCompile(`href="(/[^"]*)"`)
)

// action is a form as a page has it, with what it sends unseen.
type action struct {
	page, path, kind string
	hidden           url.Values
}

// actions are the forms of the page that change something.
func (v *visitor) actions(page string) (found []action) {
	for _, match := range formTag.FindAllStringSubmatch(v.body, -1) {
		if !strings.Contains(match[1], `method="post"`) {
			continue
		}
		a := action{page: page, path: page, kind: "application/x-www-form-urlencoded", hidden: url.Values{}}
		if named := formAction.FindStringSubmatch(match[1]); named != nil {
			a.path = html.UnescapeString(named[1])
		}
		if strings.Contains(match[1], "multipart") {
			a.kind = "multipart/form-data; boundary=x"
		}
		for _, input := range hiddenTag.FindAllStringSubmatch(match[2], -1) {
			a.hidden.Add(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
		}
		found = append(found, a)
	}
	return found
}

// gone says that there is nothing, or something broken, at a path.
func gone(status int) bool {
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status >= http.StatusInternalServerError
}

// Every form of every page, in whatever state, leads to something that is there; so does
// every link.
func TestEveryFormLeadsSomewhere(t *testing.T) {
	w := newWorld(t, migrationstest.SQLite(t))
	v := newVisitor(t, w.Rig)
	v.login(servicetest.AdminKey)
	forms, links := map[string]action{}, map[string]string{}
	look := func(pages map[string]string) {
		for name, page := range pages {
			v.get(page)
			for _, a := range v.actions(page) {
				forms[a.path+" "+a.hidden.Encode()] = a
			}
			for _, match := range linkTag.FindAllStringSubmatch(v.body, -1) {
				link, _, _ := strings.Cut(html.UnescapeString(match[1]), "#")
				links[link] = name
			}
		}
	}
	look(map[string]string{"empty": "/", "no account": "/accounts", "no webhook": "/webhooks", "no event": "/events"})
	pages := w.lively(t, nil)
	look(pages)
	// Further states: a secret that waits for the other webhook, one that is disabled, and
	// a stream and an account that are paused.
	post[api.Webhook](t, w, "/v1"+pages["webhook-refusing"]+"/disable", nil)
	look(map[string]string{"webhook, disabled": pages["webhook-refusing"]})
	v.post(pages["stream"]+"/pause", nil)
	v.post(pages["account"]+"/pause", nil)
	look(map[string]string{"stream, paused": pages["stream"], "account, paused": pages["account"]})
	v.post(pages["stream"]+"/resume", nil)
	v.post(pages["account"]+"/resume", nil)

	if len(forms) < 45 || len(links) < 60 {
		t.Errorf("only %d forms and %d links", len(forms), len(links))
	}
	for _, link := range slices.Sorted(maps.Keys(links)) {
		if v.get(link); gone(v.status) {
			t.Errorf("%s (on %s) answers %d", link, links[link], v.status)
		}
	}
	last := func(a action) bool { // what takes away the ground from under others
		return strings.HasSuffix(a.path, "/delete") || strings.HasSuffix(a.path, "/cancel") || strings.HasSuffix(a.path, "/delete-key") || a.path == "/logout"
	}
	order := slices.SortedFunc(maps.Keys(forms), func(a, b string) int {
		if x, y := last(forms[a]), last(forms[b]); x != y {
			return map[bool]int{true: 1, false: -1}[x]
		}
		return strings.Compare(a, b)
	})
	for _, key := range order {
		a := forms[key]
		if a.path == "/project" && len(a.hidden) == 0 {
			a.hidden.Set("project", "default") // which is chosen
		}
		v.submit(http.MethodPost, a.path, strings.NewReader(a.hidden.Encode()), a.kind)
		if gone(v.status) {
			t.Errorf("the form %s %v on %s answers %d", a.path, a.hidden, a.page, v.status)
		}
		if a.path == "/logout" {
			v.login(servicetest.AdminKey)
		}
		v.post("/project", url.Values{"project": {"default"}}) // the one that all this is in
	}
}
