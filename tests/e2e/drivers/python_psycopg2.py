"""psycopg 2."""
import io
import json

import psycopg2

from cancelling import cancelling


def main():
    conn = psycopg2.connect("")
    conn.autocommit = True
    cursor = conn.cursor()
    seen = {"driver": "psycopg2 %s, libpq %d" % (psycopg2.__version__.split()[0], psycopg2.__libpq_version__)}

    def row(sql, *values):
        cursor.execute(sql, values)
        return cursor.fetchone()

    seen["user"] = row("select current_user")[0]
    seen["parameters"] = list(row("select %s::int + 1, upper(%s::text)", 41, "grün"))
    cursor.execute("prepare same as select $1::int")
    seen["prepared"] = [row("execute same (%s)", n)[0] for n in (1, 2, 3)]
    try:
        row("select 1/%s::int", 0)
    except psycopg2.Error as e:
        seen["error"] = e.pgcode
    cursor.execute("create table t (a int)")
    conn.autocommit = False
    cursor.execute("insert into t values (%s)", (1,))
    conn.rollback()
    seen["rolled_back"] = row("select count(*) from t")[0]
    with conn.cursor("portal") as portal:
        portal.execute("select generate_series(1, 20000)")
        seen["rows"] = sum(1 for _ in portal)
    conn.commit()
    conn.autocommit = True
    cursor.copy_from(io.StringIO("1\n2\n3\n"), "t")
    seen["copied"] = row("select count(*) from t")[0]
    cursor.execute("set application_name = 'later'")
    seen["application"] = conn.get_parameter_status("application_name")
    try:
        with cancelling(conn.cancel):
            cursor.execute("select pg_sleep(60)")
    except psycopg2.Error as e:
        seen["cancelled"] = e.pgcode
    row("select 1")
    conn.close()
    print(json.dumps(seen))


main()
