package providers

import (
	"net/http"
	"slices"
	"time"
)

// Connector is our description of a provider's API. It never changes once parsed and is
// safe for concurrent use.
type Connector struct {
	Name, Title string
	Category    string // hris, ats, unified or generic
	BaseURL     string // its own, with ${cred.name} where an account decides; "": the account gives one
	Verified    string // against what it was proven
	Credentials []Credential
	Ways        []Way // to authenticate, of which each account uses one; nil: there is only one

	file    connectorFile
	types   map[string]string // record type → prefix
	streams []StreamInfo
	ways    []way           // one at least
	needs   map[string]bool // credentials that are used beside the base URL and the ways to authenticate
}

// Credential is something that an account has to give.
type Credential struct {
	Name, Title, Description string
	Secret                   bool // never shown again
	Optional                 bool
	Default                  string   // used where the account gives none
	Group                    string   // what it is for; "": the account itself
	Choices                  []string // its possible values; nil: any
}

// Way is one of several ways to authenticate. An account uses the one whose credentials it
// has.
type Way struct {
	Name, Title string
	Verified    string
	Credentials []string // beside those that every account gives
}

// StreamInfo is what a connector says of one record type.
type StreamInfo struct {
	RecordType     string
	EventPrefix    string // hris_employees: events are hris_employees.created …
	Verified       string
	Schedule       string // the provider's default; "": none
	Ignore, Sets   []string
	KeepURLQueries bool
	Version        string // changes when the same data could be read as other records
	Positional     bool   // a listing can skip or repeat records that move while it is read

	// Since: the list can be asked for what changed since a time, and that was seen to
	// miss nothing.
	Since bool
	// SinceMargin is how much earlier to ask than the last listing began: the provider's
	// own delay.
	SinceMargin time.Duration
	// Confirms: one record can be asked for by its id, see Client.Exists.
	Confirms bool
	// Digests are paths below a record's own fields whose changes are told apart.
	Digests []string
}

// Target is what an account gives a connector.
type Target struct {
	BaseURL     string // instead of the connector's own; "": that
	Credentials map[string]string
	PageSize    int // 0: the connector's; cut to the largest one that the provider takes
	// TokenURL is where its token is asked for, wherever the connector asks: a mock, say.
	// "": there.
	TokenURL string
}

// Options are the surroundings of a client. The zero value works.
type Options struct {
	HTTP      *http.Client   // its redirect policy and cookies are not used; nil: the default transport
	Budget    *Budget        // nil: one of this client's own, with the connector's limits
	Tokens    TokenStore     // of the account; nil: one of this client's own, and each asks for new tokens
	Trace     func(Exchange) // called by several goroutines when several streams are listed
	Review    *Review        // gathers what speaks against the connector; nil: nothing does
	UserAgent string         // "": synthook
	// MaxWait bounds how long one request waits for the provider's limits: a longer
	// silence ends the listing with Throttled. 0: 15 minutes.
	MaxWait time.Duration
	// Timeout bounds one request with its answer. 0: 1 minute.
	Timeout time.Duration
	// Backoff are the waits before each new try of a page that failed for a reason that
	// may pass, each jittered by half. nil: 0.5 s, 2 s, 8 s. Empty: no new try.
	Backoff []time.Duration
}

// RecordTypes lists the record types that the connector knows, in its file's order.
func (c *Connector) RecordTypes() []string {
	var types []string
	for _, s := range c.streams {
		types = append(types, s.RecordType)
	}
	return types
}

// Stream tells of one record type. Where credentials decide how a list is read (the
// generic connector), Client.Stream knows better.
func (c *Connector) Stream(recordType string) (StreamInfo, bool) {
	i := slices.IndexFunc(c.streams, func(s StreamInfo) bool { return s.RecordType == recordType })
	if i < 0 {
		return StreamInfo{}, false
	}
	return c.streams[i], true
}

// Limits are the connector's, for NewBudget.
func (c *Connector) Limits() Limits { return c.file.limits.Limits }

// Serves lists the record types that such an account has: all of RecordTypes, but for a
// connector whose lists the account configures. It is empty when Check fails.
func (c *Connector) Serves(t Target) []string {
	setup, err := c.setup(t)
	if err != nil {
		return nil
	}
	return setup.served()
}

// Check tells all that is wrong with what an account gives, in one error: missing and
// unknown credentials, a base URL that is none, settings that don't fit together.
func (c *Connector) Check(t Target) error {
	_, err := c.setup(t)
	return err
}

// Open makes a client of one account. It does nothing yet.
func (c *Connector) Open(t Target, o Options) (*Client, error) {
	setup, err := c.setup(t)
	if err != nil {
		return nil, err
	}
	return newClient(setup, o)
}

// compile reads the connector's words: to check them, or with the values of an account
// that authenticates in a way.
func (c *Connector) compile(values map[string]string, by *way) (*plan, []Problem) {
	compiler := compiler{file: &c.file, prefixes: c.types, values: values, optional: map[string]bool{}, blame: by != nil}
	for _, credential := range c.Credentials {
		compiler.known = append(compiler.known, "cred."+credential.Name)
		compiler.optional[credential.Name] = credential.Optional && credential.Default == ""
	}
	plan := compiler.plan(by)
	sortProblems(compiler.problems)
	return plan, slices.Compact(compiler.problems)
}
