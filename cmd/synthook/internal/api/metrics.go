package api

import (
	"net/http"
	"strings"
)

// metrics answers a scrape. They are of all projects: the admin's.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !a.Keys.IsAdmin(strings.TrimSpace(key)) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		a.write(w, problem(http.StatusUnauthorized, "metrics need the admin key here: send the header Authorization: Bearer KEY, or serve them elsewhere with --metrics-listen"))
		return
	}
	a.Metrics.ServeHTTP(w, r)
}
