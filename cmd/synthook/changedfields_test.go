package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/providers/sample"
)

// The names of changed fields come to whoever asks: with the event, as a filter, and with
// the polls that explain a stream.
func TestChangedFieldCommands(t *testing.T) {
	t.Parallel()
	i := install(t, "--allow-private-networks")
	id := i.connect().ID
	if !i.company.Do(sample.EditPerson) {
		t.Fatal("nobody was edited")
	}
	if got := i.poll(id); got.Updated == 0 {
		t.Fatalf("poll after an edit: %+v", got)
	}
	events := decode[[]api.Event](t, i.run("event", "list", "--event", "hris_employees.updated", "--json"))
	if len(events) == 0 || len(events[0].Fields) == 0 || slices.Contains(events[0].Fields, "id") {
		t.Fatalf("events: %+v", events)
	}
	event, field := events[0], events[0].Fields[0]
	i.ok("event show "+event.ID, "changed fields:", strings.Join(event.Fields, " "))
	i.ok("event list --field "+field, event.ID)
	if none := decode[[]api.Event](t, i.run("event", "list", "--field", "nothing", "--json")); len(none) > 0 {
		t.Errorf("events with another field: %+v", none)
	}
	i.ok("stream explain "+id+" employees", "; changed: ", field+" ")
	i.ok("stream update "+id+" employees --ignore "+field, "ignored paths:", field)
	if got := i.poll(id); got.Updated+got.Events > 0 {
		t.Errorf("poll after a field is ignored: %+v", got)
	}
}
