"""Session pooling: connections are used again, and nothing of a session remains."""
import contextlib
import threading
import time

import psycopg
import pytest

import wire

PID = "select pg_backend_pid()"


# ---- using connections again ----

def test_connection_is_used_again(rds, pgiam_for):
    pgiam = pgiam_for(rds, workers=1)
    pids = {pgiam.sql(PID)[0][0] for _ in range(5)}
    assert len(pids) == 1
    assert rds.logins()["requests"] == 1


def test_session_keeps_its_connection(pgiam):
    with pgiam.connect() as one, pgiam.connect() as two:
        first, second = one.execute(PID).fetchone(), two.execute(PID).fetchone()
        assert first != second
        for _ in range(3):
            assert (one.execute(PID).fetchone(), two.execute(PID).fetchone()) == (first, second)


@pytest.mark.parametrize("lifetime", [None, 0])
def test_unused_connection_keeps_a_database(rds, pgiam_for, lifetime):
    """It cannot be dropped, as PostgreSQL sees another user of it; with server_lifetime = 0 nobody stays."""
    pgiam = pgiam_for(rds, database={"server_lifetime": lifetime})
    rds.admin("create database passing")
    try:
        pgiam.sql("select 1", dbname="passing")
        if lifetime is None:
            with pytest.raises(psycopg.errors.ObjectInUse):
                rds.admin("drop database passing")
        else:
            rds.admin("drop database passing")
    finally:
        rds.admin("drop database if exists passing with (force)")


def test_unused_connection_keeps_its_settings(rds, pgiam_for):
    """What ALTER ROLE says concerns connections made afterwards."""
    pgiam = pgiam_for(rds, workers=1)
    before = pgiam.sql("show work_mem")
    assert before != [("7MB",)]
    rds.admin("alter role app_user set work_mem = '7MB'")
    try:
        assert pgiam.sql("show work_mem") == before
        rds.terminate()
        assert pgiam.sql("show work_mem") == [("7MB",)]
    finally:
        rds.admin("alter role app_user reset work_mem")


LEAVINGS = [
    ("set statement_timeout = '9s'", "show statement_timeout", "0"),
    ("set search_path = nowhere", "show search_path", '"$user", public'),
    ("set session characteristics as transaction read only", "show default_transaction_read_only", "off"),
    ("set timezone = 'Asia/Tokyo'", "show timezone", "UTC"),
    ("set application_name = 'first'", "show application_name", ""),
    ("create temp table leftover (a int)", "select to_regclass('leftover') is null", "t"),
    ("prepare left_over as select 1", "select count(*) from pg_prepared_statements", "0"),
    ("declare c cursor with hold for select 1", "select count(*) from pg_cursors", "0"),
    ("listen left_over", "select count(*) from pg_listening_channels()", "0"),
    ("select pg_advisory_lock(7)", "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
     "0"),
    ("create sequence s; select nextval('s')",
     "do $$ begin perform lastval(); raise 'kept'; exception when object_not_in_prerequisite_state then null; end $$; "
     "select 1", "1"),
]


@pytest.mark.parametrize("leave, look, clean", LEAVINGS, ids=[x[0][:24] for x in LEAVINGS])
def test_nothing_of_a_session_remains(rds, pgiam_for, leave, look, clean):
    pgiam = pgiam_for(rds, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        got = w.ask(leave)
        assert w.status(got) == "I", got
        pid = w.value(PID)
    with pgiam.wire() as w:
        w.login()
        assert w.value(PID) == pid
        got = w.ask(look)
        assert wire.rows(got)[-1][0].decode() == clean, got


def test_unnamed_statement_does_not_remain(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.parse("select 'of the first client'"), wire.sync()).until("Z")
    with pgiam.wire() as w:
        w.login()
        w.send(wire.bind(), wire.execute(), wire.sync())
        got = w.until("Z")
        assert wire.error_fields(got[0][1])["C"] == "26000"


def test_own_reset_query(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1, server_reset_query="RESET ALL")
    pgiam.sql("create temp table kept as select 1; set statement_timeout = 5000")
    assert pgiam.sql("select to_regclass('kept') is null, current_setting('statement_timeout')") == [(False, "0")]


def test_failing_reset_query_costs_the_connection_only(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1, server_reset_query="select 1/0")
    first, second = pgiam.sql(PID), pgiam.sql(PID)
    assert first != second


def test_connect_query(rds, pgiam_for):
    pgiam = pgiam_for(rds, database={"connect_query": "select pg_advisory_lock(99)"})
    assert pgiam.sql("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()") == [(1,)]


def test_what_a_connect_query_sets_is_undone(rds, pgiam_for):
    pgiam = pgiam_for(rds, workers=1, database={"connect_query": "set geqo = off"})
    assert [pgiam.sql("show geqo") for _ in range(2)] == [[("off",)], [("on",)]]


def test_users_do_not_share(rds, pgiam_for):
    pgiam = pgiam_for(rds)
    assert pgiam.sql(PID) != pgiam.sql(PID, user="other_user")
    assert pgiam.sql("select current_user::text", user="other_user") == [("other_user",)]


# ---- 25: replies that nobody waited for ----

@pytest.mark.parametrize("how", ["close", "reset", "terminate"])
def test_25_client_leaves_with_replies_outstanding(rds, pgiam_for, how):
    pgiam = pgiam_for(rds, default_pool_size=1)
    for _ in range(4):
        with pgiam.wire() as w:
            w.login()
            for i in range(50):
                w.send(wire.parse("select %d, repeat('x', 5000)" % i), wire.bind(), wire.execute(), wire.sync())
            if how == "terminate":
                w.send(wire.terminate())
            elif how == "reset":
                w.reset()
        with pgiam.wire() as w:
            w.login()
            assert w.value("select 'mine'") == "mine"


def test_25_pipelined_syncs(rds, pgiam_for):
    """The first ReadyForQuery is not the end of it."""
    pgiam = pgiam_for(rds, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.sync() * 5, wire.query("select 1"), wire.sync())
        assert [k for k in wire.kinds(w.until("Z"))] == ["Z"]
        for _ in range(4):
            assert wire.kinds(w.until("Z")) == "Z"
        assert wire.kinds(w.until("Z")) == "TDCZ"
        assert wire.kinds(w.until("Z")) == "Z"


def test_25_half_a_message(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1)
    for cut in (1, 4, 5, 9):
        with pgiam.wire() as w:
            w.login()
            w.ask("select 1")
            w.send(wire.query("select 'never whole'")[:cut])
        with pgiam.wire() as w:
            w.login()
            assert w.value("select 'mine'") == "mine"


def test_25_copy_left_in_the_middle(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1)
    pgiam.sql("create table t (a text)")
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("copy t from stdin"))
        assert w.until("G")[-1][0] == "G"
        w.send(wire.message("d", b"left\n"))
    with pgiam.wire() as w:
        w.login()
        assert w.value("select count(*) from t") == "0"


# ---- 43: what a server says unasked ----

def test_43_messages_for_a_client(pgiam):
    """NotificationResponse, ParameterStatus and notices reach the client that owns the session, also while it is idle."""
    with pgiam.wire() as w, pgiam.connect() as other:
        w.login()
        w.ask("listen news")
        other.execute("notify news, 'hello'")
        kind, body = w.read()
        assert kind == "A" and body[4:] == b"news\0hello\0"
        got = w.ask("set timezone = 'Europe/Paris'")
        assert ("S", b"TimeZone\0Europe/Paris\0") in got
        got = w.ask("do $$ begin raise notice 'n'; end $$")
        assert "N" in [k for k, _ in got]


def test_43_idle_server_says_farewell(pgiam, rds):
    """FATAL 57P01 on an unused connection is nobody's answer."""
    first = pgiam.sql(PID)
    assert rds.terminate() == [(True,)]
    with pgiam.wire() as w:
        w.login()
        got = w.ask(PID)
        assert wire.kinds(got) == "TDCZ"
    assert pgiam.sql(PID) != first


def test_43_parameter_status_on_an_idle_server(another_rds, pgiam_for):
    """After a reload every session is told; what the next client is told is up to date."""
    rds = another_rds("--name", "changing")
    pgiam = pgiam_for(rds, default_pool_size=1)
    pid = pgiam.sql(PID)
    try:
        rds.configure("intervalstyle", "iso_8601")
        with pgiam.wire() as w:
            w.login()
            assert w.value("show intervalstyle") == "iso_8601"
            assert w.parameters["IntervalStyle"] == "iso_8601"
            assert int(w.value(PID)) == pid[0][0]
    finally:
        rds.configure("intervalstyle")


@pytest.mark.parametrize("name", [None, "with a name"], ids=["while linked", "with pgiam's own query"])
def test_43_parameter_status_is_never_lost(another_rds, pgiam_for, name):
    """A changed configuration is reported once a session: whoever is told, the next client is told, too."""
    rds = another_rds("--name", "changing")
    pgiam = pgiam_for(rds, default_pool_size=1)
    pgiam.sql(PID)
    try:
        with pgiam.wire() as w:
            w.login(application_name=name)
            if not name:
                w.ask("select 1")
            rds.configure("intervalstyle", "sql_standard")
            assert w.value("show intervalstyle") == "sql_standard"
            assert w.parameters["IntervalStyle"] == "sql_standard"
            w.ask("set datestyle = 'German'")
        for _ in range(2):
            with pgiam.wire() as w:
                w.login()
                assert w.value("show intervalstyle") == "sql_standard"
                assert w.parameters["IntervalStyle"] == "sql_standard"
                assert w.parameters["DateStyle"] == w.value("show datestyle")
    finally:
        rds.configure("intervalstyle")


def test_application_name_by_options(pgiam):
    with pgiam.wire() as w:
        w.login(options="-c application_name=optional")
        assert w.parameters["application_name"] == "optional"
        assert w.value("show application_name") == "optional"


@pytest.fixture
def idle_fake(fake_factory, pgiam_for):
    """(fake server, pgiam): a pool of one connection, which has served a client and was reset."""
    idle = threading.Event()

    def script(conn):
        conn.login()
        conn.serve({"DISCARD ALL": lambda c: (c.tag("DISCARD ALL"), idle.set())})

    fake = fake_factory(script)
    pgiam = pgiam_for(fake, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
    assert idle.wait(10)
    assert wire.eventually(lambda: pgiam.metric("pgiam_sv_idle") == 1)
    return fake, pgiam


def test_43_notify_on_an_idle_server(idle_fake):
    """A server whose reset did not unlisten: its notifications reach nobody."""
    fake, pgiam = idle_fake
    fake.conns[0].say("A", b"\0\0\0\1news\0\0")
    fake.conns[0].say("N", wire.error_body(S="NOTICE", C="00000", M="to nobody"))
    fake.conns[0].say("S", b"TimeZone\0Mars\0")
    time.sleep(0.2)
    with pgiam.wire() as w:
        got = w.login() + w.ask("select 1")
        assert not {"A", "N"} & {k for k, _ in got}
        assert w.parameters["TimeZone"] == "Mars"
    assert fake.accepted == 1


def test_43_server_that_talks_while_idle_is_not_used(idle_fake):
    """A reply nobody asked for would shift every later one."""
    fake, pgiam = idle_fake
    with contextlib.suppress(wire.Closed):  # it may be closed after the first message
        fake.conns[0].one_row("not yours")
    time.sleep(0.2)
    with pgiam.wire() as w:
        w.login()
        assert w.value("select 1") == "1"
    assert fake.accepted == 2
