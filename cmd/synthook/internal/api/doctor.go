package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/synthook/synthook/poller"
)

// Diagnosis is what two listings of a stream, one right after the other, differ in. It
// holds paths, counts and record ids, and no value of a record.
type Diagnosis struct {
	AccountID  string            `json:"account_id"`
	RecordType string            `json:"record_type"`
	Healthy    bool              `json:"healthy" doc:"Both are complete and agree, and no id repeats."`
	Listings   []ExaminedListing `json:"listings"`
	Error      string            `json:"error,omitempty" doc:"The first one: why a listing did not reach its end, or was not made."`
	Compared   int               `json:"compared" doc:"Records of both."`
	Sampled    bool              `json:"sampled" doc:"There are more records than are compared: the first ones were."`
	Unstable   int               `json:"unstable" doc:"Compared records that differ."`
	Differ     []UnstablePath    `json:"differ" doc:"Paths with other values."`
	Reordered  []UnstablePath    `json:"reordered" doc:"Paths of arrays that only come back in another order."`
	Repeated   CountedRecords    `json:"repeated" doc:"Records that come more than once in a listing."`
	OnlyFirst  CountedRecords    `json:"only_first" doc:"Records that the second listing lacks."`
	OnlySecond CountedRecords    `json:"only_second" doc:"Records that the first listing lacks."`
}

// ExaminedListing is one listing of a diagnosis.
type ExaminedListing struct {
	Complete   bool  `json:"complete" doc:"Its end was seen, and the provider's total, where it gives one, agrees."`
	Pages      int   `json:"pages"`
	Requests   int   `json:"requests"`
	Records    int   `json:"records" doc:"Repeated ones each time."`
	DurationMS int64 `json:"duration_ms"`
}

// UnstablePath is a path, as ignore_paths takes it.
type UnstablePath struct {
	Path    string `json:"path" example:"devices.*.lastSeen"`
	Records int    `json:"records" doc:"That differ there."`
}

// CountedRecords are counted, and the ids of some shown.
type CountedRecords struct {
	Count  int      `json:"count"`
	Sample []string `json:"sample" doc:"Some of the record ids."`
}

const doctorAction = "/doctor"

func (a *API) doctorRoutes() {
	serve(a, route{
		pattern: "POST " + streamRoute + doctorAction, access: forProject, quiet: true,
		summary: "List a stream twice in a row and tell what differs though nothing happened; answers when both are read",
	}, a.doctor)
}

func (a *API) doctor(ctx context.Context, in *StreamPath) (Diagnosis, error) {
	s, err := a.Streams.Get(ctx, projectOf(ctx), in.AccountID, in.RecordType)
	if err != nil {
		return Diagnosis{}, err
	}
	ctx, end := a.untilClosing(ctx)
	defer end()
	found, err := a.Poller.Doctor(ctx, s.ID)
	switch {
	case errors.Is(context.Cause(ctx), errClosing):
		err = errClosing
	case errors.Is(err, poller.ErrPolling):
		err = problem(http.StatusConflict, "the stream is being polled: try again when the poll has ended")
	}
	return showDiagnosis(s, found), err
}

func showDiagnosis(s poller.Stream, d poller.Diagnosis) Diagnosis {
	shown := Diagnosis{
		AccountID: s.AccountID, RecordType: s.RecordType, Healthy: d.Healthy, Error: d.Error,
		Listings: []ExaminedListing{}, Compared: d.Compared, Sampled: d.Sampled, Unstable: d.Unstable,
		Differ: showPaths(d.Differ), Reordered: showPaths(d.Reordered),
		Repeated: showRecords(d.Repeated), OnlyFirst: showRecords(d.OnlyFirst), OnlySecond: showRecords(d.OnlySecond),
	}
	for _, l := range d.Listings {
		shown.Listings = append(shown.Listings, ExaminedListing(l))
	}
	return shown
}

func showPaths(paths []poller.UnstablePath) []UnstablePath {
	shown := make([]UnstablePath, 0, len(paths))
	for _, p := range paths {
		shown = append(shown, UnstablePath(p))
	}
	return shown
}

func showRecords(r poller.Records) CountedRecords { return CountedRecords{r.Count, orEmpty(r.Sample)} }

// waits tells whether a request may take longer than the server's limits.
func waits(r *http.Request) bool {
	return r.URL.Query().Has("wait") ||
		r.Method == http.MethodPost && (strings.HasSuffix(r.URL.Path, doctorAction) || strings.HasPrefix(r.URL.Path, reconciliationsPath+"/"))
}
