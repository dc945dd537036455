package bench

import (
	"context"
	"fmt"
)

// settle does for all tables what the server does by itself in the minutes after a first
// listing.
func (db *database) settle(ctx context.Context) error {
	statement := `ANALYZE`
	if db.postgres {
		statement = `VACUUM (ANALYZE) stream_states, stream_parts, stream_runs, bench_records`
	}
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	return nil
}

// vacuum vacuums those of the tables that autovacuum would by now, by the server's and
// the tables' own settings: between two real polls lie minutes, here nothing does. SQLite
// reuses its pages at once.
func (db *database) vacuum(ctx context.Context, tables []string) error {
	if !db.postgres || len(tables) == 0 {
		return nil
	}
	due, err := db.vacuumDue(ctx, tables)
	if err != nil {
		return fmt.Errorf("find what to vacuum: %w", err)
	}
	for _, table := range due {
		if _, err := db.ExecContext(ctx, `VACUUM `+table); err != nil {
			return fmt.Errorf("vacuum: %w", err)
		}
	}
	return nil
}

// vacuumDue looks at the tables and at what PostgreSQL keeps beside them (TOAST), which
// is counted by itself and vacuumed with its table.
func (db *database) vacuumDue(ctx context.Context, tables []string) (due []string, err error) {
	// The counts of dead rows are otherwise up to a second old. PostgreSQL 14 and older
	// have no such function.
	if _, err := db.ExecContext(ctx, `DO $$ BEGIN PERFORM pg_stat_force_next_flush(); EXCEPTION WHEN undefined_function THEN NULL; END $$`); err != nil {
		return nil, err
	}
	found, err := db.QueryContext(ctx, `
		WITH relation AS (
			SELECT main.oid AS main, c.oid, c.reltuples, coalesce(c.reloptions, '{}') AS options
			FROM pg_class main JOIN pg_class c ON c.oid IN (main.oid, main.reltoastrelid)
			WHERE main.oid = ANY($1::text[]::regclass[])
		), setting AS (
			SELECT main, oid, greatest(reltuples, 0) AS reltuples,
				coalesce((SELECT option_value FROM pg_options_to_table(options) WHERE option_name = 'autovacuum_vacuum_threshold'), current_setting('autovacuum_vacuum_threshold'))::float8 AS threshold,
				coalesce((SELECT option_value FROM pg_options_to_table(options) WHERE option_name = 'autovacuum_vacuum_scale_factor'), current_setting('autovacuum_vacuum_scale_factor'))::float8 AS scale
			FROM relation
		)
		SELECT DISTINCT main::regclass::text FROM setting WHERE pg_stat_get_dead_tuples(oid) > threshold + scale * reltuples`, tables)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var name string
		if err := found.Scan(&name); err != nil {
			return nil, err
		}
		due = append(due, name)
	}
	return due, found.Err()
}
