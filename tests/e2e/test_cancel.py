"""Cancelling: it reaches the query it is meant for, over TLS, and never another one."""
import threading
import time

import psycopg
import pytest

import fakepg
import wire


def sleeping(rds):
    return rds.admin("select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'") == [
        (1,)]


def fall_asleep(w, rds, **startup):
    """Logs in; its query runs from then on."""
    w.login(**startup)
    w.send(wire.query("select pg_sleep(30)"))
    assert wire.eventually(lambda: sleeping(rds))


def cancelled(w):
    got = w.until("Z")
    errors = [wire.error_fields(b)["C"] for k, b in got if k == "E"]
    return errors == ["57014"]


@pytest.fixture
def busy(pgiam, rds):
    """A client whose query runs."""
    with pgiam.wire() as w:
        fall_asleep(w, rds)
        yield w


def test_cancel(pgiam, busy):
    pgiam.cancel(busy.key)
    assert cancelled(busy)
    assert busy.value("select 1") == "1"


def test_14_cancel_over_tls(pgiam, busy):
    with pgiam.wire() as w:
        w.tls()
        w.send(wire.cancel_packet(busy.key))
        assert w.closed()
    assert cancelled(busy)


def test_14_cancel_after_gssenc(pgiam, busy):
    with pgiam.wire() as w:
        assert w.request(wire.GSSENC_REQUEST) == b"N"
        w.send(wire.cancel_packet(busy.key))
        assert w.closed()
    assert cancelled(busy)


def test_14_bytes_behind_the_request(pgiam, busy):
    """Go's client sends some."""
    with pgiam.wire() as w:
        w.send(wire.cancel_packet(busy.key), b"\0" * 100)
        assert w.closed()
    assert cancelled(busy)


def test_cancel_over_a_unix_socket(rds, pgiam_for, workdir):
    pgiam = pgiam_for(rds, unix_socket_dir=workdir)
    path = "%s/.s.PGSQL.%d" % (workdir, pgiam.port)
    with wire.Wire.dial_unix(path) as w:
        fall_asleep(w, rds)
        with wire.Wire.dial_unix(path) as c:
            c.send(wire.cancel_packet(w.key))
            assert c.closed()
        assert cancelled(w)


@pytest.mark.parametrize("change", [lambda p, s: (p ^ 1, s), lambda p, s: (p, s[:3] + bytes([s[3] ^ 1])),
                                    lambda p, s: (0, b"\0\0\0\0"), lambda p, s: (p, b""), lambda p, s: (p, s * 64),
                                    lambda p, s: (p, s[:3])])
def test_wrong_keys(pgiam, busy, change):
    with pgiam.wire() as w:
        w.send(wire.cancel_packet(change(*busy.key)))
        assert w.closed()
    assert busy.silent(0.5)
    pgiam.cancel(busy.key)
    assert cancelled(busy)


def test_the_servers_own_key_is_worth_nothing(pgiam, busy, rds):
    pid = rds.backends()[0]
    assert busy.key[0] != pid
    with pgiam.wire() as w:
        w.send(wire.cancel_packet((pid, busy.key[1])))
        assert w.closed()
    assert busy.silent(0.3)
    pgiam.cancel(busy.key)
    assert cancelled(busy)


def test_keys_are_random(pgiam):
    keys = []
    for _ in range(40):
        with pgiam.wire() as w:
            w.login()
            keys.append(w.key)
    assert len({k[0] for k in keys}) == 40 and len({k[1] for k in keys}) == 40
    steps = {b[0] - a[0] for a, b in zip(keys, keys[1:])}
    assert len(steps) > 30, "the pids follow a pattern"


LIBPQ_18 = pytest.mark.skipif(psycopg.pq.version() < 180000, reason="libpq is older than 18 here (LD_LIBRARY_PATH)")


@pytest.mark.parametrize("options", [
    {}, *(pytest.param(dict(max_protocol_version=version, sslnegotiation=how, sslmode="require"), marks=LIBPQ_18)
          for version in ("3.0", "3.2") for how in ("postgres", "direct"))])
def test_driver_cancel(pgiam, rds, options):
    with pgiam.connect(**options) as conn:
        canceller = threading.Thread(target=lambda: wire.eventually(lambda: sleeping(rds)) and conn.cancel())
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            conn.execute("select pg_sleep(30)")
        canceller.join()
        assert conn.execute("select 1").fetchone() == (1,)


def test_50_late_cancel_hits_nobody(rds, pgiam_for):
    """The key's query is over: the same server connection now works for another client."""
    pgiam = pgiam_for(rds, default_pool_size=1)
    with pgiam.wire() as first:
        first.login()
        first.ask("select 1")
    with pgiam.wire() as second:
        second.login()
        second.send(wire.query("select pg_sleep(1.5)"))
        assert wire.eventually(lambda: sleeping(rds))
        for _ in range(5):
            pgiam.cancel(first.key)
        assert wire.kinds(second.until("Z")) == "TDCZ"


def test_50_idle_client(pgiam):
    """A cancel with nothing to cancel is dropped; the next query is not hit."""
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
        for _ in range(5):
            pgiam.cancel(w.key)
        time.sleep(0.2)
        assert wire.kinds(w.ask("select pg_sleep(0.3)")) == "TDCZ"


def test_50_server_waits_for_its_cancel(fake_factory, pgiam_for):
    """A cancel is on its way when the client goes: the server connection must not serve the next client before the
    server has closed the cancel's connection."""
    release, started = threading.Event(), threading.Event()
    order = []

    def script(conn):
        try:
            conn.login()
        except fakepg.Done:
            order.append("cancel arrives")
            release.wait(10)
            order.append("cancel closes")
            raise
        conn.serve({"select slow": slow, "select next": lambda c: (order.append("next client"), c.one_row("1"))})

    def slow(conn):
        started.set()
        wire.eventually(lambda: order)
        time.sleep(0.3)
        conn.one_row("slow")

    fake = fake_factory(script)
    pgiam = pgiam_for(fake, default_pool_size=1)
    with pgiam.wire() as first:
        first.login()
        first.send(wire.query("select slow"))
        assert started.wait(10)
        pgiam_cancel = pgiam.wire().send(wire.cancel_packet(first.key))
        assert wire.eventually(lambda: order == ["cancel arrives"])
        first.until("Z")
        first.send(wire.terminate())
    with pgiam.wire() as second:
        second.send(wire.startup(), wire.query("select next"))
        time.sleep(1)
        assert "next client" not in order
        release.set()
        second.until("Z")
        assert wire.kinds(second.until("Z")).endswith("Z")
    pgiam_cancel.close()
    assert order[:2] == ["cancel arrives", "cancel closes"] and "next client" in order[2:]


def test_14_upstream_cancel_is_encrypted(fake_factory, pgiam_for):
    started = threading.Event()

    def script(conn):
        conn.login(key=b"\0\0\x12\x34secr")
        conn.serve({"select slow": lambda c: (started.set(), wire.eventually(lambda: fake.cancels), c.one_row("x"))})

    fake = fake_factory(script)
    pgiam = pgiam_for(fake)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select slow"))
        assert started.wait(10)
        pgiam.cancel(w.key)
        assert wire.eventually(lambda: fake.cancels)
        w.until("Z")
    assert fake.cancels == [(True, 0x1234, b"secr")]


def test_09_server_without_backend_key(fake_factory, pgiam_for):
    """RDS Proxy sends none: the login works, the client still gets a key, and cancelling does nothing."""
    started = threading.Event()

    def script(conn):
        conn.login(key=None)
        conn.serve({"select slow": lambda c: (started.set(), time.sleep(0.5), c.one_row("x"))})

    fake = fake_factory(script)
    pgiam = pgiam_for(fake)
    with pgiam.wire() as w:
        w.login()
        assert w.key
        w.send(wire.query("select slow"))
        assert started.wait(10)
        pgiam.cancel(w.key)
        assert wire.kinds(w.until("Z")) == "TDCZ"
    assert fake.cancels == []


@pytest.mark.parametrize("minor", [0, 2])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_08_14_cancel_with_each_key(rds, pgiam_for, minor, tls):
    pgiam = pgiam_for(rds, workers=3, default_pool_size=6)  # the long key finds its worker, too
    for _ in range(3):
        with pgiam.wire() as w, pgiam.wire() as c:
            fall_asleep(w, rds, version=3 << 16 | minor)
            if tls:
                c.tls()
            c.send(wire.cancel_packet(w.key))
            assert c.closed()
            assert cancelled(w)


def slow_server(key, started):
    """A script: `select slow` ends when a cancel has come."""
    def script(conn):
        conn.login(key=b"\0\0\0\7" + key)
        conn.serve({"select slow": lambda c: (started.set(), wire.eventually(lambda: c.server.cancels), c.one_row("x"))})
    return script


@pytest.mark.parametrize("key", [bytes(range(4)), bytes(range(32)), bytes(range(256))], ids=[4, 32, 256])
def test_08_long_key_of_a_server(fake_factory, pgiam_for, key):
    """A server of protocol 3.2 gets its whole key back, over verified TLS, whatever the client speaks."""
    started = threading.Event()
    fake = fake_factory(slow_server(key, started), protocol=wire.VERSION_3_2)
    pgiam = pgiam_for(fake)
    for minor in (0, 2):
        started.clear()
        with pgiam.wire() as w:
            w.login(version=3 << 16 | minor)
            w.send(wire.query("select slow"))
            assert started.wait(10)
            pgiam.cancel(w.key)
            w.until("Z")
        assert fake.cancels == [(True, 7, key)]
        fake.cancels.clear()


def test_08_long_key_at_3_0(fake_factory, pgiam_for):
    """As libpq 18: a server that speaks 3.0 has keys of 4 bytes."""
    fake = fake_factory(slow_server(bytes(range(32)), threading.Event()))
    pgiam = pgiam_for(fake)
    fields = pgiam.refusal()
    assert fields["C"] == "08P01" and "cancel key" in fields["M"], fields


@pytest.mark.parametrize("setting, asked", [
    ({}, wire.VERSION_3_2), ({"max_protocol_version": "3.0"}, wire.VERSION_3), ({"max_protocol_version": "latest"},
                                                                                wire.VERSION_3_2),
    ({"profile": "postgres"}, wire.VERSION_3), ({"profile": "rds_proxy"}, wire.VERSION_3)])
def test_08_version_asked_for(fake_factory, pgiam_for, setting, asked):
    versions = []

    def script(conn):
        code, _ = conn.read_packet()
        assert code == wire.SSL_REQUEST
        conn.send(b"S")
        conn.sock = conn.server.context.wrap_socket(conn.sock, server_side=True)
        versions.append(conn.read_packet()[0])
        conn.error("enough", "28000")

    fake = fake_factory(script)
    pgiam = pgiam_for(fake, database=setting)
    pgiam.refusal()
    assert set(versions) == {asked}


def test_08_min_protocol_version(fake_factory, pgiam_for):
    """An old server says what it speaks, and that is not enough."""
    fake = fake_factory(lambda conn: conn.login())
    pgiam = pgiam_for(fake, database=dict(min_protocol_version="3.2"))
    fields = pgiam.refusal()
    assert fields["C"] == "08P01" and "min_protocol_version" in fields["M"], fields
    assert fake.tokens == [], "the token was sent"


def test_08_versions_of_postgresql(rds, pgiam_for):
    """3.2, and keys of 32 bytes, are PostgreSQL 18's."""
    pgiam = pgiam_for(rds, database=dict(min_protocol_version="3.2"))
    if rds.major < 18:
        assert pgiam.refusal()["C"] == "08P01"
        return
    with pgiam.wire() as w:
        fall_asleep(w, rds)
        pgiam.cancel(w.key)
        assert cancelled(w)


def test_51_cancel_storm(fake_factory, pgiam_for):
    """Cancels that the server does not take are bounded in number and in time; others are served meanwhile."""
    started = threading.Event()
    waiting = []

    def script(conn):
        try:
            conn.login()
        except fakepg.Done:
            waiting.append(conn)
            conn.closed()
            raise
        conn.serve({"select slow": lambda c: (started.set(), time.sleep(2.5), c.one_row("x"))})

    fake = fake_factory(script)
    pgiam = pgiam_for(fake, default_pool_size=2, cancel_wait_timeout=1, max_client_conn=500)
    pgiam.sql("select 1")
    before = pgiam.descriptors()
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select slow"))
        assert started.wait(10)
        storm = [pgiam.wire().send(wire.cancel_packet(w.key)) for _ in range(200)]
        assert pgiam.sql("select 1") == [("1",)]
        for c in storm:
            assert c.closed()
            c.close()
        assert wire.kinds(w.until("Z")) == "TDCZ"
    assert len(fake.cancels) <= 20, "%d cancel connections" % len(fake.cancels)
    assert wire.eventually(lambda: pgiam.descriptors() <= before + 4)


def test_50_asker_waits_for_another_worker(fake_factory, pgiam_for):
    """Whose CancelRequest's connection closes goes on with its next query: that must not be hit, whichever worker was asked."""
    release, started = threading.Event(), threading.Event()

    def script(conn):
        try:
            conn.login()
        except fakepg.Done:
            release.wait(10)
            raise
        conn.serve({"select slow": lambda c: (started.set(), release.wait(10), c.one_row("slow"))})

    fake = fake_factory(script)
    pgiam = pgiam_for(fake, workers=4, default_pool_size=4)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select slow"))
        assert started.wait(10)
        askers = [pgiam.wire().send(wire.cancel_packet(w.key)) for _ in range(4)]  # these are spread over the workers
        assert wire.eventually(lambda: len(fake.cancels) == 4)
        assert all(k.silent() for k in askers)
        release.set()
        for k in askers:
            assert k.closed()
            k.close()
        w.until("Z")


def test_cancel_for_another_worker(rds, pgiam_for):
    """The kernel gives a cancel request to any worker; the key says whose it is."""
    pgiam = pgiam_for(rds, workers=4, default_pool_size=8)
    for _ in range(8):
        with pgiam.wire() as w:
            fall_asleep(w, rds)
            pgiam.cancel(w.key)
            assert cancelled(w)
