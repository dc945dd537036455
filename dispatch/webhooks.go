package dispatch

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ErrNotFound is returned for a webhook or replay that its project doesn't have.
var ErrNotFound = errors.New("not found")

// InvalidError is returned for input that can't be accepted; Field names what of it.
type InvalidError struct{ Field, Message string }

// Error is the field and what is wrong with it.
func (e *InvalidError) Error() string { return e.Field + " " + e.Message }

// State of a webhook.
type State string

// A webhook is disabled by its owner, by a 410 answer, or after days of nothing but
// failures; it is down while its endpoint answers nobody, and looked at by probes.
const (
	StateOK       State = "ok"
	StateDown     State = "down"
	StateDisabled State = "disabled"
)

// Webhook is a subscriber. Zero times are unset.
type Webhook struct {
	ID, ProjectID  string
	URL            string
	Events         []string // names, prefix.* or *
	Settings       Settings
	Enabled        bool
	DisabledReason string
	DisabledAt     time.Time
	State          State
	LastError      string    // of the last attempt: a class, or "status 503"; "" after a success
	FailingSince   time.Time // first failure after the last success
	ProbeAt        time.Time // set while down; once probes come at their longest interval, the first of those
	LastSuccessAt  time.Time
	Backlog        int64 // events of the log that it has not got past yet
	Retrying, Dead int64
	Secret         Secret // only in the answers of Create and RotateSecret
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// WebhooksConfig is what the management of webhooks works with.
type WebhooksConfig struct {
	DB      *sql.DB
	Log     Log
	Records Records
	Sealer  Sealer
	Names   func() []string                             // of all events there are
	Check   func(ctx context.Context, url string) error // refuses addresses; its error is shown to the user; nil: none is refused
	Changed func()                                      // called after every change, see Dispatcher.Refresh; may be nil

	// For Test, as in Config.
	HTTP      *http.Client
	UserAgent string
	Timeout   time.Duration
	Refused   func(error) bool
}

// Webhooks manages webhooks, their secrets and replays.
type Webhooks struct {
	config WebhooksConfig
	store  store
	sender sender

	backlogs backlogs
}

// NewWebhooks returns the management of a database's webhooks.
func NewWebhooks(c WebhooksConfig) *Webhooks {
	if c.Check == nil {
		c.Check = func(context.Context, string) error { return nil }
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	m := &Webhooks{config: c, store: newStore(c.DB)}
	m.sender = newSender(c.HTTP, cmp.Or(c.UserAgent, "synthook"), cmp.Or(c.Timeout, 15*time.Second), 1)
	m.sender.refused = c.Refused
	return m
}

// NewWebhook is what Create takes.
type NewWebhook struct {
	ProjectID string
	URL       string
	Events    []string
	Secret    string         // "": generated
	Settings  SettingsUpdate // of DefaultSettings
	// Where in the log it begins; default: with what comes from now on.
	FromStart bool      // with the first event
	FromTime  time.Time // with the first event that occurred then or later
	FromID    int64     // with the event of this id
}

// Create registers a webhook. The answer holds its secret. *InvalidError.
func (m *Webhooks) Create(ctx context.Context, n NewWebhook) (Webhook, error) {
	if err := m.checkURL(ctx, n.URL); err != nil {
		return Webhook{}, err
	}
	names, err := checkNames("events", n.Events, m.config.Names())
	if err != nil {
		return Webhook{}, err
	}
	if len(names) == 0 {
		return Webhook{}, &InvalidError{"events", "must name at least one event"}
	}
	secret := cmp.Or(n.Secret, NewSecret())
	if err := checkSecret(secret); err != nil {
		return Webhook{}, &InvalidError{"secret", err.Error()}
	}
	settings, err := n.Settings.apply(DefaultSettings())
	if err != nil {
		return Webhook{}, err
	}
	now := time.Now().UTC()
	w := Webhook{ID: newID("wh", now), ProjectID: n.ProjectID, URL: n.URL, Events: names}
	cursor, err := m.startOf(ctx, n)
	if err != nil {
		return Webhook{}, err
	}
	err = m.store.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO webhooks (id, project_id, url, events, cursor_id, created_at, updated_at, `+settingsColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			append([]any{w.ID, w.ProjectID, w.URL, marshal(names), cursor, now, now}, settings.columns()...)...)
		if err != nil {
			return fmt.Errorf("insert webhook: %w", err)
		}
		if err := m.store.noteChoice(ctx, tx, w.ID, cursor, choice(names, settings.Narrowing)); err != nil {
			return err
		}
		return m.insertSecret(ctx, tx, w.ID, secret, true)
	})
	if err != nil {
		return Webhook{}, err
	}
	m.config.Changed()
	if w, err = m.Get(ctx, n.ProjectID, w.ID); err != nil {
		return Webhook{}, err
	}
	w.Secret = Secret(secret)
	return w, nil
}

// startOf is the id behind which a new webhook begins.
func (m *Webhooks) startOf(ctx context.Context, n NewWebhook) (int64, error) {
	last, err := m.config.Log.Last(ctx)
	if err != nil {
		return 0, fmt.Errorf("find end of the log: %w", err)
	}
	switch {
	case n.FromStart:
		return 0, nil
	case n.FromID > 0:
		return min(last, n.FromID-1), nil
	case n.FromTime.IsZero():
		return last, nil
	}
	for after := int64(0); after < last; {
		events, covered, err := m.config.Log.Read(ctx, n.ProjectID, Filter{Since: n.FromTime}, after, last, 1)
		switch {
		case err != nil:
			return 0, fmt.Errorf("find beginning in the log: %w", err)
		case len(events) > 0:
			return events[0].ID - 1, nil
		case covered <= after:
			return last, nil
		}
		after = covered
	}
	return last, nil
}

// WebhookUpdate changes what is set.
type WebhookUpdate struct {
	URL      *string
	Events   []string // nil: as they are
	Settings SettingsUpdate
}

// Update changes a webhook. A new URL is tried at once, whatever became of the old
// one. New events count from the cursor on: what it has passed comes with a replay.
// ErrNotFound, *InvalidError.
func (m *Webhooks) Update(ctx context.Context, projectID, id string, u WebhookUpdate) (Webhook, error) {
	w, err := m.Get(ctx, projectID, id)
	if err != nil {
		return w, err
	}
	if u.URL != nil {
		if err := m.checkURL(ctx, *u.URL); err != nil {
			return w, err
		}
	}
	if u.Events != nil {
		if w.Events, err = checkNames("events", u.Events, m.config.Names()); err != nil {
			return w, err
		}
		if len(w.Events) == 0 {
			return w, &InvalidError{"events", "must name at least one event"}
		}
	}
	if w.Settings, err = u.Settings.apply(w.Settings); err != nil {
		return w, err
	}
	statement := `UPDATE webhooks SET (` + settingsColumns + `) = ($1, $2, $3, $4, $5, $6), events = $7, updated_at = $8, url = $9`
	if u.URL != nil && *u.URL != w.URL {
		w.URL = *u.URL
		statement += `, ` + afresh
	}
	_, err = m.store.db.ExecContext(ctx, statement+` WHERE id = $10`, append(w.Settings.columns(), marshal(w.Events), time.Now().UTC(), w.URL, id)...)
	if err != nil {
		return w, fmt.Errorf("update webhook: %w", err)
	}
	m.config.Changed()
	return m.Get(ctx, projectID, id)
}

// afresh forgets what an endpoint did, and takes the webhook from its worker, which
// would write it down again.
const afresh = `failures = 0, failing_since = NULL, probe_at = NULL, last_error = '',
	fence = fence + 1, lease_owner = '', lease_until = NULL`

// Enable enables a webhook, or makes one that is down be tried at once. It goes on
// where its cursor stands: what was missed is delivered. ErrNotFound.
func (m *Webhooks) Enable(ctx context.Context, projectID, id string) (Webhook, error) {
	if w, err := m.Get(ctx, projectID, id); err != nil || w.State == StateOK {
		return w, err
	}
	return m.change(ctx, projectID, id, `UPDATE webhooks SET enabled = true, disabled_reason = '', updated_at = $1, `+afresh+`
		WHERE project_id = $2 AND id = $3`)
}

// Disable stops deliveries; the cursor stays. ErrNotFound.
func (m *Webhooks) Disable(ctx context.Context, projectID, id string) (Webhook, error) {
	return m.change(ctx, projectID, id, `UPDATE webhooks SET enabled = false, disabled_reason = 'by its owner', updated_at = $1, disabled_at = $1
		WHERE project_id = $2 AND id = $3`)
}

func (m *Webhooks) change(ctx context.Context, projectID, id, statement string) (Webhook, error) {
	n, err := affected(m.store.db.ExecContext(ctx, statement, time.Now().UTC(), projectID, id))
	if err != nil {
		return Webhook{}, fmt.Errorf("change webhook: %w", err)
	}
	if n == 0 {
		return Webhook{}, ErrNotFound
	}
	m.config.Changed()
	return m.Get(ctx, projectID, id)
}

// Delete removes a webhook with its retries, attempts and replays. ErrNotFound.
func (m *Webhooks) Delete(ctx context.Context, projectID, id string) error {
	n, err := affected(m.store.db.ExecContext(ctx, `DELETE FROM webhooks WHERE project_id = $1 AND id = $2`, projectID, id))
	if err != nil {
		return fmt.Errorf("delete webhook: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	m.config.Changed()
	return nil
}

// Get returns one webhook. ErrNotFound.
func (m *Webhooks) Get(ctx context.Context, projectID, id string) (Webhook, error) {
	all, err := m.list(ctx, projectID, `id = $2`, id, 1)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Webhook{}, err
	}
	return all[0], nil
}

// List returns up to limit webhooks of a project in the order in which they were made,
// after the one with the given id ("": from the first).
func (m *Webhooks) List(ctx context.Context, projectID, after string, limit int) ([]Webhook, error) {
	return m.list(ctx, projectID, `id > $2`, after, limit)
}

func (m *Webhooks) list(ctx context.Context, projectID, condition, id string, limit int) ([]Webhook, error) {
	cursors := []int64{}
	rows, err := m.store.db.QueryContext(ctx, `
		SELECT id, project_id, url, events, enabled, disabled_reason, disabled_at, cursor_id, failing_since, probe_at, last_success_at, last_error,
		       created_at, updated_at, `+settingsColumns+`,
		       (SELECT count(*) FROM retries r WHERE r.webhook_id = w.id AND r.state = 'pending'),
		       (SELECT count(*) FROM retries r WHERE r.webhook_id = w.id AND r.state = 'dead')
		FROM webhooks w WHERE project_id = $1 AND `+condition+` ORDER BY id LIMIT $3`, projectID, id, limit)
	all, err := collect(rows, err, func(rows *sql.Rows) (w Webhook, err error) {
		var events, narrowed string
		var cursor int64
		var disabled, failing, probe, success sql.NullTime
		targets := append([]any{&w.ID, &w.ProjectID, &w.URL, &events, &w.Enabled, &w.DisabledReason, &disabled, &cursor, &failing, &probe, &success, &w.LastError,
			&w.CreatedAt, &w.UpdatedAt}, w.Settings.targets(&narrowed)...)
		if err = rows.Scan(append(targets, &w.Retrying, &w.Dead)...); err == nil {
			w.Events, err = parseNames(events)
		}
		if err == nil {
			err = w.Settings.read(narrowed)
		}
		w.FailingSince, w.ProbeAt, w.LastSuccessAt = failing.Time, probe.Time, success.Time
		w.State = StateOK
		if !w.Enabled {
			w.State, w.DisabledAt = StateDisabled, disabled.Time
		} else if probe.Valid {
			w.State = StateDown
		}
		cursors = append(cursors, cursor)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	for i := range all {
		if all[i].Backlog, err = m.backlogs.count(ctx, m.config.Log, all[i], all[i].choice(), cursors[i]); err != nil {
			return nil, fmt.Errorf("count backlog: %w", err)
		}
	}
	return all, nil
}

func (w Webhook) choice() Filter { return choice(w.Events, w.Settings.Narrowing) }

// newID makes an id that sorts by its time.
func newID(prefix string, at time.Time) string {
	return fmt.Sprintf("%s_%011x%s", prefix, at.UnixMilli(), strings.ToLower(rand.Text()[:12]))
}

// parseNames reads a webhook's events as its row keeps them.
func parseNames(text string) (names []string, err error) {
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, fmt.Errorf("parse event names: %w", err)
	}
	return names, nil
}

// marshal writes what always can be written.
func marshal(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
