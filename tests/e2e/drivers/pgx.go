// pgx, its pool, and lib/pq through database/sql.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/lib/pq"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func state(err error) string {
	var mine *pgconn.PgError
	var theirs *pq.Error
	if errors.As(err, &mine) {
		return mine.Code
	}
	if errors.As(err, &theirs) {
		return string(theirs.Code)
	}
	return fmt.Sprint(err)
}

func withPgx(seen map[string]any) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, "")
	check(err)
	value := func(out any, text string, args ...any) { check(conn.QueryRow(ctx, text, args...).Scan(out)) }
	var user, upper, application string
	var sum, n, count int
	value(&user, "select current_user::text")
	check(conn.QueryRow(ctx, "select $1::int + 1, upper($2::text)", 41, "grün").Scan(&sum, &upper))
	seen["user"], seen["parameters"] = user, []any{sum, upper}
	prepared := []int{}
	_, err = conn.Prepare(ctx, "same", "select $1::int")
	check(err)
	for i := 1; i <= 3; i++ {
		value(&n, "same", i)
		prepared = append(prepared, n)
	}
	seen["prepared"] = prepared
	_, err = conn.Exec(ctx, "select 1/$1::int", 0)
	seen["error"] = state(err)
	_, err = conn.Exec(ctx, "create table t (a int)")
	check(err)
	tx, err := conn.Begin(ctx)
	check(err)
	_, err = tx.Exec(ctx, "insert into t values ($1)", 1)
	check(err)
	check(tx.Rollback(ctx))
	value(&count, "select count(*) from t")
	seen["rolled_back"] = count
	rows, err := conn.Query(ctx, "select generate_series(1, 20000)")
	check(err)
	for count = 0; rows.Next(); count++ {
	}
	check(rows.Err())
	seen["rows"] = count
	batch := &pgx.Batch{} // pipelined
	for i := 0; i < 50; i++ {
		batch.Queue("select $1::int", i)
	}
	results := conn.SendBatch(ctx, batch)
	for i := 0; i < 50; i++ {
		check(results.QueryRow().Scan(&n))
		if n != i {
			check(errors.New("wrong answer in a batch"))
		}
	}
	check(results.Close())
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"a"}, pgx.CopyFromRows([][]any{{1}, {2}, {3}}))
	check(err)
	value(&count, "select count(*) from t")
	seen["copied"] = count
	_, err = conn.Exec(ctx, "set application_name = 'later'")
	check(err)
	value(&application, "select current_setting('application_name')")
	seen["application"] = application
	done := make(chan bool)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(300 * time.Millisecond):
				_ = conn.PgConn().CancelRequest(ctx)
			}
		}
	}()
	_, err = conn.Exec(ctx, "select pg_sleep(60)")
	close(done)
	seen["cancelled"] = state(err)
	for i := 0; i < 3; i++ { // a cancel may come late, as directly
		if _, err = conn.Exec(ctx, "select 1"); err == nil {
			break
		}
	}
	check(err)
	check(conn.Close(ctx))
}

func withPq() {
	db, err := sql.Open("postgres", "")
	check(err)
	var n int
	check(db.QueryRow("select $1::int", 7).Scan(&n))
	_, err = db.Exec("select 1/$1::int", 0)
	if state(err) != "22012" || n != 7 {
		check(fmt.Errorf("lib/pq: %d, %w", n, err))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	_, err = db.ExecContext(ctx, "select pg_sleep(60)")
	if err == nil || !strings.Contains(err.Error(), "cancel") {
		check(fmt.Errorf("lib/pq: not cancelled: %w", err))
	}
	check(db.QueryRow("select 8").Scan(&n))
	check(db.Close())
}

func main() {
	seen := map[string]any{"driver": "pgx v4, lib/pq"}
	withPgx(seen)
	withPq()
	out, err := json.Marshal(seen)
	check(err)
	fmt.Println(string(out))
}
