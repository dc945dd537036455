package sample

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// client is a small raw client of one dialect: it knows how the provider documents its
// paging and nothing of how the server is made.
type client struct {
	base     string
	dialect  Dialect
	cred     Credentials
	bodies   [][]byte
	requests int
}

// serveAll starts a server of each dialect.
func serveAll(t *testing.T, c *Company, o Options) (map[Dialect]*Server, map[Dialect]*client) {
	t.Helper()
	servers, clients := map[Dialect]*Server{}, map[Dialect]*client{}
	for _, d := range Dialects() {
		s := NewServer(c, d, o)
		base, stop, err := s.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		servers[d], clients[d] = s, &client{base: base, dialect: d, cred: s.Credentials()}
	}
	return servers, clients
}

func (c *client) request(address string) (*http.Response, []byte, error) {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/json")
	switch c.dialect {
	case BambooHR:
		r.SetBasicAuth(c.cred.Key, "x")
	case Workable:
		r.Header.Set("Authorization", "Bearer "+c.cred.Key)
	case StackOne:
		r.SetBasicAuth(c.cred.Key, "")
		r.Header.Set("X-Account-Id", c.cred.AccountID)
	}
	c.requests++
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	c.bodies = append(c.bodies, body)
	return res, body, err
}

func (c *client) get(address string) (any, error) {
	res, body, err := c.request(address)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var v any
	err = d.Decode(&v)
	return v, err
}

var listings = map[Dialect]map[string]string{
	BambooHR: {
		Employees:    "/v1/employees?page[limit]=7",
		Employments:  "/v1/employees/all/tables/jobInfo",
		Applications: "/v1/applicant_tracking/applications?applicationStatus=ALL&jobStatusGroups=ALL&per_page=1",
		JobPostings:  "/v1/applicant_tracking/jobs?statusGroups=ALL",
	},
	Workable: {
		Candidates:   "/spi/v3/candidates?limit=100",
		Applications: "/spi/v3/candidates?limit=100",
		Interviews:   "/spi/v3/events",
		JobPostings:  "/spi/v3/jobs?limit=3",
		Employees:    "/spi/v3/employees?member_id=" + sampleMember,
	},
	StackOne: {
		Employees:    "/unified/hris/employees",
		Employments:  "/unified/hris/employments",
		Candidates:   "/unified/ats/candidates?page_size=9",
		Applications: "/unified/ats/applications",
		Interviews:   "/unified/ats/interviews",
		JobPostings:  "/unified/ats/job_postings",
	},
}

// list walks all pages and returns the records by id; same id twice: the last.
func (c *client) list(recordType string) (map[string]any, error) {
	all := map[string]any{}
	address := c.base + listings[c.dialect][recordType]
	for offset := 0; address != ""; {
		v, err := c.get(address)
		if err != nil {
			return nil, err
		}
		records, next := c.page(v, recordType, address, &offset)
		for _, r := range records {
			all[c.id(recordType, r.(map[string]any))] = r
		}
		address = next
	}
	return all, nil
}

// page takes an answer apart: its records and the address of the next page.
func (c *client) page(v any, recordType, address string, offset *int) (records []any, next string) {
	if root, ok := v.([]any); ok {
		return root, ""
	}
	o := v.(map[string]any)
	text := func(v any) string { s, _ := v.(string); return s }
	with := func(parameter, value string) string {
		u, _ := url.Parse(address)
		q := u.Query()
		q.Set(parameter, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	switch {
	case o["_links"] != nil:
		if link, ok := o["_links"].(map[string]any)["next"].(map[string]any); ok {
			next = text(link["href"])
		}
		return o["data"].([]any), next
	case c.dialect == BambooHR:
		return o["applications"].([]any), text(o["nextPageUrl"])
	case c.dialect == StackOne:
		if cursor := text(o["next"]); cursor != "" {
			next = with("next", cursor)
		}
		return o["data"].([]any), next
	case recordType == Employees:
		records = o["employees"].([]any)
		*offset += len(records)
		if total, _ := o["total_count"].(json.Number).Int64(); len(records) > 0 && *offset < int(total) {
			next = with("offset", decimal(*offset))
		}
		return records, next
	}
	if paging, ok := o["paging"].(map[string]any); ok {
		next = text(paging["next"])
	}
	return o[map[string]string{Candidates: "candidates", Applications: "candidates", Interviews: "events", JobPostings: "jobs"}[recordType]].([]any), next
}

func (c *client) id(recordType string, r map[string]any) string {
	switch {
	case c.dialect == BambooHR && recordType == Employees:
		return r["employeeId"].(string)
	case c.dialect == BambooHR && recordType == Employments:
		return r["employeeId"].(string) + ":" + r["id"].(string)
	}
	return fmt.Sprint(r["id"])
}

// meaning is what stays of a record when everything is taken away that means nothing.
func meaning(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := map[string]any{}
		for name, value := range v {
			if m := meaning(value); m != nil && name != "newApplicantsCount" {
				o[name] = m
			}
		}
		return o
	case []any:
		a := []any{}
		for _, item := range v {
			a = append(a, meaning(item))
		}
		return a
	case json.Number:
		r, _ := new(big.Rat).SetString(v.String())
		return r.RatString()
	case string:
		if at := strings.IndexByte(v, '?'); at > 0 && (strings.Contains(v, "X-Amz-Signature=") || strings.Contains(v, "&Signature=")) {
			return v[:at]
		}
	}
	return v
}

// text is the meaning of a record in one line.
func text(v any) string {
	b, _ := json.Marshal(meaning(v))
	return string(b)
}

// truth is what the company holds of a record type, as the dialect shows it.
func truth(t *testing.T, c *Company, d Dialect, recordType string) map[string]string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]string{}
	for _, l := range c.views[d].lists {
		for _, of := range l.types {
			if of != recordType {
				continue
			}
			for _, id := range l.order {
				d := json.NewDecoder(strings.NewReader(string((&scribe{}).append(nil, l.render(c, id, l.rows[id].updated)))))
				d.UseNumber()
				var v any
				if err := d.Decode(&v); err != nil {
					t.Fatal(err)
				}
				all[l.rows[id].id] = text(v)
			}
		}
	}
	return all
}
