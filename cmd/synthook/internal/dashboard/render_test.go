package dashboard_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
	"github.com/synthook/synthook/migrations/migrationstest"
)

var headings = regexp.MustCompile(`<h1[ >]`)

// Every page is written whole, on both databases: for the admin, and for the key of a
// project.
func TestEveryPage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pages := w.lively(t, nil)
		key := post[api.APIKey](t, w, "/v1/projects/default/api-keys", api.NewAPIKey{Name: "reader"}).Key
		for _, login := range []string{servicetest.AdminKey, key} {
			v := newVisitor(t, w.Rig)
			v.login(login)
			for _, name := range slices.Sorted(maps.Keys(pages)) {
				size := v.get(pages[name])
				switch name {
				case "poll-missing":
					v.expect(http.StatusNotFound, "not on record any more")
				case "events":
					v.expect(http.StatusOK, `">Acme Ltd</a>`)
				case "account-paused":
					v.expect(http.StatusOK, "It is paused: none of its streams is polled", "when it is resumed")
				case "webhook-refusing":
					v.expect(http.StatusOK, "status 401", "It wants to know who asks")
				case "missing":
					v.expect(http.StatusNotFound, "Account not found.")
				case "wrong":
					v.expect(http.StatusUnprocessableEntity, `did you mean &#34;hris_employees.created&#34;?`)
				default:
					v.expect(http.StatusOK)
				}
				if n := len(headings.FindAllString(v.body, -1)); n != 1 || !strings.HasSuffix(strings.TrimSpace(v.body), "</html>") {
					t.Errorf("%s has %d headings of the first order, or is not whole", name, n)
				}
				for _, sign := range []string{"<no value>", "%!", "ZgotmplZ", "0001-01-01"} {
					if strings.Contains(v.body, sign) {
						t.Errorf("%s shows %s", name, sign)
					}
				}
				if size+v.assets > 100_000 {
					t.Errorf("%s is %d bytes over the wire", name, size+v.assets)
				}
			}
		}
	})
}

// Nothing of a record's contents and no credential is on any page.
func TestPagesShowNoContents(t *testing.T) {
	w := newWorld(t, migrationstest.SQLite(t))
	pages := w.lively(t, nil)
	v := newVisitor(t, w.Rig)
	v.login(servicetest.AdminKey)
	for name, path := range pages {
		v.get(path)
		for _, secret := range []string{"Person 3", "hunter2hunter2", w.key, servicetest.AdminKey, servicetest.MasterKey} {
			if strings.Contains(v.body, secret) {
				t.Errorf("%s shows %q", name, secret)
			}
		}
	}
}
