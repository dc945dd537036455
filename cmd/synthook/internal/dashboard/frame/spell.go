package frame

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// spelling are the functions of templates.
var spelling = template.FuncMap{
	"ago":      func(t any) template.HTML { return moment(t, time.Now()) },
	"when":     func(t any) template.HTML { return stamp(t) },
	"num":      Number,
	"dur":      Duration,
	"ms":       func(ms int64) string { return Duration(time.Duration(ms) * time.Millisecond) },
	"words":    Words,
	"tone":     Tone,
	"plural":   Plural,
	"path":     Path,
	"join":     strings.Join,
	"stop":     stop,
	"sentence": Sentence,
	"lines":    func(list []string) string { return strings.Join(list, "\n") },
	"add":      func(a, b int) int { return a + b },
	"query":    url.QueryEscape,
	"action":   func(event string) string { return event[strings.LastIndexByte(event, '.')+1:] },
	"subject":  func(event string) string { return event[:strings.LastIndexByte(event, '.')+1] },
	"states":   func(all ...string) []string { return all },

	// What parts of templates are given.
	"navItem": func(path, name string, here bool) map[string]any {
		return map[string]any{"Path": path, "Name": name, "Here": here}
	},
	"secret": func(name, value, id string) map[string]string {
		return map[string]string{"Name": name, "Value": value, "ID": id}
	},
	"field": func(name, label, value, wrong, hint string) map[string]string {
		return map[string]string{"Name": name, "Label": label, "Value": value, "Wrong": wrong, "Hint": hint}
	},
}

// Sentence is a message as a page says it: with a capital, and a full stop.
func Sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + stop(text[1:])
}

// stop ends a text with one full stop.
func stop(text string) string { return strings.TrimSuffix(text, ".") + "." }

// Path joins segments to a path, each escaped.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// Number is a whole number with commas: 12,345.
func Number(n any) string {
	text := fmt.Sprint(n)
	sign := ""
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		sign, text = "-", rest
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// Plural is a number with its noun: 1 record, 2 records.
func Plural(n any, noun string) string {
	if text := Number(n); text != "1" {
		return text + " " + noun + "s"
	}
	return "1 " + noun
}

// Duration is a duration as people say it, in one unit or two: 340 ms, 5 min, 2 h 10 min.
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second && d%time.Second != 0:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		text := strconv.Itoa(int(d.Hours())) + " h"
		if minutes := int(d.Minutes()) % 60; minutes > 0 {
			text += " " + strconv.Itoa(minutes) + " min"
		}
		return text
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}

// timeOf takes a time.Time or a *time.Time; ok is false for none.
func timeOf(v any) (t time.Time, ok bool) {
	switch v := v.(type) {
	case time.Time:
		t = v
	case *time.Time:
		if v != nil {
			t = *v
		}
	}
	return t.UTC(), !t.IsZero()
}

const exact = "2006-01-02 15:04:05 UTC"

// moment is a time relative to now, with the exact one beside it.
func moment(v any, now time.Time) template.HTML {
	t, ok := timeOf(v)
	if !ok {
		return `<span class="none">never</span>`
	}
	text := ""
	switch d := now.Sub(t); {
	case d < -time.Second:
		text = "in " + Duration(roughly(-d))
	case d < time.Second:
		text = "now"
	default:
		text = Duration(roughly(d)) + " ago"
	}
	return element(t, text)
}

// roughly drops what nobody wants to read of the distance to a moment.
func roughly(d time.Duration) time.Duration {
	switch {
	case d < time.Minute:
		return max(d.Truncate(time.Second), time.Second)
	case d >= 10*time.Hour:
		return d.Truncate(time.Hour)
	}
	return d
}

// stamp is an exact time.
func stamp(v any) template.HTML {
	t, ok := timeOf(v)
	if !ok {
		return `<span class="none">never</span>`
	}
	return element(t, t.Format(exact))
}

// element has only texts made here: nothing to escape.
func element(t time.Time, text string) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.Format(time.RFC3339), t.Format(exact), text))
}

// Words turns a name into words: needs_attention, record_type.
func Words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// Tone is how a state is shown: ok, calm, warn or bad.
func Tone(state string) string {
	switch state {
	case "ok", "active", "delivered", "done", "enabled":
		return "ok"
	case "late", "retrying", "quarantined", "suspected", "running", "throttled", "refusing":
		return "warn"
	case "failing", "needs_attention", "dead", "down", "disabled", "failed", "refused", "unreachable", "protocol":
		return "bad"
	}
	return "calm"
}
