package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/netguard"
	"github.com/synthook/synthook/providers"
)

// trial is what `provider try` found.
type trial struct {
	Provider   string    `json:"provider"`
	RecordType string    `json:"record_type"`
	Complete   bool      `json:"complete"` // the listing's end was seen
	Pages      int       `json:"pages"`
	Records    int       `json:"records"`
	IDs        int       `json:"ids"` // distinct ones
	Requests   []request `json:"requests"`
	Shape      []shape   `json:"shape"`
	Volatile   []string  `json:"volatile"` // paths whose values differed when the records were read again
	Lacks      []string  `json:"lacks"`    // what the connector could still say
	Error      string    `json:"error,omitempty"`
	refused    bool      // the error is about the listing
}

type request struct {
	Method     string `json:"method"`
	URL        string `json:"url"` // secrets redacted
	Status     int    `json:"status"`
	DurationMS int64  `json:"duration_ms"`
	Bytes      int64  `json:"bytes"`
}

func (a *app) providerTryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "try NAME|FILE",
		Short: "Fetch two pages through a connector; show shapes, never values",
		Long: `Fetches the first two pages (or --pages) of a record type through a connector of the
catalogue or a file of yours, under the same rules as the service, and then again. Shows
the requests, how many records and ids came, which fields they have, which of them
changed between the two readings, and what the connector doesn't say: never a value.
Nothing is stored. Where an answer contradicts the connector (a total, an end, an id),
what came is shown with the reason, and the exit status is 1.`,
		Example: `  synthook provider try bamboohr --credential company=acme --credential-file api_key=./key --record-type employees
  synthook provider try ./connectors/mine.yaml --credential token=… --record-type candidates --pages 5`,
		Args: arguments("NAME or FILE"),
	}
	flags := cmd.Flags()
	credentials := bindCredentials(flags)
	recordType := flags.String("record-type", "", "Record type to fetch; may be left out where the connector has one")
	baseURL := flags.String("base-url", "", "Base URL instead of the connector's own")
	pages := flags.Uint16("pages", 2, "Pages to fetch; 0: all")
	pageSize := flags.Uint16("page-size", 0, "Records a page; 0: as the connector says")
	a.bindSettings(cmd, "connectors", "allow-private-networks", "allow-network", "outbound-proxy", "ca-file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		connector, err := a.connector(cmd, args[0])
		if err != nil {
			return err
		}
		target := providers.Target{BaseURL: *baseURL, PageSize: int(*pageSize)}
		if target.Credentials, err = credentials.read(a); err != nil {
			return err
		}
		if err := connector.Check(target); err != nil {
			return &statusError{exitUsage, err}
		}
		t := trial{Provider: connector.Name, Requests: []request{}, Volatile: []string{}, Lacks: []string{}}
		if t.RecordType, err = chooseRecordType(connector.Name, connector.Serves(target), *recordType); err != nil {
			return err
		}
		s, err := a.settings(cmd)
		if err != nil {
			return err
		}
		guard, err := netguard.New(s.Network())
		if err != nil {
			return &statusError{exitUsage, err}
		}
		failure := t.fetch(cmd.Context(), connector, target, tryOptions{guard, int(*pages)})
		if errors.Is(failure, context.Canceled) {
			return failure
		}
		if e, ok := errors.AsType[*providers.Error](failure); ok && e.Kind == providers.Refused {
			failure = fmt.Errorf("%w: try --allow-private-networks (SYNTHOOK_ALLOW_PRIVATE_NETWORKS=true) or --allow-network", failure)
		}
		if failure != nil {
			t.Error = failure.Error()
		}
		return errors.Join(a.print(t, t.describe), failure)
	}
	return cmd
}

// connector finds one by its name, or reads it from a file.
func (a *app) connector(cmd *cobra.Command, name string) (*providers.Connector, error) {
	if !strings.ContainsAny(name, "./\\") {
		catalog, err := a.catalog(cmd)
		if err != nil {
			return nil, err
		}
		connector, err := catalog.Connector(name)
		if err != nil {
			return nil, &statusError{exitUsage, err}
		}
		return connector, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError("read connector: %w", err)
	}
	connector, problems := providers.Parse(name, data)
	if len(problems) == 0 {
		return connector, nil
	}
	all := make([]error, len(problems))
	for i, p := range problems {
		all[i] = errors.New(p.String())
	}
	return nil, &statusError{exitUsage, errors.Join(all...)}
}

func chooseRecordType(provider string, served []string, name string) (string, error) {
	switch {
	case slices.Contains(served, name):
		return name, nil
	case name == "" && len(served) == 1:
		return served[0], nil
	case name == "":
		return "", usageError("--record-type is missing: %s serves %s", provider, strings.Join(served, ", "))
	}
	return "", usageError("%s", didYouMean(fmt.Sprintf("%s serves no %q, but %s", provider, name, strings.Join(served, ", ")), name, "", served))
}

type tryOptions struct {
	guard *netguard.Guard
	pages int
}

// fetch reads pages into t, twice. Requests are traced from wherever the engine makes them.
func (t *trial) fetch(ctx context.Context, c *providers.Connector, target providers.Target, o tryOptions) error {
	var mu sync.Mutex
	client, err := c.Open(target, providers.Options{HTTP: o.guard.PollClient(), Trace: func(e providers.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		t.Requests = append(t.Requests, request{e.Method, e.URL, e.Status, e.Duration.Milliseconds(), e.Bytes})
	}})
	if err != nil {
		return err
	}
	info, _ := client.Stream(t.RecordType)
	t.Lacks = lacking(c, info)
	seen, err := newReadings(info)
	if err != nil {
		return err
	}
	if err := t.read(ctx, client, o.pages, seen); err != nil {
		t.refused = true
		return err
	}
	if err := seen.again(ctx, client, t.RecordType, t.Pages); err != nil {
		return err
	}
	t.Volatile = seen.volatile()
	return t.lookUp(ctx, client, info, seen)
}

// read is the first reading.
func (t *trial) read(ctx context.Context, client *providers.Client, pages int, seen *readings) error {
	found, ids := newShapes(), map[string]bool{}
	for page, failure := range client.List(ctx, t.RecordType, providers.ListOptions{}) {
		if failure == nil || len(page.Records) > 0 {
			t.Pages++
		}
		for _, r := range page.Records {
			if r.ID != "" {
				ids[r.ID] = true
			}
			if err := found.add(r.Raw); err != nil {
				return err
			}
			if err := seen.first(r); err != nil {
				return err
			}
		}
		t.Records, t.IDs, t.Shape = found.records, len(ids), found.sorted()
		if failure != nil {
			return failure
		}
		if t.Pages == pages {
			return nil
		}
	}
	t.Complete = true
	return nil
}

// lookUp asks for one record by its id, and for one that there can't be.
func (t *trial) lookUp(ctx context.Context, client *providers.Client, info providers.StreamInfo, seen *readings) error {
	if !info.Confirms || seen.id == "" {
		return nil
	}
	there, err := client.Exists(ctx, t.RecordType, seen.id)
	if err != nil {
		return err
	}
	other, err := client.Exists(ctx, t.RecordType, seen.id+"0x0")
	if err == nil && (!there || other) {
		err = errors.New("the connector's record request doesn't tell a listed record from one that isn't there: check record")
	}
	if e, ok := errors.AsType[*providers.Error](err); ok && e.Kind == providers.Protocol {
		return nil // an id that can't be one is refused: that tells them apart, too
	}
	return err
}

// lacking is what the connector doesn't say of a stream, and what follows.
func lacking(c *providers.Connector, info providers.StreamInfo) []string {
	lacks := []string{}
	if !info.Since {
		lacks = append(lacks, "since, with proven: true: every poll lists everything")
	}
	if !info.Confirms {
		lacks = append(lacks, "record: a deletion is believed when a record is missing from two listings")
	}
	if l := c.Limits(); l.Requests == 0 && len(l.Quotas) == 0 {
		lacks = append(lacks, "limits: only what the provider's answers say slows polls down")
	}
	return lacks
}

func (t trial) describe(w io.Writer) {
	fmt.Fprintln(w, "REQUEST\tSTATUS\tTIME\tBYTES")
	for _, r := range t.Requests {
		status := "none"
		if r.Status > 0 {
			status = strconv.Itoa(r.Status)
		}
		writeRow(w, []string{r.Method + " " + r.URL, status, (time.Duration(r.DurationMS) * time.Millisecond).String(), fmt.Sprint(r.Bytes)})
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
	if len(t.Volatile)+len(t.Lacks) > 0 {
		fmt.Fprintln(w)
	}
	end := "more may follow"
	switch {
	case t.refused && t.Records > 0:
		end = "then: " + t.Error + "; the service would believe nothing of this listing"
	case t.Error != "":
		end = "then it failed: " + t.Error
	case t.Complete:
		end = "the listing's end was seen"
	}
	fmt.Fprintf(w, "\n%s %s: %s with %s on %s; %s\n", t.Provider, t.RecordType, counted(t.Records, "record"), counted(t.IDs, "id"), counted(t.Pages, "page"), end)
}
