package benchdispatch

import (
	"math"
	"slices"
	"time"
)

// Report is what was measured: medians of the runs.
type Report struct {
	Database    string `json:"database"`
	Events      int    `json:"events"`
	Webhooks    int    `json:"webhooks"`
	Slow        int    `json:"slow"`
	Processes   int    `json:"processes"`
	Runs        int    `json:"runs"`
	Attempts    bool   `json:"attempts"`    // kept on record
	Concurrency int    `json:"concurrency"` // connections to the receiver, of ours and so of the floor

	DeliveriesPerS float64 `json:"deliveries_per_s"` // from the first arrival to the last
	FloorPerS      float64 `json:"floor_per_s"`
	Ratio          float64 `json:"ratio"` // of ours to the floor right after it
	// CPUMS is what a delivery takes of our processes and of the sessions of a PostgreSQL
	// server on this machine, together; nil where the system doesn't tell.
	CPUMS         *float64 `json:"cpu_ms_per_delivery"`
	ProcessCPUMS  *float64 `json:"process_cpu_ms_per_delivery"`
	DatabaseCPUMS *float64 `json:"database_cpu_ms_per_delivery"` // nil: not known, or within ours (SQLite)
	FloorCPUMS    *float64 `json:"floor_cpu_ms_per_delivery"`
	// RowsWritten counts rows inserted, updated and deleted for 1,000 deliveries.
	RowsWritten float64 `json:"rows_written"`

	RatePerS float64 `json:"rate_per_s"` // reached while latency was measured
	P50MS    float64 `json:"p50_ms"`     // from the beginning of the commit to the arrival
	P95MS    float64 `json:"p95_ms"`
	P99MS    float64 `json:"p99_ms"`

	Spread Spread  `json:"spread"`
	Parked *Parked `json:"parked"` // nil: not measured
}

// Spread is the least and the most of the runs.
type Spread struct {
	DeliveriesPerS [2]float64 `json:"deliveries_per_s"`
	FloorPerS      [2]float64 `json:"floor_per_s"`
	Ratio          [2]float64 `json:"ratio"`
}

func (b *bench) report() Report {
	r := Report{
		Database: b.db.name, Events: b.Events, Webhooks: b.Webhooks, Slow: b.Slow, Attempts: !b.NoAttempts, Processes: b.Processes, Runs: b.Runs, Concurrency: b.concurrency,
		RatePerS: rounded(b.latency.reached, 1), P50MS: ms(b.latency.at(.50)), P95MS: ms(b.latency.at(.95)), P99MS: ms(b.latency.at(.99)),
		Parked: b.parked,
	}
	speed := func(m measured) float64 { return rounded(m.perSecond, 1) }
	ratios := make([]float64, len(b.ours))
	for i := range ratios {
		ratios[i] = rounded(b.ours[i].perSecond/b.floor[i].perSecond, 3)
	}
	ours, floor := each(b.ours, speed), each(b.floor, speed)
	r.DeliveriesPerS, r.FloorPerS, r.Ratio = median(ours), median(floor), median(ratios)
	r.Spread = Spread{spread(ours), spread(floor), spread(ratios)}
	per := func(of func(measured) time.Duration) func(measured) float64 {
		return func(m measured) float64 { return rounded(of(m).Seconds()*1e3/float64(b.Events), 4) }
	}
	if b.ours[0].cpuKnown {
		process := median(each(b.ours, per(func(m measured) time.Duration { return m.cpu })))
		both := median(each(b.ours, per(func(m measured) time.Duration { return m.cpu + m.databaseCPU })))
		bare := median(each(b.floor, per(func(m measured) time.Duration { return m.cpu })))
		r.ProcessCPUMS, r.CPUMS, r.FloorCPUMS = &process, &both, &bare
	}
	if b.ours[0].serverKnown {
		server := median(each(b.ours, per(func(m measured) time.Duration { return m.databaseCPU })))
		r.DatabaseCPUMS = &server
	}
	counted := b.ours
	if !b.db.postgres {
		counted = b.ours[:1] // of a run of its own
	}
	r.RowsWritten = median(each(counted, func(m measured) float64 { return rounded(float64(m.rows)*1000/float64(b.Events), 1) }))
	if b.parked != nil {
		b.parked.DeliveriesPerS = rounded(b.parked.DeliveriesPerS, 1)
	}
	return r
}

func each(all []measured, of func(measured) float64) []float64 {
	var values []float64
	for _, m := range all {
		values = append(values, of(m))
	}
	return values
}

// median is the middle one, the lower of two.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

func spread(values []float64) [2]float64 { return [2]float64{slices.Min(values), slices.Max(values)} }

func ms(d time.Duration) float64 { return rounded(d.Seconds()*1e3, 2) }

func rounded(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}
