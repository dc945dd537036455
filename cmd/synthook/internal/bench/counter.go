package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// counter counts statements, BEGIN and COMMIT among them: on PostgreSQL as pgx's tracer,
// on SQLite between database/sql and the driver.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !strings.HasPrefix(data.SQL, "--") { // a ping
		c.n.Add(1)
	}
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *counter) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (c *counter) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

// countedConnector takes its connections from another database/sql, so that they are
// opened as migrations opens them. Each is held there until it is closed here.
type countedConnector struct {
	inner *sql.DB
	count *counter
}

func (c *countedConnector) Driver() driver.Driver { return c.inner.Driver() }

func (c *countedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	held, err := c.inner.Conn(ctx)
	if err != nil {
		return nil, err
	}
	counted := &countedConn{held: held, count: c.count}
	err = held.Raw(func(conn any) error {
		var ok bool
		if counted.sqliteConn, ok = conn.(sqliteConn); !ok {
			return errors.New("the driver's connection can't be counted")
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return counted, nil
}

// sqliteConn is what database/sql uses of the driver.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

type countedConn struct {
	sqliteConn
	held  *sql.Conn
	count *counter
}

func (c *countedConn) Close() error { return c.held.Close() }

func (c *countedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.count.n.Add(1)
	return c.sqliteConn.ExecContext(ctx, query, args)
}

func (c *countedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.count.n.Add(1)
	return c.sqliteConn.QueryContext(ctx, query, args)
}

func (c *countedConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	c.count.n.Add(1)
	tx, err := c.sqliteConn.BeginTx(ctx, options)
	return countedTx{tx, c.count}, err
}

type countedTx struct {
	driver.Tx
	count *counter
}

func (t countedTx) Commit() error {
	t.count.n.Add(1)
	return t.Tx.Commit()
}
