package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// setInterval changes one stream's interval from the account's page.
func (d *Dashboard) setInterval(w http.ResponseWriter, r *http.Request, back string) error {
	typed := strings.TrimSpace(r.PostFormValue("schedule"))
	s, err := client.Send[api.Stream](r.Context(), d.API, http.MethodPatch, streamPath(r), api.StreamUpdate{Schedule: &typed})
	if wrong, ok := form.Refused(err); ok {
		page, err := d.accountPage(w, r)
		if err != nil {
			return err
		}
		for i := range page.Streams {
			if page.Streams[i].RecordType == r.PathValue("type") {
				page.Streams[i].Typed, page.Streams[i].Wrong = typed, wrong["schedule"]
			}
		}
		return d.again(w, r, "account", page)
	}
	return d.after(w, r, back, "Interval of "+frame.Words(s.RecordType)+" saved: "+s.Schedule+".", err)
}

func (d *Dashboard) updateStream(w http.ResponseWriter, r *http.Request) error {
	typed := map[string]string{}
	for _, name := range []string{"schedule", "baseline", "ignore_paths", "digest_paths", "changed_fields", "quarantine_threshold", "release_after"} {
		typed[name] = strings.TrimSpace(r.PostFormValue(name))
	}
	schedule, paths, digests, named := typed["schedule"], form.Lines(typed["ignore_paths"]), form.Lines(typed["digest_paths"]), typed["changed_fields"] != ""
	update := api.StreamUpdate{Schedule: &schedule, IgnorePaths: &paths, DigestPaths: &digests, ChangedFields: &named}
	if baseline := typed["baseline"]; r.PostForm.Has("baseline") {
		update.Baseline = &baseline
	}
	wrong := form.Wrong{}
	for name, to := range map[string]**int{"quarantine_threshold": &update.QuarantineThreshold, "release_after": &update.ReleaseAfter} {
		n, ok := form.Whole(typed[name])
		if !ok {
			wrong[name] = "must be a whole number"
		}
		*to = &n
	}
	var err error
	if len(wrong) == 0 {
		err = d.API.Do(r.Context(), http.MethodPatch, streamPath(r), update, nil)
		wrong, _ = form.Refused(err)
	}
	if len(wrong) > 0 {
		return d.streamAgain(w, r, "settings", wrong, typed)
	}
	return d.after(w, r, frame.Path("accounts", r.PathValue("account"), "streams", r.PathValue("type")), "Saved.", err)
}

func (d *Dashboard) streamAgain(w http.ResponseWriter, r *http.Request, open string, wrong form.Wrong, typed map[string]string) error {
	page, err := d.streamPage(w, r)
	if err != nil {
		return err
	}
	page.Open, page.Wrong, page.Typed = open, wrong, typed
	return d.again(w, r, "stream", page)
}

// ignorePath adds one path to those that the stream ignores.
func (d *Dashboard) ignorePath(w http.ResponseWriter, r *http.Request) error {
	s, err := client.Get[api.Stream](r.Context(), d.API, streamPath(r))
	if err != nil {
		return err
	}
	path := r.PostFormValue("path")
	paths := append(slices.Clone(s.IgnorePaths), path)
	slices.Sort(paths)
	paths = slices.Compact(paths)
	err = d.API.Do(r.Context(), http.MethodPatch, streamPath(r), api.StreamUpdate{IgnorePaths: &paths}, nil)
	return d.after(w, r, frame.Path("accounts", s.AccountID, "streams", s.RecordType), "Ignored from now on: "+path+". The next poll takes it up without telling of every record.", err)
}
