package sample

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// BambooHR's ids: employees and their rows are strings, applications and openings are
// numbers, and a row's number is unique in its table only.

func bambooLists() []*list {
	plain := func(_ *Company, id int) string { return decimal(id) }
	return []*list{
		{name: Employees, types: []string{Employees}, from: []string{Employees}, recordID: plain, render: bambooEmployee},
		{name: Employments, types: []string{Employments}, from: []string{Employments}, render: bambooRow,
			recordID: func(c *Company, id int) string {
				return decimal(c.employments[id].employee) + ":" + bambooRowID(id)
			}},
		{name: Applications, types: []string{Applications}, from: []string{Applications}, positional: true, recordID: plain, render: bambooApplication},
		{name: JobPostings, types: []string{JobPostings}, from: []string{JobPostings}, recordID: plain, render: bambooJob},
	}
}

func bambooRowID(id int) string { return decimal(38000 + id) }

func bambooPhoto(e *employee, id int) signedURL {
	return signedURL(fmt.Sprintf("https://images7.bamboohr.example/787000/photos/%d-%d-4.jpg", id, e.photo))
}

// null is a string or nothing.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func bambooEmployee(c *Company, id int, _ time.Time) object {
	e := c.employees[id]
	status := "Active"
	if e.onLeave {
		status = "Inactive"
	}
	return object{
		{"employeeId", decimal(id)}, {"firstName", e.first}, {"lastName", e.last}, {"preferredName", null(e.preferred)},
		{"photoUrl", bambooPhoto(e, id)}, {"jobTitleName", e.title}, {"status", status}, {"_restrictedFields", []any{}},
	}
}

func bambooRow(c *Company, id int, _ time.Time) object {
	r := c.employments[id]
	var boss any
	if m := c.employees[r.employee].manager; m != 0 {
		boss = c.employees[m].first + " " + c.employees[m].last
	}
	return object{
		{"id", bambooRowID(id)}, {"employeeId", decimal(r.employee)}, {"date", r.date.Format(time.DateOnly)}, {"location", r.city},
		{"department", r.department}, {"division", nil}, {"jobTitle", r.title}, {"reportsTo", boss}, {"teams", nil},
	}
}

func bambooLabel(id any, label string) object { return object{{"id", id}, {"label", label}} }

func bambooApplication(c *Company, id int, _ time.Time) object {
	a, who := c.applications[id], c.candidates[id]
	status := bambooLabel(stages[a.stage].bambooID, stages[a.stage].bamboo)
	if !a.rejected.IsZero() {
		status = bambooLabel(9, "Not a Fit")
	}
	var rating any
	if a.rating > 0 {
		rating = amount(a.rating)
	}
	return object{
		{"id", id}, {"appliedDate", who.applied.Format("2006-01-02T15:04:05-07:00")}, {"status", status}, {"rating", rating},
		{"applicant", object{
			{"id", id + 56}, {"firstName", who.first}, {"lastName", who.last},
			{"avatar", "https://resources.bamboohr.example/employees/photos/initials.php?initials=" + url.QueryEscape(who.first[:1])},
			{"email", email(who.first, who.last, id)}, {"source", who.source},
		}},
		{"job", object{{"id", a.posting}, {"title", bambooLabel(nil, a.title)}}},
	}
}

func bambooJob(c *Company, id int, _ time.Time) object {
	p := c.postings[id]
	lead := c.employees[p.lead]
	status := map[string]object{open: bambooLabel(1, "Open"), onHold: bambooLabel(3, "On Hold"), filled: bambooLabel(4, "Filled")}[p.state]
	return object{
		{"id", id}, {"title", bambooLabel(nil, p.title)}, {"postedDate", p.opened.Format("2006-01-02T15:04:05-07:00")},
		{"location", object{{"id", 18000 + slices.Index(cities, p.city)}, {"label", p.city}, {"address", object{
			{"name", p.city}, {"description", nil}, {"addressLine1", " "}, {"addressLine2", nil}, {"city", p.city},
			{"state", nil}, {"zipcode", nil}, {"country", "Orrow"}, {"phoneNumber", nil},
		}}}},
		{"department", bambooLabel(18200+slices.Index(offices, p.department), p.department)}, {"status", status},
		{"hiringLead", object{
			{"employeeId", p.lead}, {"firstName", lead.first}, {"lastName", lead.last}, {"avatar", bambooPhoto(lead, p.lead)},
			{"jobTitle", bambooLabel(nil, "")},
		}},
		{"newApplicantsCount", volatile{}}, {"activeApplicantsCount", 2}, {"totalApplicantsCount", 5},
		{"postingUrl", "https://orrowfen.bamboohr.example/jobs/view.php?id=" + decimal(id)},
	}
}

func bamboohr() dialect {
	return dialect{
		name: BambooHR, maxPage: 2500,
		authorized: func(w http.ResponseWriter, r *http.Request) bool {
			user, _, ok := r.BasicAuth()
			if ok = ok && user == key(BambooHR); !ok {
				w.WriteHeader(http.StatusUnauthorized) // no body, as the real one
			}
			return ok
		},
		sign: func(r *rand.Rand) string { // CloudFront: the window of the policy moves
			begins := time.Now().Unix() - r.Int64N(1000)
			policy := fmt.Sprintf(`{"Statement":[{"Condition":{"DateGreaterThan":{"AWS:EpochTime":%d},"DateLessThan":{"AWS:EpochTime":%d}}}]}`, begins, begins+2592000)
			return "Policy=" + base64.URLEncoding.EncodeToString([]byte(policy)) + "&Signature=" + noise(r, 43) + "__&Key-Pair-Id=KSAMPLE"
		},
		routes: []route{
			{path: "/v1/employees", list: Employees, ask: bambooAskEmployees, answer: bambooEmployees},
			{path: "/v1/employees/all/tables/jobInfo", list: Employments, ask: askAll, answer: rootArray, xml: true},
			{path: "/v1/applicant_tracking/applications", list: Applications, ask: bambooAskApplications, answer: bambooApplications},
			{path: "/v1/applicant_tracking/jobs", list: JobPostings, ask: bambooAskJobs, answer: rootArray},
		},
	}
}

func askAll(*http.Request) (ask, error) { return ask{}, nil }

func rootArray(_ *http.Request, _ ask, p page) any { return p.records }

// bambooCursor is what a cursor of the employees' listing says inside.
type bambooCursor struct {
	NextEmployee int `json:"nextEmployee"`
	N            int `json:"n,omitempty"`
}

func bambooAskEmployees(r *http.Request) (ask, error) {
	q := r.URL.Query()
	a := ask{size: number(q.Get("page[limit]"), 50)}
	if after := q.Get("page[after]"); after != "" {
		var cursor bambooCursor
		if err := readCursor(after, &cursor); err != nil || cursor.NextEmployee <= 0 {
			return a, errors.New("invalid cursor")
		}
		a.at, a.nonce = cursor.NextEmployee, cursor.N
	}
	return a, nil
}

func bambooEmployees(r *http.Request, a ask, p page) any {
	q := r.URL.Query()
	self := origin(r) + r.URL.Path + "?" + q.Encode()
	links := object{{"self", object{{"href", self}}}}
	var next any
	if p.more {
		cursor := writeCursor(bambooCursor{p.next, nonce(a, p)})
		next = cursor
		q.Set("page[after]", cursor)
		q.Set("page[limit]", decimal(min(a.size, 2500)))
		links = append(links, member{"next", object{{"href", origin(r) + r.URL.Path + "?" + q.Encode()}}})
	}
	return object{
		{"data", p.records},
		{"meta", object{{"total", p.total}, {"page", object{{"limit", a.size}, {"nextCursor", next}, {"prevCursor", nil}}}}},
		{"_links", links},
	}
}

// bambooPage is how many applications are on a page: per_page is ignored.
const bambooPage = 50

func bambooAskApplications(r *http.Request) (ask, error) {
	q := r.URL.Query()
	a := ask{size: bambooPage, at: number(q.Get("page"), 1) - 1, pages: true}
	if q.Get("applicationStatus") != "ALL" || q.Get("jobStatusGroups") != "ALL" {
		a.hide = func(c *Company, id int) bool {
			application := c.applications[id]
			posting, there := c.postings[application.posting]
			return !application.rejected.IsZero() || !there || posting.state != open
		}
	}
	if a.at < 0 {
		return a, errors.New("invalid page")
	}
	return a, nil
}

func bambooApplications(r *http.Request, _ ask, p page) any {
	var next any
	if p.more {
		q := r.URL.Query()
		q.Set("page", decimal(number(q.Get("page"), 1)+1))
		next = origin(r) + r.URL.Path + "?" + q.Encode()
	}
	return object{{"paginationComplete", !p.more}, {"applications", p.records}, {"nextPageUrl", next}}
}

func bambooAskJobs(r *http.Request) (ask, error) {
	a := ask{}
	if r.URL.Query().Get("statusGroups") != "ALL" {
		a.hide = func(c *Company, id int) bool { return c.postings[id].state != open }
	}
	return a, nil
}

// number is what a parameter says, or what it is when it doesn't.
func number(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return otherwise
}

func writeCursor(v any) string {
	b, _ := json.Marshal(v)
	return base64.StdEncoding.EncodeToString(b)
}

func readCursor(s string, v any) error {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	return json.Unmarshal(b, v)
}

// nonce makes a cursor that leads to the same place another one.
func nonce(a ask, p page) int {
	if p.nonce == 0 {
		return 0
	}
	return a.nonce + p.nonce
}

// noise is n letters that mean nothing.
func noise(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}
