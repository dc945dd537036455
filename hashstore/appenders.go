package hashstore

import (
	"context"
	"fmt"
	"time"
)

// Appenders are who writes the log at this moment. Events of theirs are visible to nobody
// yet; what was committed before them is, so readers never wait for them: a log that is
// held only gets no longer. Zero on SQLite, where the whole database has one writer.
type Appenders struct {
	Held    time.Duration // since the appender that holds the log began its transaction; 0: nobody does
	Waiting int           // appenders that wait for it
}

// Appenders tells who writes the log, as far as the database's user may see. A holder that
// stops is ended by the server after idle_in_transaction_session_timeout (30 s), and
// nobody waits longer than a minute for the log: see lockLog.
func (s *Store) Appenders(ctx context.Context) (a Appenders, err error) {
	if !s.postgres {
		return a, nil
	}
	var micros int64
	err = s.db.QueryRowContext(ctx, `SELECT
			CAST(1000000 * coalesce(max(extract(epoch FROM clock_timestamp() - t.xact_start)) FILTER (WHERE l.granted), 0) AS bigint),
			count(*) FILTER (WHERE NOT l.granted)
		FROM pg_locks l LEFT JOIN pg_stat_activity t ON t.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid = $1 AND l.objid = $2
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
		int64(appendLock>>32), int64(appendLock&0xffffffff)).Scan(&micros, &a.Waiting)
	if err != nil {
		return Appenders{}, fmt.Errorf("look at the log's lock: %w", err)
	}
	a.Held = time.Duration(micros) * time.Microsecond
	return a, nil
}
