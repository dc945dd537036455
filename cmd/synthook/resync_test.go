package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

// What a consumer lacks is sent from what is known, without asking a provider.
func TestResyncAndReconcileCommands(t *testing.T) {
	t.Parallel()
	i, consumer := install(t, "--allow-private-networks"), newConsumer(t)
	account := i.connect()
	hook := decode[api.Webhook](t, i.run("webhook", "create", "--url", consumer.url, "--event", "hris_employees.*", "--rate", "500", "--json"))
	consumer.verify(hook.Secret)

	dry := decode[api.ReplayResult](t, i.run("resync", account.ID, "--webhook", hook.ID, "--dry-run", "--json"))
	if dry.Events < 30 || !dry.DryRun || dry.Replays[0].Kind != "resync" || dry.Replays[0].RecordType != "employees" {
		t.Fatalf("dry run: %+v", dry)
	}
	i.ok("resync "+account.ID+" employees --webhook "+hook.ID+" --rate 400", fmt.Sprint(dry.Events, " events will be sent\n"))
	var ids []string
	for range dry.Events {
		r := consumer.next()
		if r.Event != "hris_employees.created" || r.AccountID != account.ID || r.Duplicate {
			t.Fatalf("came %+v", r)
		}
		ids = append(ids, r.RecordID)
	}
	i.comes("replay list", "done")

	has := writeFile(t, "ids", strings.Join(ids[2:], "\r\n")+"\n\nsomebody\nelse\n")
	i.ok("reconcile "+account.ID+" employees --webhook "+hook.ID+" --dry-run --ids "+has,
		fmt.Sprintf("%d ids handed in: created would be sent for 2 records, deleted for 2 records", len(ids)))
	found := decode[api.Reconciliation](t, i.run("reconcile", account.ID, "employees", "--webhook", hook.ID, "--ids", has, "--json"))
	if found.Created != 2 || found.Deleted != 2 || found.State != "running" {
		t.Errorf("found %+v", found)
	}
	var got []string
	for range 4 {
		r := consumer.next()
		got = append(got, r.Event+" "+r.RecordID)
	}
	slices.Sort(got)
	want := []string{"hris_employees.created " + ids[0], "hris_employees.created " + ids[1], "hris_employees.deleted else", "hris_employees.deleted somebody"}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("came %q, want %q", got, want)
	}
	i.comes("replay show "+found.ID, "4 of 4 events")

	for command, want := range map[string]string{
		"resync --webhook " + hook.ID:                                                    "which streams",
		"resync nobody --webhook " + hook.ID:                                             "not found",
		"resync " + account.ID:                                                           "--webhook is missing",
		"reconcile " + account.ID + " employees --webhook " + hook.ID:                    "--ids is missing",
		"reconcile " + account.ID + " candidates --ids " + has + " --webhook " + hook.ID: "not found",
	} {
		if r := i.run(strings.Fields(command)...); r.status == exitOK || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: %+v", command, r)
		}
	}
}
