package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// tunePage tells what intervals cost and buy, and proposes better ones.
type tunePage struct {
	frame.Frame
	Budget, Staleness string // the aim, as it was typed
	Tuning            api.Tuning
	Proposals         int
	Wrong             form.Wrong
}

func (d *Dashboard) tune(w http.ResponseWriter, r *http.Request) error {
	page := &tunePage{Frame: d.frameOf(w, r, "tune", "Tune"), Budget: strings.TrimSpace(r.FormValue("budget")), Staleness: strings.TrimSpace(r.FormValue("staleness"))}
	var err error
	page.Tuning, err = client.Get[api.Tuning](r.Context(), d.API, "/v1/tune?"+page.query())
	if wrong, ok := form.Refused(err); ok {
		page.Wrong = wrong
		return d.again(w, r, "tune", page)
	}
	if err != nil {
		return err
	}
	for _, t := range page.Tuning.RecordTypes {
		if t.Proposed != "" {
			page.Proposals++
		}
	}
	return d.show(w, r, "tune", page)
}

func (p *tunePage) query() string {
	q := url.Values{}
	if p.Budget != "" {
		q.Set("budget", p.Budget)
	}
	if p.Staleness != "" {
		q.Set("staleness", p.Staleness)
	}
	return q.Encode()
}

// applyTuning sets the intervals that the page proposed: those that the form names, not
// what would be proposed by now.
func (d *Dashboard) applyTuning(w http.ResponseWriter, r *http.Request) error {
	types, schedules, incremental := r.PostForm["record_type"], r.PostForm["schedule"], r.PostForm["incremental"]
	for i := range min(len(types), len(schedules), len(incremental)) {
		set := api.RecordTypeSchedule{RecordType: types[i], Schedule: schedules[i], IncrementalSchedule: incremental[i]}
		err := d.API.Do(r.Context(), http.MethodPut, client.Path("v1", "schedules", types[i]), set, nil)
		if err != nil {
			return d.after(w, r, "/tune", "", err)
		}
	}
	return d.done(w, r, "/tune", frame.Notice{Tone: "ok", Text: frame.Plural(min(len(types), len(schedules), len(incremental)), "interval") + " set."})
}
