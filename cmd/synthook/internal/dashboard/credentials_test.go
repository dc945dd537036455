package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// lacks checks what the visitor must not see.
func (v *visitor) lacks(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if strings.Contains(v.body, text) {
			v.t.Errorf("the page says %q:\n%s", text, v.body)
		}
	}
}

// part is what the page has from one text to the next.
func (v *visitor) part(from, to string) string {
	v.t.Helper()
	_, rest, found := strings.Cut(v.body, from)
	part, _, ended := strings.Cut(rest, to)
	if !found || !ended {
		v.t.Fatalf("the page has no part from %q to %q:\n%s", from, to, v.body)
	}
	return part
}

// What is left as it is in the form of the credentials stays; a field that is emptied, and
// a secret that is ticked, goes.
func TestReplaceOneCredential(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := post[api.Account](t, w, "/v1/accounts", w.provider.Account()).ID
		here := "/accounts/" + id
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		shown := func(path, secret bool) {
			t.Helper()
			v.get(here)
			if got := strings.Contains(v.body, `value="/people"`); got != path {
				t.Errorf("the new path is shown: %t", got)
			}
			if got := strings.Contains(v.body, `name="remove.header_value"`); got != secret {
				t.Errorf("the account has the secret: %t", got)
			}
			v.expect(http.StatusOK, "<option selected>none</option>")
			v.lacks("hunter2")
		}
		shown(false, true)
		v.expect(http.StatusOK, `value="/employees"`, "a secret that the account has: left empty, it stays", `placeholder="the present one stays"`)

		form := url.Values{"base_url": {w.provider.URL}, "credential.paging": {"none"}, "credential.employees_path": {"/employees"}, "credential.header_value": {""}, "credential.id_path": {""}}
		v.post(here+"/credentials", form)
		v.expect(http.StatusOK, "Nothing was typed that differs")
		form.Set("credential.employees_path", "/people")
		form.Set("credential.id_path", "name")
		v.post(here+"/credentials", form)
		v.expect(http.StatusOK, "Credentials replaced.")
		shown(true, true)
		form.Set("credential.id_path", "")
		form.Set("remove.header_value", "1")
		v.post(here+"/credentials", form)
		v.expect(http.StatusOK, "Credentials replaced.")
		shown(true, false)
		if _, has := w.account(t, id).SetupInformation["id_path"]; has {
			t.Error("a field that was emptied is still there")
		}
		form.Set("credential.employees_path", "")
		v.post(here+"/credentials", form)
		v.expect(http.StatusUnprocessableEntity, "Nothing was changed", "Nothing to list: give at least one of employees_path")
		shown(true, false)
	})
}

// Filling in another way to authenticate switches to it, and the former one goes.
func TestSwitchWayToAuthenticate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.connect(t, "Acme Ltd").ID
		here := "/accounts/" + id
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		v.get(here)
		v.expect(http.StatusOK, `<legend>API key <span class="badge ok">in use</span></legend>`, "<legend>OAuth 2.0</legend>", "switches to it")
		form := url.Values{"base_url": {w.sample}, "credential.api_key": {""}, "credential.company": {"acme"}, "credential.client_id": {"me"}, "credential.client_secret": {""}, "credential.refresh_token": {""}}
		v.post(here+"/credentials", form)
		v.expect(http.StatusUnprocessableEntity, "Nothing was changed", "missing credential client_secret")
		form.Set("credential.api_key", "no-longer-valid")
		v.post(here+"/credentials", form)
		v.expect(http.StatusUnprocessableEntity, "Type it again, or leave it empty and the present one stays")
		v.lacks("left empty, it stays", `placeholder="the present one stays"`, `name="remove.api_key"`)
		form.Set("credential.api_key", "")
		form.Set("credential.client_secret", "s3cret-one")
		form.Set("credential.refresh_token", "s3cret-two")
		form.Set("unchecked", "1")
		v.post(here+"/credentials", form)
		v.expect(http.StatusOK, "Credentials replaced.", "<legend>API key</legend>", `<legend>OAuth 2.0 <span class="badge ok">in use</span></legend>`)
		v.lacks("s3cret")
		v.post(here+"/credentials", url.Values{"base_url": {w.sample}, "credential.api_key": {w.key}, "credential.client_id": {w.account(t, id).SetupInformation["client_id"]}})
		v.expect(http.StatusOK, "Credentials replaced.", `<legend>API key <span class="badge ok">in use</span></legend>`)
	})
}

var openSection = regexp.MustCompile(`<details class="more-fields" open><summary>(\w+)`)

// The form of an API of one's own begins with what it can't do without. What is refused is
// told at its field, and the section is open that lost a secret.
func TestFormOfOwnAPI(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		const here = "/accounts/new/generic"
		open := func() (titles string) {
			for _, match := range openSection.FindAllStringSubmatch(v.body, -1) {
				titles += match[1] + " "
			}
			return titles
		}
		v.get(here)
		at := 0
		for _, text := range []string{`id="base_url"`, `<select id="credential.paging"`, "<option>cursor</option>", "<summary>Lists", `id="credential.employees_path"`, "<summary>Records", "<summary>Paging", "<summary>Authentication", `id="credential.header_value"`} {
			next := strings.Index(v.body, text)
			if next < at {
				t.Errorf("%q stands at %d, not behind %d", text, next, at)
			}
			at = next
		}
		if got := open(); got != "Lists " {
			t.Errorf("open: %s", got)
		}

		form := url.Values{"base_url": {w.provider.URL}, "credential.header_value": {"Bearer hunter2hunter2"}, "record_types": {"employees"}, "baseline": {"silent"}}
		v.post(here, form)
		v.expect(http.StatusUnprocessableEntity, `id="credential.paging-wrong">missing credential paging`, "Secrets have to be typed again: they are marked", `id="credential.header_value-wrong">Type it again`)
		v.lacks("hunter2", "Don't ask the provider first")
		if got := open(); got != "Lists Authentication " {
			t.Errorf("open: %s", got)
		}
		form.Set("credential.paging", "none")
		v.post(here, form)
		v.expect(http.StatusUnprocessableEntity, `<p class="wrong" role="alert">Nothing to list: give at least one of employees_path`)
		v.lacks(`aria-invalid="true"`)
		form.Set("credential.employees_path", "/employees")
		form.Set("credential.paging", "cursor")
		v.post(here, form)
		v.expect(http.StatusUnprocessableEntity, `id="credential.next_path-wrong">paging &#34;cursor&#34; needs next`, "<option selected>cursor</option>")
		if got := open(); got != "Lists Paging Authentication " {
			t.Errorf("open: %s", got)
		}
		form.Set("credential.paging", "none")
		v.post(here, form)
		v.expect(http.StatusOK, "Account added")
	})
}

// An account that the provider refuses is added all the same where one wants that, and is
// checked when the provider has changed its mind.
func TestAddWithoutChecking(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		form := url.Values{"base_url": {w.sample}, "credential.api_key": {"not-yet-valid"}, "record_types": {"employees"}, "baseline": {"silent"}}
		v.get("/accounts/new/bamboohr")
		v.lacks(`name="unchecked"`)
		v.post("/accounts/new/bamboohr", form)
		v.expect(http.StatusUnprocessableEntity, "does not accept the credentials (401)", `name="unchecked"`, "<h1>Add an account: BambooHR (bamboohr)</h1>")
		form.Set("unchecked", "1")
		v.post("/accounts/new/bamboohr", form)
		v.expect(http.StatusOK, "Account added.", "Check now")
		here := v.part(`action="/accounts/`, `/check"`)
		servicetest.Eventually(t, "the account needs attention", func() bool { return w.account(t, here).State == "needs_attention" })
		v.post("/accounts/"+here+"/check", nil)
		v.expect(http.StatusOK, "What the provider says now", ">refused<", "check api_key", "It is not polled:", `btn primary">Check now`, `btn">Poll now`)
		w.uncheckedKey(t, here, w.key)
		v.post("/accounts/"+here+"/check", nil)
		v.expect(http.StatusOK, "The provider gives every record type", ">ok<")
		v.lacks("It is not polled:")
	})
}

// Who has an API of their own finds the connector for it.
func TestFindOwnAPI(t *testing.T) {
	w := newWorld(t, migrationstest.SQLite(t))
	v := newVisitor(t, w.Rig)
	v.login(servicetest.AdminKey)
	for _, text := range []string{"custom", "my api", "http", "json", "generic", "Own REST"} {
		v.get("/accounts/new?q=" + url.QueryEscape(text))
		v.expect(http.StatusOK, `href="/accounts/new/generic"`, "<code>generic</code>")
		if n := strings.Count(v.body, `href="/accounts/new/`); n > 3 {
			t.Errorf("%q finds %d connectors", text, n)
		}
	}
	v.get("/providers?q=job+postings+greenhouse")
	v.expect(http.StatusOK, `href="/providers/greenhouse"`)
}
