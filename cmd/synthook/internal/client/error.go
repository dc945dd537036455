package client

import (
	"net/http"
	"strings"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// Error is a refusal by the service: problem details (RFC 9457).
type Error struct {
	Type   string  `json:"type"` // what programs tell it by, where there is one
	Status int     `json:"status"`
	Title  string  `json:"title"`
	Detail string  `json:"detail"`
	Fields []Field `json:"errors"`

	server string
	hadKey bool
}

// Field is what is wrong with one field of a request.
type Field struct {
	Location string `json:"location"` // body.url, query.limit, …
	Message  string `json:"message"`
}

// Error says what was refused, which field is to blame and what to do next.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Detail)
	if e.Detail == "" {
		b.WriteString(strings.ToLower(e.Title))
	}
	for i, f := range e.Fields {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		if name := f.name(); name != "" {
			b.WriteString(name + ": ")
		}
		b.WriteString(f.Message)
	}
	if next := e.next(); next != "" {
		b.WriteString("; " + next)
	}
	return b.String()
}

func (f Field) name() string {
	_, name, ok := strings.Cut(f.Location, ".")
	if !ok {
		return ""
	}
	return name
}

func (e *Error) next() string {
	switch {
	case e.Status == http.StatusUnauthorized && e.hadKey:
		return "check SYNTHOOK_API_KEY (--api-key): it is not a key of " + e.server
	case e.Status == http.StatusUnauthorized:
		return "set SYNTHOOK_API_KEY (--api-key) to a project's key or the admin key"
	case strings.HasPrefix(e.Type, api.AccountProblem):
		return "nothing was written; to do without the provider's answer: --no-check"
	}
	return ""
}
