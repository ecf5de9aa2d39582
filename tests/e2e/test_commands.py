"""`pgiam run`, `check`, `help`, `--version`: what they print and their exit codes."""
import os
import re
import signal
import subprocess

import psycopg
import pytest

import proxy
import wire
from fakepg import HOST
from files import put


def check(workdir, text, *args, env=None):
    return proxy.pgiam("check", put(workdir + "/pgiam.ini", text), *args, env=env)


@pytest.mark.parametrize("args", [["help"], ["--help"], ["-h"]])
def test_help(args):
    done = proxy.pgiam(*args)
    assert done.returncode == 0 and done.stderr == ""
    for command in ("run", "check", "token"):
        assert re.search(r"\b%s\b" % command, done.stdout)


@pytest.mark.parametrize("args", [["--version"], ["version"]])
def test_version(args):
    done = proxy.pgiam(*args)
    assert done.returncode == 0 and re.match(r"pgiam \d+\.\d+", done.stdout), done.stdout


@pytest.mark.parametrize("args", [[], ["nonsense"], ["run", "--nonsense"], ["--nonsense"], ["check", "a", "b"]])
def test_wrong_usage(args):
    done = proxy.pgiam(*args)
    assert done.returncode == 2 and done.stdout == "" and done.stderr


def test_stdout_is_full():
    """Lost output is a failure, not a success."""
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([*proxy.WRAPPER, proxy.BINARY, "help"], stdout=full, stderr=subprocess.PIPE,
                              env=proxy.environment({}), check=False)
    assert done.returncode == 1


def test_check_says_what_would_be_served(workdir):
    done = check(workdir, "[pgiam]\nworkers = 2\n[databases]\nshop = host=%s\n" % HOST)
    assert done.returncode == 0, done.stderr
    for word in ("shop", HOST, "us-east-1", "iam"):
        assert word in done.stdout, done.stdout


def test_check_takes_pgbouncers_alias(workdir):
    done = check(workdir, "[pgbouncer]\nlisten_port = 6432\nauth_type = trust\n[databases]\nshop = host=%s\n" % HOST)
    assert done.returncode == 0 and "6432" in done.stdout, done.stderr


BAD = {
    "unknown option": ("[pgiam]\nlisten_prot = 1\n[databases]\na = host=%s\n" % HOST, r":2\b.*listen_port"),
    "unknown section": ("[nonsense]\nx = 1\n", ":1"),
    "duplicate": ("[pgiam]\nlisten_port = 1\nlisten_port = 2\n[databases]\na = host=%s\n" % HOST, ":3"),
    "bad number": ("[pgiam]\nlisten_port = eighty\n[databases]\na = host=%s\n" % HOST, "listen_port"),
    "out of range": ("[pgiam]\nlisten_port = 70000\n[databases]\na = host=%s\n" % HOST, "listen_port"),
    "not in this version": ("[pgiam]\npool_mode = transaction\n[databases]\na = host=%s\n" % HOST, "pool_mode"),
    "no database": ("[pgiam]\n", "database|host"),
    "no host": ("[databases]\na = port=5432\n", "host"),
    "no region": ("[databases]\na = host=db.example.com auth=iam iam_host=db.example.com\n", "region"),
    "no endpoint": ("[databases]\na = host=db.example.com auth=iam region=us-east-1\n", "iam_host"),
    "auth not said": ("[databases]\na = host=db.example.com\n", "auth"),
    "nul byte": (b"[pgiam]\nlogfile = a\0b\n", ":2"),
    "byte order mark": (b"\xef\xbb\xbf[pgiam]\n", "byte order mark|BOM|:1"),
    "fewer than workers": ("[pgiam]\nworkers = 4\ndefault_pool_size = 2\n[databases]\na = host=%s\n" % HOST, "workers"),
    "tls off with a token": ("[databases]\na = host=%s sslmode=disable\n" % HOST, "sslmode"),
    "password over the network in plaintext": ("[databases]\na = host=db.example.com auth=password password=x sslmode=disable\n",
                                               "sslmode"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_configuration(workdir, case):
    text, why = BAD[case]
    done = check(workdir, text)
    assert done.returncode == 3, done.stdout + done.stderr
    assert re.search(why, done.stderr, re.S), done.stderr


def test_missing_file():
    done = proxy.pgiam("check", "/nowhere/pgiam.ini")
    assert done.returncode == 3 and "/nowhere/pgiam.ini" in done.stderr


def test_run_without_a_file(rds, workdir):
    """`pgiam run --host ...` is all it takes."""
    port, http = next(proxy.PORTS), next(proxy.PORTS)
    process = subprocess.Popen(
        [*proxy.WRAPPER, proxy.BINARY, "run", "--host", rds.host, "--hostaddr", "127.0.0.1", "--port", str(rds.port),
         "--tls-ca", rds.ca, "--listen", "127.0.0.1:%d" % port, "--http-listen", "127.0.0.1:%d" % http],
        env=proxy.environment(rds.aws()), stderr=open(workdir + "/log", "wb"), cwd=workdir)

    def served():
        try:
            with psycopg.connect(host="127.0.0.1", port=port, user="app_user", dbname="app") as conn:
                return conn.execute("select current_user::text").fetchone() == ("app_user",)
        except psycopg.OperationalError:
            return False
    try:
        assert wire.eventually(served), open(workdir + "/log", encoding="utf-8").read()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_flags_and_environment_win_over_the_file(rds, workdir):
    text = "[pgiam]\nlisten_port = 7001\nmax_client_conn = 10\ndefault_pool_size = 5\n[databases]\na = host=%s\n" % HOST
    done = check(workdir, text, "--listen-port", "7003", env={"PGIAM_LISTEN_PORT": "7002", "PGIAM_MAX_CLIENT_CONN": "77"})
    assert done.returncode == 0, done.stderr
    assert "7003" in done.stdout and "7001" not in done.stdout and "7002" not in done.stdout


def test_kubernetes_variables_do_no_harm(workdir):
    """What a Service called pgiam puts into every pod's environment."""
    env = {"PGIAM_SERVICE_HOST": "10.0.0.1", "PGIAM_SERVICE_PORT": "5432", "PGIAM_PORT": "tcp://10.0.0.1:5432",
           "PGIAM_PORT_5432_TCP": "tcp://10.0.0.1:5432", "PGIAM_PORT_5432_TCP_ADDR": "10.0.0.1"}
    assert check(workdir, "[databases]\na = host=%s\n" % HOST, env=env).returncode == 0


def test_port_in_use(rds, pgiam_for, pgiam):
    with pytest.raises(RuntimeError, match="%d.*in use|in use.*%d" % (pgiam.port, pgiam.port)):
        pgiam_for(rds, listen_port=pgiam.port, http_listen="")


def test_pidfile(rds, pgiam_for, workdir):
    path = os.path.join(workdir, "pid")
    pgiam = pgiam_for(rds, pidfile=path)
    if not proxy.WRAPPER:
        assert int(open(path, encoding="ascii").read()) == pgiam.pid
    pgiam.stop()
    assert not os.path.exists(path)


def test_json_log(rds, pgiam_for):
    import json
    pgiam = pgiam_for(rds, log_format="json")
    pgiam.sql("select 1")
    rds.fault("deny", "other_user")
    pgiam.refusal(user="other_user")
    pgiam.stop()
    lines = [json.loads(line) for line in pgiam.log().splitlines()]
    assert len(lines) > 3 and all(isinstance(line, dict) for line in lines)


def test_log_lines_are_single(rds, pgiam_for):
    """What a client sends cannot forge a line."""
    pgiam = pgiam_for(rds)
    with pgiam.wire() as w:
        w.send(wire.startup(user="app_user", application_name="x\nlevel=error msg=forged", database="no\nsuch\x1b[31m"))
        w.until("ZE")
    pgiam.stop()
    assert not re.search(r"^level=error msg=forged", pgiam.log(), re.M)
    assert "\x1b" not in pgiam.log()


def test_logfile(rds, pgiam_for, workdir):
    pgiam = pgiam_for(rds, logfile=workdir + "/its.log")
    pgiam.sql("select 1")
    pgiam.stop()
    assert "app_user" in open(workdir + "/its.log", encoding="utf-8").read()
