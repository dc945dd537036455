package form

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/synthook/synthook/cmd/synthook/internal/client"
)

func TestTime(t *testing.T) {
	want := time.Date(2026, 1, 31, 15, 4, 0, 0, time.UTC)
	for _, text := range []string{"2026-01-31T15:04", "2026-01-31T15:04:00", "2026-01-31 15:04", "2026-01-31T16:04:00+01:00"} {
		if got, err := Time(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	if got, err := Time(""); err != nil || !got.IsZero() {
		t.Errorf("nothing: %v %v", got, err)
	}
	if _, err := Time("tomorrow"); err == nil {
		t.Error("tomorrow is a time")
	}
}

func TestNumbersAndLists(t *testing.T) {
	if n, ok := Whole(""); !ok || n != 0 {
		t.Error("a number can't be left out")
	}
	if _, ok := Whole("1.5"); ok {
		t.Error("1.5 is whole")
	}
	if n, ok := Number("1.5"); !ok || n != 1.5 {
		t.Error("1.5 is no number")
	}
	if got := Lines(" a\r\nb, c,,\na "); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("lines %q", got)
	}
}

// A refusal of what was typed finds its fields; anything else is not the form's.
func TestRefused(t *testing.T) {
	refusal := &client.Error{Status: http.StatusUnprocessableEntity, Fields: []client.Field{{Location: "body.events[0]", Message: "is unknown"}}}
	if wrong, ok := Refused(fmt.Errorf("send: %w", refusal)); !ok || wrong["events"] != "is unknown" {
		t.Errorf("%v %t", wrong, ok)
	}
	if wrong, ok := Refused(&client.Error{Status: http.StatusConflict, Detail: "there is none"}); !ok || wrong[""] != "there is none" {
		t.Errorf("%v %t", wrong, ok)
	}
	for _, err := range []error{nil, errors.New("broken"), &client.Error{Status: http.StatusNotFound}} {
		if wrong, ok := Refused(err); ok {
			t.Errorf("%v is taken for a refusal: %v", err, wrong)
		}
	}
}
