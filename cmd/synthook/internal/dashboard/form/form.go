// Package form reads what was typed into the dashboard's forms, and takes up what is
// wrong with it.
//
// It owns how numbers, times and lists are typed, and how a refusal of the API finds its
// field. What a form is for is its page's.
package form

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/client"
)

// Wrong is what is wrong with a form, by field; "" is the form as a whole.
type Wrong map[string]string

// Refused takes a refusal of what was typed; ok is false for any other error, and for none.
func Refused(err error) (w Wrong, ok bool) {
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status != http.StatusUnprocessableEntity && e.Status != http.StatusConflict && e.Status != http.StatusBadRequest {
		return nil, false
	}
	w = Wrong{}
	for _, f := range e.Fields {
		_, field, _ := strings.Cut(f.Location, ".")
		field, _, _ = strings.Cut(field, "[")
		w[field] = f.Message
	}
	if len(e.Fields) == 0 {
		w[""] = e.Detail
	}
	return w, true
}

// Text is what was typed into a field, without the blanks around it.
func Text(r *http.Request, name string) string { return strings.TrimSpace(r.FormValue(name)) }

// Whole reads a whole number that may be left out.
func Whole(text string) (n int, ok bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// Number reads a number that may be left out.
func Number(text string) (n float64, ok bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// Time reads a time in UTC as an input of a browser writes it, or RFC 3339; "": the zero
// time.
func Time(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly, "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("expected a time in UTC such as 2026-01-31T15:04")
}

// Lines takes a list that was typed one a line, or with commas.
func Lines(text string) []string {
	list := []string{}
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' }) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	return list
}
