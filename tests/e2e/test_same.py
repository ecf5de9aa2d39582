"""The same bytes directly and through pgiam: whatever a client sends in a session, the answers are equal, message by
message. Only what doc/protocol-differences.md lists is left out of the comparison."""
import re
import socket
import struct
import time

import pytest

import wire

B, D, E, P, S = wire.bind, wire.describe, wire.execute, wire.parse, wire.sync
TABLE = "create table t (a int primary key, b text); insert into t select i, 'row ' || i from generate_series(1, 5) i"

# Each step is bytes to send and the message type that ends its answer (Z unless said).
SCRIPTS = {
    "simple": [wire.query("select 1, null, 'text'")],
    "several statements": [wire.query("select 1; select 2; create temp table x (a int); insert into x values (1), (2)")],
    # pitfall 39
    "empty": [wire.query(""), wire.query(";"), wire.query("  -- nothing")],
    "error": [wire.query("select 1/0"), wire.query("selec"), wire.query("select 1; select 1/0; select 2")],
    "error with all fields": [wire.query(TABLE), wire.query("insert into t values (1, 'again')")],
    "transaction": [wire.query("begin"), wire.query("select 1"), wire.query("select 1/0"), wire.query("select 1"),
                    wire.query("rollback")],
    "notice": [wire.query("do $$ begin raise notice 'n'; raise warning 'w'; end $$"), wire.query("drop table if exists no")],
    "set": [wire.query("set timezone = 'Asia/Tokyo'"), wire.query("set datestyle = 'German'"), wire.query("reset all"),
            wire.query("begin; set local timezone = 'Europe/Rome'; rollback")],
    "listen": [wire.query("listen c; notify c, 'x'")],
    "extended": [P("select $1::int + 1", types=(23,)) + B(values=(b"41",)) + D("P") + E() + S()],
    "describe": [P("select 1 as a, 'x' as b", "s") + D("S", "s") + S(), P("", "e") + D("S", "e") + B("", "e") + E() + S()],
    "no data": [P("create temp table y (a int)") + D("S") + B() + D("P") + E() + S()],
    "named": [P("select 1", "s") + S(), P("select 2", "s") + S(), B("", "s") + E() + S(), B("", "missing") + E() + S(),
              wire.close("S", "s") + wire.close("S", "never was") + S(), B("", "s") + S()],
    "portals": [wire.query(TABLE), wire.query("begin"),
                P("select * from t order by a", "s") + B("p", "s") + E("p", 2) + E("p", 2) + E("p", 0) + S(),
                wire.query("commit")],
    # pitfall 21: no ReadyForQuery before the Sync
    "suspended without sync": [wire.query(TABLE), (P("select * from t order by a") + B() + E("", 2) + wire.flush(), "s"),
                               (E("", 2) + wire.flush(), "s"), E() + S()],
    "error skips to sync": [P("select 1") + B() + E() + P("selec") + B() + E() + P("select 2") + B() + E() + S(),
                            wire.query("select 3")],
    "query behind an error": [P("selec") + wire.query("select 'dropped'") + S()],
    "query in the middle": [P("select 1", "s") + wire.query("select 2") + B("", "s") + E() + S()],
    "many syncs": [S(), S() + S() + S()],
    # pitfall 22
    "flush": [(P("select 1", "s") + wire.flush(), "1"), (B("", "s") + wire.flush(), "2"), (E() + wire.flush(), "C"), S()],
    "copy out": [wire.query(TABLE), wire.query("copy t to stdout")],
    "copy in": [wire.query(TABLE), (wire.query("copy t from stdin"), "G"),
                wire.message("d", b"6\tsix\n") + wire.message("d", b"7\tse") + wire.message("d", b"ven\n") + wire.message("c"),
                wire.query("select count(*) from t")],
    "copy fail": [wire.query(TABLE), (wire.query("copy t from stdin"), "G"),
                  wire.message("d", b"8\tx\n") + wire.message("f", b"changed my mind\0"), wire.query("select count(*) from t")],
    "copy bad data": [wire.query(TABLE), (wire.query("copy t from stdin"), "G"),
                      wire.message("d", b"x\ty\n") + wire.message("d", b"9\tz\n") + wire.message("c"), wire.query("select 1")],
    "copy with sync and flush inside": [wire.query(TABLE), (wire.query("copy t from stdin"), "G"),
                                        S() + wire.flush() + wire.message("d", b"6\tx\n") + wire.message("c"), ],
    "copy broken by a query": [wire.query(TABLE), (wire.query("copy t from stdin"), "G"), (wire.query("select 1"), "E")],
    "copy extended": [wire.query(TABLE), (P("copy t from stdin") + B() + E() + wire.flush(), "G"),
                      wire.message("d", b"6\tx\n") + wire.message("c") + S()],
    "copy twice": [wire.query(TABLE), (wire.query("copy t from stdin; copy t from stdin"), "G"),
                   (wire.message("d", b"6\tx\n") + wire.message("c"), "G"), wire.message("d", b"7\tx\n") + wire.message("c")],
    # pitfall 40
    "function call": [wire.message("F", struct.pack("!IHHHi", 177, 1, 0, 2, 4) + b"\0\0\0\1" * 1 + struct.pack("!i", 4) +
                                   b"\0\0\0\2" + struct.pack("!H", 0)),
                      wire.message("F", struct.pack("!IHHH", 99999999, 0, 0, 0))],
    "big": [wire.query("select repeat('x', 300000), repeat('y', 70000)")],
    "binary": [P("select 1::int8, 1.5::float8, 'x'::text") + wire.message("B", b"\0\0" + struct.pack("!HHHH", 0, 0, 1, 1)) +
               E() + S()],
    "wrong parameters": [P("select $1::int", types=(23,)) + B() + S(), P("select $1::int") + B(values=(b"x",)) + E() + S()],
    "unicode": [wire.query("select 'gr\u00fc\u00dfe \u4f60\u597d \U0001f600' as \"sp\u00e4\u00df\"")],
    "invalid bytes": [b"Q" + struct.pack("!I", 4 + 11) + b"select '\xff'\0"],
    "no terminator": [(b"Q" + struct.pack("!I", 4 + 8) + b"select 1", "ZE")],
    "discard all": [wire.query("prepare s as select 1"), wire.query("discard all"), wire.query("execute s"),
                    P("discard all") + B() + E() + S(), wire.query("begin"), wire.query("discard all"), wire.query("rollback")],
    "deallocate": [P("select 1", "s") + S(), wire.query("deallocate s"), B("", "s") + E() + S()],
    "cursor": [wire.query(TABLE), wire.query("begin; declare c cursor for select * from t; fetch 2 from c; close c; commit")],
    "large object": [wire.query("begin"), wire.query("select lo_from_bytea(0, 'x') > 0::oid"), wire.query("rollback")],
    "terminate": [(wire.query("select 1") + wire.terminate(), "")],
}


def play(w, script):
    out = []
    for step in script:
        data, stop = step if isinstance(step, tuple) else (step, "Z")
        w.send(data)
        need = data.count(wire.sync()) if stop == "Z" and data.replace(wire.sync(), b"") == b"" else 1
        for _ in range(need):
            out.append([wire.comparable(kind, body) for kind, body in w.until(stop)])
    return out


@pytest.fixture
def direct(rds):
    """A client without pgiam."""
    with rds.dial() as w:
        w.until("Z")
        yield w


def play_directly(rds, direct, script):
    """What comes of it; nothing of it stays in the database."""
    heard = play(direct, script)
    direct.close()
    rds.empty()
    return heard


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(rds, pgiam, direct, name):
    expected = play_directly(rds, direct, SCRIPTS[name])
    with pgiam.wire() as w:
        w.login()
        assert play(w, SCRIPTS[name]) == expected
    with pgiam.wire() as w:  # and what it leaves behind is as good as new
        w.login()
        assert w.value("select 'next'") == "next"


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_through_tls_in_one_connection(rds, pgiam, direct, name):
    expected = play_directly(rds, direct, SCRIPTS[name])
    with pgiam.wire() as w:
        w.tls()
        w.login()
        assert play(w, SCRIPTS[name]) == expected


# What a client can say last, and never reads the answers of before it has said it. Nothing of what was asked before
# is lost, whatever is left open behind it.
LAST_WORDS = {
    "terminate": [wire.query("select 1") + wire.terminate()],
    "nonsense": [wire.query("select 1") + b"z\0\0\0\4"],
    "nonsense in a batch": [wire.query("select 1") + P("select 2") + B() + E() + b"\xff\0\0\0\4"],
    "nonsense behind an error": [P("selec") + B() + b"z\0\0\0\4"],
    "terminate in a batch": [wire.query("select 1") + P("select 2") + B() + E() + wire.flush() + wire.terminate()],
    "terminate behind an error": [wire.query("select 1") + P("selec") + wire.query("select 2") + wire.terminate()],
    "terminate in a copy": [wire.query("create temp table c (a int)") + wire.query("copy c from stdin") + wire.terminate()],
    "terminate in a copy of the extended protocol": [
        wire.query("create temp table c (a int)") + P("copy c from stdin") + B() + E() + wire.terminate()],
    "end behind a copy that failed": [
        wire.query("create temp table c (a int)") + wire.query("copy c from stdin") + wire.message("d", b"bad\n"), None],
    "end behind a copy broken by a query": [wire.query("create temp table c (a int)"), P("copy c from stdin") + B() + E() +
                                            wire.query("select 1"), None],
    "nonsense behind a copy broken by a query": [wire.query("create temp table c (a int)") + wire.query("copy c from stdin") +
                                                 wire.query("select 1"), b"z\0\0\0\4"],
    "terminate after a copy that ate a sync": [
        wire.query("create temp table c (a int)"), P("copy c from stdin") + B() + E() + S() + wire.message("d", b"bad\n") +
        wire.message("c") + S(), wire.query("select 1") + wire.terminate()],
    "end": [wire.query("select repeat('x', 2000000)"), None],
    "end in a batch": [wire.query("select 1") + P("select 2") + B() + E() + wire.flush(), None],
    "end behind an error": [P("selec") + wire.query("select 2"), None],
    "end in a head": [wire.query("select 1") + b"Q\0", None],
}


def last_words(w, script):
    """Everything up to the end of the connection. None: closes its side."""
    for step in script:
        if step is None:
            w.sock.shutdown(socket.SHUT_WR)
        else:
            w.send(step)
    got = w.until("")
    # pgiam is not PostgreSQL's source text
    return [(k, re.sub(rb"F\w+\.c\0L\d+\0R\w+\0", b"", b) if k == "E" else b) for k, b in got]


@pytest.mark.parametrize("name", LAST_WORDS)
def test_last_words(plain, pgiam_for, name):
    with wire.Wire.dial(plain.port) as w:
        w.login()
        expected = last_words(w, LAST_WORDS[name])
        assert expected
    pgiam = pgiam_for(plain, database={"auth": "none"})
    with pgiam.wire() as w:
        w.login()
        start = time.monotonic()
        assert last_words(w, LAST_WORDS[name]) == expected
        assert time.monotonic() - start < 5, "it is waited for nothing"
    assert pgiam.sql("select 1") == [(1,)]


# What is said in the middle of a COPY, and all that is answered (doc/protocol-differences.md).
IN_A_COPY = {
    "end": (b"", []),
    "nonsense": (b"z\0\0\0\4", ["invalid frontend message type 122"]),
    "impossible length": (b"d\0\0\0\3", ["invalid message length"]),
}


@pytest.mark.parametrize("asked", [wire.query("copy c from stdin"), P("copy c from stdin") + B() + E(),
                                   P("copy c from stdin") + B() + E() + wire.flush()], ids=["simple", "open", "flushed"])
@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("name", IN_A_COPY)
def test_mistake_in_a_copy(plain, pgiam_for, name, waits, asked):
    """Nobody hears of a message that pgiam sent."""
    said, answer = IN_A_COPY[name]
    pgiam = pgiam_for(plain, database={"auth": "none"})
    with pgiam.wire() as w:
        w.login()
        w.ask("create temp table c (a int)")
        w.send(asked + wire.message("d", b"1\n"))
        if waits and (b"Q" == asked[:1] or asked.endswith(wire.flush())):
            w.until("G")
        w.send(said)
        if not said:
            w.sock.shutdown(socket.SHUT_WR)
        got = w.until("")
    assert [wire.error_fields(b)["M"] for k, b in got if k == "E"] == answer
    assert [wire.error_fields(b)["S"] for k, b in got if k == "E"] == ["FATAL"] * len(answer)
    assert pgiam.sql("select 1") == [(1,)]
    assert "reported an error" not in pgiam.log()


@pytest.mark.parametrize("how", ["terminate", "end"])
def test_copy_whose_client_is_gone_ends(rds, pgiam_for, how):
    """Its transaction, and its locks, are not kept until somebody runs out of patience."""
    pgiam = pgiam_for(rds, default_pool_size=1, workers=1)
    pgiam.sql("create table t (a int)")
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
        w.send(wire.query("copy t from stdin"), wire.terminate() if how == "terminate" else b"")
    start = time.monotonic()
    assert pgiam.sql("select 1") == [(1,)]
    assert time.monotonic() - start < 5
    pgiam.sql("drop table t")


def test_login_messages(rds, pgiam):
    """The same kinds of messages in the same order, after the authentication request."""
    with rds.dial() as direct:
        expected = direct.until("Z")
    with pgiam.wire() as w:
        got = w.login()
    assert [k for k, _ in got] == [k for k, _ in expected]
    assert sorted(b for k, b in got if k == "S") == sorted(b for k, b in expected if k == "S")
