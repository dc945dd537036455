package metrics

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/synthook/synthook/dispatch"
	"github.com/synthook/synthook/poller"
)

// State is how everything stands.
type State struct {
	Streams    []poller.StreamSum
	Accounts   []poller.AccountSum
	Deliveries dispatch.Sums
	LogEnd     int64         // id of the newest event
	LogLag     time.Duration // age of the oldest event that an enabled webhook's cursor has yet to pass
}

const (
	// stateFor is how long a state is shown again: several scrapers cost the database as
	// much as one.
	stateFor     = 5 * time.Second
	stateTimeout = 10 * time.Second

	// webhookLimit bounds the series by webhook; the backlogs of the others are one more.
	webhookLimit = 100
	otherWebhook = "other"
)

// stateCollector reads the state at a scrape.
type stateCollector struct {
	read func(ctx context.Context) (State, error)
	log  zerolog.Logger

	mu    sync.Mutex
	state State
	at    time.Time // zero: nothing was read, or the last reading failed

	up, streams, records, largest, suspected, quarantined, age, delay *prometheus.Desc
	accounts, silenced                                                *prometheus.Desc
	webhooks, backlog, retrying, dead, logEnd, logLag                 *prometheus.Desc
}

func (m *Metrics) newStateCollector(o Options) *stateCollector {
	byStream := []string{"provider", "record_type"}
	return &stateCollector{
		read: o.State, log: o.Logger,

		up:          m.gauge("state_up", "1: the database told the gauges below; 0: it did not, and they are missing."),
		streams:     m.gauge("streams", "Streams by state: ok, new, paused, failing, quarantined, needs_attention.", "provider", "record_type", "state"),
		records:     m.gauge("records", "Records in the last complete listings.", byStream...),
		largest:     m.gauge("largest_listing_records", "Records in the largest of these listings.", byStream...),
		suspected:   m.gauge("suspected_records", "Records missing once; deleted when they are missing again.", byStream...),
		quarantined: m.gauge("quarantined_records", "Records missing in a change too big to believe, held for a decision.", byStream...),
		age:         m.gauge("poll_age_seconds", "Age of the oldest last complete listing, of streams that should be polled.", byStream...),
		delay:       m.gauge("poll_delay_seconds", "Longest that a poll has been due and not begun, though its provider asks for no silence.", byStream...),

		accounts: m.gauge("accounts", "Accounts by state: active, paused, needs_attention.", "provider", "state"),
		silenced: m.gauge("silenced_accounts", "Accounts whose provider has asked for silence that is not over.", "provider"),

		webhooks: m.gauge("webhooks", "Webhooks by state: ok, down, disabled.", "state"),
		backlog: m.gauge("webhook_backlog_events",
			"Events of the log behind an enabled webhook's cursor, whether it subscribes to them or not. The 100 largest by their id, the rest summed as `other`.", "webhook_id"),
		retrying: m.gauge("retrying_deliveries", "Deliveries that were refused on their own, and those of the same records that wait behind them."),
		dead:     m.gauge("dead_deliveries", "Deliveries that were given up."),
		logEnd:   m.gauge("log_end", "Number of the newest event of the log."),
		logLag:   m.gauge("log_lag_seconds", "Age of the oldest event that an enabled webhook's cursor has yet to pass."),
	}
}

// Describe tells what is collected.
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.up, c.streams, c.records, c.largest, c.suspected, c.quarantined, c.age, c.delay, c.accounts, c.silenced,
		c.webhooks, c.backlog, c.retrying, c.dead, c.logEnd, c.logLag,
	} {
		to <- d
	}
}

// Collect reads the state, or shows that it can't be read.
func (c *stateCollector) Collect(to chan<- prometheus.Metric) {
	show := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	state, ok := c.current()
	if !ok {
		show(c.up, 0)
		return
	}
	show(c.up, 1)
	for _, s := range state.Streams {
		for name, n := range s.States {
			show(c.streams, float64(n), s.Provider, s.RecordType, name)
		}
		for desc, value := range map[*prometheus.Desc]float64{
			c.records: float64(s.Records), c.largest: float64(s.Largest), c.suspected: float64(s.Suspected), c.quarantined: float64(s.Quarantined),
			c.age: s.Age.Seconds(), c.delay: s.Delay.Seconds(),
		} {
			show(desc, value, s.Provider, s.RecordType)
		}
	}
	silenced := map[string]int{}
	for _, a := range state.Accounts {
		show(c.accounts, float64(a.Accounts), a.Provider, a.State)
		silenced[a.Provider] += a.Silenced
	}
	for provider, n := range silenced {
		show(c.silenced, float64(n), provider)
	}
	c.showDeliveries(state, show)
}

func (c *stateCollector) showDeliveries(state State, show func(d *prometheus.Desc, value float64, labels ...string)) {
	states := map[dispatch.State]int{dispatch.StateOK: 0, dispatch.StateDown: 0, dispatch.StateDisabled: 0}
	var enabled []dispatch.WebhookSum
	for _, w := range state.Deliveries.Webhooks {
		states[w.State]++
		if w.State != dispatch.StateDisabled {
			enabled = append(enabled, w)
		}
	}
	for name, n := range states {
		show(c.webhooks, float64(n), string(name))
	}
	slices.SortStableFunc(enabled, func(a, b dispatch.WebhookSum) int { return cmp.Compare(b.Behind, a.Behind) })
	rest := int64(0)
	for i, w := range enabled {
		if i < webhookLimit {
			show(c.backlog, float64(w.Behind), w.ID)
		} else {
			rest += w.Behind
		}
	}
	show(c.backlog, float64(rest), otherWebhook)
	show(c.retrying, float64(state.Deliveries.Retrying))
	show(c.dead, float64(state.Deliveries.Dead))
	show(c.logEnd, float64(state.LogEnd))
	show(c.logLag, state.LogLag.Seconds())
}

// current is the state of a moment ago, or read anew.
func (c *stateCollector) current() (State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < stateFor {
		return c.state, true
	}
	c.at = time.Time{}
	// A scrape has no context: what it asks is bounded here.
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	state, err := c.read(ctx)
	if err != nil {
		c.log.Warn().Err(err).Msg("metrics without what the database knows")
		return State{}, false
	}
	c.state, c.at = state, time.Now()
	return state, true
}
