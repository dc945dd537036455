package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

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
	IDs        int       `json:"ids"`       // distinct ones
	PageSize   int       `json:"page_size"` // how many records a page was asked for; 0: the provider decides
	Parents    *parents  `json:"parents,omitempty"`
	Requests   []request `json:"requests"`
	Shape      []shape   `json:"shape"`
	Volatile   []string  `json:"volatile"` // paths whose values differed when the records were read again
	Lacks      []string  `json:"lacks"`    // what the connector could still say
	Doubts     []string  `json:"doubts"`   // why the connector seems to misread the list
	Error      string    `json:"error,omitempty"`

	stage    string // at which it failed; "": before the first request
	pages    int    // that were wanted; 0: all
	pageSize int    // that was wanted; 0: the connector's
}

// The stages of a try.
const (
	stageList   = "list"
	stageAgain  = "again"
	stageRecord = "record"
)

// parents tells how many of a nested stream's lists were read to their end.
type parents struct {
	List  string `json:"list"`
	Read  int    `json:"read"`
	Of    int    `json:"of"`
	batch bool
}

type request struct {
	Method     string `json:"method"`
	URL        string `json:"url"` // secrets redacted
	Status     int    `json:"status"`
	DurationMS int64  `json:"duration_ms"`
	Bytes      int64  `json:"bytes"`
	NotRead    bool   `json:"not_read,omitempty"` // it was for a page that is not wanted any more
}

func (a *app) providerTryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "try NAME|FILE",
		Short: "Fetch two pages through a connector; show shapes, never values",
		Long: `Fetches the first two pages (or --pages) of a record type through a connector of the
catalogue or a file of yours, under the same rules as the service, and then again. Shows
the requests, how many records and ids came, which fields they have, which of them
changed between the two readings, and what the connector doesn't say: never a value.
Of a connector with record, it asks for one record that was listed, and for one that there
can't be. Nothing is stored, but for --save-refresh-token.

Where an answer contradicts the connector (a total, an end, an id), what came is shown with
the reason. Where nothing does, and an answer gives reason to doubt it all the same (a full
page that names no next one, a total that is larger than what came), that is said, too. In
both cases the exit status is 1.`,
		Example: `  synthook provider try bamboohr --credential company=acme --credential-file api_key=./key --record-type employees
  synthook provider try ./connectors/mine.yaml --credential token=… --record-type candidates --pages 5
  synthook provider try ./connectors/mine.yaml --credential token=… --base-url http://127.0.0.1:8080 --allow-private-networks`,
		Args: arguments("NAME or FILE"),
	}
	flags := cmd.Flags()
	credentials := bindCredentials(flags)
	recordType := flags.String("record-type", "", "Record type to fetch; may be left out where the connector has one")
	baseURL := flags.String("base-url", "", "Base URL instead of the connector's own")
	tokenURL := flags.String("token-url", "", "URL of the token's request, instead of the connector's own")
	var refresh refreshFlags
	refresh.bind(flags)
	pages := flags.Uint16("pages", 2, "Pages to fetch; 0: all")
	pageSize := flags.Uint16("page-size", 0, "Records a page; 0: as the connector says")
	a.bindSettings(cmd, "connectors", "allow-private-networks", "allow-network", "outbound-proxy", "ca-file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		connector, err := a.connector(cmd, args[0])
		if err != nil {
			return err
		}
		target := providers.Target{BaseURL: *baseURL, TokenURL: *tokenURL, PageSize: int(*pageSize)}
		if target.Credentials, err = credentials.read(a); err != nil {
			return err
		}
		if err := connector.Check(target); err != nil {
			return &statusError{exitUsage, err}
		}
		t := trial{Provider: connector.Name, Requests: []request{}, Volatile: []string{}, Lacks: []string{}, Doubts: []string{}, pages: int(*pages), pageSize: int(*pageSize)}
		if t.RecordType, err = chooseRecordType(connector.Name, connector.Serves(target), *recordType); err != nil {
			return err
		}
		tokens, err := refresh.store(connector.RefreshCredential(target), target.Credentials)
		if err != nil {
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
		failure := t.fetch(cmd.Context(), connector, target, providers.Options{HTTP: guard.PollClient(), Tokens: tokens})
		if told := tokens.told(); told != "" {
			a.note("%s", told)
		}
		if errors.Is(failure, context.Canceled) {
			return failure
		}
		verdict := t.verdict(failure)
		return errors.Join(a.print(t, t.describe), verdict)
	}
	return cmd
}

// verdict is the error of a try that failed or found something, and notes it.
func (t *trial) verdict(failure error) error {
	if e, ok := errors.AsType[*providers.Error](failure); ok && e.Kind == providers.Refused {
		failure = fmt.Errorf("%w: try --allow-private-networks (SYNTHOOK_ALLOW_PRIVATE_NETWORKS=true) or --allow-network", failure)
	}
	if failure != nil {
		t.Error = failure.Error()
	} else if len(t.Doubts) > 0 {
		return fmt.Errorf("%s of how the connector reads %s", counted(len(t.Doubts), "doubt"), t.RecordType)
	}
	return failure
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
