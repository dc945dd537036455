package dispatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// vectorSecret, vectorBody and vectorSignature were computed with Node.
const (
	vectorSecret    = "test-secret"
	vectorBody      = `{"project_id":"acmeinc-27270","account_id":"GnQoASvosYhE5wJcmmAQs","event":"hris_employees.updated","event_date":"2023-11-01T15:09:22.961Z","record_type":"employees","record_id":"3223323715753018140","sent_at":"2023-11-01T15:09:22.978Z"}`
	vectorSignature = "q0d7MMLd5k0ZymN9kYBfobiHw5JV4NA7nDTFZBEhnus"
)

func vectorEvent() (Event, time.Time) {
	return Event{
		UID: "evt_1", ProjectID: "acmeinc-27270", AccountID: "GnQoASvosYhE5wJcmmAQs", Name: "hris_employees.updated", RecordType: "employees",
		RecordID: "3223323715753018140", OccurredAt: time.Date(2023, 11, 1, 16, 9, 22, 961_999_999, time.FixedZone("CET", 3600)),
	}, time.Date(2023, 11, 1, 15, 9, 22, 978_000_000, time.UTC)
}

func TestBodyIsTheContracts(t *testing.T) {
	e, sentAt := vectorEvent()
	body, err := Body(e, sentAt)
	if err != nil || string(body) != vectorBody {
		t.Errorf("%s, %v", body, err)
	}
	e.Name, e.RecordType, e.RecordID = "account.created", "account", e.AccountID
	e.Account = &AccountDetails{
		Provider: "bamboohr", OriginOwnerID: "o<1>&", OriginUsername: "Zoë",
		SetupInformation: json.RawMessage(` { "domain" : "companytest", "b": true, "a": -7, "u": "\u00e9\u2028\u001f\ud800" } `),
	}
	body, err = Body(e, sentAt)
	want := `{"project_id":"acmeinc-27270","account_id":"GnQoASvosYhE5wJcmmAQs","event":"account.created","event_date":"2023-11-01T15:09:22.961Z","record_type":"account","record_id":"GnQoASvosYhE5wJcmmAQs","sent_at":"2023-11-01T15:09:22.978Z","provider":"bamboohr","origin_owner_id":"o<1>&","origin_username":"Zoë","setup_information":{"domain":"companytest","b":true,"a":-7,"u":"é` + "\u2028" + `\u001f` + "\uFFFD" + `"}}`
	if err != nil || string(body) != want {
		t.Errorf("\n%s, %v\n%s", body, err, want)
	}
	for _, nothing := range []string{"", "null", "{}", " { } "} {
		e.Account.SetupInformation = json.RawMessage(nothing)
		if body, err := Body(e, sentAt); err != nil || bytes.Contains(body, []byte("setup_information")) {
			t.Errorf("%q: %s, %v", nothing, body, err)
		}
	}
}

func TestSetupInformationThatJavaScriptWouldChangeIsRefused(t *testing.T) {
	for _, raw := range []string{
		`[]`, `"text"`, `7`, `{`, `{"a":1}{"b":2}`, `{"a":1.5}`, `{"a":1e2}`, `{"a":9007199254740993}`, `{"a":-9007199254740993}`,
		`{"0":"x"}`, `{"b":1,"17":2}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{}}`, `{"a":["x"]}`, `{"a":null}`, "{\"\xff\":1,\"\xfe\":2}",
	} {
		if _, err := appendSetup(nil, json.RawMessage(raw)); err == nil {
			t.Errorf("%s is accepted", raw)
		} else if strings.Contains(err.Error(), "1.5") {
			t.Errorf("the error holds a value: %v", err)
		}
	}
	for _, raw := range []string{`{"a":9007199254740992}`, `{"a":-0}`, `{"-1":"x","01x":false}`} {
		if _, err := appendSetup(nil, json.RawMessage(raw)); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func FuzzBody(f *testing.F) {
	for _, s := range nasty {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, id, key string) {
		e, sentAt := vectorEvent()
		e.RecordID, e.AccountID = id, key
		setup, _ := json.Marshal(map[string]string{key: id})
		e.Account = &AccountDetails{OriginOwnerName: id, SetupInformation: setup}
		body, err := Body(e, sentAt)
		if err != nil {
			if isIndex(key) {
				return
			}
			t.Fatal(err)
		}
		checkSpelling(t, body)
		var got struct {
			AccountID string            `json:"account_id"`
			RecordID  string            `json:"record_id"`
			Owner     string            `json:"origin_owner_name"`
			Setup     map[string]string `json:"setup_information"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		id, key = string([]rune(id)), string([]rune(key))
		if got.RecordID != id || got.AccountID != key || got.Owner != id || len(got.Setup) != 1 || got.Setup[key] != id {
			t.Fatalf("%q, %q became %s", id, key, body)
		}
	})
}

// checkSpelling fails unless every string in body is escaped as JSON.stringify does.
func checkSpelling(t *testing.T, body []byte) {
	t.Helper()
	if !utf8.Valid(body) {
		t.Fatalf("%q is not UTF-8", body)
	}
	for i := 0; i < len(body); i++ {
		if body[i] < ' ' {
			t.Fatalf("%q has a raw control character", body)
		}
		if body[i] != '\\' {
			continue
		}
		i++
		if body[i] != 'u' {
			if !strings.ContainsRune(`"\bfnrt`, rune(body[i])) {
				t.Fatalf("%q escapes %q", body, body[i])
			}
			continue
		}
		code := string(body[i+1 : i+5])
		if code < "0000" || code > "001f" || code != strings.ToLower(code) || strings.Contains("0008 0009 000a 000c 000d", code) {
			t.Fatalf("%q escapes u%s", body, code)
		}
		i += 4
	}
}

// nasty holds strings at which writers of JSON differ.
var nasty = []string{
	"", "plain", `"quoted"`, `back\slash`, `\u0041`, "<script>&amp;</script>", "a/b", "\u2028\u2029", "\x00\x01\x08\t\n\x0b\x0c\r\x1f\x7f",
	"é", "日本語", "😀", "\U0010FFFF", "\uFEFFbom", "\uFFFD", "\xff", "a\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "e\u0301", "__proto__", "constructor", "0", "-0", "1e400",
}

// TestBodySurvivesJavaScript asks Node: older consumers sign JSON.stringify of what
// they parsed.
func TestBodySurvivesJavaScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node is needed for this test, and in CI it must run")
		}
		t.Log("not run: node is not installed")
		return
	}
	var input bytes.Buffer
	for i, s := range nasty {
		e, sentAt := vectorEvent()
		setup, err := json.Marshal(map[string]any{"k" + s: s, "n" + s: i - 9, "b": i%2 == 0})
		if err != nil {
			t.Fatal(err)
		}
		e.ProjectID, e.RecordID, e.Account = s, s, &AccountDetails{Provider: s, OriginOwnerID: s, SetupInformation: setup}
		if i%2 == 0 {
			e.Account.SetupInformation, err = json.Marshal(map[string]any{s: s, "a": 1})
			if err != nil {
				t.Fatal(err)
			}
			if isIndex(s) {
				e.Account.SetupInformation = json.RawMessage(`{"__proto__":"x","z":1,"a":2}`)
			}
		}
		body, err := Body(e, sentAt)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&input, "%s\n", body)
	}
	const script = `
		const lines = require("fs").readFileSync(0).toString().split("\n").slice(0, -1);
		for (const line of lines) if (JSON.stringify(JSON.parse(line)) !== line) console.log(line);
		console.log(lines.length);
		const {createHmac} = require("crypto");
		console.log(createHmac("sha256", process.argv[1]).update(JSON.stringify(JSON.parse(process.argv[2]))).digest("base64url"));`
	command := exec.CommandContext(t.Context(), node, "-e", script, vectorSecret, vectorBody)
	command.Stdin = &input
	output, err := command.CombinedOutput()
	if want := fmt.Sprintf("%d\n%s\n", len(nasty), vectorSignature); err != nil || string(output) != want {
		t.Errorf("%v: node finds different\n%s", err, output)
	}
}
