"""Ending, and living on under pressure: SIGTERM, a dying database, lost log readers, full disks, crowds."""
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import time

import psycopg
import pytest

import proxy
import wire


def test_sigterm_ends_idle_clients(pgiam, rds):
    with pgiam.wire() as w, pgiam.wire() as silent:
        for x in (w, silent):
            x.login()
        w.ask("select 1")
        pgiam.tell()
        for x in (w, silent):
            fields = wire.error_fields(x.until("E")[-1][1])
            assert (fields["S"], fields["C"]) == ("FATAL", "57P01")
            assert x.closed()
    pgiam.stop()
    assert wire.eventually(lambda: rds.backends() == [])


def test_sigterm_lets_a_transaction_finish(pgiam):
    with pgiam.wire() as w:
        w.login()
        w.ask("begin")
        pgiam.tell()
        time.sleep(0.5)
        assert w.value("select 7") == "7"
        assert wire.kinds(w.ask("commit")) == "CZ"
        assert wire.error_fields(w.until("E")[-1][1])["C"] == "57P01"
    pgiam.stop()


def test_probes_while_it_drains(pgiam):
    """Who asks meanwhile is told the truth; afterwards the port is free for the next one."""
    assert pgiam.http("/readiness")[0] == 200
    with pgiam.wire() as w:
        w.login()
        w.ask("begin")
        pgiam.tell()
        assert wire.eventually(lambda: not pgiam.listening())
        status, text = pgiam.http("/readiness")
        assert status == 503 and json.loads(text)["status"] == "draining", text
        assert pgiam.http("/liveness")[0] == 200
        assert pgiam.http("/startup")[0] == 200
        assert pgiam.metric("pgiam_clients") == 1 and pgiam.metric("pgiam_draining") == 1
        w.ask("commit")
        assert wire.error_fields(w.until("E")[-1][1])["C"] == "57P01"
    pgiam.stop()
    again = proxy.Pgiam(pgiam.dir, pgiam.databases, env=pgiam.env, **pgiam.options)
    assert again.http("/liveness")[0] == 200
    again.stop()


def test_sigterm_lets_a_query_finish(pgiam, rds):
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select pg_sleep(2), 'done'"))
        assert wire.eventually(lambda: rds.running() == 1)
        pgiam.tell()
        got = w.until("Z")
        assert wire.rows(got)[0][1] == b"done"
    pgiam.stop()


@pytest.mark.parametrize("pause", [0, 0.001, 0.003, 0.01])
def test_sigterm_behind_a_session(rds, pgiam_for, pause):
    """The server connection is just being reset."""
    pgiam = pgiam_for(rds)
    with pgiam.wire() as w:
        w.login()
        w.ask("create temp table x as select generate_series(1, 1000)")
    time.sleep(pause)
    pgiam.stop(seconds=10)


def test_shutdown_timeout(rds, pgiam_for):
    pgiam = pgiam_for(rds, shutdown_timeout=1)
    with pgiam.wire() as w:
        w.login()
        w.ask("begin")
        start = time.monotonic()
        pgiam.tell()
        assert w.closed()
        pgiam.stop()
        assert time.monotonic() - start < 8


def test_second_signal_hurries(pgiam):
    with pgiam.wire() as w:
        w.login()
        w.ask("begin")
        pgiam.tell()
        assert wire.eventually(lambda: not pgiam.listening())  # the first was taken: two at once are one
        pgiam.stop(seconds=10)
        assert w.closed()


def test_sigint(pgiam):
    pgiam.sql("select 1")
    pgiam.stop(signal.SIGINT)


def test_a_login_that_nobody_waits_for(pgiam_factory):
    """A database that does not answer: its clients are sent away, and nothing is left to wait for."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pgiam = pgiam_factory({"app": "host=127.0.0.1 port=%d auth=none sslmode=disable" % silent.getsockname()[1]})
        with pgiam.wire() as w:
            w.send(wire.startup())
            assert wire.eventually(lambda: pgiam.metric("pgiam_sv_login") == 1)
            pgiam.stop(seconds=8)  # server_connect_timeout is 15
            assert "terminating connection" in w.refused()["M"]
    assert "login given up" in pgiam.log()


def test_stops_while_everything_is_under_way(rds, pgiam_for):
    """Logins, cancels, waiters and half-read packets at the moment of the signal; the leak checker looks on."""
    pgiam = pgiam_for(rds, default_pool_size=2, shutdown_timeout=1)
    rds.fault("delay", 500)
    crowd = [pgiam.wire() for _ in range(12)]
    for i, w in enumerate(crowd):
        w.send([wire.startup(), wire.startup()[:9], wire.packet(wire.SSL_REQUEST), wire.startup() + wire.query("select 1"),
                wire.startup(user="other_user"), wire.startup(database="missing")][i % 6])
    time.sleep(0.2)
    pgiam.stop()
    for w in crowd:
        w.close()


@contextlib.contextmanager
def back_to_the_start(pgiam, more_descriptors=2, more_kib=16 * 1024):
    """What is done meanwhile leaves no descriptor, no memory and no work behind. More descriptors: server connections that may
    stay in the pool, and have not been there before. More memory: what malloc, or a sanitizer, keeps for a while."""
    more_descriptors += int(os.environ.get("PGIAM_TEST_WORKERS", 1)) - 1  # each worker keeps one in a pool of its own
    pgiam.sql("select 1")
    descriptors, memory = pgiam.descriptors(), pgiam.memory_kib()
    yield
    assert wire.eventually(lambda: pgiam.descriptors() <= descriptors + more_descriptors)
    assert pgiam.memory_kib() - memory <= more_kib
    time.sleep(0.5)
    cpu = pgiam.cpu_sec()
    time.sleep(1)
    assert pgiam.cpu_sec() - cpu < 0.1, "it spins"


def test_database_dies_under_load(another_rds, pgiam_for):
    """kill -9: clients are told and let go, nothing leaks, and it goes on by itself when the database is back."""
    rds = another_rds("--name", "mortal")
    pgiam = pgiam_for(rds, default_pool_size=8, server_login_retry=0.2, login_rate=0)
    with back_to_the_start(pgiam, more_descriptors=10):
        die_under_load(pgiam, rds)


def die_under_load(pgiam, rds):
    stop, answered, told = threading.Event(), [], []

    def work():
        while not stop.is_set():
            try:
                with pgiam.connect() as conn:
                    while not stop.is_set():
                        conn.execute("select 1")
                        answered.append(time.monotonic())
            except psycopg.OperationalError as e:
                told.append(str(e))
                time.sleep(0.05)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    time.sleep(1)
    rds.it.kill()
    time.sleep(1)
    dead_at = time.monotonic()
    rds.it.resume()
    assert wire.eventually(lambda: answered and answered[-1] > dead_at + 0.1)
    stop.set()
    for t in threads:
        t.join()
    assert told
    assert wire.eventually(lambda: pgiam.metric("pgiam_clients") == 0 and pgiam.metric("pgiam_sv_active") == 0)
    # each worker finds out for itself
    assert proxy.patiently(lambda: pgiam.sql("select 1")) == [(1,)]


def test_idle_process_sleeps(pgiam):
    pgiam.sql("select 1")
    time.sleep(0.5)
    before = pgiam.cpu_sec()
    time.sleep(2)
    assert pgiam.cpu_sec() - before <= 0.05


@pytest.mark.slow
def test_five_thousand_idle_clients(rds, pgiam_for):
    """An idle client costs its struct; afterwards descriptors and memory are back where they were."""
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12000:
        pytest.skip("needs 12,000 descriptors, the hard limit is %d" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pgiam = pgiam_for(rds, max_client_conn=6000, log_connections=0, log_disconnections=0, log_level="info",
                      listen_backlog=4096)
    try:
        with back_to_the_start(pgiam, more_descriptors=3):
            idle_clients(pgiam, 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def idle_clients(pgiam, count):
    memory, crowd = pgiam.memory_kib(), []
    try:
        while len(crowd) < count:
            batch = [pgiam.wire() for _ in range(100)]
            for w in batch:
                w.send(wire.startup())
            for w in batch:
                assert w.until("ZE")[-1][0] == "Z"
            crowd += batch
        assert pgiam.metric("pgiam_clients") == count
        assert pgiam.metric("pgiam_transfer_buffers") == 0
        per_client = (pgiam.memory_kib() - memory) / count
        before = pgiam.cpu_sec()
        time.sleep(1)
        assert pgiam.cpu_sec() - before < 0.1
        assert crowd[count // 2].value("select 2") == "2"
        assert per_client < 16, "%.1f KiB a client" % per_client
    finally:
        for w in crowd:
            w.close()
    assert wire.eventually(lambda: pgiam.metric("pgiam_clients") == 0)


def test_out_of_descriptors(rds, pgiam_for):
    """accept() fails: no spin, and it goes on when some are free."""
    import resource
    pgiam = pgiam_for(rds, max_client_conn=1000)
    pgiam.sql("select 1")
    resource.prlimit(pgiam.pid, resource.RLIMIT_NOFILE, (pgiam.descriptors() + 8,) * 2)
    crowd = [socket.create_connection(("127.0.0.1", pgiam.port)) for _ in range(60)]
    time.sleep(0.5)
    before = pgiam.cpu_sec()
    time.sleep(1)
    assert pgiam.cpu_sec() - before < 0.3, "it spins"
    for s in crowd:
        s.close()
    assert proxy.patiently(lambda: pgiam.sql("select 1", connect_timeout=3)) == [(1,)]


# ---- the log ----

def busy(pgiam, seconds=1.0):
    end, n = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        assert pgiam.sql("select 1") == [(1,)]
        n += 1
    return n


def test_log_reader_is_gone(rds, pgiam_for):
    """A pipe nobody reads any more: traffic goes on, SIGPIPE or not."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as end:
        pgiam = pgiam_for(rds, stderr=end)
    os.close(reader)
    with back_to_the_start(pgiam):
        busy(pgiam)


def test_log_reader_stalls(rds, pgiam_for):
    """A pipe that is full: lines are lost and counted, time is not."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(writer, "wb") as end:
        pgiam = pgiam_for(rds, stderr=end)
    with back_to_the_start(pgiam):
        start = time.monotonic()
        busy(pgiam, 2)
        assert time.monotonic() - start < 6
    os.set_blocking(reader, False)
    drained = threading.Event()

    def drain():
        while not drained.is_set():
            try:
                os.read(reader, 65536)
            except BlockingIOError:
                time.sleep(0.01)
    thread = threading.Thread(target=drain)
    thread.start()
    pgiam.stop()
    drained.set()
    thread.join()
    os.close(reader)


def test_log_disk_is_full(rds, pgiam_for):
    with open("/dev/full", "wb") as full:
        pgiam = pgiam_for(rds, stderr=full)
    with back_to_the_start(pgiam):
        busy(pgiam)


def test_no_stderr_at_all(rds, workdir):
    pgiam_dir = os.path.join(workdir, "x")
    one = proxy.Pgiam(pgiam_dir, {"app": rds.database()}, env=rds.aws(), stderr=subprocess.DEVNULL)
    assert one.sql("select 1") == [(1,)]
    one.stopped = True
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(30) == 0


def test_stdin_stdout_stderr_closed(rds, workdir):
    """A socket that gets descriptor 0, 1 or 2 must not receive log lines."""
    where = os.path.join(workdir, "x")
    one = proxy.Pgiam.__new__(proxy.Pgiam)
    one.dir, one.databases, one.env = where, {"app": rds.database()}, proxy.environment(rds.aws())
    os.makedirs(where)
    one.options = {"listen_addr": "127.0.0.1", "listen_port": next(proxy.PORTS), "http_listen": ""}
    one.file, one.log_path = os.path.join(where, "pgiam.ini"), "/dev/null"
    one.write()
    one.process = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *proxy.WRAPPER, proxy.BINARY, "run", one.file],
                                   env=one.env, cwd=where)
    one.stopped, one.readable = True, False
    try:
        one.wait()
        with back_to_the_start(one):
            busy(one)
    finally:
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(30) == 0
