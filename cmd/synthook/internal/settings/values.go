package settings

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/netguard"
)

// value parses a text into its field and shows what the field holds. What a valid
// text looks like stands in the table, so an error here needs no words.
type value interface {
	parse(text string) error
	show() string
}

var errForm = errors.New("not of the expected form")

func valid(ok bool) error {
	if ok {
		return nil
	}
	return errForm
}

type textValue struct{ to *string }

func (v textValue) parse(text string) error { *v.to = text; return nil }
func (v textValue) show() string            { return *v.to }

type choiceValue struct {
	to      *string
	choices []string
}

func (v choiceValue) parse(text string) error {
	*v.to = text
	return valid(slices.Contains(v.choices, text))
}
func (v choiceValue) show() string { return *v.to }

type secretValue struct {
	to       *Secret
	shortest int
}

func (v secretValue) parse(text string) error {
	*v.to = Secret(text)
	return valid(text == "" || len(text) >= v.shortest)
}
func (v secretValue) show() string { return v.to.String() }

// databaseValue is secret for its password only.
type databaseValue struct{ to *Secret }

func (v databaseValue) parse(text string) error {
	*v.to = Secret(text)
	scheme, _, hasScheme := strings.Cut(text, "://")
	if hasScheme && !slices.Contains([]string{"postgres", "postgresql", "sqlite"}, scheme) {
		return errForm
	}
	if hasScheme && scheme != "sqlite" {
		_, err := url.Parse(text)
		return valid(err == nil)
	}
	return valid(text != "")
}

func (v databaseValue) show() string {
	text := v.to.Reveal()
	if !strings.Contains(text, "://") {
		return text
	}
	return withoutPassword(text)
}

// withoutPassword is a URL as it may be shown.
func withoutPassword(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return redacted
	}
	user := u.User.Username()
	u.User, u.RawQuery = nil, "" // the query may hold a password too
	if user != "" {
		return strings.Replace(u.String(), "://", "://"+user+":"+redacted+"@", 1)
	}
	return u.String()
}

// proxyValue is secret for its password only.
type proxyValue struct{ to *Secret }

func (v proxyValue) parse(text string) error {
	*v.to = Secret(text)
	if text == "" {
		return nil
	}
	_, err := netguard.ParseProxy(text)
	return err
}

func (v proxyValue) show() string {
	if *v.to == "" {
		return ""
	}
	return withoutPassword(v.to.Reveal())
}

type allowedValue struct{ to *netguard.Allowed }

func (v allowedValue) parse(text string) (err error) {
	*v.to, err = netguard.ParseAllowed(text)
	return err
}
func (v allowedValue) show() string { return v.to.String() }

type addressValue struct{ to *string }

func (v addressValue) parse(text string) error {
	*v.to = text
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return errForm
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return valid(err == nil)
}
func (v addressValue) show() string { return *v.to }

// optionalValue may also be left empty.
type optionalValue struct{ value }

func (v optionalValue) parse(text string) error {
	if text == "" {
		return nil
	}
	return v.value.parse(text)
}

type urlValue struct{ to *string }

func (v urlValue) parse(text string) error {
	*v.to = strings.TrimRight(text, "/")
	u, err := url.Parse(text)
	return valid(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "")
}
func (v urlValue) show() string { return *v.to }

// endpointValue is a URL that is used exactly as it is given, or none.
type endpointValue struct{ to *string }

func (v endpointValue) parse(text string) error {
	*v.to = text
	u, err := url.Parse(text)
	return valid(text == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil)
}

// show leaves out the query: it may hold a token.
func (v endpointValue) show() string {
	shown, _, found := strings.Cut(*v.to, "?")
	if found {
		shown += "?" + redacted
	}
	return shown
}

type boolValue struct{ to *bool }

func (v boolValue) parse(text string) (err error) {
	*v.to, err = strconv.ParseBool(text)
	return valid(err == nil)
}
func (v boolValue) show() string { return strconv.FormatBool(*v.to) }

type countValue struct {
	to   *int
	most int
}

func (v countValue) parse(text string) (err error) {
	*v.to, err = strconv.Atoi(text)
	return valid(err == nil && *v.to >= 1 && *v.to <= v.most)
}
func (v countValue) show() string { return strconv.Itoa(*v.to) }

type durationValue struct {
	to    *time.Duration
	least time.Duration
}

func (v durationValue) parse(text string) (err error) {
	*v.to, err = time.ParseDuration(text)
	return valid(err == nil && *v.to >= v.least)
}
func (v durationValue) show() string { return v.to.String() }

// retentionValue is a duration where 0 means for ever.
type retentionValue struct{ to *time.Duration }

func (v retentionValue) parse(text string) (err error) {
	*v.to, err = time.ParseDuration(text)
	return valid(err == nil && (*v.to == 0 || *v.to >= time.Hour))
}
func (v retentionValue) show() string { return v.to.String() }

type levelValue struct{ to *zerolog.Level }

func (v levelValue) parse(text string) (err error) {
	*v.to, err = zerolog.ParseLevel(text)
	return valid(err == nil && *v.to >= zerolog.TraceLevel && *v.to <= zerolog.ErrorLevel)
}
func (v levelValue) show() string { return v.to.String() }
