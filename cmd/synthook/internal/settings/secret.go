package settings

import (
	"fmt"
	"io"

	"github.com/rs/zerolog"
)

// Secret is a text that prints as *** wherever it is formatted, logged or marshalled.
type Secret string

const redacted = "***"

// Reveal is the text itself: for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format covers the verbs that would go round String (%q, %x, %#v).
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText covers JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalZerologObject covers zerolog.
func (s Secret) MarshalZerologObject(e *zerolog.Event) { e.Str("secret", s.String()) }
