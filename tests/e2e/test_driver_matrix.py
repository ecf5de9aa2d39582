"""One program a driver (drivers/README.md), in plaintext and in TLS: what comes is what PostgreSQL itself would give them."""
import glob
import json
import os
import shutil
import subprocess

import psycopg
import pytest

from files import put
from proxy import HERE, environment

DRIVERS = os.path.join(HERE, "drivers")
NODE_PATH = os.environ.get("NODE_PATH") or "/usr/share/nodejs:/usr/lib/nodejs"
# Debian's Go packages: no module is fetched
GO = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
JDBC = "/usr/share/java/postgresql.jar"
SEEN = {"user": "app_user", "parameters": [42, "GRÜN"], "prepared": [1, 2, 3], "error": "22012", "rolled_back": 0, "rows": 20000,
        "copied": 3, "cancelled": "57014", "application": "later"}

# name: the program that runs it, its words with the source, what must be there, environment, what the driver does not have
PROGRAMS = {
    "asyncpg": ("/usr/bin/python3", ["python_asyncpg.py"], ["-c", "import asyncpg"], {}, ()),
    "psycopg": ("/usr/bin/python3", ["python_psycopg.py"], ["-c", "import psycopg"], {}, ()),
    "psycopg2": ("/usr/bin/python3", ["python_psycopg2.py"], ["-c", "import psycopg2"], {}, ()),
    "pg8000": ("/usr/bin/python3", ["python_pg8000.py"], ["-c", "import pg8000"], {}, ("cancelled", "copied")),
    "odbc": ("/usr/bin/python3", ["odbc.py"], ["-c", "import pyodbc"], {}, ("copied",)),
    "jdbc": ("java", ["-cp", JDBC, "Jdbc.java"], ["--list-modules"], {}, ()),
    "node-postgres": ("node", ["node_postgres.js"], ["-e", "require('pg')"], {"NODE_PATH": NODE_PATH}, ("copied",)),
    "postgres.js": ("node", ["postgres_js.js"], ["-e", "require('postgres')"], {"NODE_PATH": NODE_PATH}, ()),
    "ruby-pg": ("ruby", ["ruby_pg.rb"], ["-e", "require 'pg'"], {"LANG": "C.UTF-8"}, ()),
    "DBD::Pg": ("perl", ["dbd_pg.pl"], ["-MDBD::Pg", "-e", "1"], {}, ()),
    "php": ("php", ["pg.php"], ["-r", "exit((int)!(extension_loaded('pgsql') && extension_loaded('pdo_pgsql')));"], {}, ()),
    "pgx": ("go", None, ["list", "github.com/jackc/pgx/v4", "github.com/lib/pq"], GO, ()),
}
NEEDS = {"jdbc": ("jdk.compiler", JDBC), "odbc": (None, "/usr/lib/*/odbc/psqlodbcw.so")}


@pytest.fixture(scope="session")
def go_program(tmp_path_factory):
    """Compiled once."""
    out = str(tmp_path_factory.getbasetemp() / "pgx")
    if not os.path.exists(out):
        done = subprocess.run(["go", "build", "-o", out, os.path.join(DRIVERS, "pgx.go")], capture_output=True, text=True,
                              env=environment(dict(GO, GOCACHE=out + ".cache")), check=False)
        assert done.returncode == 0, done.stderr
    return out


def command(name, request):
    program, words, probe, env, _ = PROGRAMS[name]
    path = shutil.which(program)
    if not path:
        pytest.skip("%s is not installed" % program)
    done = subprocess.run([path, *probe], env=environment(env), capture_output=True, text=True, check=False)
    wanted, file = NEEDS.get(name, (None, None))
    if done.returncode != 0 or (wanted and wanted not in done.stdout) or (file and not glob.glob(file)):
        pytest.skip("%s is not installed (contrib/dev/deps.sh)" % name)
    if words is None:
        return [request.getfixturevalue("go_program")]
    return [path, *words[:-1], os.path.join(DRIVERS, words[-1])]


def run(name, request, pgiam, sslmode, password=None):
    env = dict(PROGRAMS[name][3], PGHOST="127.0.0.1", PGPORT=pgiam.port, PGUSER="app_user", PGDATABASE="app",
               PGSSLMODE=sslmode, PGAPPNAME="e2e", PGPASSWORD=password)
    done = subprocess.run(command(name, request), env=environment(env), capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen = json.loads(done.stdout)
    print(seen["driver"])
    return seen


def expected(name):
    return {k: v for k, v in SEEN.items() if k not in PROGRAMS[name][4]}


@pytest.mark.slow
@pytest.mark.parametrize("sslmode", ["disable", "require"], ids=["plaintext", "tls"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_driver(request, pgiam, name, sslmode):
    seen = run(name, request, pgiam, sslmode)
    del seen["driver"]
    assert seen == expected(name)
    if sslmode == "require":
        assert pgiam.logged("tls=TLS")
    else:
        assert "tls=TLS" not in pgiam.log()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - {"pg8000"}))  # Debian's pg8000 is older than SCRAM
def test_driver_with_a_password(request, rds, pgiam_for, workdir, name):
    """SCRAM over TLS: the client's own password, which the server never sees."""
    users = os.path.join(workdir, "users")
    put(users, '"app_user" "open sesame"\n', mode=0o600)
    pgiam = pgiam_for(rds, auth_type="scram-sha-256", auth_file=users)
    seen = run(name, request, pgiam, "require", password="open sesame")
    del seen["driver"]
    assert seen == expected(name)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        pgiam.sql("select 1", sslmode="require", password="wrong")
