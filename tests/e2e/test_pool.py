"""Session pooling: connections are used again, nothing of a session remains, nothing is sent twice, limits hold."""
import contextlib
import threading
import time

import psycopg
import pytest

import fakepg
import wire

PID = "select pg_backend_pid()"


def one_pool(rds, pgiam_for, **kw):
    return pgiam_for(rds, default_pool_size=1, **kw)


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
    pgiam = one_pool(rds, pgiam_for)
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
    pgiam = one_pool(rds, pgiam_for)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.parse("select 'of the first client'"), wire.sync()).until("Z")
    with pgiam.wire() as w:
        w.login()
        w.send(wire.bind(), wire.execute(), wire.sync())
        got = w.until("Z")
        assert wire.error_fields(got[0][1])["C"] == "26000"


def test_own_reset_query(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for, server_reset_query="RESET ALL")
    pgiam.sql("create temp table kept as select 1; set statement_timeout = 5000")
    assert pgiam.sql("select to_regclass('kept') is null, current_setting('statement_timeout')") == [(False, "0")]


def test_failing_reset_query_costs_the_connection_only(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for, server_reset_query="select 1/0")
    first, second = pgiam.sql(PID), pgiam.sql(PID)
    assert first != second


def test_connect_query(rds, pgiam_for):
    pgiam = pgiam_for(rds, database={"connect_query": "select pg_advisory_lock(99)"})
    assert pgiam.sql("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()") == [(1,)]


def test_users_do_not_share(rds, pgiam_for):
    pgiam = pgiam_for(rds)
    assert pgiam.sql(PID) != pgiam.sql(PID, user="other_user")
    assert pgiam.sql("select current_user::text", user="other_user") == [("other_user",)]


# ---- 25: replies that nobody waited for ----

@pytest.mark.parametrize("how", ["close", "reset", "terminate"])
def test_25_client_leaves_with_replies_outstanding(rds, pgiam_for, how):
    pgiam = one_pool(rds, pgiam_for)
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
    pgiam = one_pool(rds, pgiam_for)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.sync() * 5, wire.query("select 1"), wire.sync())
        assert [k for k in wire.kinds(w.until("Z"))] == ["Z"]
        for _ in range(4):
            assert wire.kinds(w.until("Z")) == "Z"
        assert wire.kinds(w.until("Z")) == "TDCZ"
        assert wire.kinds(w.until("Z")) == "Z"


def test_25_half_a_message(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for)
    for cut in (1, 4, 5, 9):
        with pgiam.wire() as w:
            w.login()
            w.ask("select 1")
            w.send(wire.query("select 'never whole'")[:cut])
        with pgiam.wire() as w:
            w.login()
            assert w.value("select 'mine'") == "mine"


def test_25_copy_left_in_the_middle(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for)
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
    pgiam = one_pool(rds, pgiam_for)
    pid = pgiam.sql(PID)
    try:
        rds.admin("alter system set intervalstyle = 'iso_8601'")
        rds.admin("select pg_reload_conf()")
        time.sleep(0.5)
        with pgiam.wire() as w:
            w.login()
            assert w.value("show intervalstyle") == "iso_8601"
            assert w.parameters["IntervalStyle"] == "iso_8601"
            assert int(w.value(PID)) == pid[0][0]
    finally:
        rds.admin("alter system reset intervalstyle")
        rds.admin("select pg_reload_conf()")


@pytest.mark.parametrize("name", [None, "with a name"], ids=["while linked", "with pgiam's own query"])
def test_43_parameter_status_is_never_lost(another_rds, pgiam_for, name):
    """A changed configuration is reported once a session: whoever is told, the next client is told, too."""
    rds = another_rds("--name", "changing")
    pgiam = one_pool(rds, pgiam_for)
    pgiam.sql(PID)
    try:
        with pgiam.wire() as w:
            w.login(application_name=name)
            if not name:
                w.ask("select 1")
            rds.admin("alter system set intervalstyle = 'sql_standard'")
            rds.admin("select pg_reload_conf()")
            time.sleep(0.5)
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
        rds.admin("alter system reset intervalstyle")
        rds.admin("select pg_reload_conf()")


def test_application_name_by_options(pgiam):
    with pgiam.wire() as w:
        w.login(options="-c application_name=optional")
        assert w.parameters["application_name"] == "optional"
        assert w.value("show application_name") == "optional"


def test_43_notify_on_an_idle_server(fake_factory, pgiam_factory):
    """A server whose reset did not unlisten: its notifications reach nobody."""
    idle = threading.Event()

    def script(conn):
        conn.login()
        conn.serve({"DISCARD ALL": lambda c: (c.tag("DISCARD ALL"), idle.set())})

    fake = fake_factory(script)
    pgiam = pgiam_factory({"app": fake.database()}, env=fakepg.AWS, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
    assert idle.wait(10)
    time.sleep(0.2)
    fake.conns[0].say("A", b"\0\0\0\1news\0\0")
    fake.conns[0].say("N", wire.error_body(S="NOTICE", C="00000", M="to nobody"))
    fake.conns[0].say("S", b"TimeZone\0Mars\0")
    time.sleep(0.2)
    with pgiam.wire() as w:
        got = w.login() + w.ask("select 1")
        assert not {"A", "N"} & {k for k, _ in got}
        assert w.parameters["TimeZone"] == "Mars"
    assert fake.accepted == 1


def test_43_server_that_talks_while_idle_is_not_used(fake_factory, pgiam_factory):
    """A reply nobody asked for would shift every later one."""
    idle = threading.Event()

    def script(conn):
        conn.login()
        conn.serve({"DISCARD ALL": lambda c: (c.tag("DISCARD ALL"), idle.set())})

    fake = fake_factory(script)
    pgiam = pgiam_factory({"app": fake.database()}, env=fakepg.AWS, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
    assert idle.wait(10)
    time.sleep(0.2)
    with contextlib.suppress(wire.Closed):  # it may be closed after the first message
        fake.conns[0].one_row("not yours")
    time.sleep(0.2)
    with pgiam.wire() as w:
        w.login()
        assert w.value("select 1") == "1"
    assert fake.accepted == 2


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


def test_44_dead_without_a_word(fake_factory, pgiam_factory):
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
    pgiam = pgiam_factory({"app": fake.database()}, env=fakepg.AWS)
    assert pgiam.sql("select 1") == [("1",)]
    assert gone.wait(10)
    assert pgiam.sql("select 1") == [("1",)]


def test_45_query_is_not_sent_again(fake_factory, pgiam_factory):
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
    pgiam = pgiam_factory({"app": fake.database()}, env=fakepg.AWS)
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
        assert wire.eventually(lambda: rds.backends())
        time.sleep(0.2)
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

def running(rds):
    return rds.admin("select count(*) from pg_stat_activity where usename = 'app_user' and state <> 'idle'")[0][0]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_52_client_vanishes_in_the_middle_of_a_query(rds, pgiam_for, how):
    """The query does not run on for nobody, and the place in the pool is free again."""
    pgiam = one_pool(rds, pgiam_for)
    w = pgiam.wire()
    w.login()
    w.send(wire.query("select pg_sleep(60)"))
    assert wire.eventually(lambda: running(rds) == 1)
    getattr(w, how)()
    start = time.monotonic()
    assert pgiam.sql("select 1") == [(1,)]
    assert time.monotonic() - start < 30
    assert wire.eventually(lambda: running(rds) == 0)


def test_52_many_at_once(rds, pgiam_for):
    """A storm of application timeouts leaves a working pool."""
    pgiam = pgiam_for(rds, default_pool_size=4, login_rate=0)
    for _ in range(3):
        crowd = [pgiam.wire() for _ in range(4)]
        for w in crowd:
            w.send(wire.startup(), wire.query("select pg_sleep(60)"))
        assert wire.eventually(lambda: running(rds) == 4)
        for w in crowd:
            w.reset()
    assert pgiam.sql("select 1") == [(1,)]
    assert wire.eventually(lambda: running(rds) == 0)


def test_52_abandoned_transaction(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for)
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
        assert time.monotonic() - start < 3


def test_client_goes_while_it_waits(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for)
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

def test_59_server_that_is_starting(fake_factory, pgiam_factory):
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
    pgiam = pgiam_factory({"app": fake.database()}, env=fakepg.AWS, server_login_retry=0.2)

    def in_at_last():
        try:
            return pgiam.sql("select 1") == [("1",)]
        except psycopg.OperationalError as e:
            assert "starting up" in str(e), e
            return False
    assert wire.eventually(in_at_last)


@pytest.mark.parametrize("code, text", [("53300", "sorry, too many clients already"),
                                        ("3D000", 'database "app" does not exist'),
                                        ("28000", "no pg_hba.conf entry")])
def test_59_original_error(fake_factory, pgiam_factory, code, text):
    def script(conn):
        conn.begin()
        conn.error(text, code=code)

    fake = fake_factory(script)
    fields = pgiam_factory({"app": fake.database()}, env=fakepg.AWS).refusal()
    assert fields["C"] == code
    assert text in fields["M"] + fields.get("D", ""), fields


def test_59_wait_for_a_server_that_is_starting_is_limited(fake_factory, pgiam_factory):
    """And its end says what was waited for."""
    def script(conn):
        conn.begin()
        conn.error("the database system is starting up", code="57P03")

    pgiam = pgiam_factory({"app": fake_factory(script).database()}, env=fakepg.AWS, query_wait_timeout=2)
    fields = pgiam.refusal()
    assert "starting up" in fields["M"] + fields.get("D", ""), fields


@pytest.mark.parametrize("body", [
    b"SFATAL\0Mno code\0\0", b"SFATAL\0C\0Mempty code\0\0", b"\0", b"SFATAL\0C28000\0\0", b"Mno end", b"SFATAL\0Cxx\0Mshort\0\0",
    b"SFATAL\0C28000\0M" + b"long " * 5000 + b"\0\0", b"SFATAL\0C28000\0Mbad \xff\xfe\x01\x1b[31m\0\0",
], ids=range(8))
def test_59_odd_error_responses(fake_factory, pgiam_factory, body):
    def script(conn):
        conn.begin()
        conn.say("E", body)

    fake = fake_factory(script)
    pgiam = pgiam_factory({"app": fake.database()}, env=fakepg.AWS)
    fields = pgiam.refusal()
    assert fields["S"] == "FATAL" and len(fields["C"]) == 5 and fields["M"]
    assert "\x1b" not in pgiam.log()


# ---- limits ----

def test_max_client_conn(rds, pgiam_for):
    pgiam = pgiam_for(rds, max_client_conn=3)
    crowd = [pgiam.wire() for _ in range(3)]
    for w in crowd:
        w.login()
    fields = pgiam.refusal()
    assert (fields["S"], fields["C"]) == ("FATAL", "53300")
    crowd[0].close()
    assert wire.eventually(lambda: pgiam.metric("pgiam_clients") < 3)
    assert pgiam.sql("select 1") == [(1,)]


def test_cancel_passes_a_full_house(rds, pgiam_for):
    pgiam = pgiam_for(rds, max_client_conn=1)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select pg_sleep(30)"))
        assert wire.eventually(lambda: running(rds) == 1)
        pgiam.cancel(w.key)
        assert wire.error_fields(w.until("E")[-1][1])["C"] == "57014"


def test_pool_size_makes_clients_wait(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=2)
    with pgiam.wire() as a, pgiam.wire() as b, pgiam.wire() as c:
        for w in (a, b, c):
            w.login()
        a.ask("select 1")
        b.ask("select 1")
        c.send(wire.query("select 3"))
        assert wire.eventually(lambda: pgiam.metric("pgiam_cl_waiting", database="app") == 1)
        assert c.silent(0.3)
        a.close()
        assert wire.kinds(c.until("Z")) == "TDCZ"
    assert len(rds.backends()) <= 2


def test_clients_that_say_nothing_use_no_server(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for)
    crowd = [pgiam.wire() for _ in range(20)]
    for w in crowd:
        w.login()
    assert pgiam.sql("select 1") == [(1,)]
    for w in crowd:
        w.close()


def test_query_wait_timeout(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for, query_wait_timeout=1)
    with pgiam.wire() as a, pgiam.wire() as b:
        a.login()
        b.login()
        a.ask("select 1")
        b.send(wire.query("select 2"))
        start = time.monotonic()
        fields = wire.error_fields(b.until("E")[-1][1])
        assert 0.8 < time.monotonic() - start < 5
        assert (fields["S"], fields["C"]) == ("FATAL", "08006")
        assert b.closed()
        assert a.value("select 3") == "3"


def test_waiters_are_served_in_turn(rds, pgiam_for):
    pgiam = one_pool(rds, pgiam_for)
    holder = pgiam.wire()
    holder.login()
    holder.ask("select 1")
    queue = []
    for i in range(5):
        w = pgiam.wire()
        w.login()
        w.send(wire.query("select clock_timestamp()"), wire.terminate())
        assert wire.eventually(lambda n=i: pgiam.metric("pgiam_cl_waiting", database="app") == n + 1)
        queue.append(w)
    holder.close()
    times = [wire.rows(w.until("Z"))[0][0] for w in queue]
    assert times == sorted(times)


def test_max_db_connections(rds, pgiam_for):
    """Over all users of a database: an unused connection of one makes room for another."""
    pgiam = pgiam_for(rds, max_db_connections=2)
    pgiam.sql("select 1")
    with pgiam.connect() as a, pgiam.connect(user="other_user") as b:
        a.execute("select 1")
        b.execute("select 1")
        assert len(rds.backends()) + len(rds.backends("other_user")) == 2
    with pgiam.connect(user="other_user") as a, pgiam.connect(user="other_user") as b:
        a.execute("select 1")
        b.execute("select 1")
        assert len(rds.backends()) + len(rds.backends("other_user")) == 2


def test_min_pool_size(rds, pgiam_for):
    pgiam = pgiam_for(rds, min_pool_size=3)
    with pgiam.wire() as w:
        w.login()
        assert wire.eventually(lambda: len(rds.backends()) == 3)
        rds.terminate()
        w.ask("select 1")
        assert wire.eventually(lambda: len(rds.backends()) >= 3)


def test_min_pool_size_of_a_forced_user_needs_no_client(rds, pgiam_for):
    pgiam_for(rds, database={"user": "app_user", "min_pool_size": 2})
    assert wire.eventually(lambda: len(rds.backends()) >= 2)


def test_server_idle_timeout(rds, pgiam_for):
    pgiam = pgiam_for(rds, server_idle_timeout=1)
    pgiam.sql("select 1")
    assert len(rds.backends()) == 1
    assert wire.eventually(lambda: rds.backends() == [], 6)
    assert pgiam.sql("select 1") == [(1,)]


def test_server_lifetime(rds, pgiam_for):
    pgiam = pgiam_for(rds, server_lifetime=1)
    with pgiam.connect() as conn:
        first = conn.execute(PID).fetchone()
        time.sleep(1.5)
        assert conn.execute(PID).fetchone() == first  # not from under a session
    assert wire.eventually(lambda: first[0] not in rds.backends(), 6)


def test_server_lifetime_0(rds, pgiam_for):
    pgiam = pgiam_for(rds, server_lifetime=0)
    assert pgiam.sql(PID) != pgiam.sql(PID)


def test_client_idle_timeout(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_idle_timeout=1)
    with pgiam.wire() as idle, pgiam.wire() as busy:
        idle.login()
        busy.login()
        busy.send(wire.query("select pg_sleep(2.5)"))
        fields = wire.error_fields(idle.until("E")[-1][1])
        assert (fields["S"], fields["C"]) == ("FATAL", "57P05")
        assert idle.closed()
        assert wire.kinds(busy.until("Z")) == "TDCZ"


def test_max_pools(rds, pgiam_for):
    """Startup parameters make pools; a client cannot make them without end. Unused ones make room."""
    pgiam = pgiam_for(rds, max_pools=3, login_rate=0, server_idle_timeout=1)
    for i in range(6):
        with pgiam.wire() as w:
            w.login(options="-c work_mem=%dMB" % (i + 1))
            assert w.value("show work_mem") == "%dMB" % (i + 1)
        assert wire.eventually(lambda: pgiam.metric("pgiam_sv_idle") < 3)
    crowd = []
    for i in range(5):
        w = pgiam.wire().send(wire.startup(options="-c work_mem=%dMB" % (i + 10)))
        crowd.append((w, w.until("ZE")[-1]))
    codes = [wire.error_fields(body)["C"] for _, (kind, body) in crowd if kind == "E"]
    assert codes and set(codes) == {"53300"}
    for w, _ in crowd:
        w.close()


def test_pool_after_everything_is_empty(rds, pgiam_for):
    """Numbers return to where they were."""
    pgiam = pgiam_for(rds, default_pool_size=5)
    for _ in range(3):
        crowd = [pgiam.connect() for _ in range(10)]
        for conn in crowd[:5]:
            conn.execute("select 1")
        for conn in crowd:
            conn.close()
    assert wire.eventually(lambda: pgiam.metric("pgiam_clients") == 0 and pgiam.metric("pgiam_sv_active") == 0 and
                           pgiam.metric("pgiam_sv_used") == 0 and pgiam.metric("pgiam_cl_waiting") == 0)
    assert pgiam.metric("pgiam_transfer_buffers") == 0
    assert len(rds.backends()) <= 5
