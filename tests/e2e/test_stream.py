"""Large things pass in constant memory, both ways, and a slow peer slows only itself."""
import hashlib
import os
import re
import struct
import threading
import time

import psycopg
import pytest

import wire

MIB = 1 << 20
ALLOWANCE_KIB = 48 * 1024  # sanitizers keep freed memory for a while


def grown(pgiam, before):
    return pgiam.memory_kib() - before


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "tls"])
def test_row_of_a_gigabyte(fake_factory, pgiam_for, tls):
    """As long as PostgreSQL allows; through TLS to the server."""
    size = (1 << 30 if not tls else 1 << 28) - 100  # of the field
    chunk = os.urandom(MIB)

    def huge(conn):
        conn.say("T", struct.pack("!H", 1) + b"v\0" + struct.pack("!IHIhih", 0, 0, 17, -1, -1, 1))
        conn.send(b"D" + struct.pack("!IHi", 4 + 2 + 4 + size, 1, size))
        for _ in range(size // MIB):
            conn.send(chunk)
        conn.send(chunk[:size % MIB])
        conn.tag("SELECT 1")

    fake = fake_factory(lambda c: (c.login(), c.serve({"select huge": huge})))
    pgiam = pgiam_for(fake)
    with pgiam.wire() as w:
        if tls:
            w.tls()
        w.login()
        w.ask("select 1")
        before = pgiam.memory_kib()
        w.send(wire.query("select huge"))
        assert w.read()[0] == "T"
        assert w.exactly(5)[:1] == b"D"
        assert w.exactly(6) == struct.pack("!Hi", 1, size)
        left, worst, buffer = size, 0, memoryview(bytearray(MIB))
        while left:
            n = w.sock.recv_into(buffer[:min(left, MIB)])
            assert n
            left -= n
            if left % 64 == 0:
                worst = max(worst, grown(pgiam, before))
        assert wire.kinds(w.until("Z")) == "CZ"
        assert max(worst, grown(pgiam, before)) < ALLOWANCE_KIB
        assert w.value("select 1") == "1"


@pytest.mark.slow
def test_large_bind(pgiam):
    """A parameter of 200 MB goes up, its digest comes back."""
    data = os.urandom(MIB) * 100
    with pgiam.wire() as w:
        w.login()
        before = pgiam.memory_kib()
        body = b"\0\0" + struct.pack("!HHH", 1, 1, 1) + struct.pack("!i", len(data)) + data + struct.pack("!H", 0)
        w.send(wire.parse("select md5($1)", types=(17,)), b"B", struct.pack("!I", len(body) + 4), body, wire.execute(),
               wire.sync())
        w.sock.settimeout(60)
        got = w.until("Z")
        assert wire.rows(got) == [[hashlib.md5(data).hexdigest().encode()]], wire.kinds(got)
        assert grown(pgiam, before) < ALLOWANCE_KIB


def test_large_query(pgiam):
    with pgiam.wire() as w:
        w.login()
        text = "x" * (5 * MIB)
        assert w.value("select length('%s')" % text) == str(5 * MIB)


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_copy_in_and_out(pgiam, sslmode):
    lines = b"".join(b"%d\t%s\n" % (i, hashlib.md5(b"%d" % i).hexdigest().encode()) for i in range(300000))
    with pgiam.connect(sslmode=sslmode) as conn:
        conn.execute("create table t (a int, b text)")
        before = pgiam.memory_kib()
        with conn.cursor().copy("copy t from stdin") as copy:
            for at in range(0, len(lines), 100000):
                copy.write(lines[at:at + 100000])
        with conn.cursor().copy("copy (select * from t order by a) to stdout") as copy:
            assert b"".join(bytes(part) for part in copy) == lines
        assert grown(pgiam, before) < ALLOWANCE_KIB
        assert conn.execute("select count(*) from t").fetchone() == (300000,)


def test_copy_error_with_data_under_way(pgiam):
    """The server gives up first; what the client still sends is dropped, and the session goes on."""
    with pgiam.wire() as w:
        w.login()
        w.ask("create table t (a int)")
        w.send(wire.query("copy t from stdin"))
        w.until("G")
        w.send(wire.message("d", b"not a number\n"))
        time.sleep(0.2)
        w.send(wire.message("d", b"1\n") * 1000, wire.message("c"))
        assert wire.kinds(w.until("Z")) == "EZ"
        assert w.value("select 5") == "5"


def test_client_that_does_not_read(rds, pgiam_for):
    """Backpressure: pgiam stops reading from the server, and others are not slowed."""
    pgiam = pgiam_for(rds)
    with pgiam.wire() as lazy:
        lazy.login()
        before = pgiam.memory_kib()
        lazy.send(wire.query("select repeat('x', 10000) from generate_series(1, 20000)"))
        with pgiam.connect() as other:
            for _ in range(20):
                other.execute("select 1")
                time.sleep(0.02)
        cpu = pgiam.cpu_sec()
        time.sleep(0.5)
        assert pgiam.cpu_sec() - cpu < 0.2, "it spins"
        assert grown(pgiam, before) < ALLOWANCE_KIB
        got = lazy.until("Z")
        assert len(wire.rows(got)) == 20000


def test_server_that_does_not_read(fake_factory, pgiam_for):
    go_on = threading.Event()

    def script(conn):
        conn.login()
        kind, _ = conn.read()
        assert kind == "Q"
        go_on.wait(20)
        conn.one_row("read at last")
        conn.ready()
        while conn.read()[0] == "Q":
            conn.one_row("more")
            conn.ready()

    fake = fake_factory(script)
    pgiam = pgiam_for(fake)
    with pgiam.wire() as w:
        w.login()
        before = pgiam.memory_kib()
        sender = threading.Thread(target=lambda: w.send(wire.query("x" * MIB) * 40))
        sender.start()
        time.sleep(1)
        assert sender.is_alive(), "40 MB went somewhere"
        assert grown(pgiam, before) < ALLOWANCE_KIB
        go_on.set()
        for _ in range(40):
            assert wire.kinds(w.until("Z")) == "TDCZ"
        sender.join()


def test_54_both_directions_are_full(fake_factory, pgiam_for):
    """The server answers while it is still being written to: neither waits for the other for ever."""
    def script(conn):
        conn.login()
        conn.read()
        conn.one_row("1")
        conn.ready()
        flood = threading.Thread(target=lambda: [conn.say("N", wire.error_body(S="NOTICE", C="00000", M="y" * 60000))
                                                 for _ in range(300)])
        flood.start()
        flood.join(0.5)
        kind, body = conn.read()
        assert (kind, len(body)) == ("Q", 20 * MIB + 1)
        flood.join()
        conn.one_row("done")
        conn.ready()
        conn.serve()

    fake = fake_factory(script)
    pgiam = pgiam_for(fake)
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
        reader_got = []
        sender = threading.Thread(target=lambda: w.send(wire.query("x" * (20 * MIB))))
        sender.start()
        reader_got += w.until("Z")
        sender.join()
        assert wire.kinds(reader_got) == "TDCZ"


def test_pipelined_queries(pgiam):
    """10,000 in one go, read while they are sent."""
    with pgiam.wire() as w:
        w.login()
        one = wire.parse("select $1::int + 1", types=(23,)) + wire.bind(values=(b"41",)) + wire.execute() + wire.sync()
        sender = threading.Thread(target=lambda: w.send(one * 10000))
        sender.start()
        for _ in range(10000):
            assert wire.kinds(w.until("Z")) == "12DCZ"
        sender.join()


def test_slow_reader(pgiam):
    """One byte at a time, and no byte is lost or changed."""
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select string_agg(md5(i::text), '') from generate_series(1, 60) i"))
        data = b""
        while not data.endswith(b"Z\0\0\0\5I"):
            data += w.recv(1)
        text = re.search(rb"[0-9a-f]{1920}", data).group()
        assert text == b"".join(hashlib.md5(b"%d" % i).hexdigest().encode() for i in range(1, 61))


def test_memory_goes_down_again(pgiam):
    with pgiam.connect() as conn:
        for _ in range(3):
            conn.execute("select repeat('x', 50000000)").fetchone()
    assert wire.eventually(lambda: pgiam.metric("pgiam_transfer_buffers") == 0)


@pytest.mark.slow
def test_many_clients_at_once(rds, pgiam_for):
    pgiam = pgiam_for(rds, default_pool_size=10, max_client_conn=300)
    errors = []

    def work(n):
        try:
            for i in range(5):
                with pgiam.connect(connect_timeout=60) as conn:
                    assert conn.execute("select %s::int", (n * 10 + i,)).fetchone() == (n * 10 + i,)
        except (psycopg.Error, AssertionError) as e:
            errors.append(e)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    assert len(rds.backends()) <= 10
