package poller

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/hashstore"
)

func (r *rig) accountEvents(id string) (events []hashstore.Event) {
	r.t.Helper()
	events, err := r.store.Events(r.t.Context(), hashstore.EventQuery{ProjectID: DefaultProject, AccountID: id, RecordType: "account"})
	if err != nil {
		r.t.Fatal(err)
	}
	return events
}

// stackone is an account of a real connector, with a credential that may be shown.
func bamboo(r *rig) NewAccount {
	return NewAccount{
		Provider: "bamboohr", BaseURL: r.people.URL, Credentials: map[string]string{"company": "companytest", "api_key": "the-secret-key"},
		OriginOwnerID: "customer-1", OriginOwnerName: `Acme <"&"> Größe`, OriginUsername: "ann",
		SetupInformation: map[string]string{"region": "eu"},
		NoCheck:          true, // the directory speaks another language
	}
}

func TestAccountEvents(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		told := 0
		r.store.OnAppend = func() { told++ }
		ctx := t.Context()
		a, err := r.accounts.Create(ctx, DefaultProject, bamboo(r))
		if err != nil {
			t.Fatal(err)
		}
		name := "Acme Ltd"
		if _, err := r.accounts.Update(ctx, DefaultProject, a.ID, AccountUpdate{OriginOwnerName: &name}); err != nil {
			t.Fatal(err)
		}
		if err := r.accounts.Delete(ctx, DefaultProject, a.ID); err != nil {
			t.Fatal(err)
		}
		events := r.accountEvents(a.ID)
		if len(events) != 3 || told != 3 {
			t.Fatalf("%d events, told %d times", len(events), told)
		}
		after := `{"provider":"bamboohr","origin_owner_id":"customer-1","origin_owner_name":"Acme Ltd","origin_username":"ann","setup_information":{"company":"companytest","region":"eu"}}`
		for i, want := range []struct{ name, details string }{
			{"account.created", strings.Replace(after, "Acme Ltd", `Acme <\"&\"> Größe`, 1)}, {"account.updated", after}, {"account.deleted", after},
		} {
			e := events[i]
			if e.Name != want.name || e.RecordID != a.ID || e.AccountID != a.ID || string(e.Details) != want.details {
				t.Errorf("event %d: %s %s, want %s %s", i, e.Name, e.Details, want.name, want.details)
			}
		}
		if _, err := r.accounts.Get(ctx, DefaultProject, a.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleted, but %v", err)
		}
	})
}

func TestAccountEventLeavesOutWhatIsEmpty(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		n := bamboo(r)
		n.OriginOwnerID, n.OriginOwnerName, n.OriginUsername, n.SetupInformation = "", "", "", nil
		a, err := r.accounts.Create(t.Context(), DefaultProject, n)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.accountEvents(a.ID)[0].Details); got != `{"provider":"bamboohr","setup_information":{"company":"companytest"}}` {
			t.Error(got)
		}
	})
}

func TestAccountCreated(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		woken := 0
		r.config.Wake = func() { woken++ }
		r.accounts = NewAccounts(r.config)
		a, err := r.accounts.Create(t.Context(), DefaultProject, bamboo(r))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9]{21}$`).MatchString(a.ID) || woken != 1 {
			t.Errorf("id %q, woken %d times", a.ID, woken)
		}
		got, err := r.accounts.Get(t.Context(), DefaultProject, a.ID)
		if err != nil || got.State != StateActive || got.Baseline != BaselineSilent || !got.CreatedAt.Equal(a.CreatedAt) ||
			!maps.Equal(got.SetupInformation, a.SetupInformation) || !slices.Equal(got.RecordTypes, a.RecordTypes) || !slices.Contains(got.RecordTypes, "employments") {
			t.Errorf("%+v %v, want %+v", got, err, a)
		}
		claims, err := r.poller.claimDue(t.Context(), 10)
		if err != nil || len(claims) != r.poller.PerAccount {
			t.Errorf("its streams are not due at once: %v %v", claims, err)
		}
		if _, err := r.accounts.Get(t.Context(), "another", a.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("another project sees it: %v", err)
		}
		if err := r.accounts.Delete(t.Context(), "another", a.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("another project deletes it: %v", err)
		}
	})
}

func TestAccountRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.config.CheckURL = func(_ context.Context, url string) error {
			if strings.Contains(url, "10.0.0.1") {
				return errors.New("the address is private")
			}
			return nil
		}
		r.accounts = NewAccounts(r.config)
		for name, c := range map[string]struct {
			change  func(*NewAccount)
			field   string
			message string
		}{
			"unknown provider":     {func(n *NewAccount) { n.Provider = "bambohr" }, "provider", `"bamboohr"`},
			"missing credential":   {func(n *NewAccount) { n.Credentials = nil }, "credentials", "api_key"},
			"unknown credential":   {func(n *NewAccount) { n.Credentials["apikey"] = "x" }, "credentials", `"api_key"`},
			"base URL":             {func(n *NewAccount) { n.BaseURL = "ftp://example.com" }, "credentials", "base URL"},
			"private base URL":     {func(n *NewAccount) { n.BaseURL = "http://10.0.0.1" }, "base_url", "private"},
			"record type":          {func(n *NewAccount) { n.RecordTypes = []string{"employee"} }, "record_types", "employees"},
			"schedule":             {func(n *NewAccount) { n.Schedule = "often" }, "schedule", "expected an interval"},
			"baseline":             {func(n *NewAccount) { n.Baseline = "loud" }, "baseline", "silent or emit"},
			"page size":            {func(n *NewAccount) { n.PageSize = -1 }, "page_size", "negative"},
			"control character":    {func(n *NewAccount) { n.OriginOwnerName = "a\x00b" }, "origin_owner_name", "control"},
			"invalid UTF-8":        {func(n *NewAccount) { n.OriginUsername = "\xff" }, "origin_username", "text"},
			"array index":          {func(n *NewAccount) { n.SetupInformation = map[string]string{"0": "x"} }, "setup_information", "array index"},
			"a credential's name":  {func(n *NewAccount) { n.SetupInformation = map[string]string{"api_key": "x"} }, "setup_information", "credential"},
			"a credential's value": {func(n *NewAccount) { n.SetupInformation = map[string]string{"note": "the-secret-key"} }, "setup_information", "credential"},
		} {
			n := bamboo(r)
			c.change(&n)
			_, err := r.accounts.Create(t.Context(), DefaultProject, n)
			refusal, ok := errors.AsType[*InvalidError](err)
			if !ok || refusal.Field != c.field || !strings.Contains(refusal.Message, c.message) {
				t.Errorf("%s: %v, want %s: …%s…", name, err, c.field, c.message)
			}
			if err != nil && strings.Contains(err.Error(), "the-secret-key") {
				t.Errorf("%s: the error tells a secret", name)
			}
		}
		if _, err := r.accounts.Create(t.Context(), "nobody", bamboo(r)); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such project: %v", err)
		}
		var n int
		if err := r.db.QueryRow(`SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM streams) + (SELECT count(*) FROM event_chunks)`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows left of refused accounts (%v)", n, err)
		}
	})
}

func TestAccountUpdated(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a, err := r.accounts.Create(t.Context(), DefaultProject, bamboo(r))
		if err != nil {
			t.Fatal(err)
		}
		credentials := map[string]string{"company": "renamed", "api_key": "another-key"}
		got, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: credentials, NoCheck: true})
		if err != nil || !maps.Equal(got.SetupInformation, map[string]string{"company": "renamed", "region": "eu"}) {
			t.Errorf("%v %v", got.SetupInformation, err)
		}
		got, err = r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{SetupInformation: map[string]string{"plan": "pro"}})
		if err != nil || !maps.Equal(got.SetupInformation, map[string]string{"company": "renamed", "plan": "pro"}) {
			t.Errorf("%v %v", got.SetupInformation, err)
		}
		size, baseline := 50, BaselineEmit
		got, err = r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{PageSize: &size, Baseline: &baseline})
		if err != nil || got.PageSize != 50 || got.Baseline != BaselineEmit || got.OriginUsername != "ann" || !got.UpdatedAt.After(a.UpdatedAt) {
			t.Errorf("%+v %v", got, err)
		}
		wrong := "often"
		if _, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Schedule: &wrong}); err == nil {
			t.Error("a wrong schedule was accepted")
		}
		if _, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{}); err != nil {
			t.Error(err)
		}
		if events := r.accountEvents(a.ID); len(events) != 4 {
			t.Errorf("%d events for one creation, three updates, a refused and an empty one", len(events))
		}
	})
}

func TestAccountPausedAndResumed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.people.staff(3)
		a := r.account(nil)
		due := func() int {
			claims, err := r.poller.claimDue(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range claims {
				if err := r.poller.release(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			return len(claims)
		}
		got, err := r.accounts.Pause(t.Context(), DefaultProject, a.ID)
		if err != nil || got.State != StatePaused || due() != 0 || r.stream(a).State != StreamPaused {
			t.Errorf("%+v %v, %d due", got, err, due())
		}
		if got := r.poll(a); !got.Complete { // by hand all the same
			t.Errorf("%+v", got)
		}
		got, err = r.accounts.Resume(t.Context(), DefaultProject, a.ID)
		if err != nil || got.State != StateActive || due() != 1 {
			t.Errorf("%+v %v, %d due", got, err, due())
		}
	})
}

// The lists a generic account has depend on its settings.
func TestAccountGainsStreams(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		settings := map[string]string{"employees_path": "/people", "paging": "none", "records_path": "items", "header_value": "Bearer x"}
		a := r.account(func(n *NewAccount) { n.RecordTypes, n.Credentials = nil, settings })
		if !slices.Equal(a.RecordTypes, []string{"employees"}) {
			t.Fatal(a.RecordTypes)
		}
		settings["candidates_path"] = "/candidates"
		got, err := r.accounts.Update(t.Context(), DefaultProject, a.ID, AccountUpdate{Credentials: settings})
		if err != nil || !slices.Equal(got.RecordTypes, []string{"employees", "candidates"}) {
			t.Errorf("%v %v", got.RecordTypes, err)
		}
	})
}

func TestAccountsListed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		if _, err := r.projects.Create(t.Context(), "other", "Other"); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for range 5 {
			ids = append(ids, r.account(func(n *NewAccount) { n.RecordTypes = []string{"candidates", "employees"} }).ID)
		}
		if _, err := r.accounts.Create(t.Context(), "other", bamboo(r)); err != nil {
			t.Fatal(err)
		}
		slices.Sort(ids)
		var listed []string
		for after := ""; ; {
			page, err := r.accounts.List(t.Context(), DefaultProject, after, 2)
			if err != nil || len(page) > 2 {
				t.Fatal(page, err)
			}
			if len(page) == 0 {
				break
			}
			for _, a := range page {
				listed = append(listed, a.ID)
				if !slices.Equal(a.RecordTypes, []string{"candidates", "employees"}) {
					t.Errorf("%v", a.RecordTypes)
				}
			}
			after = page[len(page)-1].ID
		}
		if !slices.Equal(listed, ids) {
			t.Errorf("listed %v, want %v", listed, ids)
		}
	})
}

func TestProjects(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		made, err := r.projects.Create(ctx, "", "Acme Inc.")
		if err != nil || !regexp.MustCompile(`^acmeinc-\d{5}$`).MatchString(made.ID) || made.Name != "Acme Inc." {
			t.Errorf("%+v %v", made, err)
		}
		for _, c := range []struct{ id, name string }{{made.ID, "taken"}, {"a/b", "x"}, {"ok", ""}, {"ok", "  "}} {
			if _, err := r.projects.Create(ctx, c.id, c.name); err == nil {
				t.Errorf("project %q %q was made", c.id, c.name)
			}
		}
		again, err := r.projects.Ensure(ctx, DefaultProject)
		if err != nil || again.ID != DefaultProject {
			t.Errorf("%+v %v", again, err)
		}
		all, err := r.projects.List(ctx, "", 10)
		if err != nil || len(all) != 2 || time.Since(all[0].CreatedAt) > time.Minute {
			t.Errorf("%+v %v", all, err)
		}
		var sealed []byte
		if err := r.db.QueryRow(`SELECT hash_key FROM projects WHERE id = $1`, made.ID).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		if key, err := r.config.Sealer.Open(sealed, hashKeyPurpose(made.ID)); err != nil || len(key) != 16 {
			t.Errorf("hash key of %d bytes, %v", len(key), err)
		}
		if _, err := r.config.Sealer.Open(sealed, hashKeyPurpose(DefaultProject)); err == nil {
			t.Error("the hash key opens as another project's")
		}
	})
}
