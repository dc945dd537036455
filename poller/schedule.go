package poller

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/robfig/cron/v3"
)

// This file is the only one that touches robfig/cron. Met in v3.0.1: it panics on
// "TZ=UTC", reads "@every 0s" as every second, accepts dates that never come (their
// next time is zero), and skips or doubles across daylight saving.

const (
	// DefaultSchedule is in force where nobody chose one.
	DefaultSchedule = "1h"
	// DefaultMinInterval is the shortest time between polls that may be asked for.
	DefaultMinInterval = 5 * time.Minute

	shortest = time.Second          // no setting goes below it
	longest  = 366 * 24 * time.Hour // an interval beyond it is a mistake, not a schedule
	firings  = 110_000              // a year of every five minutes
)

// Where the schedule in force was set, in order of precedence.
const (
	FromStream     = "stream"
	FromAccount    = "account"
	FromRecordType = "record_type"
	FromProvider   = "provider"
	FromDefault    = "default"
)

// Schedule says when a stream is polled: every so often, or at the times (UTC) of a
// cron expression.
type Schedule struct {
	text  string
	every time.Duration // 0: cron
	cron  cron.Schedule
}

// ParseSchedule reads an interval ("15m", "1h30m", "@every 15m", "@hourly", "@daily",
// "@weekly") or a cron expression of five fields in UTC, and refuses what would poll
// more often than floor (at least one second) or never.
func ParseSchedule(text string, floor time.Duration) (Schedule, error) {
	text = strings.TrimSpace(text)
	floor = max(floor, shortest)
	s, err := parseSchedule(text)
	if err == nil {
		err = s.check(floor, time.Now().UTC())
	}
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule %.100q: %w", text, err)
	}
	return s, nil
}

var (
	errTooOften     = errors.New("polls more often than the shortest interval allowed here")
	errNotASchedule = errors.New("expected an interval such as 15m or 1h30m, or a cron expression of five fields (UTC) such as 0 6 * * *")
)

func parseSchedule(text string) (Schedule, error) {
	switch {
	case text == "":
		return Schedule{}, errNotASchedule
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return Schedule{}, errors.New("a time zone can't be chosen: cron expressions are in UTC")
	}
	interval := text
	switch text {
	case "@hourly":
		interval = "1h"
	case "@daily":
		interval = "24h"
	case "@weekly":
		interval = "168h"
	default:
		if rest, ok := strings.CutPrefix(text, "@every"); ok {
			interval = strings.TrimSpace(rest)
		}
	}
	if every, err := time.ParseDuration(interval); err == nil {
		return Schedule{text: text, every: every}, nil
	} else if interval != text {
		return Schedule{}, errNotASchedule
	}
	parsed, err := parseCron(text)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{text: text, cron: parsed}, nil
}

func parseCron(text string) (s cron.Schedule, err error) {
	fields := strings.Fields(text)
	if !strings.HasPrefix(text, "@") && len(fields) != 5 {
		return nil, errNotASchedule
	}
	for _, field := range fields {
		// "1,,2" and "," pass the parser; the latter as a field that never matches.
		if strings.HasPrefix(field, ",") || strings.HasSuffix(field, ",") || strings.Contains(field, ",,") {
			return nil, errNotASchedule
		}
	}
	defer func() {
		if recover() != nil {
			s, err = nil, errNotASchedule
		}
	}()
	s, err = cron.ParseStandard(text)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errNotASchedule, err)
	}
	return s, nil
}

// check walks the firings of the coming year, or of nine where they are rare (a leap
// day may bring two dates together).
func (s Schedule) check(floor time.Duration, now time.Time) error {
	tooOften := fmt.Errorf("%w: %s (the service's --min-interval)", errTooOften, plain(floor))
	if s.cron == nil {
		switch {
		case s.every < floor:
			return tooOften
		case s.every > longest:
			return fmt.Errorf("an interval of more than %d days is as good as never", int(longest.Hours()/24))
		}
		return nil
	}
	last := s.cron.Next(now)
	if last.IsZero() {
		return errors.New("never fires: there is no such date")
	}
	if floor <= time.Minute { // cron's own resolution
		return nil
	}
	for end, n := last.Add(9*longest), 0; n < firings && last.Before(end); n++ {
		next := s.cron.Next(last)
		if next.IsZero() {
			return nil
		}
		if next.Sub(last) < floor {
			return tooOften
		}
		last = next
	}
	return nil
}

// Next is the first time after t at which the stream called key ("account/record
// type") is due, in UTC. Intervals count from the epoch plus the stream's phase,
// which depends on nothing but key and interval: a restart does not bunch streams.
func (s Schedule) Next(t time.Time, key string) time.Time {
	t = t.UTC()
	if s.cron != nil {
		if next := s.cron.Next(t); !next.IsZero() {
			return next
		}
		return t.Add(longest) // 29 February across a century: look again later
	}
	every := int64(s.every)
	since := (t.UnixNano() - int64(s.phase(key))) % every
	if since < 0 {
		since += every
	}
	return t.Add(time.Duration(every - since))
}

// Interval is the time between polls around t.
func (s Schedule) Interval(t time.Time) time.Duration {
	if s.cron == nil {
		return s.every
	}
	next := s.Next(t, "")
	return s.Next(next, "").Sub(next)
}

// phase is a whole number of seconds below the interval.
func (s Schedule) phase(key string) time.Duration {
	seconds := uint64(max(s.every/time.Second, 1))
	return time.Duration(xxhash.Sum64String(key)%seconds) * time.Second
}

// String is the schedule as it was written.
func (s Schedule) String() string { return s.text }

// precedence names the schedule in force and where it was set: the first that is not
// empty, else DefaultSchedule.
func precedence(stream, account, recordType, provider string) (text, from string) {
	for _, level := range [...]struct{ text, from string }{
		{stream, FromStream}, {account, FromAccount}, {recordType, FromRecordType}, {provider, FromProvider},
	} {
		if level.text != "" {
			return level.text, level.from
		}
	}
	return DefaultSchedule, FromDefault
}

// schedules resolves the schedule in force and remembers what it parsed: there are
// few texts and many streams.
type schedules struct {
	floor  time.Duration
	mu     sync.Mutex
	parsed map[string]Schedule
}

func newSchedules(floor time.Duration) *schedules {
	return &schedules{floor: floor, parsed: map[string]Schedule{}}
}

// inForce never fails: what was stored under a lower floor is held to the floor, and
// a connector's unreadable schedule to the default; polling goes on.
func (s *schedules) inForce(stream, account, recordType, provider string) (Schedule, string) {
	text, from := precedence(stream, account, recordType, provider)
	return s.parse(text), from
}

func (s *schedules) parse(text string) Schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.parsed[text]; ok {
		return known
	}
	parsed, err := ParseSchedule(text, s.floor)
	switch {
	case errors.Is(err, errTooOften):
		parsed = Schedule{text: plain(s.floor), every: max(s.floor, shortest)}
	case err != nil:
		parsed = Schedule{text: DefaultSchedule, every: time.Hour}
	}
	s.parsed[text] = parsed
	return parsed
}

// plain is d without zero parts: 5m instead of 5m0s.
func plain(d time.Duration) string {
	text := d.String()
	if s, ok := strings.CutSuffix(text, "m0s"); ok {
		text = s + "m"
	}
	if s, ok := strings.CutSuffix(text, "h0m"); ok {
		text = s + "h"
	}
	return text
}
