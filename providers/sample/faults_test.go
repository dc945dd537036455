package sample

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRefusals(t *testing.T) {
	servers, clients := serveAll(t, New(Config{}), quick)
	s, c := servers[Workable], clients[Workable]
	soon := func(at time.Time) bool { d := time.Until(at); return d > time.Second && d < 4*time.Second }
	seconds := func(s string) bool { return s == "3" }
	cases := []struct {
		kind   Kind
		status int
		header string
		valid  func(string) bool
	}{
		{ThrottledSeconds, 429, "Retry-After", seconds},
		{ThrottledDate, 429, "Retry-After", func(v string) bool { at, err := http.ParseTime(v); return err == nil && soon(at) }},
		{ThrottledEpoch, 429, "X-RateLimit-Reset", func(v string) bool { n, err := strconv.ParseInt(v, 10, 64); return err == nil && soon(time.Unix(n, 0)) }},
		{ThrottledLeft, 429, "X-RateLimit-Reset", seconds},
		{ThrottledDatetime, 429, "X-RateLimit-Reset", func(v string) bool {
			at, err := time.Parse("2006-01-02 15:04:05 -0700", v)
			return err == nil && soon(at)
		}},
		{Throttled406, 406, "Retry-After", func(v string) bool { return v == "" }},
		{ServerError, 500, "Retry-After", func(v string) bool { return v == "" }},
		{Unavailable, 503, "Retry-After", seconds},
		{Unauthorized, 401, "Content-Type", func(v string) bool { return v == "application/json" }},
		{Forbidden, 403, "Content-Type", func(v string) bool { return v == "application/json" }},
		{HTML, 200, "Content-Type", func(v string) bool { return v == "text/html; charset=UTF-8" }},
		{EmptyBody, 200, "Content-Length", func(v string) bool { return v == "0" }},
	}
	if len(cases) != len(refusals) {
		t.Errorf("%d of %d refusals are tried", len(cases), len(refusals))
	}
	for _, test := range cases {
		s.Faults.Add(Fault{Kind: test.kind, Next: 1, Wait: 3 * time.Second})
		res, _, err := c.request(c.base + listings[Workable][JobPostings])
		if err != nil {
			t.Fatal(err)
		}
		if v := res.Header.Get(test.header); res.StatusCode != test.status || !test.valid(v) {
			t.Errorf("%s: status %d, %s: %q", test.kind, res.StatusCode, test.header, v)
		}
		if _, err := c.list(JobPostings); err != nil {
			t.Errorf("after one %s: %v", test.kind, err)
		}
	}
}

func TestFaultsStrikeWhenTheySay(t *testing.T) {
	servers, clients := serveAll(t, New(Config{}), quick)
	s, c := servers[StackOne], clients[StackOne]
	strikes := func(recordType string, n int) (struck []int) {
		for i := range n {
			res, _, err := c.request(c.base + listings[StackOne][recordType])
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != 200 {
				struck = append(struck, i+1)
			}
		}
		return struck
	}
	for _, test := range []struct {
		fault Fault
		want  []int
	}{
		{Fault{}, []int{1, 2, 3, 4, 5, 6, 7}},
		{Fault{Next: 2}, []int{1, 2}},
		{Fault{Every: 3}, []int{3, 6}},
		{Fault{Every: 3, Next: 1}, []int{3}},
		{Fault{Path: "/unified/ats/"}, nil},
	} {
		test.fault.Kind = ServerError
		s.Faults.Add(test.fault)
		before := s.Faults.Struck(ServerError)
		if diff := cmp.Diff(test.want, strikes(Employees, 7)); diff != "" {
			t.Errorf("%+v: %s", test.fault, diff)
		}
		if got := s.Faults.Struck(ServerError) - before; got != len(test.want) {
			t.Errorf("%+v: struck %d times", test.fault, got)
		}
		s.Faults.Clear()
	}
}

func TestDamages(t *testing.T) {
	servers, clients := serveAll(t, New(Config{}), quick)
	for _, d := range Dialects() {
		s, c := servers[d], clients[d]
		address := c.base + listings[d][Employees]
		s.Faults.Add(Fault{Kind: Cut, Next: 1})
		if _, body, err := c.request(address); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
			t.Errorf("%s: cut: %v after %d bytes", d, err, len(body))
		}
		s.Faults.Add(Fault{Kind: Truncated, Next: 1})
		res, body, err := c.request(address)
		if err != nil || res.StatusCode != 200 || int64(len(body)) != res.ContentLength || json.Valid(body) {
			t.Errorf("%s: truncated: %v, %d bytes", d, err, len(body))
		}
		s.Faults.Add(Fault{Kind: Slow, Next: 1, Wait: 80 * time.Millisecond})
		begun := time.Now()
		if _, err := c.list(Employees); err != nil || time.Since(begun) < 80*time.Millisecond {
			t.Errorf("%s: slow: %v after %v", d, err, time.Since(begun))
		}
	}
}

func TestLies(t *testing.T) {
	company := New(Config{Seed: 4})
	servers, clients := serveAll(t, company, quick)
	for _, d := range Dialects() {
		s, c := servers[d], clients[d]
		all := company.IDs(d, Employees)
		listed := func(f Fault) []string {
			t.Helper()
			s.Faults.Add(f)
			records, err := c.list(Employees)
			if err != nil {
				t.Fatalf("%s: %s: %v", d, f.Kind, err)
			}
			s.Faults.Clear()
			return slices.Sorted(maps.Keys(records))
		}
		if got := listed(Fault{Kind: EarlyEnd, Next: 1}); len(got) == 0 || len(got) >= 9 {
			t.Errorf("%s: early end: %d records", d, len(got))
		}
		got := listed(Fault{Kind: HalfHidden})
		if len(got) != len(all)/2 || slices.ContainsFunc(got, func(id string) bool { return !slices.Contains(all, id) }) {
			t.Errorf("%s: half hidden: %d records of %d", d, len(got), len(all))
		}
		got = listed(Fault{Kind: OtherCustomer})
		if len(got) != len(all) || slices.ContainsFunc(got, func(id string) bool { return slices.Contains(all, id) }) {
			t.Errorf("%s: another customer's list: %d records", d, len(got))
		}
		if got := listed(Fault{Kind: EmptyList}); len(got) != 0 {
			t.Errorf("%s: a list of nothing has %d records", d, len(got))
		}
		if diff := cmp.Diff(all, listed(Fault{Kind: WrongTotal})); diff != "" && d != Workable { // where the total is the end
			t.Errorf("%s: wrong total: %s", d, diff)
		}
		if d == Workable {
			continue // pages of its employees have no cursor
		}
		if diff := cmp.Diff(all, listed(Fault{Kind: EmptyPage, Every: 2})); diff != "" {
			t.Errorf("%s: with empty pages on the way: %s", d, diff)
		}
	}
}

func TestEmptyPageLeadsOn(t *testing.T) {
	company := New(Config{Seed: 4})
	servers, clients := serveAll(t, company, quick)
	servers[Workable].Faults.Add(Fault{Kind: EmptyPage, Every: 2})
	records, err := clients[Workable].list(Candidates)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(company.IDs(Workable, Candidates), slices.Sorted(maps.Keys(records))); diff != "" {
		t.Error(diff)
	}
}

func TestRepeatedCursorLeadsBack(t *testing.T) {
	servers, clients := serveAll(t, New(Config{}), quick)
	for d, recordType := range map[Dialect]string{BambooHR: Employees, Workable: Candidates, StackOne: Employments} {
		s, c := servers[d], clients[d]
		s.Faults.Add(Fault{Kind: RepeatedCursor})
		var pages []string
		address := c.base + listings[d][recordType]
		for range 3 {
			v, err := c.get(address)
			if err != nil {
				t.Fatal(err)
			}
			offset := 0
			records, next := c.page(v, recordType, address, &offset)
			address = next
			pages = append(pages, text(records))
		}
		if pages[1] != pages[2] || address == "" {
			t.Errorf("%s: the cursor leads on", d)
		}
	}
}

func TestWrongTotalIsWrong(t *testing.T) {
	servers, clients := serveAll(t, New(Config{}), quick)
	for _, d := range []Dialect{BambooHR, Workable} {
		servers[d].Faults.Add(Fault{Kind: WrongTotal})
		c := clients[d]
		if _, err := c.get(c.base + listings[d][Employees]); err != nil {
			t.Fatal(err)
		}
		body := bytes.Join(bytes.Fields(c.bodies[len(c.bodies)-1]), nil)
		if !bytes.Contains(body, []byte(`"total":47`)) && !bytes.Contains(body, []byte(`"total_count":47`)) {
			t.Errorf("%s: 40 employees are not said to be 47", d)
		}
	}
}

// A record that moves while it is being listed is skipped, and is there in the next
// two walks whatever strikes.
func TestShiftPages(t *testing.T) {
	company := New(Config{Seed: 5})
	servers, clients := serveAll(t, company, quick)
	for d, recordType := range map[Dialect]string{BambooHR: Applications, Workable: Employees} {
		s, c := servers[d], clients[d]
		all := company.IDs(d, recordType)
		s.Faults.Add(Fault{Kind: ShiftPages})
		var missing []int
		for range 9 {
			records, err := c.list(recordType)
			if err != nil {
				t.Fatal(err)
			}
			missing = append(missing, len(all)-len(records))
		}
		if diff := cmp.Diff([]int{0, 0, 1, 0, 0, 1, 0, 0, 1}, missing); diff != "" || s.Faults.Struck(ShiftPages) != 3 {
			t.Errorf("%s: %d shifts, missing in each walk: %s", d, s.Faults.Struck(ShiftPages), diff)
		}
	}
}
