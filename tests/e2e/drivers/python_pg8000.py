"""pg8000: Python alone, no libpq."""
import json
import os
import ssl

import pg8000


def main():
    env, more = os.environ, {}
    if env["PGSSLMODE"] == "require":
        more["ssl"] = {"sslmode": "require"} if pg8000.__version__ < "1.16" else ssl._create_unverified_context()
    conn = pg8000.connect(user=env["PGUSER"], host=env["PGHOST"], port=int(env["PGPORT"]), database=env["PGDATABASE"],
                          password=env.get("PGPASSWORD"), **more)
    cursor = conn.cursor()

    def row(sql, values=()):
        cursor.execute(sql, values)
        return cursor.fetchone()

    seen = {"driver": "pg8000 %s" % pg8000.__version__}
    seen["user"] = row("select current_user::text")[0]
    seen["parameters"] = list(row("select %s::int + 1, upper(%s::text)", (41, "grün")))
    seen["prepared"] = [row("select %s::int", (n,))[0] for n in (1, 2, 3)]
    cursor.execute("create table t (a int)")
    conn.commit()
    cursor.execute("insert into t values (1)")
    try:
        row("select 1/%s::int", (0,))
    except pg8000.Error as e:
        seen["error"] = "22012" if "22012" in str(e) else str(e)
    conn.rollback()
    seen["rolled_back"] = row("select count(*) from t")[0]
    cursor.execute("select generate_series(1, 20000)")
    seen["rows"] = len(cursor.fetchall())
    cursor.execute("set application_name = 'later'")
    seen["application"] = row("select current_setting('application_name')")[0]
    conn.close()
    print(json.dumps(seen))


main()
