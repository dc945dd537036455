package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// webhookSettings are the flags of a webhook's settings.
type webhookSettings struct {
	flags       *pflag.FlagSet
	concurrency int
	rate        float64
	ordered     bool
	logAttempts bool
	keepAnswers bool
	accounts    []string
	providers   []string
	fields      []string
}

func bindWebhookSettings(flags *pflag.FlagSet) *webhookSettings {
	s := &webhookSettings{flags: flags}
	flags.IntVar(&s.concurrency, "concurrency", 0, "Attempts in flight at most, up to 256; 0: 16")
	flags.Float64Var(&s.rate, "rate", 0, "Attempts a second at most; 0: as many as go")
	flags.BoolVar(&s.ordered, "ordered", true, "An event waits for older ones of its record, also while they are retried")
	flags.BoolVar(&s.logAttempts, "log-attempts", true, "Keep each attempt on record")
	flags.BoolVar(&s.keepAnswers, "keep-answers", false, "Keep the first 1024 bytes of each answer with its attempt: only where it never holds personal data")
	flags.StringArrayVar(&s.accounts, "account", nil, "Only events of this `ACCOUNT_ID` (repeat for several; '' for all)")
	flags.StringArrayVar(&s.providers, "provider", nil, "Only events of accounts of this `PROVIDER` (repeat for several; '' for all)")
	flags.StringArrayVar(&s.fields, "field", nil, "Of updates, only those in which this `FIELD` changed, or of which it isn't known what changed (repeat for several; '' for all)")
	return s
}

// given are the settings whose flags were given.
func (s *webhookSettings) given() (g api.WebhookSettings) {
	return api.WebhookSettings{
		Concurrency: givenAs(s.flags, "concurrency", &s.concurrency), RateLimit: givenAs(s.flags, "rate", &s.rate),
		Ordered: givenAs(s.flags, "ordered", &s.ordered), LogAttempts: givenAs(s.flags, "log-attempts", &s.logAttempts),
		KeepAnswers: givenAs(s.flags, "keep-answers", &s.keepAnswers), Accounts: givenAs(s.flags, "account", orNone(&s.accounts)),
		Providers: givenAs(s.flags, "provider", orNone(&s.providers)), Fields: givenAs(s.flags, "field", orNone(&s.fields)),
	}
}

func givenAs[T any](flags *pflag.FlagSet, name string, value *T) *T {
	if !flags.Changed(name) {
		return nil
	}
	return value
}

// orNone makes a list of one empty text an empty list.
func orNone(list *[]string) *[]string {
	if len(*list) == 1 && (*list)[0] == "" {
		*list = []string{}
	}
	return list
}

func describeSettings(w io.Writer, s api.WebhookSettings) {
	list := func(name string, values *[]string) {
		if values != nil {
			field(w, name, strings.Join(*values, " "))
		}
	}
	list("only accounts", s.Accounts)
	list("only providers", s.Providers)
	list("only changes of", s.Fields)
	if s.Concurrency != nil && *s.Concurrency > 0 {
		field(w, "concurrency", strconv.Itoa(*s.Concurrency))
	}
	if s.RateLimit != nil && *s.RateLimit > 0 {
		field(w, "rate limit", fmt.Sprintf("%g a second", *s.RateLimit))
	}
	if s.Ordered != nil && !*s.Ordered {
		field(w, "order", "none")
	}
	if s.LogAttempts != nil && !*s.LogAttempts {
		field(w, "attempts", "not kept")
	}
	if s.KeepAnswers != nil && *s.KeepAnswers {
		field(w, "answers", "their beginning is kept")
	}
}
