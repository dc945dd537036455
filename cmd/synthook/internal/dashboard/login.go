package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/audit"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/session"
	"github.com/synthook/synthook/cmd/synthook/internal/keys"
)

// Trail remembers logins. (Changes are remembered by the API.)
type Trail interface {
	Add(ctx context.Context, e audit.Entry) error
}

// loginPage asks for a key.
type loginPage struct {
	frame.Frame
	Next  string // where to go then
	Error string
	Plain bool // the key would travel readable
}

func (d *Dashboard) loginPage(w http.ResponseWriter, r *http.Request) {
	d.showLogin(w, r, http.StatusOK, "")
}

func (d *Dashboard) showLogin(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	page := &loginPage{Frame: frame.Frame{Title: "Log in"}, Next: ownPath(r.FormValue("next")), Error: wrong, Plain: !https(r) && !loopback(r)}
	d.write(w, r, status, "login", page)
}

// ownPath is a path of this server; anything else is the overview.
func ownPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n") {
		return "/"
	}
	return path
}

func (d *Dashboard) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	if !d.limiter.Allow(address) {
		w.Header().Set("Retry-After", "10")
		d.showLogin(w, r, http.StatusTooManyRequests, "Too many tries. Wait ten seconds, then try again.")
		return
	}
	token, who, err := d.open(r.Context(), strings.TrimSpace(r.FormValue("key")))
	if errors.Is(err, keys.ErrNoKey) {
		d.Logger.Warn().Str("remote_addr", address).Msg("login refused")
		d.showLogin(w, r, http.StatusUnauthorized, "This is neither the admin key nor an API key that exists.")
		return
	}
	if err == nil {
		who.Action, who.Via = "logged in", audit.ViaDashboard
		err = d.Audit.Add(r.Context(), who)
	}
	if err != nil {
		d.broken(w, r, err)
		return
	}
	cookie := sessionCookie(r)
	cookie.Value, cookie.MaxAge = token, int(session.Lifetime.Seconds())
	http.SetCookie(w, &cookie)
	http.Redirect(w, r, ownPath(r.FormValue("next")), http.StatusSeeOther)
}

// open opens a session for a key. keys.ErrNoKey.
func (d *Dashboard) open(ctx context.Context, key string) (token string, who audit.Entry, err error) {
	if key == "" {
		return "", who, keys.ErrNoKey
	}
	if d.Keys.IsAdmin(key) {
		project, err := d.firstProject(ctx)
		if err != nil {
			return "", who, err
		}
		token, err = d.Sessions.OpenAdmin(ctx, project)
		return token, audit.Entry{ProjectID: project, Actor: adminName}, err
	}
	found, err := d.APIKeys.Find(ctx, key)
	if err != nil {
		return "", who, err
	}
	token, err = d.Sessions.OpenKey(ctx, found)
	return token, audit.Entry{ProjectID: found.ProjectID, Actor: keyName(found.Name, found.Prefix)}, err
}

// firstProject is the one that an admin looks at first: the default one, unless it is
// empty and another is not.
func (d *Dashboard) firstProject(ctx context.Context) (string, error) {
	admin := api.WithCaller(ctx, api.Caller{Admin: true, Project: api.DefaultProject, Name: adminName, Via: audit.ViaDashboard})
	all, err := client.Get[api.Page[api.Project]](admin, d.API, "/v1/projects?limit=50")
	if err != nil {
		return "", err
	}
	ids := []string{api.DefaultProject}
	for _, p := range all.Items {
		ids = append(ids, p.ID)
	}
	for _, id := range ids {
		states, err := d.Config.Accounts.AccountStates(ctx, id)
		if err != nil {
			return "", err
		}
		if len(states) > 0 {
			return id, nil
		}
	}
	return api.DefaultProject, nil
}

const adminName = "admin key"

func keyName(name, prefix string) string { return fmt.Sprintf("API key %s (%s…)", name, prefix) }

func (d *Dashboard) logout(w http.ResponseWriter, r *http.Request) error {
	if err := d.Sessions.Close(r.Context(), sessionOf(r)); err != nil {
		return err
	}
	cookie := sessionCookie(r)
	cookie.MaxAge = -1
	http.SetCookie(w, &cookie)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

// chooseProject changes the project that an admin looks at.
func (d *Dashboard) chooseProject(w http.ResponseWriter, r *http.Request) error {
	if !sessionOf(r).Admin {
		d.fail(w, r, http.StatusForbidden, "An API key sees its own project only.")
		return nil
	}
	project, err := client.Get[api.Project](r.Context(), d.API, client.Path("v1", "projects", r.PostFormValue("project")))
	if err != nil {
		return err
	}
	if err := d.Sessions.LookAt(r.Context(), sessionOf(r), project.ID); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

type sessionKey struct{}

// sessionOf is the session of a page's request.
func sessionOf(r *http.Request) session.Session {
	return r.Context().Value(sessionKey{}).(session.Session)
}

// page adds a page that needs a login: its handler runs as the caller of the session.
func (d *Dashboard) page(pattern string, handle func(http.ResponseWriter, *http.Request) error) {
	d.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		longest := int64(256 << 10)
		if strings.HasSuffix(r.URL.Path, "/reconcile") {
			longest = longestIDs // the one form that has a file; it is read as it comes
		}
		r.Body = http.MaxBytesReader(w, r.Body, longest)
		s, err := d.find(r)
		if errors.Is(err, session.ErrNone) {
			toLogin(w, r)
			return
		}
		if err != nil {
			d.broken(w, r, err)
			return
		}
		if err := r.ParseForm(); err != nil {
			d.fail(w, r, http.StatusBadRequest, "The form could not be read. Go back and send it again.")
			return
		}
		caller := api.Caller{Admin: s.Admin, Project: s.Project, Name: adminName, Via: audit.ViaDashboard}
		if !s.Admin {
			caller.Name = keyName(s.KeyName, s.Prefix)
		}
		r = r.WithContext(context.WithValue(api.WithCaller(r.Context(), caller), sessionKey{}, s))
		if err := handle(w, r); err != nil {
			d.refused(w, r, err)
		}
	})
}

func (d *Dashboard) find(r *http.Request) (session.Session, error) {
	cookie, err := r.Cookie(sessionCookie(r).Name)
	if err != nil {
		return session.Session{}, session.ErrNone
	}
	return d.Sessions.Find(r.Context(), cookie.Value)
}

func toLogin(w http.ResponseWriter, r *http.Request) {
	target := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" && r.URL.Path != "/live" && !strings.HasPrefix(r.URL.Path, "/watch/") {
		target += "?next=" + urlEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// https says whether the browser speaks TLS, to us or to a proxy before us. Whoever lies
// about it harms only himself: his cookie is for https alone then.
func https(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func loopback(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// sessionCookie and noticeCookie are the cookies without a value. On https their names
// say to the browser that nobody but this very host may have set them.
func sessionCookie(r *http.Request) http.Cookie { return cookieOf(r, "synthook") }
func noticeCookie(r *http.Request) http.Cookie  { return cookieOf(r, "synthook_notice") }

func cookieOf(r *http.Request, name string) http.Cookie {
	c := http.Cookie{Name: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if https(r) {
		c.Name, c.Secure = "__Host-"+name, true
	}
	return c
}
