"""Servers that are gone, clients that go, logins that fail: the others do not suffer, and nothing is sent twice."""
import threading
import time

import pytest

import fakepg
import proxy
import wire


# ---- 44, 45: servers that are gone ----

def test_44_restarted_server_is_noticed_before_the_query(another_rds, pgiam_for):
    rds = another_rds("--name", "restarted")
    pgiam = pgiam_for(rds)
    with pgiam.connect() as a, pgiam.connect() as b:
        a.execute("select 1")
        b.execute("select 1")
    rds.it.restart()
    for _ in range(3):
        assert pgiam.sql("select 1") == [(1,)]


def test_44_dead_without_a_word(fake_factory, pgiam_for):
    """A reset instead of a farewell."""
    gone = threading.Event()

    def reset(conn):
        conn.tag("DISCARD ALL")
        conn.ready()
        time.sleep(0.2)
        conn.reset()
        gone.set()
        raise fakepg.Done

    def script(conn):
        conn.login()
        conn.serve({"DISCARD ALL": reset})

    fake = fake_factory(script)
    pgiam = pgiam_for(fake)
    assert pgiam.sql("select 1") == [("1",)]
    assert gone.wait(10)
    assert pgiam.sql("select 1") == [("1",)]


def test_45_query_is_not_sent_again(fake_factory, pgiam_for):
    """The server dies after it took the query: the client is told, nobody runs it twice."""
    def script(conn):
        conn.login()
        while True:
            kind, body = conn.read()
            fake.queries.append((kind, body))
            if b"insert" in body:
                conn.reset()
                return
            conn.one_row("1")
            conn.ready()

    fake = fake_factory(script)
    pgiam = pgiam_for(fake)
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
        w.send(wire.query("insert into t values (1)"))
        got = w.until("ZE")
        fields = wire.error_fields(got[-1][1])
        assert fields["S"] == "FATAL" and fields["C"][:2] in ("08", "57"), fields
        assert w.closed()
    assert sum(b"insert" in body for _, body in fake.queries) == 1


def test_45_killed_backend(pgiam, rds):
    """The server's own last words reach the client."""
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select pg_sleep(30)"))
        assert wire.eventually(lambda: rds.running() == 1)
        rds.terminate()
        fields = wire.error_fields(w.until("E")[-1][1])
        assert fields["C"] == "57P01"
        assert w.closed()
    assert pgiam.sql("select 1") == [(1,)]


def test_killed_backend_of_an_idle_client(pgiam, rds):
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
        rds.terminate()
        fields = wire.error_fields(w.until("E")[-1][1])
        assert (fields["S"], fields["C"]) == ("FATAL", "57P01")
        assert w.closed()


# ---- 52, 53: clients that go ----

@pytest.mark.parametrize("how", ["close", "reset"])
def test_52_client_vanishes_in_the_middle_of_a_query(rds, pgiam_for, how):
    """The query does not run on for nobody, and the place in the pool is free again."""
    pgiam = pgiam_for(rds, default_pool_size=1)
    w = pgiam.wire()
    w.login()
    w.send(wire.query("select pg_sleep(60)"))
    assert wire.eventually(lambda: rds.running() == 1)
    getattr(w, how)()
    start = time.monotonic()
    assert pgiam.sql("select 1") == [(1,)]
    assert time.monotonic() - start < 30
    assert wire.eventually(lambda: rds.running() == 0)


def test_52_many_at_once(rds, pgiam_for):
    """A storm of application timeouts leaves a working pool."""
    pgiam = pgiam_for(rds, default_pool_size=4, login_rate=0)
    for _ in range(3):
        crowd = [pgiam.wire() for _ in range(4)]
        for w in crowd:
            w.send(wire.startup(), wire.query("select pg_sleep(60)"))
        assert wire.eventually(lambda: rds.running() == 4)
        for w in crowd:
            w.reset()
    assert pgiam.sql("select 1") == [(1,)]
    assert wire.eventually(lambda: rds.running() == 0)


def test_52_abandoned_transaction(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1)
    pgiam.sql("create table t (a int)")
    with pgiam.wire() as w:
        w.login()
        w.ask("begin")
        w.ask("insert into t values (1)")
        w.ask("select 1/0")
        w.reset()
    assert pgiam.sql("select count(*) from t") == [(0,)]
    with pgiam.wire() as w:
        w.login()
        w.ask("begin")
        w.ask("insert into t values (1)")
    assert pgiam.sql("select count(*) from t") == [(0,)]


def test_53_terminate_inside_a_transaction(rds, pgiam_for):
    """Its locks are free at once."""
    pgiam = pgiam_for(rds, default_pool_size=2)
    pgiam.sql("create table t (a int)")
    with pgiam.wire() as w:
        w.login()
        w.ask("begin")
        w.ask("lock table t")
        w.send(wire.terminate())
        start = time.monotonic()
        assert pgiam.sql("select count(*) from t") == [(0,)]
        assert time.monotonic() - start < 10


def test_client_goes_while_it_waits(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1)
    with pgiam.wire() as holder:
        holder.login()
        holder.ask("select 1")
        for _ in range(10):
            w = pgiam.wire()
            w.login()
            w.send(wire.query("select 1"))
            w.reset()
        assert wire.eventually(lambda: pgiam.metric("pgiam_cl_waiting") == 0)
        assert holder.value("select 2") == "2"
    assert pgiam.sql("select 1") == [(1,)]


# ---- 59: what a failed login says to those who wait ----

def test_59_server_that_is_starting(fake_factory, pgiam_for):
    """57P03 passes: clients wait for it, within query_wait_timeout or login time, instead of being sent away for good."""
    tries = []

    def script(conn):
        conn.begin()
        tries.append(time.monotonic())
        if len(tries) < 3:
            conn.error("the database system is starting up", code="57P03")
            return
        conn.auth(3)
        conn.password()
        conn.welcome()
        conn.serve()

    fake = fake_factory(script)
    pgiam = pgiam_for(fake, server_login_retry=0.2)
    assert proxy.patiently(lambda: pgiam.sql("select 1"), told="starting up") == [("1",)]


@pytest.mark.parametrize("code, text", [("53300", "sorry, too many clients already"),
                                        ("3D000", 'database "app" does not exist'),
                                        ("28000", "no pg_hba.conf entry")])
def test_59_original_error(fake_factory, pgiam_for, code, text):
    def script(conn):
        conn.begin()
        conn.error(text, code=code)

    fake = fake_factory(script)
    fields = pgiam_for(fake).refusal()
    assert fields["C"] == code
    assert text in fields["M"] + fields.get("D", ""), fields


def test_59_wait_for_a_server_that_is_starting_is_limited(fake_factory, pgiam_for):
    """And its end says what was waited for."""
    def script(conn):
        conn.begin()
        conn.error("the database system is starting up", code="57P03")

    pgiam = pgiam_for(fake_factory(script), query_wait_timeout=2)
    fields = pgiam.refusal()
    assert "starting up" in fields["M"] + fields.get("D", ""), fields


@pytest.mark.parametrize("body", [
    b"SFATAL\0Mno code\0\0", b"SFATAL\0C\0Mempty code\0\0", b"\0", b"SFATAL\0C28000\0\0", b"Mno end", b"SFATAL\0Cxx\0Mshort\0\0",
    b"SFATAL\0C28000\0M" + b"long " * 5000 + b"\0\0", b"SFATAL\0C28000\0Mbad \xff\xfe\x01\x1b[31m\0\0",
], ids=range(8))
def test_59_odd_error_responses(fake_factory, pgiam_for, body):
    def script(conn):
        conn.begin()
        conn.say("E", body)

    fake = fake_factory(script)
    pgiam = pgiam_for(fake)
    fields = pgiam.refusal()
    assert fields["S"] == "FATAL" and len(fields["C"]) == 5 and fields["M"]
    assert "\x1b" not in pgiam.log()
