"""Limits of pools and clients: they hold, whoever is over one is told or waits, and time-outs end what they name."""
import socket
import time

import wire
from proxy import patiently

PID = "select pg_backend_pid()"


def warm(pgiam):
    """There is a connection in the pool, though a login may take longer than query_wait_timeout."""
    assert patiently(lambda: pgiam.sql("select 1")) == [(1,)]


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
        assert wire.eventually(lambda: rds.running() == 1)
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
    pgiam = pgiam_for(rds, default_pool_size=1)
    crowd = [pgiam.wire() for _ in range(20)]
    for w in crowd:
        w.login()
    assert pgiam.sql("select 1") == [(1,)]
    for w in crowd:
        w.close()


def test_query_wait_timeout(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1, query_wait_timeout=1)
    warm(pgiam)
    with pgiam.wire() as a, pgiam.wire() as b:
        a.login()
        b.login()
        a.ask("select 1")
        start = time.monotonic()
        b.send(wire.query("select 2"))
        fields = wire.error_fields(b.until("E")[-1][1])
        assert 0.8 < time.monotonic() - start
        assert (fields["S"], fields["C"]) == ("FATAL", "08006")
        assert b.closed()
        assert a.value("select 3") == "3"


def test_query_wait_timeout_says_what_it_waited_for(rds, pgiam_for):
    """Others have the database's connections; or a login does not end."""
    pgiam = pgiam_for(rds, max_db_connections=1, query_wait_timeout=1)
    warm(pgiam)
    with pgiam.connect() as conn:
        conn.execute("select 1")
        fields = pgiam.refusal(user="other_user")
        assert "All 1 server connections of this database are in use, 0 of them of this pool" in fields["D"]
        assert "max_db_connections" in fields["H"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pgiam = pgiam_for(rds, database=dict(port=silent.getsockname()[1]), query_wait_timeout=1)
        fields = pgiam.refusal()
        assert "A login to the server is under way" in fields["D"] and "server_connect_timeout" in fields["H"]


def test_waiters_are_served_in_turn(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=1)
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

    def two():  # one that pgiam has closed may be there for a moment
        return wire.eventually(lambda: len(rds.backends()) + len(rds.backends("other_user")) == 2)
    pgiam.sql("select 1")
    with pgiam.connect() as a, pgiam.connect(user="other_user") as b:
        a.execute("select 1")
        b.execute("select 1")
        assert two()
    with pgiam.connect(user="other_user") as a, pgiam.connect(user="other_user") as b:
        a.execute("select 1")
        b.execute("select 1")
        assert two()


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
    with pgiam.connect() as conn:
        conn.execute("select 1")
        assert len(rds.backends()) == 1
        start = time.monotonic()
    assert wire.eventually(lambda: rds.backends() == [])
    assert time.monotonic() - start > 0.8
    assert pgiam.sql("select 1") == [(1,)]


def test_server_lifetime(rds, pgiam_for):
    pgiam = pgiam_for(rds, server_lifetime=1)
    with pgiam.connect() as conn:
        first = conn.execute(PID).fetchone()
        time.sleep(1.5)
        assert conn.execute(PID).fetchone() == first  # not from under a session
    assert wire.eventually(lambda: first[0] not in rds.backends())


def test_server_lifetime_0(rds, pgiam_for):
    pgiam = pgiam_for(rds, server_lifetime=0)
    assert pgiam.sql(PID) != pgiam.sql(PID)


def test_client_idle_timeout(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_idle_timeout=1)
    with pgiam.wire() as idle, pgiam.wire() as busy:
        idle.login()
        busy.send(wire.startup(), wire.query("select pg_sleep(2.5)")).until("Z")  # not idle for a moment
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
