"""The RDS stand-in for tests: starts tests/rds, and knows what a test wants from it."""
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import psycopg
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
RDS_DIR = os.path.normpath(os.path.join(HERE, "..", "rds"))
sys.path.insert(0, RDS_DIR)
import instance  # noqa: E402
import sigv4  # noqa: E402
import wire  # noqa: E402

TOOL = os.path.join(RDS_DIR, "rds")
with open(os.path.join(HERE, "..", "vectors", "sigv4.json"), encoding="utf-8") as vectors:
    VECTORS = json.load(vectors)


class Rds:
    """A running instance. Its directory is of its own: the server's user cannot enter pytest's."""

    def __init__(self, *options):
        self.dir = tempfile.mkdtemp(prefix="pgiam-e2e-rds-")
        done = subprocess.run([sys.executable, TOOL, "start", self.dir, "--until", str(os.getpid()), *options],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(self.dir)
            if done.returncode == 77:
                pytest.skip(done.stderr.strip())
            raise RuntimeError(done.stderr)
        self.it = instance.Instance(self.dir)
        self.env = self.it.env()
        self.host, self.port, self.ca = self.env["RDS_HOST"], int(self.env["RDS_PORT"]), self.env.get("RDS_CA")
        self.region = self.env["RDS_REGION"]
        self.bindir = self.env["RDS_BINDIR"]

    def stop(self):
        self.it.stop()

    def fault(self, *words):
        return self.it.fault([str(w) for w in words])

    def logins(self):
        """{"requests": n, "Success": n, "InvalidToken": n, ...} since the last `fault clear`."""
        return self.fault("stats")

    def aws(self, **more):
        """The environment that holds its key."""
        return dict({k: v for k, v in self.env.items() if k.startswith("AWS_")}, **more)

    def static_aws(self):
        return {"AWS_ACCESS_KEY_ID": self.env["RDS_STATIC_KEY_ID"],
                "AWS_SECRET_ACCESS_KEY": self.env["RDS_STATIC_SECRET"]}

    def token(self, user="app_user", **kw):
        """A token made without pgiam; keywords as of sigv4.make_token in place of the right ones."""
        right = dict(host=self.env["RDS_SIGN_HOST"], port=int(self.env["RDS_SIGN_PORT"]), user=user,
                     region=self.region, key_id=self.env["AWS_ACCESS_KEY_ID"],
                     secret=self.env["AWS_SECRET_ACCESS_KEY"], session_token=self.env["AWS_SESSION_TOKEN"])
        return sigv4.make_token(**dict(right, **kw))

    def credentials(self):
        """What pgiam's environment needs to log in to it."""
        return self.aws() if self.env["RDS_AUTH"] == "iam" else {}

    def dial(self, token=None, **startup):
        """A wire.Wire, without pgiam, that has sent its token: what the server says to it comes next."""
        w = wire.Wire.dial(self.port).tls(server_hostname=self.host)
        w.send(wire.startup(**startup))
        assert w.read() == ("R", b"\0\0\0\3")  # AuthenticationCleartextPassword
        return w.send(wire.message("p", wire.cstring(self.token() if token is None else token)))

    def conninfo(self, user="app_user", password=None, **kw):
        """For a direct connection, as an application that knows everything would make it."""
        right = dict(host=self.host, hostaddr="127.0.0.1", port=self.port, user=user, dbname="app",
                     password=password if password is not None else self.token(user),
                     sslmode="verify-full" if self.ca else "disable")
        if self.ca:
            right["sslrootcert"] = self.ca
        return psycopg.conninfo.make_conninfo(**dict(right, **kw))

    def connect(self, *args, autocommit=True, **kw):
        return psycopg.connect(self.conninfo(*args, **kw), autocommit=autocommit)

    def admin(self, sql, args=None, dbname="app"):
        """Runs SQL as the superuser, past TLS and PAM; the rows."""
        with psycopg.connect(host=self.dir, port=self.port, user="admin", dbname=dbname, autocommit=True) as conn:
            cursor = conn.execute(sql, args)
            return cursor.fetchall() if cursor.description else []

    def empty(self):
        """Nothing of a test is left in the database."""
        # One transaction: an instance that a test kills may lose the last commits (synchronous_commit is off), but not half
        # of this.
        self.admin("drop schema if exists public cascade; create schema public authorization pg_database_owner; "
                   "grant all on schema public to public")

    def backends(self, user="app_user"):
        """pids of a user's sessions."""
        return [r[0] for r in self.admin("select pid from pg_stat_activity where usename = %s order by 1", (user,))]

    def configure(self, name, value=None):
        """Another value from now on, None: the old one. New sessions have it at the end of this, older ones are being told."""
        self.admin("alter system " + ("reset " + name if value is None else "set %s = '%s'" % (name, value)))
        self.admin("select pg_reload_conf()")
        assert value is None or wire.eventually(lambda: self.admin("show " + name) == [(value,)])
        time.sleep(0.2)

    def running(self, user="app_user"):
        """How many of a user's sessions are not idle."""
        return self.admin("select count(*) from pg_stat_activity where usename = %s and state <> 'idle'", (user,))[0][0]

    def terminate(self, user="app_user"):
        return self.admin("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s", (user,))

    def database(self, **more):
        """The value of a [databases] entry that reaches it, with more or other keys; None leaves one out."""
        keys = dict(host=self.host, hostaddr="127.0.0.1", port=self.port)
        if self.env["RDS_AUTH"] == "iam":
            keys["auth"] = "iam"
        if self.ca:
            keys["tls_ca"] = self.ca
        else:
            keys["sslmode"] = "disable"
        keys.update(more)
        return " ".join("%s=%s" % (k, quote(v)) for k, v in keys.items() if v is not None)

    def auth_log(self):
        with open(self.env["RDS_AUTH_LOG"], encoding="utf-8") as file:
            return file.read()

    @functools.cached_property
    def major(self):
        """PostgreSQL's version: 15, 18."""
        return int(self.admin("show server_version_num")[0][0]) // 10000

    def program(self, name):
        return os.path.join(self.bindir, name)


def quote(value):
    """As PgBouncer's connection strings want it."""
    text = str(value)
    return "'%s'" % text.replace("'", "''") if not text or set(text) & set(" '") else text
