package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/synthook/synthook/cmd/synthook/internal/benchdispatch"
	"github.com/synthook/synthook/migrations/migrationstest"
)

// TestMain is the program itself when `bench dispatch` starts it again.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], benchdispatch.PartArgs) {
		err := run(context.Background(), os.Args[1:], nil, os.Stdin, os.Stdout, os.Stderr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(exitStatus(err))
	}
	os.Exit(m.Run())
}

// The JSON of `bench poll` is what capacity plans are made from: its keys stay.
func TestBenchPoll(t *testing.T) {
	args := [][]string{{"bench", "poll", "--records", "1000", "--changed", "2.5%", "--runs", "1", "--polls", "1"}}
	if os.Getenv(migrationstest.Variable) != "" || os.Getenv("CI") != "" {
		args = append(args, append(slices.Clone(args[0]), "--database-url", migrationstest.Postgres(t)))
	}
	for _, args := range args {
		r := synthook(t, nil, "", append(args, "--json")...)
		report := decode[map[string]json.RawMessage](t, r)
		want := []string{"changed", "checkpointed", "database", "events_alone", "fields", "first", "ours", "polls", "ratio", "records", "row_per_record", "runs", "wal_ratio"}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(report))); diff != "" {
			t.Error(diff)
		}
		if string(report["changed"]) != "25" {
			t.Errorf("changed: %s", report["changed"])
		}
		for _, way := range []string{"ours", "row_per_record"} {
			figures := decode[map[string]any](t, result{stdout: string(report[way])})
			want := []string{"bytes_per_record", "heap_bytes", "statements", "store_ms", "wal_bytes"}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(figures))); diff != "" {
				t.Errorf("%s: %s", way, diff)
			}
		}
		if !strings.Contains(r.stderr, "run 1 of 1: ours ") {
			t.Errorf("no progress: %q", r.stderr)
		}
		human := synthook(t, nil, "", args...)
		if human.status != exitOK || !strings.Contains(human.stdout, "1000 records, 25 updated in every poll") || !strings.Contains(human.stdout, "\nstatements ") {
			t.Errorf("status %d, %s", human.status, human.stdout)
		}
	}
}

// So is that of `bench dispatch`.
func TestBenchDispatch(t *testing.T) {
	args := []string{"bench", "dispatch", "--events", "200", "--runs", "1", "--rate-for", "1s"}
	r := synthook(t, nil, "", append(args, "--json")...)
	report := decode[map[string]any](t, r)
	want := []string{
		"attempts", "concurrency", "cpu_ms_per_delivery", "database", "database_cpu_ms_per_delivery", "deliveries_per_s", "events", "floor_cpu_ms_per_delivery", "floor_per_s",
		"p50_ms", "p95_ms", "p99_ms", "parked", "process_cpu_ms_per_delivery", "processes", "rate_per_s", "ratio", "rows_written", "runs", "slow", "spread", "webhooks",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(report))); diff != "" {
		t.Error(diff)
	}
	if report["deliveries_per_s"].(float64) <= 0 || report["ratio"].(float64) <= 0 || report["rows_written"].(float64) < 1000 {
		t.Errorf("measured %v", report)
	}
	if !strings.Contains(r.stderr, "run 1 of 1: ours ") {
		t.Errorf("no progress: %q", r.stderr)
	}
	human := synthook(t, nil, "", args...)
	if human.status != exitOK || !strings.Contains(human.stdout, "200 events to 1 webhook, 1 service") || !strings.Contains(human.stdout, "\na second ") {
		t.Errorf("status %d, %s %s", human.status, human.stdout, human.stderr)
	}
}
