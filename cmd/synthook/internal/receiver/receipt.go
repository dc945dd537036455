package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/synthook/synthook/dispatch"
)

// Body is what every event says, as far as it could be read.
type Body struct {
	ProjectID  string `json:"project_id"`
	AccountID  string `json:"account_id"`
	Event      string `json:"event"`
	EventDate  string `json:"event_date"`
	RecordType string `json:"record_type"`
	RecordID   string `json:"record_id"`
	SentAt     string `json:"sent_at"`
}

// Receipt is what one request was found to be. Its Body is filled in whether the
// request verified or not.
type Receipt struct {
	At time.Time `json:"at"`
	ID string    `json:"id"` // webhook-id: the event's, the same on every retry and replay
	Body
	Problems  []string `json:"problems,omitempty"` // why it did not verify
	Duplicate bool     `json:"duplicate"`
	Status    int      `json:"status"` // answered
}

// OK says whether the request verified in every way.
func (r Receipt) OK() bool { return len(r.Problems) == 0 }

// MarshalJSON adds "ok", so that whoever reads the lines needs no rule of ours.
func (r Receipt) MarshalJSON() ([]byte, error) {
	type plain Receipt
	return json.Marshal(struct {
		OK bool `json:"ok"`
		plain
	}{r.OK(), plain(r)})
}

// String is the receipt as one line for people. What the sender chose is quoted where
// it could mislead a terminal.
func (r Receipt) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-28s  %s  %s  ", r.At.UTC().Format("15:04:05.000Z"), shown(r.Event), shown(r.AccountID), shown(r.RecordID))
	if r.OK() {
		b.WriteString("ok")
	} else {
		b.WriteString("BAD: " + strings.Join(r.Problems, "; "))
	}
	if r.Duplicate {
		b.WriteString(", duplicate")
	}
	if r.Status >= http.StatusInternalServerError {
		fmt.Fprintf(&b, ", answered %d", r.Status)
	}
	return b.String()
}

func shown(s string) string {
	if s == "" {
		return "-"
	}
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` || strings.ContainsRune(s, ' ') {
		return quoted
	}
	return s
}

// inspect verifies a request in each of the ways consumers do.
func inspect(h http.Header, body []byte, at time.Time, o Options) Receipt {
	r := Receipt{At: at, ID: h.Get("webhook-id")}
	bad := func(problem string) { r.Problems = append(r.Problems, problem) }

	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || media != "application/json" {
		bad("content-type is not application/json")
	}
	signature := h.Get("x-stackone-signature")
	accepts := func(body []byte) bool {
		return slices.ContainsFunc(o.Secrets, func(secret string) bool { return dispatch.Verify(secret, body, signature) })
	}
	switch {
	case signature == "":
		bad("x-stackone-signature is missing")
	case !accepts(body):
		bad("x-stackone-signature does not match")
	}
	if problem := checkStandard(h, body, at, o); problem != "" {
		bad(problem)
	}

	again, keys, err := reencode(body)
	switch {
	case err != nil:
		bad("body: " + err.Error())
	case !bytes.Equal(again, body):
		bad("body changes under JSON.stringify(JSON.parse(body))")
	}
	if err == nil {
		if err := json.Unmarshal(body, &r.Body); err != nil {
			bad("body: a field is not of its type")
		}
		if !contractual(keys, r.RecordType) {
			bad("body: keys or their order are not those of the contract")
		}
	}
	return r
}

// checkStandard verifies the Standard Webhooks headers; "" when they hold.
func checkStandard(h http.Header, body []byte, at time.Time, o Options) string {
	id := h.Get("webhook-id")
	if id == "" {
		return "webhook-id is missing"
	}
	seconds, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return "webhook-timestamp is missing or no number"
	}
	if off := at.Sub(time.Unix(seconds, 0)).Abs(); off > o.Tolerance {
		return fmt.Sprintf("webhook-timestamp is off by %s", off.Round(time.Second))
	}
	given := strings.Fields(h.Get("webhook-signature"))
	for _, secret := range o.Secrets {
		if slices.Contains(given, dispatch.StandardSignature([]string{secret}, id, seconds, body)) {
			return ""
		}
	}
	return "webhook-signature does not match"
}

var (
	recordKeys  = []string{"project_id", "account_id", "event", "event_date", "record_type", "record_id", "sent_at"}
	accountKeys = []string{"provider", "origin_owner_id", "origin_owner_name", "origin_username", "setup_information"}
)

// contractual says whether the body's keys are the seven of a record event in their
// order, followed for account events by some of the five of those, in theirs.
func contractual(keys []string, recordType string) bool {
	if len(keys) < len(recordKeys) || !slices.Equal(keys[:len(recordKeys)], recordKeys) {
		return false
	}
	rest := keys[len(recordKeys):]
	if recordType != "account" {
		return len(rest) == 0
	}
	for _, key := range accountKeys {
		if len(rest) > 0 && rest[0] == key {
			rest = rest[1:]
		}
	}
	return len(rest) == 0
}
