package providers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Pages are counted in what is around nested records: a page of people of whom none has a
// job is no end, and the next one begins behind the people, not behind their jobs.
func TestNestedPaging(t *testing.T) {
	jobs := [][]string{{"1", "2", "3"}, {}, {}, {"4"}, {"5"}}
	handler := func(w http.ResponseWriter, r *http.Request) {
		var offset int
		_, _ = fmt.Sscan(r.URL.Query().Get("offset"), &offset)
		var people []string
		for i := offset; i < min(offset+2, len(jobs)); i++ {
			var rows []string
			for _, id := range jobs[i] {
				rows = append(rows, `{"id":`+id+`}`)
			}
			people = append(people, `{"jobs":[`+strings.Join(rows, ",")+`]}`)
		}
		answers(fmt.Sprintf(`{"total":%d,"people":[%s]}`, len(jobs), strings.Join(people, ",")))(w, r)
	}
	for _, end := range []string{"end: empty", "end: short", "{end: total, total: total}"} {
		page := "{kind: offset, size: 2, " + strings.Trim(end, "{}") + "}"
		client := open(t, connector(t, employees("request: {get: /people, query: {offset: \"${page.offset}\", limit: \"${page.size}\"}}\nrecords: {path: people.*.jobs, id: id}\npage: "+page+"\n")), handler)
		got := list(t.Context(), client, "employees")
		if want := []string{"1", "2", "3", "4", "5"}; got.err != nil || !slices.Equal(got.ids, want) {
			t.Errorf("%s: %v %v", end, got.ids, got.err)
		}
	}
}
