"""psqlODBC, through pyodbc."""
import glob
import json
import os

import pyodbc

from cancelling import cancelling

E = os.environ
LIBRARY = glob.glob("/usr/lib/*/odbc/psqlodbcw.so")[0]
CONNECTION = ("DRIVER=%s;SERVER=%s;PORT=%s;UID=%s;PWD=%s;DATABASE=%s;SSLMODE=%s;UseServerSidePrepare=1;UseDeclareFetch=1;Fetch=500" %
              (LIBRARY, E["PGHOST"], E["PGPORT"], E["PGUSER"], E.get("PGPASSWORD", ""), E["PGDATABASE"], E["PGSSLMODE"]))


def main():
    conn = pyodbc.connect(CONNECTION, autocommit=True)
    cursor = conn.cursor()

    def value(sql, *values):
        return cursor.execute(sql, *values).fetchone()[0]

    seen = {"driver": "psqlODBC %s, pyodbc %s" % (conn.getinfo(pyodbc.SQL_DRIVER_VER), pyodbc.version)}
    seen["user"] = value("select current_user::text")
    seen["parameters"] = list(cursor.execute("select ?::int + 1, upper(?::text)", 41, "grün").fetchone())
    seen["prepared"] = [value("select ?::int", n) for n in (1, 2, 3)]
    try:
        value("select 1/?::int", 0)
    except pyodbc.Error as e:
        seen["error"] = e.args[0]
    cursor.execute("create table t (a int)")
    conn.autocommit = False
    cursor.execute("insert into t values (?)", 1)
    conn.rollback()
    seen["rolled_back"] = value("select count(*) from t")
    seen["rows"] = sum(1 for _ in cursor.execute("select generate_series(1, 20000)"))
    conn.commit()
    conn.autocommit = True
    cursor.execute("set application_name = 'later'")
    seen["application"] = value("select current_setting('application_name')")
    try:
        with cancelling(cursor.cancel):
            cursor.execute("select pg_sleep(60)")
    except pyodbc.Error as e:
        seen["cancelled"] = "57014" if "canceling statement" in str(e) else str(e)
    cursor = conn.cursor()
    cursor.execute("select 1").fetchone()
    conn.close()
    print(json.dumps(seen))


main()
