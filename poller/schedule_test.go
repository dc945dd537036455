package poller

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseScheduleAccepts(t *testing.T) {
	after := time.Date(2026, 11, 22, 9, 8, 7, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"15m": 15 * time.Minute, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, " 2h ": 2 * time.Hour,
		"@every 15m": 15 * time.Minute, "@hourly": time.Hour, "@daily": 24 * time.Hour, "@weekly": 7 * 24 * time.Hour,
		"*/15 * * * *": 15 * time.Minute, "0 6 * * *": 24 * time.Hour, "@midnight": 24 * time.Hour,
	} {
		s, err := ParseSchedule(text, 90*time.Second)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := s.Interval(after); got != want {
			t.Errorf("%q: interval %s, want %s", text, got, want)
		}
	}
}

func TestParseScheduleRefuses(t *testing.T) {
	for text, reason := range map[string]string{
		"":                                "expected an interval",
		"every day":                       "expected an interval",
		"* * *":                           "expected an interval",
		"* * * * * *":                     "expected an interval",
		"61 * * * *":                      "above maximum",
		", * * * *":                       "expected an interval",
		"@sometimes":                      "expected an interval",
		"@every":                          "expected an interval",
		"@every day":                      "expected an interval",
		"TZ=UTC":                          "in UTC",
		"TZ=Europe/Berlin 0 6 * * *":      "in UTC",
		"CRON_TZ=Europe/Berlin 0 6 * * *": "in UTC",
		"0 0 31 2 *":                      "no such date",
		"@every 0s":                       "more often than",
		"0s":                              "more often than",
		"-5m":                             "more often than",
		"4m59s":                           "allowed here: 5m",
		"* * * * *":                       "allowed here: 5m",
		"*/4 * * * *":                     "allowed here: 5m",
		"0,58,59 * * * *":                 "allowed here: 5m",
		"59,0 0,23 * * *":                 "allowed here: 5m", // across midnight
		"9000h":                           "as good as never",
		strings.Repeat("9", 400):          "expected an interval",
	} {
		_, err := ParseSchedule(text, 5*time.Minute)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: error %v, want one that says %q", text, err, reason)
		}
	}
}

func TestScheduleFloorCanBeLowered(t *testing.T) {
	for _, text := range []string{"2s", "* * * * *"} {
		if _, err := ParseSchedule(text, time.Second); err != nil {
			t.Errorf("%q under a floor of 1 s: %v", text, err)
		}
	}
	if _, err := ParseSchedule("500ms", 0); err == nil {
		t.Error("half a second was accepted")
	}
}

// A process that restarts, or another replica, must come to the same times; and
// streams must not all come at once.
func TestPhaseIsStableAndSpread(t *testing.T) {
	s, err := ParseSchedule("15m", 0)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	first := s.Next(start, "a/employees")
	for t0 := start; t0.Before(first); t0 = t0.Add(17 * time.Second) {
		if got := s.Next(t0, "a/employees"); !got.Equal(first) {
			t.Fatalf("asked at %s: next %s, asked at %s: %s", start, first, t0, got)
		}
	}
	if got := s.Next(first, "a/employees"); got.Sub(first) != 15*time.Minute {
		t.Fatalf("after a poll on time the next is %s later", got.Sub(first))
	}
	quarters := map[time.Duration]int{}
	for i := range 400 {
		quarters[s.Next(start, fmt.Sprintf("account%d/employees", i)).Sub(start).Truncate(225*time.Second)]++
	}
	for at, n := range quarters {
		if n < 60 || n > 140 {
			t.Errorf("%d of 400 streams in the quarter of the interval that starts at %s", n, at)
		}
	}
}

func TestCronRunsInUTC(t *testing.T) {
	s, err := ParseSchedule("30 2 * * *", 0)
	if err != nil {
		t.Fatal(err)
	}
	berlin := time.FixedZone("CET", 3600)
	got := s.Next(time.Date(2026, 3, 29, 1, 0, 0, 0, berlin), "any")
	if want := time.Date(2026, 3, 29, 2, 30, 0, 0, time.UTC); !got.Equal(want) {
		t.Fatalf("next %s, want %s", got, want)
	}
}

func TestPrecedence(t *testing.T) {
	for _, c := range []struct{ stream, account, recordType, provider, text, from string }{
		{"1m", "2m", "3m", "4m", "1m", FromStream},
		{"", "2m", "3m", "4m", "2m", FromAccount},
		{"", "", "3m", "4m", "3m", FromRecordType},
		{"", "", "", "4m", "4m", FromProvider},
		{"", "", "", "", "1h", FromDefault},
	} {
		if text, from := precedence(c.stream, c.account, c.recordType, c.provider); text != c.text || from != c.from {
			t.Errorf("%+v: %s from %s", c, text, from)
		}
	}
}

// Polling goes on under what was stored before the floor was raised, or what a
// connector says wrongly.
func TestScheduleInForceIsHeldToTheFloor(t *testing.T) {
	s := newSchedules(5 * time.Minute)
	now := time.Now()
	if got, _ := s.inForce("10s", "", "", ""); got.Interval(now) != 5*time.Minute {
		t.Errorf("10s is polled every %s", got.Interval(now))
	}
	if got, from := s.inForce("", "", "", "soon"); got.Interval(now) != time.Hour || from != FromProvider {
		t.Errorf("a connector's garbage is polled every %s, from %s", got.Interval(now), from)
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"15m", "@every 15m", "@hourly", "*/5 * * * *", "0 0 31 2 *", "TZ=UTC", "CRON_TZ=", "@every 0s", "0 0 29 2 *", ", , , , ,", "1-9/3 ? jan mon *", "@every 999999h", "*/99999999999999 * * * *", "* 0 29 2 *"} {
		f.Add(text)
	}
	now := time.Date(2026, 11, 22, 9, 8, 7, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchedule(text, DefaultMinInterval)
		if err != nil {
			return
		}
		last := s.Next(now, text)
		if !last.After(now) {
			t.Fatalf("%q: next %s is not after %s", text, last, now)
		}
		for range 30 {
			next := s.Next(last, text)
			if gap := next.Sub(last); gap < DefaultMinInterval || gap > 9*longest {
				t.Fatalf("%q: %s after %s", text, next, last)
			}
			last = next
		}
	})
}

func BenchmarkParseDenseCron(b *testing.B) {
	for b.Loop() {
		if _, err := ParseSchedule("*/5 * * * *", DefaultMinInterval); err != nil {
			b.Fatal(err)
		}
	}
}
