package dashboard_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/servicetest"
)

// A reconciliation takes ids from a field and a file, says what they differ in, sends
// nothing until it is told to, and then exactly that.
func TestReconcile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		account := w.connect(t, "Acme Ltd")
		hook := post[api.Webhook](t, w, "/v1/webhooks", api.NewWebhook{URL: w.consumer.URL, Events: []string{"hris_employees.*"}})
		v := newVisitor(t, w.Rig)
		v.login(servicetest.AdminKey)
		here := "/webhooks/" + hook.ID + "/reconcile"
		var known []string
		for i := 1; len(known) < 35; i++ { // of the 40 that there are
			known = append(known, fmt.Sprint(100+i))
		}
		v.upload(here, map[string]string{"account_id": "nobody", "record_type": "employees"}, known[:1], nil)
		v.expect(http.StatusUnprocessableEntity, "none that this account has a stream of", `value="nobody"`)
		v.upload(here, map[string]string{"account_id": account.ID, "record_type": "employees"}, nil, nil)
		v.expect(http.StatusUnprocessableEntity, "give those that the consumer has", account.ID)
		v.upload(here, map[string]string{"account_id": account.ID, "record_type": "employees", "rate_limit": "fast"}, known, nil)
		v.expect(http.StatusUnprocessableEntity, "must be a number", account.ID)
		for range 2 { // what was handed in before is forgotten
			v.upload(here, map[string]string{"account_id": account.ID, "record_type": "employees"}, known[:20], append(slices.Clone(known[20:]), "gone-1", "gone-2"))
		}
		v.expect(http.StatusOK, "the consumer lacks <strong>", "has <strong>", "Forget these ids", "Send ")
		if n := len(w.consumer.received()); n != 0 {
			t.Errorf("counting sent %d", n)
		}
		target := v.between(`action="/webhooks/`+hook.ID+`/reconcile/`, `"`)
		v.post(here+"/"+target, nil)
		v.expect(http.StatusOK, "Reconciliation begun: ")
		want := v.between("Reconciliation begun: ", " event")
		servicetest.Eventually(t, "the difference arrives", func() bool { return fmt.Sprint(len(w.consumer.received())) == want })
		if n := deletions(w); n < 2 {
			t.Errorf("%d deletions, want those of gone-1 and gone-2 at least", n)
		}
	})
}

// upload sends the form of a reconciliation as a browser does.
func (v *visitor) upload(path string, fields map[string]string, ids, file []string) {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, name := range []string{"account_id", "record_type", "rate_limit"} {
		_ = form.WriteField(name, fields[name])
	}
	_ = form.WriteField("ids", strings.Join(ids, "\r\n"))
	part, _ := form.CreateFormFile("file", "ids.txt")
	_, _ = part.Write([]byte(strings.Join(file, "\n")))
	_ = form.Close()
	v.submit(http.MethodPost, path, &body, form.FormDataContentType())
}

// between is what stands between two texts of the page.
func (v *visitor) between(before, after string) string {
	v.t.Helper()
	_, rest, _ := strings.Cut(v.body, before)
	text, _, found := strings.Cut(rest, after)
	if !found {
		v.t.Fatalf("the page has nothing between %q and %q:\n%s", before, after, v.body)
	}
	return text
}
