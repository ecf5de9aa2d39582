"""psycopg 3."""
import json

import psycopg

from cancelling import cancelling


def main():
    conn = psycopg.connect("", autocommit=True)
    seen = {"driver": "psycopg %s (%s), libpq %d" % (psycopg.__version__, psycopg.pq.__impl__, psycopg.pq.version())}

    def value(sql, *values, **kw):
        return conn.execute(sql, values, **kw).fetchone()[0]

    seen["user"] = value("select current_user::text")
    seen["parameters"] = list(conn.execute("select %s::int + 1, upper(%s::text)", (41, "grün")).fetchone())
    seen["prepared"] = [value("select %s::int", n, prepare=True) for n in (1, 2, 3)]
    try:
        value("select 1/%s::int", 0)
    except psycopg.Error as e:
        seen["error"] = e.sqlstate
    conn.execute("create table t (a int)")
    with conn.transaction():
        conn.execute("insert into t values (%s)", (1,))
        raise psycopg.Rollback
    seen["rolled_back"] = value("select count(*) from t")
    with conn.transaction(), conn.cursor("portal") as cursor:
        seen["rows"] = sum(1 for _ in cursor.execute("select generate_series(1, 20000)"))
    with conn.cursor().copy("copy t from stdin") as copy:
        for n in (1, 2, 3):
            copy.write_row((n,))
    seen["copied"] = value("select count(*) from t")
    with conn.pipeline():
        cursors = [conn.execute("select %s::int", (i,)) for i in range(50)]
    assert [c.fetchone()[0] for c in cursors] == list(range(50))
    conn.execute("set application_name = 'later'")
    seen["application"] = conn.info.parameter_status("application_name")
    try:
        with cancelling(conn.cancel):
            conn.execute("select pg_sleep(60)")
    except psycopg.Error as e:
        seen["cancelled"] = e.sqlstate
    value("select 1")
    conn.close()
    print(json.dumps(seen))


main()
