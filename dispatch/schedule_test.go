package dispatch

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRetryScheduleIsTheSpecifications(t *testing.T) {
	var total time.Duration
	for _, wait := range RetrySchedule {
		total += wait
	}
	if total.Truncate(time.Minute) != 75*time.Hour+35*time.Minute || RetrySchedule[0] != 0 || len(RetrySchedule) != 10 {
		t.Errorf("%d attempts in %s", len(RetrySchedule), total)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 120 ": 2 * time.Minute, "-5": 0, "1.5": 0, "soon": 0, "0x10": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		"Monday, 23-Nov-26 12:00:30 GMT":                  30 * time.Second, // RFC 850
		"Mon Nov 23 12:01:00 2026":                        time.Minute,      // asctime
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	for asked, want := range map[time.Duration]time.Duration{0: 5 * time.Minute, time.Minute: 5 * time.Minute, 20 * time.Minute: 20 * time.Minute, 3 * time.Hour: time.Hour} {
		if got := waitAtLeast(5*time.Minute, asked); got != want {
			t.Errorf("asked for %s: wait %s, want %s", asked, got, want)
		}
	}
	if got := waitAtLeast(10*time.Hour, 30*time.Hour); got != 20*time.Hour {
		t.Errorf("at most twice the wait: %s", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"1", "99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "１２", "+5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		asked := parseRetryAfter(value, time.Now())
		if wait := waitAtLeast(time.Minute, asked); asked < 0 || wait < time.Minute || wait > time.Hour {
			t.Errorf("%q: %s asked, %s waited", value, asked, wait)
		}
	})
}

func TestJitterStaysNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "d"))
		if got := jitter(d); got < d*9/10-1 || got > d*11/10+1 {
			t.Errorf("%s became %s", d, got)
		}
	})
}

func TestIntersectionOfNamesCoversWhatBothDo(t *testing.T) {
	pattern := rapid.SampledFrom([]string{"*", "a.*", "a.b.*", "a.b", "a.c", "b.*", "b.c", "ab.*", "ab.c"})
	name := rapid.SampledFrom([]string{"a.b", "a.c", "a.b.c", "b.c", "ab.c", "a"})
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(pattern, 1, 3).Draw(t, "a"), rapid.SliceOfN(pattern, 1, 3).Draw(t, "b")
		e := Event{Name: name.Draw(t, "name")}
		both := intersectNames(a, b)
		want := Filter{Names: a}.Match(e) && Filter{Names: b}.Match(e)
		if got := len(both) > 0 && (Filter{Names: both}).Match(e); got != want {
			t.Errorf("%v and %v are %v, which matches %s: %t", a, b, both, e.Name, got)
		}
	})
}
