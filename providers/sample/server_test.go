package sample

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var quick = Options{PageSize: 9, Limit: -1}

func TestEveryListingIsTheCompany(t *testing.T) {
	c := New(Config{Seed: 1})
	_, clients := serveAll(t, c, quick)
	onePage := map[string]bool{"bamboohr employments": true, "bamboohr job_postings": true, "stackone job_postings": true}
	for _, d := range Dialects() {
		for _, recordType := range d.RecordTypes() {
			t.Run(string(d)+" "+recordType, func(t *testing.T) {
				before := clients[d].requests
				records, err := clients[d].list(recordType)
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]string{}
				for id, r := range records {
					got[id] = text(r)
				}
				if diff := cmp.Diff(truth(t, c, d, recordType), got); diff != "" {
					t.Errorf("the listing is not the company (-company +listing):\n%s", diff)
				}
				if diff := cmp.Diff(c.IDs(d, recordType), slices.Sorted(maps.Keys(got))); diff != "" {
					t.Errorf("ids: %s", diff)
				}
				if pages := clients[d].requests - before; (pages == 1) != onePage[string(d)+" "+recordType] {
					t.Errorf("listed in %d pages", pages)
				}
			})
		}
	}
}

func TestTwoReadsDifferInBytesAndNotInMeaning(t *testing.T) {
	_, clients := serveAll(t, New(Config{Seed: 2}), Options{Limit: -1})
	for _, d := range Dialects() {
		for _, recordType := range d.RecordTypes() {
			c := clients[d]
			address := c.base + listings[d][recordType]
			first, err := c.get(address)
			if err != nil {
				t.Fatal(err)
			}
			one := c.bodies[len(c.bodies)-1]
			second, err := c.get(address)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(one, c.bodies[len(c.bodies)-1]) {
				t.Errorf("%s %s: the bytes are the same", d, recordType)
			}
			if diff := cmp.Diff(meaning(first), meaning(second)); diff != "" {
				t.Errorf("%s %s: the meaning differs:\n%s", d, recordType, diff)
			}
		}
	}
	for d, sign := range map[Dialect]string{BambooHR: "&Signature=", Workable: "X-Amz-Signature=", StackOne: "X-Amz-Signature="} {
		signed := map[string]bool{}
		for range 2 {
			records, err := clients[d].list(Employees)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				for _, v := range r.(map[string]any) {
					if s, ok := v.(string); ok && strings.Contains(s, sign) {
						signed[s] = true
					}
				}
			}
		}
		if len(signed) != 80 {
			t.Errorf("%s: 40 employees read twice have %d different signed URLs, want 80", d, len(signed))
		}
	}
}

func TestOnlyTheRightCredentialsOpen(t *testing.T) {
	servers, clients := serveAll(t, New(Config{}), quick)
	status := func(d Dialect, cred Credentials) int {
		c := *clients[d]
		c.cred = cred
		res, _, err := c.request(c.base + listings[d][Employees])
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	for _, d := range Dialects() {
		right := servers[d].Credentials()
		wrong := right
		wrong.Key += "x"
		if got := status(d, right); got != http.StatusOK {
			t.Errorf("%s: right key: %d", d, got)
		}
		if got := status(d, wrong); got != http.StatusUnauthorized {
			t.Errorf("%s: wrong key: %d", d, got)
		}
		res, err := http.Get(clients[d].base + listings[d][Employees])
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: no key: %d", d, res.StatusCode)
		}
	}
	cred := servers[StackOne].Credentials()
	cred.AccountID = "somebody-else"
	if got := status(StackOne, cred); got != http.StatusForbidden {
		t.Errorf("stackone: another account: %d", got)
	}
	cred.AccountID = ""
	if got := status(StackOne, cred); got != http.StatusBadRequest {
		t.Errorf("stackone: no account: %d", got)
	}
}

func TestBambooHRHidesByDefaultAndSpeaksXML(t *testing.T) {
	c := New(Config{Seed: 3})
	for range 3 {
		if !c.Do(Reject) || !c.Do(HoldPosting) {
			t.Fatal("nothing to reject or to put on hold")
		}
	}
	_, clients := serveAll(t, c, Options{Limit: -1})
	bamboo := clients[BambooHR]
	for path, all := range map[string]int{
		"/v1/applicant_tracking/applications":                         len(c.IDs(BambooHR, Applications)),
		"/v1/applicant_tracking/applications?applicationStatus=ALL":   len(c.IDs(BambooHR, Applications)),
		"/v1/applicant_tracking/applications?jobStatusGroups=ALL&x=1": len(c.IDs(BambooHR, Applications)),
		"/v1/applicant_tracking/jobs":                                 len(c.IDs(BambooHR, JobPostings)),
	} {
		v, err := bamboo.get(bamboo.base + path)
		if err != nil {
			t.Fatal(err)
		}
		offset := 0
		if records, _ := bamboo.page(v, Applications, "", &offset); len(records) == 0 || len(records) >= all {
			t.Errorf("%s: %d records of %d", path, len(records), all)
		}
	}
	r, _ := http.NewRequest(http.MethodGet, bamboo.base+listings[BambooHR][Employments], nil)
	r.SetBasicAuth(bamboo.cred.Key, "x")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); !bytes.HasPrefix(body, []byte("<?xml")) {
		t.Error("a table without Accept: application/json is not XML")
	}
}

func TestWorkableLimitsRequests(t *testing.T) {
	s := NewServer(New(Config{}), Workable, Options{Limit: 2, Window: time.Hour})
	base, stop, err := s.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := &client{base: base, dialect: Workable, cred: s.Credentials()}
	for i, want := range []int{200, 200, 429, 429} {
		res, _, err := c.request(base + listings[Workable][JobPostings])
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want || res.Header.Get("X-Rate-Limit-Limit") != "2" || res.Header.Get("X-Rate-Limit-Remaining") != decimal(max(0, 1-i)) {
			t.Errorf("request %d: %d, %v", i+1, res.StatusCode, res.Header)
		}
		if reset := number(res.Header.Get("X-Rate-Limit-Reset"), 0); int64(reset) < time.Now().Add(50*time.Minute).Unix() {
			t.Errorf("request %d: reset at %d", i+1, reset)
		}
	}
}

func TestStopEndsTheServer(t *testing.T) {
	s := NewServer(New(Config{}), BambooHR, quick)
	s.Faults.Add(Fault{Kind: Slow, Wait: time.Hour})
	base, stop, err := s.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, base+listings[BambooHR][Employees], nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(s.Credentials().Key, "x")
	res, err := http.DefaultClient.Do(r) // comes with the first part of the body
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	stop()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("a slow answer outlived the server")
	}
	if _, err := http.Get(base + "/v1/employees"); err == nil {
		t.Error("a stopped server answers")
	}
}
