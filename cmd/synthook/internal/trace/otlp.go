package trace

import (
	"strconv"
	"time"
)

// The JSON form of OTLP 1 (opentelemetry-proto, trace.proto): ids in hex, 64-bit numbers
// as texts, enumerations as numbers.

const (
	kindClient  = 3 // SPAN_KIND_CLIENT
	statusUnset = 0
	statusError = 2
)

type span struct {
	TraceID    string      `json:"traceId"`
	SpanID     string      `json:"spanId"`
	Name       string      `json:"name"`
	Kind       int         `json:"kind"`
	Start      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes []attribute `json:"attributes"`
	Status     struct {
		Code int `json:"code"`
	} `json:"status"`

	start, end time.Time
	failed     bool
}

type attribute struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

// value has one of its members.
type value struct {
	String *string `json:"stringValue,omitempty"`
	Int    *string `json:"intValue,omitempty"`
}

func text(key, s string) attribute { return attribute{key, value{String: &s}} }

func number(key string, n int) attribute {
	digits := strconv.Itoa(n)
	return attribute{key, value{Int: &digits}}
}

type scope struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type scopeSpans struct {
	Scope scope  `json:"scope"`
	Spans []span `json:"spans"`
}

type resource struct {
	Attributes []attribute `json:"attributes"`
}

type resourceSpans struct {
	Resource   resource     `json:"resource"`
	ScopeSpans []scopeSpans `json:"scopeSpans"`
}

type request struct {
	ResourceSpans []resourceSpans `json:"resourceSpans"`
}

func export(spans []span, version string) request {
	return request{[]resourceSpans{{
		resource{[]attribute{text("service.name", "synthook"), text("service.version", version)}},
		[]scopeSpans{{scope{"synthook", version}, spans}},
	}}}
}
