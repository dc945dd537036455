package benchdispatch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/synthook/synthook/migrations"
)

// countInSQLite is a run in which the database counts its rows, which takes it time.
func (b *bench) countInSQLite(ctx context.Context) error {
	if err := b.db.within(ctx, func(db *migrations.DB) error { return countRows(ctx, db.DB) }); err != nil {
		return err
	}
	count := func() (n int64, err error) {
		err = b.db.within(ctx, func(db *migrations.DB) error {
			return db.QueryRowContext(ctx, `SELECT n FROM bench_rows`).Scan(&n)
		})
		return n, err
	}
	b.round++
	if err := b.db.fill(ctx, b.events()); err != nil {
		return err
	}
	before, err := count()
	if err != nil {
		return err
	}
	if err := b.expect(b.round, b.Events); err != nil {
		return err
	}
	s, err := b.service(ctx, "")
	if err != nil {
		return err
	}
	if _, err := b.await(ctx, b.Events); err != nil {
		return err
	}
	if _, err := s.stop(); err != nil {
		return err
	}
	after, err := count()
	b.ours[0].rows = after - before
	return errors.Join(err, b.db.within(ctx, func(db *migrations.DB) error { return forgetRows(ctx, db.DB) }))
}

// countRows makes SQLite count every row that is written from now on.
func countRows(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'`)
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	defer rows.Close()
	statements := []string{`CREATE TABLE bench_rows (n integer NOT NULL)`, `INSERT INTO bench_rows VALUES (0)`}
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		for _, action := range []string{"insert", "update", "delete"} {
			statements = append(statements, fmt.Sprintf(`CREATE TRIGGER "bench_%s_%s" AFTER %s ON "%s" BEGIN UPDATE bench_rows SET n = n + 1; END`, table, action, action, table))
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	_ = rows.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("count rows written: %w", err)
		}
	}
	return nil
}

// forgetRows undoes countRows.
func forgetRows(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'bench%'`)
	if err != nil {
		return fmt.Errorf("list triggers: %w", err)
	}
	defer rows.Close()
	statements := []string{`DROP TABLE bench_rows`}
	for rows.Next() {
		var trigger string
		if err := rows.Scan(&trigger); err != nil {
			return fmt.Errorf("list triggers: %w", err)
		}
		statements = append([]string{fmt.Sprintf(`DROP TRIGGER "%s"`, trigger)}, statements...)
	}
	_ = rows.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("stop counting rows: %w", err)
		}
	}
	return rows.Err()
}
