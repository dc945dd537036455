package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/cmd/synthook/internal/settings"
	"github.com/synthook/synthook/dispatch"
)

// settingsPage shows what holds for a project and for the whole service.
type settingsPage struct {
	frame.Frame
	Schedules []scheduleRow
	AllOf     []api.Project // for the admin
	Keys      []api.APIKey  // for the admin: of the project that is looked at
	Settings  []settings.Effective
	Changes   []api.Change
	Older     string
	Version   string
	Open      string
	Wrong     form.Wrong
	Typed     map[string]string
}

// scheduleRow is the project's interval of one record type.
type scheduleRow struct {
	RecordType, Schedule, Incremental string
	Wrong                             string
}

func (d *Dashboard) settings(w http.ResponseWriter, r *http.Request) error {
	page, err := d.settingsPage(w, r)
	if err != nil {
		return err
	}
	return d.show(w, r, "settings", page)
}

func (d *Dashboard) settingsPage(w http.ResponseWriter, r *http.Request) (*settingsPage, error) {
	ctx, page := r.Context(), &settingsPage{Frame: d.frameOf(w, r, "settings", "Settings"), Version: d.Version, Typed: map[string]string{}}
	all, err := d.catalogue(r)
	if err != nil {
		return nil, err
	}
	set, err := client.Get[api.Page[api.RecordTypeSchedule]](ctx, d.API, "/v1/schedules")
	if err != nil {
		return nil, err
	}
	schedules := map[string]api.RecordTypeSchedule{}
	for _, s := range set.Items {
		schedules[s.RecordType] = s
	}
	for _, recordType := range recordTypes(all) {
		page.Schedules = append(page.Schedules, scheduleRow{RecordType: recordType, Schedule: schedules[recordType].Schedule, Incremental: schedules[recordType].IncrementalSchedule})
	}
	changes, err := client.Get[api.Page[api.Change]](ctx, d.API, "/v1/audit?limit=30&cursor="+urlEscape(r.URL.Query().Get("before")))
	if err != nil {
		return nil, err
	}
	if page.Changes = changes.Items; changes.Next != "" {
		page.Older = with(r.URL, "before", changes.Next) + "#changes"
	}
	if !page.Admin {
		return page, nil
	}
	page.Settings = d.Config.Settings
	projects, err := client.Get[api.Page[api.Project]](ctx, d.API, "/v1/projects?limit=1000")
	if err != nil {
		return nil, err
	}
	page.AllOf = projects.Items
	keys, err := client.Get[api.Page[api.APIKey]](ctx, d.API, client.Path("v1", "projects", page.Project, "api-keys")+"?limit=1000")
	page.Keys = keys.Items
	return page, err
}

func (d *Dashboard) changeSettings(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimSpace(r.PostFormValue("name"))
	project := sessionOf(r).Project
	var text string
	var err error
	notice := frame.Notice{Tone: "ok"}
	action := r.PathValue("action")
	switch action {
	case "schedule":
		recordType, schedule := r.PostFormValue("record_type"), strings.TrimSpace(r.PostFormValue("schedule"))
		set := api.RecordTypeSchedule{RecordType: recordType, Schedule: schedule}
		if schedule != "" { // the other one goes with it
			set.IncrementalSchedule = r.PostFormValue("incremental")
		}
		err = d.API.Do(r.Context(), http.MethodPut, client.Path("v1", "schedules", recordType), set, nil)
		notice.Text = "Interval of " + frame.Words(recordType) + " saved."
		action, text = "schedule."+recordType, schedule
	case "projects":
		var made api.Project
		made, err = client.Send[api.Project](r.Context(), d.API, http.MethodPost, "/v1/projects", api.NewProject{Name: name, ID: strings.TrimSpace(r.PostFormValue("id"))})
		notice.Text, text = "Project "+made.ID+" made.", name
	case "keys":
		var made api.APIKey
		made, err = client.Send[api.APIKey](r.Context(), d.API, http.MethodPost, client.Path("v1", "projects", project, "api-keys"), api.NewAPIKey{Name: name})
		notice.Text, notice.Name, notice.Secret, text = "This is the new key. It is shown only now.", "API key", made.Key, name
	case "delete-key":
		err = d.ask(r.Context(), http.MethodDelete, "projects", project, "api-keys", r.PostFormValue("id"))
		notice.Text = "API key deleted: it ended at once, and so did its sessions."
	default:
		d.fail(w, r, http.StatusNotFound, "There is no such action.")
		return nil
	}
	if wrong, ok := form.Refused(err); ok {
		page, err := d.settingsPage(w, r)
		if err != nil {
			return err
		}
		page.Open, page.Wrong, page.Typed[action] = action, wrong, text
		for i, s := range page.Schedules {
			if action == "schedule."+s.RecordType {
				page.Schedules[i].Schedule, page.Schedules[i].Wrong = text, wrong["schedule"]
			}
		}
		return d.again(w, r, "settings", page)
	}
	if err != nil {
		return err
	}
	return d.done(w, r, "/settings", notice)
}

// accountDetails gives an account event its further keys.
func accountDetails(e *dispatch.Event, details json.RawMessage) error {
	if len(details) == 0 {
		return nil
	}
	e.Account = &dispatch.AccountDetails{}
	if err := json.Unmarshal(details, e.Account); err != nil {
		return fmt.Errorf("read details of event %s: they are not an account's", e.UID)
	}
	return nil
}
