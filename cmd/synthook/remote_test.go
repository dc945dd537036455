package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// The main way, with the literal commands of the documentation: an account, a webhook,
// a poll that finds a change, a verified delivery, the log, a replay.
func TestChangeBecomesWebhook(t *testing.T) {
	t.Parallel()
	i, consumer := install(t, "--allow-private-networks"), newConsumer(t)
	hook := decode[api.Webhook](t, i.run("webhook", "create", "--url", consumer.url, "--event", "hris_employees.*", "--event", "account.created", "--json"))
	if hook.ID == "" || len(hook.Secret) != 86 {
		t.Fatalf("webhook %+v", hook)
	}
	consumer.verify(hook.Secret)

	account := i.connect()
	if r := consumer.next(); r.Event != "account.created" || r.AccountID != account.ID {
		t.Errorf("first came %+v", r)
	}
	quiet := i.run("stream", "poll", account.ID, "employees", "--wait", "--json")
	var keys map[string]any
	if err := json.Unmarshal([]byte(quiet.stdout), &keys); err != nil {
		t.Fatal(err)
	}
	want := []string{"complete", "created", "deleted", "duration_ms", "events", "hidden", "incremental", "pages", "quarantined", "records", "requests", "suspected", "updated"}
	if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, want) {
		t.Errorf("a poll's result has the keys %q, want %q", got, want)
	}
	if got := i.hire(account.ID); got.Created != 1 || got.Events != 1 || !got.Complete {
		t.Errorf("poll after a hire: %+v", got)
	}
	created := consumer.next()
	if created.Event != "hris_employees.created" || created.Duplicate {
		t.Errorf("came %+v", created)
	}

	events := decode[[]api.Event](t, i.run("event", "list", "--json"))
	if len(events) != 2 || events[0].Event != "account.created" || events[1].ID != created.ID || events[1].RecordID != created.RecordID {
		t.Errorf("log: %+v", events)
	}
	if latest := decode[[]api.Event](t, i.run("event", "list", "--limit", "1", "--json")); len(latest) != 1 || latest[0].ID != created.ID {
		t.Errorf("latest: %+v", latest)
	}
	if none := i.run("event", "list", "--event", "hris_employees.deleted", "--json"); none.stdout != "[]\n" {
		t.Errorf("no events: %+v", none)
	}
	i.ok("event list --record-id "+created.RecordID, created.ID, "hris_employees.created")
	i.comes("event show "+created.ID, "answered 204")
	i.ok("event show "+created.ID, hook.ID, "delivered", "found by poll:", " records", ", 0 bytes")

	dry := decode[api.ReplayResult](t, i.run("replay", "--since", "1h", "--dry-run", "--json"))
	if dry.Events != 2 || !dry.DryRun {
		t.Errorf("dry run: %+v", dry)
	}
	replay := decode[api.ReplayResult](t, i.run("replay", "--since", "2020-11-22T00:00:00Z", "--webhook", hook.ID, "--event", "hris_employees.*", "--account", account.ID, "--record-id", created.RecordID, "--json"))
	if replay.Events != 1 || len(replay.Replays) != 1 {
		t.Errorf("replay: %+v", replay)
	}
	if again := consumer.next(); again.ID != created.ID || !again.Duplicate {
		t.Errorf("replayed %+v", again)
	}
	i.ok("replay list", replay.Replays[0].ID)
	i.ok("replay --id "+created.ID+" --dry-run", "1 event would be sent again")
}

func TestStreamCommands(t *testing.T) {
	t.Parallel()
	i := install(t, "--allow-private-networks")
	id := i.connect().ID
	i.ok("stream list", id, "employees", "24h", "ok")
	i.ok("stream set-interval "+id+" employees 15m", "15m (from stream)")
	i.ok("stream set-interval "+id+" employees default", "24h (from account)")
	i.ok("stream set-interval --record-type employees 30m", "employees of the project: 30m")
	i.ok("stream set-interval --record-type employees default", "back to the default")
	i.ok("stream update "+id+" employees --ignore lastSeen --ignore devices.*.battery", "lastSeen devices.*.battery")
	i.ok("stream explain "+id+" employees", "24h, which comes from the account", "lastSeen, devices.*.battery")
	i.ok("stream update "+id+" employees --ignore= --paused", "paused")
	i.ok("stream explain "+id+" employees", "The stream is paused: synthook stream update "+id+" employees --paused=false")
	i.ok("stream update "+id+" employees --paused=false", "more than 10% missing")
	i.ok("stream update "+id+" employees --quarantine-threshold 20% --release-after 3", "more than 20% missing, released after 3 equal listings")
	if r := i.run("stream", "update", id, "employees", "--quarantine-threshold", "half"); r.status != exitUsage || !strings.Contains(r.stderr, "percentage") {
		t.Errorf("a threshold that is none: %+v", r)
	}
	i.ok("stream update "+id+" employees --digest-path=address.city --digest-path=address.*", "told address.city address.*")
	i.ok("stream update "+id+" employees --digest-path= --changed-fields off", "changed fields:  not told", "; most updated")
	i.ok("stream update "+id+" employees --changed-fields on", "changed fields:  told")
	if r := i.run("stream", "update", id, "employees", "--digest-path", "a.*.b"); r.status != exitUsage || !strings.Contains(r.stderr, "a.*.b") {
		t.Errorf("a path that can't be a field: %+v", r)
	}
	i.ok("stream poll "+id+" employees", "a poll is requested")
	i.ok("stream poll "+id+" employees --wait", "complete: 40 records on 3 pages; created 0, updated 0, deleted 0")
	i.ok("stream show "+id+" employees", "records:", "40")
	if r := i.run("stream", "approve", id, "employees"); r.status != exitFailed || r.stderr == "" {
		t.Errorf("approve of nothing: %+v", r)
	}
	if got := decode[explanation](t, i.run("stream", "explain", id, "employees", "--json")); got.Stream.AccountID != id || len(got.Why) == 0 {
		t.Errorf("explanation %+v", got)
	}
}

func TestAccountCommands(t *testing.T) {
	t.Parallel()
	i := install(t, "--allow-private-networks")
	if list := i.run("account", "list"); list.status != exitOK || list.stdout != "" || !strings.HasPrefix(list.stderr, "no accounts yet") {
		t.Errorf("empty list: %+v", list)
	}
	account := i.connect()
	id := account.ID
	i.ok("account list", id, "bamboohr", "customer-17", "employees")
	i.ok("account show "+id, "customer-17", "active")
	i.ok("account update "+id+" --origin-owner-name Acme --setup-information domain=acme --schedule 30m", "Acme", "domain=acme", "30m")
	i.ok("account pause "+id, "paused")
	i.ok("account resume "+id, "active")
	r := synthook(t, i.environ, "wrong\n", "account", "update", id, "--credential-file", "api_key=-")
	if r.status != exitUsage || !strings.Contains(r.stderr, "does not accept the credentials (401)") || !strings.Contains(r.stderr, "check api_key") || !strings.Contains(r.stderr, "--no-check") {
		t.Errorf("update with wrong credentials: %+v", r)
	}
	i.ok("account check "+id, "employees ok")
	r = synthook(t, i.environ, "wrong\n", "account", "update", id, "--credential-file", "api_key=-", "--no-check")
	if r.status != exitOK {
		t.Errorf("update of credentials: %+v", r)
	}
	if poll := i.run("stream", "poll", id, "employees", "--wait", "--json"); poll.status != exitFailed || !strings.Contains(poll.stdout, `"complete":false`) {
		t.Errorf("poll with wrong credentials: %+v", poll)
	}
	i.ok("account show "+id, "needs_attention", "asked again")
	if r := i.run("account", "check", id); r.status != exitFailed || !strings.Contains(r.stdout, "employees refused (the provider does not accept the credentials (401)") {
		t.Errorf("check of wrong credentials: %+v", r)
	}
	i.ok("stream explain "+id+" employees", "synthook account update "+id+" --credential")
	if r := i.run("account", "delete", id); r.status != exitFailed || !strings.Contains(r.stderr, "not confirmed: nothing was changed") {
		t.Errorf("deleted by nobody's word: %+v", r)
	}
	i.ok("account delete "+id+" --yes", "deleted "+id)
	if r := i.run("account", "show", id); r.status != exitFailed || !strings.Contains(r.stderr, "not found") {
		t.Errorf("show of a deleted one: %+v", r)
	}
	var names []string
	for _, e := range decode[[]api.Event](t, i.run("event", "list", "--json")) {
		names = append(names, e.Event)
	}
	if first, last := names[0], names[len(names)-1]; first != "account.created" || last != "account.deleted" {
		t.Errorf("events %q", names)
	}
}

func TestWebhookCommands(t *testing.T) {
	t.Parallel()
	i, consumer := install(t, "--allow-private-networks"), newConsumer(t)
	secret := strings.Repeat("secret-", 5)
	id := decode[api.Webhook](t, i.run("webhook", "create", "--url", consumer.url, "--event", "*", "--secret-file", writeFile(t, "secret", secret+"\n"), "--json")).ID
	consumer.verify(secret)
	i.ok("webhook list", id, consumer.url, "ok")
	i.ok("webhook show "+id, id, "*")
	i.ok("webhook show "+id+" --with-secret", secret, "whsec_")
	i.ok("webhook test "+id, "delivered: answered 204")
	consumer.next()
	i.ok("webhook update "+id+" --event hris_employees.* --event ats_candidates.deleted", "hris_employees.* ats_candidates.deleted")
	i.ok("webhook disable "+id, "disabled")
	i.ok("webhook enable "+id, "ok")

	next := decode[api.Webhook](t, i.run("webhook", "rotate-secret", id, "--json")).Secret
	i.ok("webhook test "+id, "delivered") // still signed with the first
	consumer.next()
	i.ok("webhook secrets "+id, "active", "waiting")
	if r := i.run("webhook", "rotate-secret", id, "--verify"); r.status != exitFailed || !strings.Contains(r.stderr, "does not accept the new secret") {
		t.Errorf("verified by who doesn't know it: %+v", r)
	}
	if r := i.run("webhook", "rotate-secret", id, "--activate"); r.status != exitFailed || !strings.Contains(r.stderr, "not activated, because the consumer does not accept the new secret (it answers: ") {
		t.Errorf("activated though the consumer doesn't know it: %+v", r)
	}
	i.ok("webhook secrets "+id, "waiting")
	consumer.verify(next)
	i.ok("webhook rotate-secret "+id+" --verify", "verified")
	for range 9 {
		<-consumer.receipts // some of them badly signed, on purpose
	}
	i.ok("webhook rotate-secret "+id+" --activate --overlap 1h", id)
	for range 3 {
		<-consumer.receipts
	}
	i.ok("webhook secrets "+id, "retiring")
	i.ok("webhook rotate-secret "+id+" --retire", id)
	i.ok("webhook test "+id, "delivered")
	consumer.next()
	consumer.verify("something else")
	if r := i.run("webhook", "test", id); r.status != exitFailed || !strings.Contains(r.stderr, "not delivered") || !strings.Contains(r.stderr, "401") {
		t.Errorf("test that is refused: %+v", r)
	}
	i.ok("webhook update "+id+" --url http://127.0.0.1:1/", "http://127.0.0.1:1/")
	if r := i.run("webhook", "test", id); r.status != exitFailed || r.stderr != "synthook: not delivered: no connection\n" {
		t.Errorf("test of nobody: %+v", r)
	}
	if deleted := decode[map[string]any](t, i.run("webhook", "delete", id, "--json")); deleted["id"] != id || deleted["deleted"] != true {
		t.Errorf("deleted %v", deleted)
	}
}

func TestProjectsAndKeys(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.ok("project create Acme --id acmeinc-27270", "acmeinc-27270")
	i.ok("project list", "default", "acmeinc-27270")
	key := decode[api.APIKey](t, i.run("api-key", "create", "deploy", "--project", "acmeinc-27270", "--json"))
	i.ok("api-key list --project acmeinc-27270", key.ID, "deploy", key.Prefix)

	own := func(args ...string) result {
		return synthook(t, []string{i.environ[0], "SYNTHOOK_API_KEY_FILE=" + writeFile(t, "key", key.Key+"\n")}, "", args...)
	}
	if r := own("webhook", "list", "--json"); r.status != exitOK || r.stdout != "[]\n" {
		t.Errorf("with a project's key: %+v", r)
	}
	if r := own("project", "list"); r.status != exitFailed || !strings.Contains(r.stderr, "admin key") {
		t.Errorf("beyond a project's key: %+v", r)
	}
	i.ok("api-key delete "+key.ID+" --project acmeinc-27270", "deleted")
	if r := own("webhook", "list"); r.status != exitFailed || !strings.Contains(r.stderr, "SYNTHOOK_API_KEY") {
		t.Errorf("with a deleted key: %+v", r)
	}
	if r := synthook(t, i.environ[:1], "", "webhook", "list"); r.status != exitFailed || !strings.Contains(r.stderr, "set SYNTHOOK_API_KEY") {
		t.Errorf("without a key: %+v", r)
	}
}

// What the service refuses comes back as bad input, says what is wrong and suggests.
func TestServiceRefusesBadInput(t *testing.T) {
	t.Parallel()
	i := install(t)
	for name, c := range map[string]struct {
		command string
		want    string
	}{
		"unknown event":      {"webhook create --url https://9.9.9.9/ --event hris_employes.created", "hris_employees.created"},
		"no http URL":        {"webhook create --url ftp://9.9.9.9/ --event *", "http://"},
		"webhook inward":     {"webhook create --url http://127.0.0.1:3333/ --event *", "loopback"},
		"unknown provider":   {"account add --provider bambohr --credential api_key=x", `did you mean "bamboohr"?`},
		"missing credential": {"account add --provider bamboohr --credential company=acme", "give the credentials of exactly one way to authenticate"},
		"account inward":     {"account add --provider bamboohr --credential api_key=x --base-url http://10.0.0.1", "private"},
		"no interval":        {"stream set-interval --record-type employees soon", "soon"},
		"too often":          {"stream set-interval --record-type employees 1s", "5m"},
		"date that never is": {"account add --provider stackone --credential api_key=x --credential account_id=y --schedule 0_0_31_2_*", ""},
		"unknown baseline":   {"account add --provider bamboohr --credential api_key=x --credential company=acme --baseline loud", "baseline"},
	} {
		t.Run(name, func(t *testing.T) {
			args := strings.Fields(c.command)
			for n := range args {
				if strings.HasPrefix(args[n], "0_") {
					args[n] = strings.ReplaceAll(args[n], "_", " ")
				}
			}
			r := i.run(args...)
			if r.status != exitUsage || !strings.Contains(r.stderr, c.want) || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("status %d, %q (want %q in it)", r.status, r.stderr, c.want)
			}
		})
	}
}

// tail runs `event tail`: next is its next event, end is Ctrl-C, with which it ends well.
func tail(t *testing.T, environ []string, args ...string) (next func() api.Event, end func()) {
	ctx, interrupt := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"event", "tail", "--json"}, args...), environ, strings.NewReader(""), printed, t.Output())
		printed.Close()
		done <- err
	}()
	decoder := json.NewDecoder(out)
	next = func() (e api.Event) {
		t.Helper()
		if err := decoder.Decode(&e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	return next, func() {
		interrupt()
		if err := <-done; err != nil {
			t.Errorf("tail ended with %v", err)
		}
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	i := install(t, "--allow-private-networks")
	account := i.connect()
	next, end := tail(t, i.environ, "--since", "1h")
	if e := next(); e.Event != "account.created" {
		t.Errorf("tail since an hour began with %+v", e)
	}
	i.hire(account.ID)
	if e := next(); e.Event != "hris_employees.created" {
		t.Errorf("then came %+v", e)
	}
	end()
	next, end = tail(t, i.environ, "--since", "1h", "--event", "hris_employees.*")
	if e := next(); e.Event != "hris_employees.created" {
		t.Errorf("filtered tail began with %+v", e)
	}
	end()
}

// A service that goes away is waited for, and nothing of the log is left out.
func TestTailOutlivesService(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("order")+" "+q.Get("after"))
		answer := map[int]string{1: `{"items":[{"sequence":7,"event":"seen before"}]}`, 2: `{"items":[{"sequence":8,"event":"first"}]}`, 4: `{"items":[{"sequence":9,"event":"second"}]}`}
		if body, ok := answer[len(asked)]; ok {
			_, _ = io.WriteString(w, body)
			return
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	next, end := tail(t, []string{"SYNTHOOK_SERVER=" + server.URL})
	for _, want := range []string{"first", "second"} {
		if e := next(); e.Event != want {
			t.Errorf("came %+v, want %s", e, want)
		}
	}
	end()
	server.Close()
	if got := strings.Join(asked[:4], ", "); got != "desc , asc 7, asc 8, asc 8" {
		t.Errorf("asked %q", got)
	}
}
