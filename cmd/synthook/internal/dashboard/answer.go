package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/session"
)

func urlEscape(s string) string { return url.QueryEscape(s) }

// errorPage says what went wrong.
type errorPage struct {
	frame.Frame
	Status int
	Text   string
}

// frameOf is the frame of a page for who is logged in.
func (d *Dashboard) frameOf(w http.ResponseWriter, r *http.Request, section, title string) frame.Frame {
	s := sessionOf(r)
	f := frame.Frame{Title: title, Section: section, Project: s.Project, Admin: s.Admin, LoggedIn: true}
	if r.Header.Get("X-Live") == "" { // a page that follows what happens must not take another's
		f.Notice = frame.TakeNotice(w, r, d.Sealer, noticeCookie(r))
	}
	f.Secret = f.Notice != nil && f.Notice.Secret != ""
	if s.Admin {
		// Nobody chooses among hundreds here: the settings page has all.
		page, err := client.Get[api.Page[api.Project]](r.Context(), d.API, "/v1/projects?limit=50")
		if err == nil && len(page.Items) > 1 {
			for _, p := range page.Items {
				f.Projects = append(f.Projects, p.ID)
			}
		}
	}
	return f
}

// show answers with a page.
func (d *Dashboard) show(w http.ResponseWriter, r *http.Request, name string, page frame.Page) error {
	return d.renderer.Render(w, r, http.StatusOK, name, page)
}

// again answers a form that was refused with its page.
func (d *Dashboard) again(w http.ResponseWriter, r *http.Request, name string, page frame.Page) error {
	return d.renderer.Render(w, r, http.StatusUnprocessableEntity, name, page)
}

func (d *Dashboard) write(w http.ResponseWriter, r *http.Request, status int, name string, page frame.Page) {
	if err := d.renderer.Render(w, r, status, name, page); err != nil {
		d.Logger.Error().Err(err).Str("page", name).Msg("page not written")
		http.Error(w, "something went wrong here; the service's log has it", http.StatusInternalServerError)
	}
}

// done sends the browser on to a page after an action, with a notice.
func (d *Dashboard) done(w http.ResponseWriter, r *http.Request, to string, n frame.Notice) error {
	if n.Text != "" {
		if err := frame.PutNotice(w, d.Sealer, noticeCookie(r), n); err != nil {
			return err
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// fail answers with a page that only says something.
func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	page := &errorPage{Frame: frame.Frame{Title: http.StatusText(status)}, Status: status, Text: text}
	if s, ok := r.Context().Value(sessionKey{}).(session.Session); ok {
		page.Project, page.Admin, page.LoggedIn = s.Project, s.Admin, true
	}
	d.write(w, r, status, "error", page)
}

// broken answers for an error that is nobody's fault but ours.
func (d *Dashboard) broken(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody reads it
	}
	d.Logger.Error().Err(err).Str("path", r.URL.Path).Msg("page failed")
	d.fail(w, r, http.StatusInternalServerError, "Something went wrong here; the service's log has it. Try again.")
}

// refused answers for an error that no page took up.
func (d *Dashboard) refused(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status < 500 {
		d.fail(w, r, e.Status, frame.Sentence(e.Error()))
		return
	} else if ok && e.Status == http.StatusServiceUnavailable {
		d.fail(w, r, e.Status, frame.Sentence(e.Detail))
		return
	}
	d.broken(w, r, err)
}

// ask calls a route of the API that answers nothing that is needed.
func (d *Dashboard) ask(ctx context.Context, method string, segments ...string) error {
	return d.API.Do(ctx, method, client.Path(append([]string{"v1"}, segments...)...), nil, nil)
}
