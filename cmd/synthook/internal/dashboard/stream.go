package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/chart"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// streamPage is one stream.
type streamPage struct {
	frame.Frame
	Stream    streamRow
	Mark      string // what of it is shown
	Account   api.Account
	Polls     []api.Poll // newest first
	Next      string
	Timeline  template.HTML
	Inherited []string // paths that the connector ignores
	Volatile  []api.VolatileField
	Changed   []fieldShare   // of the polls that are shown
	Diagnosis *api.Diagnosis // of the doctor, in the answer to its form
	Open      string         // the form that was refused
	Wrong     form.Wrong
	Typed     map[string]string
}

// Value is what a field of the settings shows: what was typed, or what holds.
func (p *streamPage) Value(name string) string {
	if typed, ok := p.Typed[name]; ok {
		return typed
	}
	switch name {
	case "schedule":
		return p.Stream.Own()
	case "ignore_paths":
		return strings.Join(p.Stream.IgnorePaths, "\n")
	case "digest_paths":
		return strings.Join(p.Stream.DigestPaths, "\n")
	case "changed_fields":
		return map[bool]string{true: "1"}[p.Stream.ChangedFields]
	case "quarantine_threshold":
		return strconv.Itoa(p.Stream.QuarantineThreshold)
	case "release_after":
		return strconv.Itoa(p.Stream.ReleaseAfter)
	}
	return ""
}

// fieldShare is how often a field changed.
type fieldShare struct {
	Name    string
	Records int
	Strip   template.HTML
}

const fieldsShown = 12

// changedFields sums up what the updates of some polls were about, the most frequent
// field first, at most so many fields; 0: all.
func changedFields(polls []api.Poll, limit int) (shares []fieldShare) {
	sum, most := map[string]int{}, 0
	for _, p := range polls {
		for name, n := range p.Fields {
			sum[name] += n
			most = max(most, sum[name])
		}
	}
	for name, n := range sum {
		shares = append(shares, fieldShare{name, n, chart.Strip([]chart.Share{{Class: "updated", Name: "records", N: n}, {Class: "track", N: most - n}})})
	}
	slices.SortFunc(shares, func(a, b fieldShare) int {
		return cmp.Or(b.Records-a.Records, strings.Compare(a.Name, b.Name))
	})
	if limit > 0 && len(shares) > limit {
		shares = shares[:limit]
	}
	return shares
}

// Requests says that the requests of polls are on record.
func (p *streamPage) Requests() bool {
	return slices.ContainsFunc(p.Polls, func(poll api.Poll) bool { return poll.Requests > 0 })
}

// Ignored says whether a path is ignored already.
func (p *streamPage) Ignored(path string) bool { return slices.Contains(p.Stream.IgnorePaths, path) }

const pollsShown = 30

func (d *Dashboard) stream(w http.ResponseWriter, r *http.Request) error {
	page, err := d.streamPage(w, r)
	if err != nil {
		return err
	}
	return d.show(w, r, "stream", page)
}

func (d *Dashboard) streamPage(w http.ResponseWriter, r *http.Request) (*streamPage, error) {
	ctx, page := r.Context(), &streamPage{}
	here := streamPath(r)
	s, err := client.Get[api.Stream](ctx, d.API, here)
	if err != nil {
		return nil, err
	}
	page.Stream = rowOfStream(s)
	if page.Account, err = client.Get[api.Account](ctx, d.API, client.Path("v1", "accounts", s.AccountID)); err != nil {
		return nil, err
	}
	query := fmt.Sprintf("/polls?limit=%d", pollsShown)
	if before := r.URL.Query().Get("before"); before != "" {
		query += "&cursor=" + urlEscape(before)
	}
	polls, err := client.Get[api.Page[api.Poll]](ctx, d.API, here+query)
	if err != nil {
		return nil, err
	}
	page.Polls = polls.Items
	if polls.Next != "" {
		page.Next = with(r.URL, "before", polls.Next)
	}
	page.Timeline, page.Changed = timeline(polls.Items), changedFields(polls.Items, fieldsShown)
	volatile, err := client.Get[api.Page[api.VolatileField]](ctx, d.API, here+"/volatile-fields")
	if err != nil {
		return nil, err
	}
	page.Volatile = volatile.Items
	if p, err := client.Get[api.Provider](ctx, d.API, client.Path("v1", "providers", s.Provider)); err == nil {
		for _, stream := range p.Streams {
			if stream.RecordType == s.RecordType {
				page.Inherited = stream.Ignore
			}
		}
	}
	page.Frame = d.frameOf(w, r, "streams", frame.Words(s.RecordType)+" of "+nameOf(page.Account.OriginOwnerName, s.AccountID))
	var busy bool
	if page.Mark, busy = markOf([]streamRow{page.Stream}); busy {
		page.Refresh = 2
	}
	return page, nil
}

func streamPath(r *http.Request) string {
	return client.Path("v1", "accounts", r.PathValue("account"), "streams", r.PathValue("type"))
}

// timeline draws what polls found, oldest first.
func timeline(newest []api.Poll) template.HTML {
	if len(newest) == 0 {
		return ""
	}
	c := chart.Bars{Classes: []string{"created", "updated", "deleted", "failed"}}
	for _, p := range slices.Backward(newest) {
		label := fmt.Sprintf("%s: %s, %d created, %d updated, %d deleted in %s", p.StartedAt.UTC().Format("2 Jan 15:04 UTC"),
			frame.Plural(p.Records, "record"), p.Created, p.Updated, p.Deleted, frame.Duration(time.Duration(p.DurationMS)*time.Millisecond))
		parts := []int64{int64(p.Created), int64(p.Updated), int64(p.Deleted), 0}
		if p.Error != "" {
			label, parts[3] = label+"; failed", 1
		}
		c.Bars = append(c.Bars, chart.Bar{Label: label, Parts: parts})
	}
	// A few polls are not drawn as wide as many.
	for len(c.Bars) < pollsShown {
		c.Bars = append([]chart.Bar{{}}, c.Bars...)
	}
	c.Label = fmt.Sprintf("Changes found by the last %d polls on record", len(newest))
	return c.SVG()
}

func (d *Dashboard) changeStream(w http.ResponseWriter, r *http.Request) error {
	account, recordType := r.PathValue("account"), r.PathValue("type")
	here := frame.Path("accounts", account, "streams", recordType)
	back := here
	if r.PostFormValue("from") == "account" {
		back = frame.Path("accounts", account)
	}
	act := func(action, text string) error {
		return d.after(w, r, back, text, d.ask(r.Context(), http.MethodPost, "accounts", account, "streams", recordType, action))
	}
	paused := true
	switch r.PathValue("action") {
	case "poll":
		return act("poll", "A poll of "+frame.Words(recordType)+" is requested.")
	case "approve":
		return act("approve", "Approved. The stream is polled now; what is still missing is deleted and told.")
	case "reject":
		return act("reject", "Rejected. The stream is polled now and judged anew.")
	case "resume":
		paused = false
		fallthrough
	case "pause":
		_, err := client.Send[api.Stream](r.Context(), d.API, http.MethodPatch, streamPath(r), api.StreamUpdate{Paused: &paused})
		return d.after(w, r, back, map[bool]string{true: "Paused.", false: "Resumed: it is polled now."}[paused], err)
	case "interval":
		return d.setInterval(w, r, back)
	case "settings":
		return d.updateStream(w, r)
	case "ignore":
		return d.ignorePath(w, r)
	case "doctor":
		return d.doctor(w, r)
	}
	d.fail(w, r, http.StatusNotFound, "There is no such action.")
	return nil
}

// doctor examines the stream and shows what it found in the answer itself: it is kept
// nowhere.
func (d *Dashboard) doctor(w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	// Two listings may take longer than the server's limits.
	_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
	found, err := client.Send[api.Diagnosis](r.Context(), d.API, http.MethodPost, streamPath(r)+"/doctor", nil)
	if wrong, ok := form.Refused(err); ok {
		return d.streamAgain(w, r, "doctor", wrong, nil)
	}
	if err != nil {
		return err
	}
	page, err := d.streamPage(w, r)
	if err != nil {
		return err
	}
	page.Diagnosis, page.Open, page.Refresh = &found, "doctor", 0
	return d.show(w, r, "stream", page)
}
