// Package metrics counts what a process does and shows how everything stands, in the
// form that Prometheus reads.
//
// It owns the list of metrics (docs/metrics.md is held to it), their labels and what
// bounds them: provider and record type come from the catalogue, states and outcomes
// from the code, and webhook ids are cut off after the largest backlogs. It never sees a
// record, and no label names an account, a project or a person.
//
// Words: a counter or histogram is what this process saw since it started (sum over
// processes); a gauge of state is read from the database at a scrape and is the same in
// every process (take the max).
package metrics

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// Metrics is one process's metrics. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	list     []Metric

	polls        *prometheus.CounterVec
	pollSeconds  *prometheus.HistogramVec
	pollRequests *prometheus.CounterVec
	pollRecords  *prometheus.CounterVec
	changes      *prometheus.CounterVec
	silences     *prometheus.CounterVec
	attempts     *prometheus.CounterVec
	attemptTime  prometheus.Histogram
	latency      prometheus.Histogram
}

// Metric is a line of the documentation.
type Metric struct {
	Name, Kind, Help string
	Labels           []string
}

// Options are what Metrics are made of.
type Options struct {
	Version string                                   // of the program
	State   func(ctx context.Context) (State, error) // reads how everything stands
	Logger  zerolog.Logger                           // told when that fails
}

// New registers all metrics.
func New(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := m.gauge("build_info", "Always 1; says which program this is.", "version", "go_version")
	m.registry.MustRegister(constant{build, []string{o.Version, runtime.Version()}})

	m.polls = m.counter("polls_total", "Polls that ended.", "provider", "record_type", "outcome")
	m.pollSeconds = m.histogram("poll_duration_seconds", "How long polls took, those that failed included.",
		[]float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600}, "provider", "record_type")
	m.pollRequests = m.counter("poll_requests_total", "Requests to providers, repeated ones included.", "provider", "record_type")
	m.pollRecords = m.counter("poll_records_total", "Records that were listed and compared.", "provider", "record_type")
	m.changes = m.counter("changes_total", "Changes that were believed and told.", "provider", "record_type", "action")
	m.silences = m.counter("throttles_total", "Times that a provider asked for silence: 429, Retry-After, a rate limit that is used up.", "provider")
	m.attempts = m.counter("attempts_total", "POSTs to webhooks, probes of endpoints that are down included.", "outcome")
	m.attemptTime = m.histogram("attempt_duration_seconds", "How long these POSTs took.",
		[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15}).WithLabelValues().(prometheus.Histogram)
	m.latency = m.histogram("delivery_latency_seconds", "From a change's detection to its delivery; replays are left out.",
		[]float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400}).WithLabelValues().(prometheus.Histogram)
	m.registry.MustRegister(m.newStateCollector(o))
	return m
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: scrapeTimeout})
}

// List is every metric of ours; those of the Go runtime and of the process come beside.
func (m *Metrics) List() []Metric { return m.list }

// Markdown is the list for the documentation.
func (m *Metrics) Markdown() string {
	var b strings.Builder
	b.WriteString("| metric | kind | labels | |\n| --- | --- | --- | --- |\n")
	for _, v := range m.list {
		labels := "–"
		if len(v.Labels) > 0 {
			labels = "`" + strings.Join(v.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, v.Kind, labels, v.Help)
	}
	return b.String()
}

const (
	namespace     = "synthook_"
	scrapeTimeout = 30 * time.Second
)

func (m *Metrics) note(kind, name, help string, labels []string) {
	m.list = append(m.list, Metric{Name: namespace + name, Kind: kind, Help: help, Labels: labels})
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	m.note("counter", name, help, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.note("histogram", name, help, labels)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// gauge describes a gauge whose values are found at a scrape.
func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.Desc {
	m.note("gauge", name, help, labels)
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

// constant is a gauge that is always 1.
type constant struct {
	desc   *prometheus.Desc
	labels []string
}

func (c constant) Describe(to chan<- *prometheus.Desc) { to <- c.desc }
func (c constant) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, 1, c.labels...)
}
