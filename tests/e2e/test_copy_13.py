"""A COPY FROM STDIN that its client abandons, before a server as PostgreSQL 13 and older are: one that takes whatever is no
message of a COPY for a mistake, has then read it, a goodbye too, and stays where 14 ends the session."""
import contextlib
import socket
import struct
import threading
import time

import pytest

import wire

COPY = "copy t from stdin"
WAITED_SEC = 12  # more than twice SERVER_ABANDONED_US


class Old:
    """What copy.c and postgres.c of 13 make of messages; a thread a connection (fakepg.Server)."""

    def __init__(self):
        self.heard, self.ended, self.lock = [], [], threading.Lock()

    def __call__(self, conn):
        heard = []
        with self.lock:
            self.heard.append(heard)
            self.ended.append(None)
            number = len(self.heard) - 1
        conn.login()
        try:
            self.session(conn, heard)
        except wire.Closed:
            pass
        self.ended[number] = time.monotonic()

    def read(self, conn, heard):
        conn.sock.settimeout(4 * WAITED_SEC)
        kind, body = conn.read()
        heard.append(kind)
        return kind, body

    def session(self, conn, heard):
        skipping, copies = False, False
        while True:
            kind, body = self.read(conn, heard)
            if kind == "X":
                return
            if kind == "S":
                skipping = False
                conn.ready()
            elif kind == "Q":
                skipping = False
                sql = body.rstrip(b"\0").decode()
                if sql == COPY:
                    self.copy(conn, heard)
                elif sql.startswith("select"):
                    conn.one_row("1")
                else:
                    conn.tag(sql.split()[0])
                conn.ready()
            elif skipping:
                continue
            elif kind == "P":
                copies = COPY.encode() in body
                conn.say("1")
            elif kind == "B":
                conn.say("2")
            elif kind == "E" and copies:
                skipping = not self.copy(conn, heard)
            elif kind in "dcfH":
                pass  # of a COPY that is over; Flush
            else:
                conn.error("invalid frontend message type %d" % ord(kind), "08P01")
                return

    def copy(self, conn, heard):
        """CopyGetData: the message it cannot use is read, and gone."""
        conn.say("G", struct.pack("!bHH", 0, 1, 0))
        while True:
            kind, _ = self.read(conn, heard)
            if kind in "dHS":
                continue
            if kind == "c":
                conn.tag("COPY 1")
                return True
            if kind == "f":
                conn.error("COPY from stdin failed", "57014", "ERROR")
            else:
                conn.error("unexpected message type 0x%02X during COPY from stdin" % ord(kind), "08P01", "ERROR")
            return False


def begun(w, extended):
    """Logged in, and in the middle of the data."""
    w.login()
    if extended:
        w.send(wire.parse(COPY), wire.bind(), wire.execute(), wire.message("H"))
    else:
        w.send(wire.query(COPY))
    assert w.until("GE")[-1][0] == "G"
    w.send(wire.message("d", b"1\n"))


def by_goodbye(w):
    w.send(wire.terminate())


def by_silence(w):
    w.sock.shutdown(socket.SHUT_WR)


def by_reset(w):
    w.reset()


def by_mistake(w):
    w.send(wire.query("select 1"))  # ends the COPY, and is lost with it
    w.sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("extended", [False, True], ids=["query", "extended"])
@pytest.mark.parametrize("leave", [by_goodbye, by_silence, by_reset, by_mistake])
def test_abandoned(fake_factory, pgiam_for, leave, extended):
    """The client is let go, its server is given to nobody else and closed, and the next one is served."""
    old = Old()
    pgiam = pgiam_for(fake_factory(old), default_pool_size=1, query_wait_timeout=3 * WAITED_SEC)
    with pgiam.wire() as w:
        begun(w, extended)
        began = time.monotonic()
        leave(w)
        with contextlib.suppress(OSError):
            w.sock.settimeout(WAITED_SEC)
            assert w.closed()
    with pgiam.wire() as w:
        w.sock.settimeout(2 * WAITED_SEC)
        w.login()
        assert w.value("select 1") == "1"
        assert time.monotonic() - began < WAITED_SEC
    assert wire.eventually(lambda: old.ended[0] is not None, WAITED_SEC)
    assert len(old.heard) == 2, old.heard
    assert "Q" not in old.heard[0][1 if not extended else 0:] or leave is by_mistake, old.heard[0]
    assert old.heard[0].count("d") == 1


def test_ended_well(fake_factory, pgiam_for):
    """The same server after a COPY that came to its end is as good as any."""
    old = Old()
    pgiam = pgiam_for(fake_factory(old), default_pool_size=1)
    for _ in range(2):
        with pgiam.wire() as w:
            begun(w, False)
            w.send(wire.message("c"))
            assert [k for k, _ in w.until("Z")] == ["C", "Z"]
            w.send(wire.terminate())
            assert w.closed()
    assert len(old.heard) == 1, old.heard
