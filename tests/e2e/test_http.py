"""Metrics and probes."""
import contextlib
import json
import re
import socket
import time

import pytest

import wire
from proxy import patiently


def series(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_metrics_are_prometheus_text(pgiam):
    pgiam.sql("select 1")
    status, text = pgiam.http("/metrics")
    assert status == 200
    names = set()
    for line in series(text):
        m = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (NaN|[-+]?[0-9.e+-]+|\+Inf)', line)
        assert m, line
        names.add(m[1])
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            _, _, name, kind = line.split()
            assert kind in ("counter", "gauge", "histogram") and name.startswith(("pgiam_", "process_"))
            assert kind != "counter" or name.endswith("_total")
    assert len(re.findall(r"^# TYPE (\S+)", text, re.M)) == len(set(re.findall(r"^# TYPE (\S+)", text, re.M)))
    assert len(series(text)) == len({line.rpartition(" ")[0] for line in series(text)}), "a series comes twice"


def test_numbers(rds, pgiam):
    with pgiam.connect() as conn:
        for _ in range(5):
            conn.execute("select 1")
        assert pgiam.metric("pgiam_clients") == 1
        assert pgiam.metric("pgiam_cl_active", database="app") == 1
        assert pgiam.metric("pgiam_sv_active", database="app") == 1
    assert wire.eventually(lambda: pgiam.metric("pgiam_clients") == 0)
    assert pgiam.metric("pgiam_client_logins_total", database="app") == 1
    assert pgiam.metric("pgiam_query_total", database="app") == 5
    assert pgiam.metric("pgiam_xact_total", database="app") == 5
    assert pgiam.metric("pgiam_tokens_total", database="app") == 1
    assert pgiam.metric("pgiam_server_logins_total", database="app", result="ok") == 1
    for phase in ("connect", "tls", "auth"):
        assert pgiam.metric("pgiam_login_phase_seconds_count", database="app", phase=phase) == 1
        assert 0 < pgiam.metric("pgiam_login_phase_seconds_sum", database="app", phase=phase) < 30
    assert pgiam.metric("pgiam_received_bytes_total", database="app") > 0
    assert pgiam.metric("pgiam_sent_bytes_total", database="app") > 0


def test_failed_logins_by_cause(rds, pgiam_for):
    pgiam = pgiam_for(rds, database={"port": 1})
    pgiam.refusal()
    text = pgiam.http("/metrics")[1]
    assert re.search(r'pgiam_server_logins_total\{[^}]*connect[^}]*\} [1-9]', text), text


def test_names_are_escaped(rds, pgiam_factory):
    pgiam = pgiam_factory({'"od""d\\"': rds.database(dbname="app")}, env=rds.aws())
    assert pgiam.sql("select 1", dbname='od"d\\') == [(1,)]
    assert 'database="od\\"d\\\\"' in pgiam.http("/metrics")[1]


@pytest.mark.parametrize("name", ["pgbouncer", "pgiam"])
def test_who_looks_for_a_console(rds, pgiam_factory, name):
    """As one does with PgBouncer; where the numbers are is told."""
    pgiam = pgiam_factory({"app": rds.database()}, env=rds.aws())
    fields = pgiam.refusal(database=name)
    assert fields["C"] == "3D000" and "no console" in fields["H"] and "/metrics" in fields["H"]


def test_probes(pgiam):
    for path in ("/liveness", "/startup", "/readiness"):
        assert pgiam.http(path)[0] == 200, path


def test_readiness_says_why_not(another_rds, pgiam_for):
    rds = another_rds("--name", "mortal")
    pgiam = pgiam_for(rds, server_login_retry=0.2, query_wait_timeout=1)
    assert patiently(lambda: pgiam.sql("select 1")) == [(1,)]
    rds.it.kill()
    try:
        def not_ready():
            try_login(pgiam)
            return pgiam.http("/readiness")[0] == 503
        assert wire.eventually(not_ready)
        assert "app" in pgiam.http("/readiness")[1]
        assert pgiam.http("/liveness")[0] == 200
    finally:
        rds.it.resume()

    def ready():
        try_login(pgiam)
        return pgiam.http("/readiness")[0] == 200
    assert wire.eventually(ready)


def test_probes_say_why_there_are_no_credentials(rds, pgiam_factory):
    """Before anybody has tried to log in."""
    pgiam = pgiam_factory({"app": rds.database()}, env={"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"})

    def page(path):
        status, text = pgiam.http(path)
        assert status == 503, text
        assert len(text) < 4096 and "AWS_SECRET_ACCESS_KEY" in text and "AKIDEXAMPLE" not in text, text
        return json.loads(text)
    startup, readiness = page("/startup"), page("/readiness")
    assert (startup["status"], startup["cause"]) == ("starting", "credentials")
    assert startup["hint"]
    assert (readiness["status"], readiness["credentials"][0]["ok"]) == ("not ready", False)
    assert readiness["databases"] == [{"database": "app", "ok": False, "cause": "credentials", "identity": "default"}]
    assert pgiam.http("/liveness")[0] == 200


@pytest.mark.parametrize("first", ["nobody_such", "app_user"])
def test_one_bad_user_on_one_of_several_workers(rds, pgiam_for, first):
    """A user that may not log in, by himself on his worker, says nothing while others are let in."""
    pgiam = pgiam_for(rds, workers=4, server_login_retry=0.1)
    held = []
    for _ in range(8):  # the worker with the fewest clients takes the next: some get to each
        if first == "app_user":
            held.append(pgiam.connect())
        pgiam.refusal(user="nobody_such")
        if first == "nobody_such":
            held.append(pgiam.connect())
    for c in held:
        c.execute("select 1")
    status, text = pgiam.http("/readiness")
    assert status == 200, text
    for c in held:
        c.close()
    status, text = pgiam.http("/readiness")
    assert status == 200, text


def try_login(pgiam):
    """A client whose query needs a server; how it fares does not matter here."""
    with pgiam.wire() as w:
        w.send(wire.startup(), wire.query("select 1"), wire.terminate())
        w.until("")


@pytest.mark.parametrize("host, status", [("127.0.0.1", 200), ("localhost", 200), ("127.0.0.1:9127", 200), ("[::1]:80", 200),
                                          ("evil.example", 403), ("evil.example:9127", 403), ("localhost.evil.example", 403),
                                          ("127.0.0.1.evil.example", 403)])
def test_host_header(pgiam, host, status):
    """A web page that had its name point here (DNS rebinding) reads nothing."""
    got = pgiam.http("/metrics", {"Host": host})[0]
    assert got == status or (status == 403 and got in (400, 403, 421))


def raw(pgiam, data, wait=True):
    host, port = pgiam.options["http_listen"].split(":")
    s = socket.create_connection((host, int(port)))
    s.settimeout(wire.PATIENCE_SEC)
    with contextlib.suppress(ConnectionError):  # it may answer, and close, before it has read all
        s.sendall(data)
    out = b""
    if wait:
        try:
            while True:
                part = s.recv(65536)
                if not part:
                    break
                out += part
        except ConnectionError:
            pass
        s.close()
        return out
    return s


@pytest.mark.parametrize("request_, allowed", [
    (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", (b"405", b"501")),
    (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (b"404",)),
    (b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n", (b"400", b"403", b"421")),
    (b"GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (b"400", b"404")),
    (b"rubbish\r\n\r\n", (b"400", b"501", b"")),
    (b"GET / HTTP/9.9\r\nHost: localhost\r\nConnection: close\r\n\r\n", (b"400", b"404", b"505", b"")),
])
def test_other_requests(pgiam, request_, allowed):
    answer = raw(pgiam, request_)
    assert (answer.split()[1] if answer else b"") in allowed, answer[:200]
    assert pgiam.http("/liveness")[0] == 200


def test_long_request(pgiam):
    answer = raw(pgiam, b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200" not in answer[:20]
    answer = raw(pgiam, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + b"X: y\r\n" * 20000 + b"\r\n")
    assert b"200" not in answer[:20]
    assert pgiam.http("/liveness")[0] == 200


def test_slow_requests_do_not_stop_the_others(pgiam):
    slow = [raw(pgiam, b"GET /metr", wait=False) for _ in range(10)]
    assert pgiam.http("/liveness")[0] == 200
    assert pgiam.sql("select 1") == [(1,)]
    for s in slow:
        s.close()


def test_no_http_at_all(rds, pgiam_for):
    pgiam = pgiam_for(rds, http_listen="")
    assert pgiam.sql("select 1") == [(1,)]


def test_liveness_needs_no_server(rds, pgiam_for):
    pgiam = pgiam_for(rds, database={"port": 1})
    assert pgiam.http("/liveness")[0] == 200


def test_scraping_while_working(pgiam):
    with pgiam.connect() as conn:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert conn.execute("select 1").fetchone() == (1,)
            assert pgiam.metric("pgiam_clients") == 1
