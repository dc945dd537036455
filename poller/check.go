package poller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/synthook/synthook/providers"
)

// What a check finds of one record type.
const (
	CheckOK          = "ok"
	CheckRefused     = "refused"     // the credentials, or only for this list: its scope or plan
	CheckUnreachable = "unreachable" // no such host, no answer, or none that is to be trusted
	CheckThrottled   = "throttled"   // it is there, and wants to be left alone
	CheckProtocol    = "protocol"    // something answers, and not as the connector says
)

// Finding is what came of asking a provider for one record type.
type Finding struct {
	RecordType string
	Result     string
	Fault      providers.Fault // what has to be mended; "": that is not clear, or nothing
	Detail     string          // what is wrong and what to do; "": nothing is
}

const (
	// checkTime bounds a check: somebody waits for it.
	checkTime    = 15 * time.Second
	checkRequest = 10 * time.Second
)

// check asks a provider for one small page of each record type. The first is asked for
// alone: what it tells of credentials and address holds for all. The others are asked for
// at the same time, as far as the account's budget allows. The error is ctx's or the
// database's.
func check(ctx context.Context, p inquiry) ([]Finding, error) {
	within, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	first, err := p.ask(within, p.recordTypes[0])
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	found := slices.Repeat([]Finding{first}, len(p.recordTypes))
	for i := range found {
		found[i].RecordType = p.recordTypes[i]
	}
	if first.decisive() || first.open() {
		return found, nil
	}
	var others sync.WaitGroup
	errs := make([]error, len(found))
	for i := 1; i < len(found); i++ {
		others.Go(func() { found[i], errs[i] = p.ask(within, p.recordTypes[i]) })
	}
	others.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return found, errors.Join(errs...)
}

// inquiry is what a check is about.
type inquiry struct {
	connector   *providers.Connector
	credentials map[string]string
	ownBase     bool // the account has a base URL of its own
	client      prober
	recordTypes []string // at least one
}

// prober makes one small request: a providers.Client.
type prober interface {
	Probe(ctx context.Context, recordType string) error
}

// ask makes one request and tells what came of it.
func (p inquiry) ask(ctx context.Context, recordType string) (Finding, error) {
	err := p.client.Probe(ctx, recordType)
	f := Finding{RecordType: recordType, Result: CheckOK}
	refusal, ok := errors.AsType[*providers.Error](err)
	switch {
	case err == nil:
	case ok:
		f.Fault = refusal.Fault
		f.Result, f.Detail = resultOf(refusal), fmt.Sprintf("%.500s", refusal.Detail+p.advice(refusal))
	case errors.Is(err, context.DeadlineExceeded):
		f.Result, f.Detail = CheckUnreachable, fmt.Sprintf("the provider did not answer within %s", checkTime)
	default:
		return f, err
	}
	return f, nil
}

func resultOf(e *providers.Error) string {
	switch e.Kind {
	case providers.Auth:
		return CheckRefused
	case providers.Throttled:
		return CheckThrottled
	case providers.Transient, providers.Refused:
		return CheckUnreachable
	default:
		return CheckProtocol
	}
}

// decisive tells whether what one list answers holds for all of the account.
func (f Finding) decisive() bool {
	switch f.Fault {
	case providers.FaultCredentials, providers.FaultHost, providers.FaultTLS, providers.FaultAddress, providers.FaultRedirect, providers.FaultForeign:
		return true
	}
	return false
}

// open tells whether nothing can be said yet: the next polls will know.
func (f Finding) open() bool {
	return f.Fault == "" && (f.Result == CheckUnreachable || f.Result == CheckThrottled)
}

// alone tells whether the credentials are good, and only this list is refused.
func (f Finding) alone() bool {
	return f.Result == CheckRefused && f.Fault != providers.FaultCredentials
}

// advice is what to do about an error, behind its detail.
func (p inquiry) advice(e *providers.Error) string {
	address := "correct the base URL"
	if names := p.addressed(); len(names) > 0 {
		address = "correct " + strings.Join(names, ", ") + ", which the provider's address is made of"
	} else if !p.ownBase {
		address = "give the account a base URL of its own, where its region has another host"
	}
	switch e.Fault {
	case providers.FaultCredentials:
		return ": check " + strings.Join(p.secrets(), ", ")
	case providers.FaultScope:
		return ": give the credentials the permission to read it, or choose record types without it"
	case providers.FaultPlan:
		return ": it needs another plan at the provider, or choose record types without it"
	case providers.FaultHost, providers.FaultTLS:
		if e.Host != "" {
			address = e.Host + "; " + address
		}
		return ": " + address
	case providers.FaultAddress:
		return ": " + address + ", or allow the address with --allow-network"
	case providers.FaultList, providers.FaultRedirect, providers.FaultForeign:
		return "; " + address
	}
	return ""
}

// addressed are the names of what was given that the provider's address is made of.
func (p inquiry) addressed() []string {
	if p.ownBase {
		return nil
	}
	return slices.DeleteFunc(p.connector.HostCredentials(), func(name string) bool { return p.credentials[name] == "" })
}

// secrets are the names of what was given for the provider to tell the account by.
func (p inquiry) secrets() []string {
	var secret, all []string
	for _, c := range p.connector.Credentials {
		if p.credentials[c.Name] == "" {
			continue
		}
		all = append(all, c.Name)
		if c.Secret {
			secret = append(secret, c.Name)
		}
	}
	if len(secret) == 0 {
		return all
	}
	return secret
}

// refusal is why an account can't be made of what was checked; nil where it can: some list
// is readable, or may be.
func (p inquiry) refusal(found []Finding) error {
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Result == CheckOK || f.open() }) {
		return nil
	}
	worst := found[0]
	refusal := &InvalidError{Field: "base_url", Message: worst.Detail, Code: string(worst.Fault)}
	byCredentials := len(p.addressed()) > 0
	switch worst.Fault {
	case "":
		refusal.Code, byCredentials = "unexpected_answer", p.connector.Category == "generic"
	case providers.FaultCredentials, providers.FaultScope, providers.FaultPlan:
		byCredentials = true
	}
	if byCredentials {
		refusal.Field = "credentials"
	}
	if !worst.decisive() {
		refusal.Message = worst.RecordType + ": " + refusal.Message
		if n := len(found) - 1; n > 0 {
			refusal.Message = fmt.Sprintf("none of the record types can be read; %s", refusal.Message)
		}
	}
	return refusal
}

const (
	firstRecheck   = 15 * time.Minute
	longestRecheck = 6 * time.Hour
)

// recheck is how long after a refusal the provider is asked again: twice as long after
// each, and never sooner than the schedule would. Some providers block callers who insist.
func recheck(before int, interval time.Duration) time.Duration {
	return max(min(firstRecheck<<min(max(before, 0), 8), longestRecheck), interval)
}
