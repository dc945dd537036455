package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/synthook/synthook/dispatch"
)

// The test vector of the wire contract.
const (
	vectorSecret    = "test-secret"
	vectorBody      = `{"project_id":"acmeinc-27270","account_id":"GnQoASvosYhE5wJcmmAQs","event":"hris_employees.updated","event_date":"2023-11-01T15:09:22.961Z","record_type":"employees","record_id":"3223323715753018140","sent_at":"2023-11-01T15:09:22.978Z"}`
	vectorSignature = "q0d7MMLd5k0ZymN9kYBfobiHw5JV4NA7nDTFZBEhnus"
)

func TestSign(t *testing.T) {
	for name, args := range map[string][]string{
		"secret":      {"sign", "--secret", vectorSecret},
		"secret file": {"sign", "--secret-file", writeFile(t, "secret", vectorSecret+"\n")},
		"whsec form":  {"sign", "--secret", dispatch.StandardSecret(vectorSecret)},
	} {
		if r := synthook(t, nil, vectorBody, args...); r.status != exitOK || r.stdout != vectorSignature+"\n" || r.stderr != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	got := decode[map[string]string](t, synthook(t, nil, vectorBody, "sign", "--secret", vectorSecret, "--json"))
	if got["signature"] != vectorSignature {
		t.Errorf("JSON %v", got)
	}
}

func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		body, secret, signature string
		status                  int
		message                 string
	}{
		"matches":      {vectorBody, vectorSecret, vectorSignature, exitOK, ""},
		"other body":   {vectorBody + " ", vectorSecret, vectorSignature, exitFailed, "synthook: the signature does not match\n"},
		"other secret": {vectorBody, "other", vectorSignature, exitFailed, "synthook: the signature does not match\n"},
		"newline":      {vectorBody + "\n", vectorSecret, vectorSignature, exitFailed, "synthook: the signature does not match: it does without the newline at the end of the body\n"},
		"padding":      {vectorBody, vectorSecret, vectorSignature + "=", exitFailed, "synthook: the signature does not match: it does without the padding\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := synthook(t, nil, c.body, "verify", "--secret", c.secret, "--signature", c.signature)
			if r.status != c.status || r.stderr != c.message {
				t.Errorf("%+v", r)
			}
			r = synthook(t, nil, c.body, "verify", "--secret", c.secret, "--signature", c.signature, "--json")
			if want := `{"valid":` + strconv.FormatBool(c.status == exitOK) + "}\n"; r.stdout != want || r.status != c.status {
				t.Errorf("%+v", r)
			}
		})
	}
}

// listen takes a signed event, prints a line of JSON for it and ends with Ctrl-C as
// something that went well.
func TestListen(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, printed := io.Pipe()
	notes, noted := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"listen", "--port", "0", "--secret", vectorSecret, "--json"}, nil, strings.NewReader(""), printed, noted)
		printed.Close()
		noted.Close()
	}()
	noteLines := lines(notes)
	address := regexp.MustCompile(`http://\S+`).FindString(<-noteLines)

	now := time.Now().Unix()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(vectorBody))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("x-stackone-signature", vectorSignature)
	request.Header.Set("webhook-id", "evt_1")
	request.Header.Set("webhook-timestamp", strconv.FormatInt(now, 10))
	request.Header.Set("webhook-signature", dispatch.StandardSignature([]string{vectorSecret}, "evt_1", now, []byte(vectorBody)))
	outLines := lines(out)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Errorf("answered %d", answer.StatusCode)
	}
	var line struct {
		OK    bool   `json:"ok"`
		Event string `json:"event"`
	}
	if err := json.Unmarshal([]byte(<-outLines), &line); err != nil || !line.OK || line.Event != "hris_employees.updated" {
		t.Errorf("line %+v, %v", line, err)
	}
	interrupt()
	if total := <-noteLines; total != "1 received: 1 verified, 0 bad, 0 duplicates, 0 answered 500" {
		t.Errorf("totals %q", total)
	}
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// lines reads a stream line by line until it ends.
func lines(r io.Reader) <-chan string {
	found := make(chan string, 100)
	go func() {
		defer close(found)
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			found <- scanner.Text()
		}
	}()
	return found
}
