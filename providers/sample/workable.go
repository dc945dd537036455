package sample

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Workable's ids are hexadecimal strings, each type in a range of its own. A candidate
// there is an application: one list, one id, one record for both.

const (
	workableEmployeeIDs  = 0x19ff00
	workableCandidateIDs = 0x27270270
	workableEventIDs     = 0x10e0d90
	workableJobIDs       = 0x5b5ce0
)

// stage is a step of an application, as each dialect names it.
type stage struct {
	bambooID         int
	bamboo           string
	workable, kind   string
	stackone, source string
}

var stages = []stage{
	{1, "New", "Applied", "applied", "new", "Applied"},
	{4, "Phone Screened", "Phone Screen", "phone-screen", "screen", "Phone Screen"},
	{5, "Schedule Interview", "Interview", "interview", "interview", "Interview"},
	{8, "Checking References", "Assessment", "assessment", "reference_check", "References"},
	{20, "Made an Offer", "Offer", "offer", "offer", "Offer"},
}

func hexID(base int) func(*Company, int) string {
	return func(_ *Company, id int) string { return hexOf(base, id) }
}

func hexOf(base, id int) string { return strconv.FormatInt(int64(base+id), 16) }

func workableLists() []*list {
	return []*list{
		{name: Candidates, types: []string{Candidates, Applications}, from: []string{Candidates, Applications}, recordID: hexID(workableCandidateIDs), render: workableCandidate},
		{name: Interviews, types: []string{Interviews}, from: []string{Interviews}, recordID: hexID(workableEventIDs), render: workableEvent},
		{name: JobPostings, types: []string{JobPostings}, from: []string{JobPostings}, recordID: hexID(workableJobIDs), render: workableJob},
		{name: Employees, types: []string{Employees}, from: []string{Employees}, positional: true, recordID: hexID(workableEmployeeIDs), render: workableEmployee},
	}
}

func iso(t time.Time) string { return t.Format("2006-01-02T15:04:05Z") }

func isoMillis(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }

func shortcode(posting int) string { return fmt.Sprintf("%08XE9", 0x9cd65000+posting) }

func workableCandidate(c *Company, id int, updated time.Time) object {
	who, a := c.candidates[id], c.applications[id]
	var reason any
	if !a.rejected.IsZero() {
		reason = "Not a fit"
	}
	resume := fmt.Sprintf("cv_%d.pdf", id)
	return object{
		{"id", hexOf(workableCandidateIDs, id)}, {"name", who.first + " " + who.last}, {"firstname", who.first}, {"lastname", who.last},
		{"headline", who.headline}, {"account", object{{"subdomain", "orrowfen"}, {"name", "Orrowfen"}}},
		{"job", object{{"shortcode", shortcode(a.posting)}, {"title", a.title}}},
		{"stage", stages[a.stage].workable}, {"stage_kind", stages[a.stage].kind},
		{"disqualified", !a.rejected.IsZero()}, {"anonymized", false}, {"disqualification_reason", reason},
		{"hired_at", nil}, {"moved_to_offer_at", nil}, {"sourced", false},
		{"profile_url", fmt.Sprintf("https://orrowfen.workable.example/backend/jobs/%d/candidates/%d", a.posting, id)},
		{"address", who.street + ", Orrow"}, {"phone", who.phone}, {"email", email(who.first, who.last, id)},
		{"domain", nil}, {"outlet", nil}, {"common_source", who.source}, {"common_source_category", "Other"},
		{"created_at", iso(who.applied)}, {"updated_at", iso(updated)},
		{"resume_metadata", object{{"filename", resume}, {"filetype", "pdf"}, {"created_at", iso(who.applied)}, {"updated_at", iso(who.applied)}}},
	}
}

func workableEvent(c *Company, id int, _ time.Time) object {
	i := c.interviews[id]
	who, a, lead := c.candidates[i.candidate], c.applications[i.candidate], c.employees[i.interviewer]
	kind, title, status := "InterviewEvent", "Interview with ", "needs-action"
	if i.call {
		kind, title = "CallEvent", "Call with "
	}
	if i.accepted {
		status = "accepted"
	}
	return object{
		{"id", hexOf(workableEventIDs, id)}, {"title", title + who.first + " " + who.last}, {"description", "Bring a pencil"}, {"type", kind},
		{"starts_at", isoMillis(i.starts)}, {"ends_at", isoMillis(i.starts.Add(time.Duration(i.minutes) * time.Minute))}, {"cancelled", false},
		{"job", object{{"shortcode", shortcode(a.posting)}, {"title", a.title}}},
		{"members", []any{object{{"id", hexOf(0x1f0000, i.interviewer)}, {"name", lead.first + " " + lead.last}, {"type", "Member"}, {"status", status}}}},
		{"candidate", object{{"id", hexOf(workableCandidateIDs, i.candidate)}, {"name", who.first + " " + who.last}}},
	}
}

func workableJob(c *Company, id int, updated time.Time) object {
	p := c.postings[id]
	state := map[string]string{open: "published", onHold: "archived", filled: "closed"}[p.state]
	url := "https://orrowfen.workable.example/jobs/" + decimal(id)
	return object{
		{"id", hexOf(workableJobIDs, id)}, {"title", p.title}, {"full_title", p.title + " - " + p.code}, {"shortcode", shortcode(id)}, {"code", p.code},
		{"state", state}, {"sample", true}, {"confidential", false}, {"department", p.department}, {"department_hierarchy", []any{}},
		{"url", url}, {"application_url", url + "/candidates/new"}, {"shortlink", "https://apply.workable.example/j/" + shortcode(id)},
		{"workplace_type", "on_site"},
		{"location", object{
			{"location_str", p.city + ", Orrow"}, {"country", "Orrow"}, {"country_code", "OR"}, {"region", nil}, {"region_code", nil},
			{"city", p.city}, {"zip_code", nil}, {"telecommuting", false}, {"workplace_type", "on_site"},
		}},
		{"locations", []any{object{{"country_code", "OR"}, {"country_name", "Orrow"}, {"city", p.city}, {"hidden", false}}}},
		{"salary", object{{"salary_from", amount(p.low)}, {"salary_to", amount(p.high)}, {"salary_currency", "gbp"}}},
		{"created_at", iso(p.opened)}, {"updated_at", iso(updated)}, {"keywords", nil},
	}
}

func workableEmployee(c *Company, id int, _ time.Time) object {
	e := c.employees[id]
	var manager any
	line := []any{}
	if e.manager != 0 {
		manager = hexOf(workableEmployeeIDs, e.manager)
		line = append(line, workableEmployeeIDs+e.manager)
	}
	status := "status_active"
	if e.onLeave {
		status = "status_on_leave"
	}
	mail := email(e.first, e.last, id)
	return object{
		{"id", hexOf(workableEmployeeIDs, id)}, {"firstname", e.first}, {"lastname", e.last}, {"email", mail},
		{"start_date", isoMillis(e.started.Truncate(24 * time.Hour))}, {"state", "published"}, {"employee_number", decimal(id)},
		{"avatar", signedURL(fmt.Sprintf("https://production-hris.s3.example/avatars/%d.jpeg", e.photo))},
		{"phone", e.phone}, {"job_title", e.title}, {"manager_id", manager},
		{"department_id", nil}, {"template_id", nil}, {"division_id", nil}, {"candidate_id", nil},
		{"legal_entity_id", "968c0af9-0000-4000-8000-00000000f0f0"}, {"work_schedule_id", "66e8"}, {"work_email", mail},
		{"preferred_name", null(e.preferred)}, {"onboarding_member_id", nil}, {"sample", true}, {"holiday_calendar_id", 33678},
		{"avatar_processed", false}, {"status_semantic_type", status}, {"reporting_line", line}, {"birthdate", nil},
	}
}

func workable() dialect {
	return dialect{
		name: Workable, maxPage: 100,
		authorized: func(w http.ResponseWriter, r *http.Request) bool {
			ok := r.Header.Get("Authorization") == "Bearer "+key(Workable)
			if !ok {
				refuse(w, http.StatusUnauthorized, "Not authorized")
			}
			return ok
		},
		sign: amzQuery,
		routes: []route{
			{path: "/spi/v3/candidates", list: Candidates, ask: workableAsk(workableCandidateIDs), answer: workablePage(Candidates, workableCandidateIDs)},
			{path: "/spi/v3/events", list: Interviews, ask: workableAsk(workableEventIDs), answer: workablePage("events", workableEventIDs)},
			{path: "/spi/v3/jobs", list: JobPostings, ask: workableAsk(workableJobIDs), answer: workablePage("jobs", workableJobIDs)},
			{path: "/spi/v3/employees", list: Employees, ask: workableAskEmployees,
				answer: func(_ *http.Request, _ ask, p page) any {
					return object{{"total_count", p.total}, {Employees, p.records}}
				},
				ends: func(p *page) { p.total = p.at + len(p.keys) }},
		},
	}
}

// amzQuery is the query of a presigned URL of S3.
func amzQuery(r *rand.Rand) string {
	day := time.Now().UTC().Add(-time.Duration(r.Int64N(3600)) * time.Second)
	return fmt.Sprintf("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIASAMPLE%%2F%s%%2Fus-east-1%%2Fs3%%2Faws4_request&X-Amz-Date=%s&X-Amz-Expires=604800&X-Amz-Signature=%016x%016x&X-Amz-SignedHeaders=host&x-id=GetObject",
		day.Format("20060102"), day.Format("20060102T150405Z"), r.Uint64(), r.Uint64())
}

// workableAsk reads limit and since_id, which names the first record of the page.
func workableAsk(base int) func(r *http.Request) (ask, error) {
	return func(r *http.Request) (ask, error) {
		q := r.URL.Query()
		a := ask{size: number(q.Get("limit"), 50)}
		if since := q.Get("since_id"); since != "" {
			id, err := strconv.ParseInt(since, 16, 64)
			if err != nil {
				return a, errors.New("invalid since_id")
			}
			a.at, a.nonce = max(1, int(id)-base), len(since)-len(hexOf(base, int(id)-base))
		}
		return a, nil
	}
}

// workablePage answers with an absolute next URL, and without one at the end.
func workablePage(name string, base int) func(r *http.Request, a ask, p page) any {
	return func(r *http.Request, a ask, p page) any {
		o := object{{name, p.records}}
		if p.more {
			q := r.URL.Query()
			q.Set("limit", decimal(a.size))
			q.Set("since_id", string(slices.Repeat([]byte("0"), nonce(a, p)))+hexOf(base, p.next))
			o = append(o, member{"paging", object{{"next", origin(r) + r.URL.Path + "?" + q.Encode()}}})
		}
		return o
	}
}

func workableAskEmployees(r *http.Request) (ask, error) {
	q := r.URL.Query()
	if member := q.Get("member_id"); member != "" && member != sampleMember {
		return ask{}, errors.New("no such member")
	}
	return ask{size: number(q.Get("limit"), 50), at: max(0, number(q.Get("offset"), 0))}, nil
}
