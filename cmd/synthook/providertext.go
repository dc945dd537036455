package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

func (t trial) describe(w io.Writer) {
	fmt.Fprintln(w, "REQUEST\tSTATUS\tTIME\tBYTES")
	for _, r := range t.Requests {
		writeRow(w, []string{r.Method + " " + r.URL, r.outcome(t.pages), (time.Duration(r.DurationMS) * time.Millisecond).String(), fmt.Sprint(r.Bytes)})
	}
	if len(t.Shape) > 0 {
		fmt.Fprintln(w, "\nFIELD\tTYPES\tRECORDS")
	}
	for _, s := range t.Shape {
		writeRow(w, []string{s.Path, strings.Join(s.Types, " "), fmt.Sprintf("%d of %d", s.Records, t.Records)})
	}
	for _, path := range t.Volatile {
		fmt.Fprintf(w, "\n%s changed between two readings: if it always does, ignore it", path)
	}
	for _, lack := range t.Lacks {
		fmt.Fprintf(w, "\nthe connector has no %s", lack)
	}
	if t.pageSize > 0 && t.pageSize != t.PageSize {
		fmt.Fprintf(w, "\nasked for %s, not %d: %s", pageOf(t.PageSize), t.pageSize, capped(t.PageSize))
	}
	for _, doubt := range t.Doubts {
		fmt.Fprintf(w, "\ndoubt: %s", doubt)
	}
	fmt.Fprintln(w)
	if t.Parents != nil {
		fmt.Fprintf(w, "\n%s\n", t.Parents)
	}
	fmt.Fprintf(w, "\n%s %s: %s with %s on %s; %s\n", t.Provider, t.RecordType, counted(t.Records, "record"), counted(t.IDs, "id"), counted(t.Pages, "page"), t.end())
}

// outcome is an answer's status, or why there is none.
func (r request) outcome(pages int) string {
	switch {
	case r.NotRead && pages > 0:
		return fmt.Sprintf("not read (--pages %d)", pages)
	case r.NotRead:
		return "not read"
	case r.Status > 0:
		return strconv.Itoa(r.Status)
	}
	return "none"
}

func pageOf(size int) string {
	if size == 0 {
		return "no page size"
	}
	return counted(size, "record") + " a page"
}

func capped(size int) string {
	if size == 0 {
		return "the connector has no page.size"
	}
	return "the connector says that the provider takes no more (page.max_size)"
}

func (p *parents) String() string {
	of := p.List
	if p.batch {
		of = "batches of " + of
	}
	return fmt.Sprintf("the lists of %d of %d %s were read to their end", p.Read, p.Of, of)
}

// end says how the try ended, and what of that is about the listing.
func (t *trial) end() string {
	end := "more may follow"
	if t.Complete {
		end = "the listing's end was seen"
	}
	if len(t.Doubts) > 0 {
		end += ", as far as the connector tells (see the doubts)"
	}
	switch {
	case t.Error == "":
	case t.stage == stageList && t.Records > 0:
		end = "then: " + t.Error + "; the service would believe nothing of this listing"
	case t.stage == stageAgain:
		end += "; reading it a second time failed: " + t.Error
	case t.stage == stageRecord:
		end += "; only the record request failed: " + t.Error
	default:
		end = "then it failed: " + t.Error
	}
	return end
}
