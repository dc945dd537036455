package dashboard

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/form"
	"github.com/synthook/synthook/cmd/synthook/internal/dashboard/frame"
)

// reconcilePlan is a reconciliation as it was typed, or as it was counted and not begun.
type reconcilePlan struct {
	AccountID, RecordType, RateLimit string
	Counted                          *api.Reconciliation
	Wrong                            form.Wrong
}

const (
	longestField = 1 << 10  // bytes of a field that is no list of ids
	longestIDs   = 64 << 20 // and of all that is sent
)

// reconcile takes the ids that a consumer has of a stream, as they come: the form's other
// fields stand before them. What they differ in is counted and shown on another page.
func (d *Dashboard) reconcile(w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	// Millions of ids may take longer than the server's limits.
	_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
	parts, err := r.MultipartReader()
	if err != nil {
		d.fail(w, r, http.StatusBadRequest, "The form could not be read. Go back and send it again.")
		return nil
	}
	plan := reconcilePlan{}
	id, err := d.handIn(r, parts, &plan)
	if wrong, ok := form.Refused(err); ok {
		plan.Wrong = wrong
	} else if err != nil {
		return err
	}
	if plan.Wrong == nil {
		return d.done(w, r, frame.Path("webhooks", r.PathValue("webhook"), "reconcile", id)+"#reconcile", frame.Notice{})
	}
	if id != "" { // it is not worth keeping
		if err := d.ask(r.Context(), http.MethodDelete, "replays", id); err != nil {
			return err
		}
	}
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	page.Open, page.Reconcile = "reconcile", plan
	return d.again(w, r, "webhook", page)
}

// handIn begins a reconciliation and hands in ids, as the parts of the form say, and
// returns its id; "": none was begun.
func (d *Dashboard) handIn(r *http.Request, parts *multipart.Reader, plan *reconcilePlan) (id string, err error) {
	var handed int64
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			plan.Wrong = form.Wrong{"ids": "could not be read to their end: send at most 64 MB at once"}
			return id, nil
		}
		switch name := part.FormName(); name {
		case "account_id", "record_type", "rate_limit":
			text, _ := io.ReadAll(io.LimitReader(part, longestField))
			*map[string]*string{"account_id": &plan.AccountID, "record_type": &plan.RecordType, "rate_limit": &plan.RateLimit}[name] = strings.TrimSpace(string(text))
		case "ids", "file":
			if id == "" {
				if id, err = d.beginReconcile(r, plan); err != nil || id == "" {
					return "", err
				}
			}
			got, err := client.Send[api.HandedIDs](r.Context(), d.API, http.MethodPost, client.Path("v1", "reconciliations", id, "ids"), io.Reader(part))
			if err != nil {
				return id, err
			}
			handed += got.IDs
		}
	}
	if handed == 0 {
		plan.Wrong = form.Wrong{"ids": "are missing: give those that the consumer has. One that has nothing needs a resync"}
	}
	return id, nil
}

func (d *Dashboard) beginReconcile(r *http.Request, plan *reconcilePlan) (id string, err error) {
	rate, ok := form.Number(plan.RateLimit)
	if !ok {
		plan.Wrong = form.Wrong{"rate_limit": "must be a number"}
		return "", nil
	}
	begun, err := client.Send[api.Replay](r.Context(), d.API, http.MethodPost, "/v1/reconciliations",
		api.NewReconciliation{WebhookID: r.PathValue("webhook"), AccountID: plan.AccountID, RecordType: plan.RecordType, RateLimit: rate})
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusNotFound {
		plan.Wrong = form.Wrong{"record_type": "is none that this account has a stream of: look at both"}
		return "", nil
	}
	return begun.ID, err
}

// countReconcile shows what a reconciliation that was begun would send.
func (d *Dashboard) countReconcile(w http.ResponseWriter, r *http.Request) error {
	found, err := client.Send[api.Reconciliation](r.Context(), d.API, http.MethodPost,
		client.Path("v1", "reconciliations", r.PathValue("replay"), "start"), api.ReconciliationStart{DryRun: true})
	if err != nil {
		return d.after(w, r, frame.Path("webhooks", r.PathValue("webhook")), "", err)
	}
	page, err := d.webhookPage(w, r)
	if err != nil {
		return err
	}
	page.Open, page.Reconcile = "reconcile", reconcilePlan{AccountID: found.AccountID, RecordType: found.RecordType, Counted: &found}
	return d.show(w, r, "webhook", page)
}

// startReconcile sends what was counted.
func (d *Dashboard) startReconcile(w http.ResponseWriter, r *http.Request) error {
	found, err := client.Send[api.Reconciliation](r.Context(), d.API, http.MethodPost,
		client.Path("v1", "reconciliations", r.PathValue("replay"), "start"), api.ReconciliationStart{})
	return d.after(w, r, frame.Path("webhooks", r.PathValue("webhook")), "Reconciliation begun: "+frame.Plural(found.Events, "event")+".", err)
}
