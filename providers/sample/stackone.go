package sample

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"
)

// StackOne's ids are its own and opaque; remote_id is the provider's behind it.

func stackoneLists() []*list {
	of := func(recordType string, render func(*Company, int, time.Time) object) *list {
		return &list{name: recordType, types: []string{recordType}, from: []string{recordType}, render: render,
			recordID: func(_ *Company, id int) string { return opaque(recordType, id) }}
	}
	return []*list{
		of(Employees, stackoneEmployee), of(Employments, stackoneEmployment), of(Candidates, stackoneCandidate),
		of(Applications, stackoneApplication), of(Interviews, stackoneInterview), of(JobPostings, stackonePosting),
	}
}

// opaque scatters ids over 64 bits, one to one within a record type.
func opaque(recordType string, id int) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(recordType))
	x := uint64(id)<<32 | uint64(h.Sum32())
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return strconv.FormatUint(x^x>>31, 10)
}

func coded(value, source string) object { return object{{"value", value}, {"source_value", source}} }

// stamped ends every record of StackOne.
func stamped(o object, created, updated time.Time) object {
	return append(o, member{"created_at", isoMillis(created)}, member{"updated_at", isoMillis(updated)})
}

func stackoneEmployee(c *Company, id int, updated time.Time) object {
	e := c.employees[id]
	display := e.first
	if e.preferred != "" {
		display = e.preferred
	}
	var manager any
	if e.manager != 0 {
		manager = opaque(Employees, e.manager)
	}
	status := coded("active", "Active")
	if e.onLeave {
		status = coded("leave", "On leave")
	}
	return stamped(object{
		{"id", opaque(Employees, id)}, {"remote_id", decimal(id)}, {"employee_number", decimal(id)},
		{"first_name", e.first}, {"last_name", e.last}, {"name", e.first + " " + e.last}, {"display_name", display + " " + e.last},
		{"avatar_url", signedURL(fmt.Sprintf("https://files.stackone.example/avatars/%d.png", e.photo))},
		{"work_email", email(e.first, e.last, id)}, {"work_phone_number", e.phone}, {"personal_email", nil},
		{"job_title", e.title}, {"department", e.department}, {"manager_id", manager}, {"hire_date", isoMillis(e.started)},
		{"employment_type", coded("permanent", "Permanent")}, {"employment_status", status}, {"termination_date", nil},
		{"work_location", object{{"name", e.city}, {"city", e.city}, {"country", nil}}},
	}, e.started, updated)
}

func stackoneEmployment(c *Company, id int, updated time.Time) object {
	r := c.employments[id]
	return stamped(object{
		{"id", opaque(Employments, id)}, {"remote_id", decimal(id)}, {"employee_id", opaque(Employees, r.employee)}, {"remote_employee_id", decimal(r.employee)},
		{"job_title", r.title}, {"department", r.department}, {"work_location", object{{"name", r.city}}},
		{"pay_rate", amount(r.pay)}, {"pay_currency", "GBP"}, {"pay_period", coded("year", "Yearly")}, {"pay_frequency", coded("monthly", "Monthly")},
		{"effective_date", isoMillis(r.date)}, {"end_date", nil}, {"employment_contract_type", coded(r.contract, r.contract)},
	}, r.date, updated)
}

func stackoneCandidate(c *Company, id int, updated time.Time) object {
	who := c.candidates[id]
	mail := email(who.first, who.last, id)
	return stamped(object{
		{"id", opaque(Candidates, id)}, {"remote_id", decimal(id)}, {"name", who.first + " " + who.last}, {"first_name", who.first}, {"last_name", who.last},
		{"email", mail}, {"emails", []any{object{{"type", "personal"}, {"value", mail}}}},
		{"phone_numbers", []any{object{{"type", "mobile"}, {"phone", who.phone}}}},
		{"title", who.headline}, {"company", nil}, {"country", nil}, {"social_links", []any{}},
		{"application_ids", []any{opaque(Applications, id)}}, {"hired_at", nil},
	}, who.applied, updated)
}

func stackoneApplication(c *Company, id int, updated time.Time) object {
	who, a := c.candidates[id], c.applications[id]
	status, rejected := coded(stages[a.stage].stackone, stages[a.stage].source), any(nil)
	if !a.rejected.IsZero() {
		status, rejected = coded("rejected", "Not a fit"), isoMillis(a.rejected)
	}
	return stamped(object{
		{"id", opaque(Applications, id)}, {"remote_id", decimal(id)}, {"candidate_id", opaque(Candidates, id)}, {"remote_candidate_id", decimal(id)},
		{"job_posting_id", opaque(JobPostings, a.posting)}, {"remote_job_posting_id", decimal(a.posting)},
		{"interview_stage", object{{"id", decimal(a.stage)}, {"name", stages[a.stage].source}, {"order", a.stage}}},
		{"application_status", status}, {"rejected_at", rejected}, {"rejected_reasons", []any{}},
		{"candidate", object{{"first_name", who.first}, {"last_name", who.last}}}, {"source", object{{"id", nil}, {"name", who.source}}},
	}, who.applied, updated)
}

func stackoneInterview(c *Company, id int, updated time.Time) object {
	i := c.interviews[id]
	kind, status := "onsite", coded("unscheduled", "Invited")
	if i.call {
		kind = "phone"
	}
	if i.accepted {
		status = coded("scheduled", "Accepted")
	}
	return stamped(object{
		{"id", opaque(Interviews, id)}, {"remote_id", decimal(id)}, {"application_id", opaque(Applications, i.candidate)}, {"candidate_id", opaque(Candidates, i.candidate)},
		{"interview_stage", object{{"name", kind}}}, {"interview_status", status}, {"interviewer_ids", []any{opaque(Employees, i.interviewer)}},
		{"start_at", isoMillis(i.starts)}, {"end_at", isoMillis(i.starts.Add(time.Duration(i.minutes) * time.Minute))},
		{"meeting_url", nil}, {"meeting_provider", nil},
	}, c.candidates[i.candidate].applied, updated)
}

func stackonePosting(c *Company, id int, updated time.Time) object {
	p := c.postings[id]
	status := map[string]object{open: coded("published", "Open"), onHold: coded("draft", "On hold"), filled: coded("closed", "Filled")}[p.state]
	return stamped(object{
		{"id", opaque(JobPostings, id)}, {"remote_id", decimal(id)}, {"title", p.title}, {"status", status}, {"internal", false},
		{"locations", []any{object{{"name", p.city}}}}, {"department", p.department}, {"employment_type", coded("permanent", "Permanent")},
		{"compensation", []any{object{{"type", coded("salary", "Salary")}, {"value", fmt.Sprintf("%d - %d", p.low, p.high)}, {"currency", "GBP"}}}},
		{"external_url", "https://jobs.stackone.example/" + p.code}, {"content", object{{"plain", "We <weave> & mend."}}},
	}, p.opened, updated)
}

func stackone() dialect {
	listing := func(group, recordType string) route {
		return route{path: "/unified/" + group + "/" + recordType, list: recordType, ask: stackoneAsk, answer: stackonePage}
	}
	return dialect{
		name: StackOne, maxPage: 100,
		authorized: func(w http.ResponseWriter, r *http.Request) bool {
			user, _, ok := r.BasicAuth()
			account := r.Header.Get("X-Account-Id")
			switch {
			case !ok || user != key(StackOne):
				refuse(w, http.StatusUnauthorized, "Unauthorized")
			case account == "":
				refuse(w, http.StatusBadRequest, "Missing x-account-id header")
			case account != sampleAccount:
				refuse(w, http.StatusForbidden, "Forbidden account")
			default:
				return true
			}
			return false
		},
		sign: amzQuery,
		routes: []route{
			listing("hris", Employees), listing("hris", Employments), listing("ats", Candidates),
			listing("ats", Applications), listing("ats", Interviews), listing("ats", JobPostings),
		},
	}
}

// stackoneCursor is what a cursor says inside.
type stackoneCursor struct {
	From int `json:"from"`
	N    int `json:"n,omitempty"`
}

func stackoneAsk(r *http.Request) (ask, error) {
	q := r.URL.Query()
	a := ask{size: number(q.Get("page_size"), 25)}
	if next := q.Get("next"); next != "" {
		var cursor stackoneCursor
		if err := readCursor(next, &cursor); err != nil || cursor.From <= 0 {
			return a, errors.New("invalid next")
		}
		a.at, a.nonce = cursor.From, cursor.N
	}
	return a, nil
}

func stackonePage(_ *http.Request, a ask, p page) any {
	var next any
	if p.more {
		next = writeCursor(stackoneCursor{p.next, nonce(a, p)})
	}
	return object{{"next", next}, {"data", p.records}}
}
