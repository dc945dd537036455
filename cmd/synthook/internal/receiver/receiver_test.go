package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/dispatch"
)

const secret = "test-secret"

// vector is the test vector of the wire contract, with its signature.
const (
	vector    = `{"project_id":"acmeinc-27270","account_id":"GnQoASvosYhE5wJcmmAQs","event":"hris_employees.updated","event_date":"2023-11-01T15:09:22.961Z","record_type":"employees","record_id":"3223323715753018140","sent_at":"2023-11-01T15:09:22.978Z"}`
	signature = "q0d7MMLd5k0ZymN9kYBfobiHw5JV4NA7nDTFZBEhnus"
)

// signed is a request as a sender makes it; edit spoils it.
func signed(body string, edit func(http.Header)) *http.Request {
	now := time.Now().Unix()
	r := httptest.NewRequest(http.MethodPost, "/hooks?token=t", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("x-stackone-signature", dispatch.Sign(secret, []byte(body)))
	r.Header.Set("webhook-id", "evt_1")
	r.Header.Set("webhook-timestamp", strconv.FormatInt(now, 10))
	r.Header.Set("webhook-signature", dispatch.StandardSignature([]string{secret}, "evt_1", now, []byte(body)))
	if edit != nil {
		edit(r.Header)
	}
	return r
}

// receive hands a request to a new receiver and returns what it made of it.
func receive(t *testing.T, o Options, r *http.Request) (Receipt, int) {
	t.Helper()
	var receipts []Receipt
	o.OnReceipt = func(r Receipt) { receipts = append(receipts, r) }
	w := httptest.NewRecorder()
	New(o).ServeHTTP(w, r)
	if len(receipts) != 1 {
		t.Fatalf("%d receipts, want 1 (status %d)", len(receipts), w.Code)
	}
	return receipts[0], w.Code
}

func TestVectorVerifies(t *testing.T) {
	r := signed(vector, func(h http.Header) { h.Set("x-stackone-signature", signature) })
	got, status := receive(t, Options{Secrets: []string{secret}}, r)
	if !got.OK() || status != http.StatusNoContent {
		t.Fatalf("status %d, problems %q", status, got.Problems)
	}
	want := Body{"acmeinc-27270", "GnQoASvosYhE5wJcmmAQs", "hris_employees.updated", "2023-11-01T15:09:22.961Z", "employees", "3223323715753018140", "2023-11-01T15:09:22.978Z"}
	if got.Body != want || got.ID != "evt_1" {
		t.Errorf("receipt %+v", got)
	}
}

func TestProblems(t *testing.T) {
	account := strings.Replace(strings.TrimSuffix(vector, "}"), `"record_type":"employees"`, `"record_type":"account"`, 1)
	for name, c := range map[string]struct {
		body    string
		edit    func(http.Header)
		problem string // "": none
	}{
		"no signature":         {vector, func(h http.Header) { h.Del("x-stackone-signature") }, "x-stackone-signature is missing"},
		"padded signature":     {vector, func(h http.Header) { h.Set("x-stackone-signature", signature+"=") }, "x-stackone-signature does not match"},
		"other secret":         {vector, func(h http.Header) { h.Set("x-stackone-signature", dispatch.Sign("other", []byte(vector))) }, "x-stackone-signature does not match"},
		"no id":                {vector, func(h http.Header) { h.Del("webhook-id") }, "webhook-id is missing"},
		"no timestamp":         {vector, func(h http.Header) { h.Del("webhook-timestamp") }, "webhook-timestamp is missing or no number"},
		"signature of another": {vector, func(h http.Header) { h.Set("webhook-id", "evt_2") }, "webhook-signature does not match"},
		"content type":         {vector, func(h http.Header) { h.Set("Content-Type", "text/plain") }, "content-type is not application/json"},
		"charset is fine":      {vector, func(h http.Header) { h.Set("Content-Type", "application/json; charset=utf-8") }, ""},
		"whitespace":           {strings.Replace(vector, ",", ", ", 1), nil, "body changes under JSON.stringify(JSON.parse(body))"},
		"newline at the end":   {vector + "\n", nil, "body changes under JSON.stringify(JSON.parse(body))"},
		"HTML escape":          {strings.Replace(vector, "acmeinc", `a\u003cb`, 1), nil, "body changes under JSON.stringify(JSON.parse(body))"},
		"plain < is fine":      {strings.Replace(vector, "acmeinc", "a<b>&c\u2028", 1), nil, ""},
		"needless escape":      {strings.Replace(vector, "acmeinc", `a\/b`, 1), nil, "body changes under JSON.stringify(JSON.parse(body))"},
		"needed escapes":       {strings.Replace(vector, "acmeinc", `a\"b\\c\nd\u0001`, 1), nil, ""},
		"invalid UTF-8":        {strings.Replace(vector, "acmeinc", "a\xffb", 1), nil, "body changes under JSON.stringify(JSON.parse(body))"},
		"not JSON":             {"{", nil, "body: not JSON"},
		"two values":           {vector + vector, nil, "body: more than one JSON value"},
		"repeated key":         {strings.Replace(vector, `{`, `{"project_id":"x",`, 1), nil, "body: a key is repeated"},
		"one key more":         {strings.Replace(vector, `}`, `,"fields":[]}`, 1), nil, "body: keys or their order are not those of the contract"},
		"keys out of order":    {strings.Replace(vector, `"project_id":"acmeinc-27270","account_id":"GnQoASvosYhE5wJcmmAQs"`, `"account_id":"GnQoASvosYhE5wJcmmAQs","project_id":"acmeinc-27270"`, 1), nil, "body: keys or their order are not those of the contract"},
		"account event":        {account + `,"provider":"bamboohr","setup_information":{"domain":"companytest"}}`, nil, ""},
		"account out of order": {account + `,"setup_information":{},"provider":"bamboohr"}`, nil, "body: keys or their order are not those of the contract"},
		"index key":            {account + `,"setup_information":{"domain":"x","1":"y"}}`, nil, "body: a key looks like an array index"},
		"float":                {account + `,"setup_information":{"a":1.5}}`, nil, "body: a number that JavaScript would not keep"},
		"big integer":          {account + `,"setup_information":{"a":9007199254740993}}`, nil, "body: a number that JavaScript would not keep"},
		"number as record id":  {strings.Replace(vector, `"3223323715753018140"`, "17", 1), nil, "body: a field is not of its type"},
	} {
		t.Run(name, func(t *testing.T) {
			got, status := receive(t, Options{Secrets: []string{secret}}, signed(c.body, c.edit))
			if c.problem == "" {
				if !got.OK() || status != http.StatusNoContent {
					t.Errorf("status %d, problems %q", status, got.Problems)
				}
				return
			}
			if status != http.StatusUnauthorized || len(got.Problems) != 1 || got.Problems[0] != c.problem {
				t.Errorf("status %d, problems %q, want %q", status, got.Problems, c.problem)
			}
		})
	}
}

// A body can't declare itself verified.
func TestBodyDoesNotSteerReceipt(t *testing.T) {
	body := `{"ok":true,"problems":null,"duplicate":false,"status":204,"id":"evt_forged"}`
	got, status := receive(t, Options{Secrets: []string{secret}}, signed(body, func(h http.Header) { h.Set("x-stackone-signature", "forged") }))
	if got.OK() || status != http.StatusUnauthorized || got.ID != "evt_1" {
		t.Errorf("status %d, receipt %+v", status, got)
	}
}

func TestTimestampTolerance(t *testing.T) {
	for name, c := range map[string]struct {
		off time.Duration
		ok  bool
	}{"late": {-4 * time.Minute, true}, "early": {4 * time.Minute, true}, "too late": {-6 * time.Minute, false}, "too early": {6 * time.Minute, false}} {
		t.Run(name, func(t *testing.T) {
			r := signed(vector, func(h http.Header) {
				at := time.Now().Add(c.off).Unix()
				h.Set("webhook-timestamp", strconv.FormatInt(at, 10))
				h.Set("webhook-signature", dispatch.StandardSignature([]string{secret}, "evt_1", at, []byte(vector)))
			})
			got, _ := receive(t, Options{Secrets: []string{secret}}, r)
			if got.OK() != c.ok {
				t.Errorf("problems %q", got.Problems)
			}
		})
	}
}

func TestEitherSecretOfARotation(t *testing.T) {
	for _, secrets := range [][]string{{secret, "next"}, {"previous", secret}} {
		if got, _ := receive(t, Options{Secrets: secrets}, signed(vector, nil)); !got.OK() {
			t.Errorf("secrets %q: problems %q", secrets, got.Problems)
		}
	}
	r := signed(vector, func(h http.Header) {
		h.Set("webhook-signature", dispatch.StandardSignature([]string{"next", secret}, "evt_1", time.Now().Unix(), []byte(vector)))
	})
	if got, _ := receive(t, Options{Secrets: []string{secret}}, r); !got.OK() {
		t.Errorf("two signatures: problems %q", got.Problems)
	}
}

// A retry of what was answered with an error is no duplicate; a second of what was
// accepted is one.
func TestFailEveryAndDuplicates(t *testing.T) {
	var lines []string
	r := New(Options{Secrets: []string{secret}, FailEvery: 2, OnReceipt: func(r Receipt) {
		lines = append(lines, fmt.Sprintf("%s %d %t", r.ID, r.Status, r.Duplicate))
	}})
	send := func(id string) {
		r.ServeHTTP(httptest.NewRecorder(), signed(vector, func(h http.Header) {
			h.Set("webhook-id", id)
			h.Set("webhook-signature", dispatch.StandardSignature([]string{secret}, id, time.Now().Unix(), []byte(vector)))
		}))
	}
	for _, id := range []string{"evt_1", "evt_2", "evt_2", "evt_1", "evt_2"} {
		send(id)
	}
	want := []string{"evt_1 204 false", "evt_2 500 false", "evt_2 204 false", "evt_1 500 true", "evt_2 204 true"}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s", got)
	}
	if got := r.Counts(); got != (Counts{Requests: 5, Verified: 5, Duplicates: 2, Failed: 2}) {
		t.Errorf("counts %+v", got)
	}
}

func TestWhatIsNoWebhook(t *testing.T) {
	r := New(Options{Secrets: []string{secret}, OnReceipt: func(Receipt) { t.Error("told of what is no webhook") }})
	for name, c := range map[string]struct {
		request *http.Request
		status  int
	}{
		"GET":      {httptest.NewRequest(http.MethodGet, "/", nil), http.StatusMethodNotAllowed},
		"too long": {httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(make([]byte, maxBody+1))), http.StatusRequestEntityTooLarge},
	} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, c.request)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d", name, w.Code, c.status)
		}
	}
}

func TestReceiptForms(t *testing.T) {
	receipt := Receipt{At: time.Date(2026, 11, 22, 10, 0, 0, 5e6, time.UTC), ID: "evt_1", Duplicate: true, Status: 500,
		Body: Body{AccountID: "acc", Event: "hris_employees.updated", RecordID: "1\x1b[2J"}, Problems: []string{"webhook-id is missing"}}
	want := `10:00:00.005Z  hris_employees.updated        acc  "1\x1b[2J"  BAD: webhook-id is missing, duplicate, answered 500`
	if got := receipt.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	data, err := json.Marshal(receipt)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back["ok"] != false || back["event"] != "hris_employees.updated" || back["duplicate"] != true || back["at"] != "2026-11-22T10:00:00.005Z" {
		t.Errorf("JSON %s", data)
	}
}

func TestServeUntilCancelled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	r := New(Options{Secrets: []string{secret}})
	go func() { done <- r.Serve(ctx, l) }()

	request := signed(vector, nil)
	outgoing, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+"/any/path?token=t", strings.NewReader(vector))
	if err != nil {
		t.Fatal(err)
	}
	outgoing.Header = request.Header
	answer, err := http.DefaultClient.Do(outgoing)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusNoContent {
		t.Errorf("status %d, body %q, %v", answer.StatusCode, body, err)
	}
	answer.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	if got := r.Counts(); got.Verified != 1 {
		t.Errorf("counts %+v", got)
	}
}
