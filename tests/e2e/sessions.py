"""Random sessions: what a client may send, in an order and in pieces that nobody thought of. The same seed is the same
session."""
import random
import select
import socket
import struct
import time

import wire

M, Q, S, H = wire.message, wire.query, wire.sync, wire.flush
P, B, D, E, C = wire.parse, wire.bind, wire.describe, wire.execute, wire.close
SILENCE_SEC = 8  # longer than anything here takes

FUNCTION = M("F", struct.pack("!IHHHi", 177, 1, 0, 2, 4) + b"\0\0\0\1" + struct.pack("!i", 4) + b"\0\0\0\2" + struct.pack("!H", 0))
NO_FUNCTION = M("F", struct.pack("!IHHH", 99999999, 0, 0, 0))
# %d: the seed; nobody hears what is for another session.
QUERIES = ["select 1", "", "selec", "select 1; select 1/0; select 2", "select 1; select 2", "begin", "commit", "rollback",
           "do $$ begin raise notice 'n'; end $$", "listen x%d; notify x%d, 'p'", "set timezone = 'Asia/Tokyo'", "savepoint s",
           "rollback to s", "select i from generate_series(1, 300) i"]
COPIES = ["copy c from stdin", "copy c to stdout", "copy c from stdin; select 5", "select 4; copy c from stdin",
          "copy c from stdin; copy c from stdin", "copy nope from stdin"]
STATEMENTS = ["select 1", "select i from generate_series(1, 5) i", "selec", "select 1/0", "", "begin", "commit"]
BROKEN = [M("S", b"junk"), M("c", b"x"), M("z"), M("p", b"x\0"), b"\xff\0\0\0\4", b"Q\0\0\0\3", b"\0\0\0\0\0", M("X"),
          b"S\xff\xff\xff\xff", b"E\0\0\x27\x11", M("D", b"S" + b"x" * 9990 + b"\0"), b"Q\0\0\0\x0cselect 1"]
CUT = [b"Q", b"P\0\0", b"Q\0\0\0\x30sel", b"d\0\0\0\x40x", b"H\0\0"]  # and then it closes its side
# How it ends: Terminate, perhaps behind what ends a COPY; its side closed; closed in the middle of a message.
ENDS = ["X", "X", "eof", "eof", "cut", "SX", "ScSX", "cSSX"]
# How much of it goes out at a time, and what is waited for in between.
STYLES = ["at once", "by message", "when quiet", "mixed", "by byte"]


class Session:
    """messages: what is sent; steps: (bytes, how long to listen behind them), the same bytes; hasty: the login does not wait for
    its answer."""

    def __init__(self, seed):
        self.seed, self.r = seed, random.Random(seed)
        self.copies = self.r.choice([0, 1, 3])
        self.messages = [Q("create temp table c (a int)")] if self.copies else []
        self.messages += [self.message() for _ in range(self.r.randint(1, self.r.choice([4, 12])))]
        self.end = self.r.choice(ENDS)
        for end in self.end if self.end.endswith("X") else "":
            self.messages.append({"S": S(), "c": M("c"), "X": wire.terminate()}[end])
        if self.end == "cut":
            self.messages.append(self.r.choice(CUT))
        self.style = self.r.choice(STYLES)
        self.hasty = self.r.random() < 0.3
        if self.hasty:
            self.messages.insert(0, wire.startup())
        self.steps = list(self.pieces())

    def __str__(self):
        shown = [repr(m[:100]) + (" and %d bytes more" % (len(m) - 100) if len(m) > 100 else "") for m in self.messages]
        return "seed %d, %s, ends with %s%s\n    %s" % (self.seed, self.style, self.end, ", hasty" if self.hasty else "",
                                                      "\n    ".join(shown))

    # ---- what ----
    def message(self):
        kind = self.r.random()
        if kind < 0.25:
            return self.simple()
        if kind < 0.40:
            return self.extended()
        if kind < 0.65:
            return self.batch()
        if kind < 0.80:
            return self.r.choice([S(), S(), H()])
        if kind < 0.97:
            return self.copy() if self.copies or self.r.random() < 0.3 else S()
        return self.r.choice(BROKEN) if self.r.random() < 0.5 else S()

    def simple(self):
        big = Q("select repeat('x', %d)" % self.r.choice([10, 9000, 40000, 200000]))
        queries = [Q(q.replace("%d", str(self.seed))) for q in QUERIES + COPIES * self.copies]
        return self.r.choice(queries + [big, FUNCTION, NO_FUNCTION])

    def extended(self):
        name, portal = self.r.choice(["", "", "", "s", "t"]), self.r.choice(["", "", "", "p"])
        return self.r.choice([P(q, name) for q in STATEMENTS + COPIES[:2] * self.copies] + [B(portal, name)] * 4 +
                             [D("S", name), D("P", portal), M("D", b"X\0")] + [E(portal, self.r.choice([0, 0, 0, 2]))] * 4 +
                             [C("S", name), C("P", portal), M("P", b"xx"), M("E"), M("B", b"\0\0")])

    def batch(self):
        name = self.r.choice(["", "", "s"])
        out = P(self.r.choice(STATEMENTS[:5] + COPIES[:2] * self.copies), name) + B("", name)
        if self.r.random() < 0.4:
            out += D("P")
        out += E("", self.r.choice([0, 0, 2]))
        return out + (self.r.choice([S(), S(), H(), S() + S()]) if self.r.random() < 0.7 else b"")

    def copy(self):
        many = b"1\n2\n" * self.r.choice([10, 5000])
        return self.r.choice([M("d", b"1\n")] * 3 + [M("d", b"bad\n"), M("d"), M("d", many), M("d", b"\\.\n"), M("c"), M("c"), M("c"),
                                                    M("c", b"junk"), M("f", b"why\0"), M("f"), S(), H(), M("c") + S(), S() + S()])

    # ---- how ----
    def pieces(self):
        if self.style == "at once":
            yield b"".join(self.messages), 0
            return
        for m in self.messages:
            if self.style == "by byte":
                for byte in m[:60]:
                    yield bytes([byte]), 0.0003
                if m[60:]:
                    yield m[60:], 0
                continue
            at = self.r.randint(1, len(m)) if len(m) > 1 and self.r.random() < 0.3 else len(m)
            if m[:at] != m:
                yield m[:at], self.pause(whole=False)
            yield m[at:] or m, self.pause(whole=True)

    def pause(self, whole):
        if self.style == "when quiet":
            return 0.03 if whole else 0
        return self.r.choice([0, 0.0003, 0.003, 0.03]) if self.style == "mixed" else 0

    def play(self, port):
        """What was answered, and whether the connection was closed in the end."""
        with wire.Wire.dial(port) as w:
            if not self.hasty:
                w.login()
            heard = Listener(w.sock)
            for data, pause in self.steps:
                heard.send(data)
                heard.listen(pause)
            if not self.end.endswith("X"):
                heard.hang_up()
            heard.listen(SILENCE_SEC)
            return split(heard.data), heard.closed


class Listener:
    """Reads whatever comes, also while it sends: whoever only writes may wait for a peer who only writes."""

    def __init__(self, sock):
        self.sock, self.data, self.closed = sock, bytearray(), False
        sock.setblocking(False)

    def listen(self, seconds):
        """Until nothing has come for so long, or it is over."""
        while not self.closed and select.select([self.sock], [], [], seconds)[0]:
            try:
                data = self.sock.recv(1 << 16)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            self.data += data
            self.closed = not data

    def send(self, data):
        deadline = time.monotonic() + SILENCE_SEC
        while data and time.monotonic() < deadline:
            try:
                data = data[self.sock.send(data):]
            except BlockingIOError:
                self.listen(0)
                select.select([self.sock], [self.sock], [], 1)
            except OSError:
                return

    def hang_up(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side was first


def split(data):
    """(type, body) of each message; what is left over as one of type "rest"."""
    out, at = [], 0
    while len(data) - at >= 5:
        n, = struct.unpack_from("!I", data, at + 1)
        if len(data) - at - 1 < n or n < 4:
            break
        out.append((chr(data[at]), bytes(data[at + 5:at + 1 + n])))
        at += 1 + n
    return out + ([("rest", bytes(data[at:]))] if at < len(data) else [])
