package service

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/synthook/synthook/hashstore"
)

// Append appends events to the log as a poll that found them does, and returns when the
// commit began: for benches, which have no poll. Projects and accounts are not looked at.
func (s *Service) Append(ctx context.Context, events iter.Seq[hashstore.Event]) (committing time.Time, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return committing, fmt.Errorf("append events: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if _, err := s.store.Append(ctx, tx, events); err != nil {
		return committing, err
	}
	committing = time.Now()
	if err := tx.Commit(); err != nil {
		return committing, fmt.Errorf("append events: %w", err)
	}
	s.wake()
	return committing, nil
}
