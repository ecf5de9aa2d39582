"""Startup conversations as text, and how they are played. A file in conversations/ holds many:

    = name                    begins one; what follows belongs to it
    ! row, row                known differences: rows of doc/protocol-differences.md, by their first words
    @ tls                     begins inside TLS, after an SSLRequest
    pieces N                  what is said from here on goes out in writes of N bytes
    packet MAJOR.MINOR BYTES  a packet without a type byte; its length is put in front
    message T BYTES           a message; its length is put in
    send BYTES                bytes as they are
    N * VERB ...              any of these N times
    prove PASSWORD TEMPLATE   a message of type p that answers the last authentication request (proofs.fill), as the
                              packet's user, who began with FIRST if it is SCRAM
    answer T [N]              waits for the N-th message of type T; `answer byte` for one byte that is no message
    pause MS                  and what was said before goes out in a write of its own
    reset                     the connection ends with a TCP reset, and nothing is read any more
    # comment

BYTES are ASCII with \\0, \\n, \\r, \\t, \\\\ and \\xNN; a blank at the end is \\x20. Where a conversation ends the client
closes its side (not in TLS: there it has to say goodbye), and reads on to the end. What is said without an answer or a pause between goes out in one write.
"""
import contextlib
import os
import re
import socket
import struct
import time

import proofs
import wire

HERE = os.path.dirname(os.path.abspath(__file__))
DIRECTORY = os.path.join(HERE, "conversations")
SILENCE_SEC = 15.0  # nothing here is waited for in vain
FIRST = "n=,r=abcdefgh"  # of a SCRAM client, behind the gs2 header
ESCAPES = {"0": b"\0", "n": b"\n", "r": b"\r", "t": b"\t", "\\": b"\\"}


def unescape(text):
    def one(match):
        return ESCAPES[match.group(1)] if match.group(1) else bytes([int(match.group(2), 16)])
    out, at = [], 0
    for match in re.finditer(r"\\(?:([0nrt\\])|x([0-9a-f]{2}))", text):
        out += [text[at:match.start()].encode("ascii"), one(match)]
        at = match.end()
    out.append(text[at:].encode("ascii"))
    assert b"\\" not in b"".join(out[0::2]), text
    return b"".join(out)


def escape(data):
    back = {v[0]: "\\" + k for k, v in ESCAPES.items()}
    text = "".join(back.get(c) or (chr(c) if 32 <= c < 127 else "\\x%02x" % c) for c in data)
    return text[:-1] + "\\x20" if text.endswith(" ") else text


class Conversation:
    def __init__(self, name, where):
        self.name, self.where, self.differences, self.tls, self.steps = name, where, [], False, []

    def key(self):
        return self.tls, tuple(self.steps)

    def user(self):
        """Whom the first packet with a user names."""
        said = b"".join(step[1] for step in self.steps if step[0] == "say")
        return re.search(rb"user\0([^\0]*)\0", said).group(1).decode()


def said(verb, rest):
    """The bytes of a step that says something; None if it is none."""
    if verb == "send":
        return unescape(rest)
    if verb == "packet":
        version, _, body = rest.partition(" ")
        major, _, minor = version.partition(".")
        return wire.packet(int(major) << 16 | int(minor), unescape(body))
    if verb == "message":
        return wire.message(rest[0], unescape(rest[2:]))
    return None


def step(line):
    times = re.match(r"(\d+) \* (.*)", line)
    verb, _, rest = (times.group(2) if times else line).partition(" ")
    data = said(verb, rest)
    if data is not None:
        return "say", data * (int(times.group(1)) if times else 1)
    assert not times, line
    words = rest.split()
    if verb == "answer":
        return "answer", words[0], int(words[1]) if words[1:] else 1
    if verb in ("pause", "pieces"):
        return verb, int(rest)
    if verb == "prove":
        password, _, template = rest.partition(" ")
        return "prove", password, template
    assert verb == "reset", line
    return (verb,)


def read(path):
    out = []
    with open(path, encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("= "):
                out.append(Conversation(line[2:], "%s:%d" % (os.path.basename(path), number)))
            elif line.startswith("! "):
                out[-1].differences += line[2:].split(", ")
            elif line.startswith("@ "):
                assert line == "@ tls", line
                out[-1].tls = True
            else:
                out[-1].steps.append(step(line))
    return out


def groups():
    return sorted(f[:-4] for f in os.listdir(DIRECTORY) if f.endswith(".txt"))


def group(name):
    return read(os.path.join(DIRECTORY, name + ".txt"))


class Player:
    """Says a conversation's part and takes down what it hears: messages as (type, body), bytes outside of messages as
    ("byte", b"N"), and how it ended: ("end",), ("silence",)."""

    def __init__(self, port):
        self.w, self.heard, self.pending, self.pieces = wire.Wire.dial(port), [], b"", 0
        self.buffer, self.over = b"", False
        self.w.sock.settimeout(SILENCE_SEC)

    def more(self):
        try:
            data = self.w.sock.recv(65536)
        except TimeoutError:
            self.ended("silence")
        except OSError:
            self.ended("end")  # a reset: something was not read any more; that, too, is the end
        else:
            self.buffer += data
            if not data:
                self.ended("end")

    def ended(self, how):
        self.over = True
        if self.buffer:
            self.heard.append(("rest", self.buffer))
        self.heard.append((how,))

    def byte(self):
        while not self.buffer and not self.over:
            self.more()
        if not self.over:
            self.heard.append(("byte", self.buffer[:1]))
            self.buffer = self.buffer[1:]

    def message(self):
        """One more message; its type, or None at the end."""
        while not self.over:
            if len(self.buffer) >= 5:
                length, = struct.unpack_from("!I", self.buffer, 1)
                if 4 <= length < 1 << 30 and len(self.buffer) > length:
                    kind, body = self.buffer[:1].decode("latin-1"), self.buffer[5:length + 1]
                    self.buffer = self.buffer[length + 1:]
                    self.heard.append((kind, body))
                    return kind
            self.more()
        return None

    def write(self):
        data, self.pending = self.pending, b""
        size = self.pieces or len(data) or 1
        with contextlib.suppress(OSError):  # it has closed: what it said before is still to be read
            for at in range(0, len(data), size):
                self.w.sock.sendall(data[at:at + size])
                if self.pieces:
                    time.sleep(0.0005)

    def proof(self, conversation, password, template):
        """Nothing if nothing was asked."""
        asked = [rest[0] for kind, *rest in self.heard if kind == "R"]
        if not asked:
            return b""
        certificate = self.w.sock.getpeercert(binary_form=True) if conversation.tls else None
        return wire.message("p", unescape(proofs.fill(template, asked[-1], password, conversation.user(), FIRST, certificate)))

    def run(self, conversation):
        if conversation.tls:
            self.w.tls()
            self.w.sock.settimeout(SILENCE_SEC)
        for verb, *args in conversation.steps:
            if verb == "say":
                self.pending += args[0]
                continue
            if verb == "prove":
                self.pending += self.proof(conversation, *args)
                continue
            self.write()
            if verb == "pieces":
                self.pieces = args[0]
            elif verb == "pause":
                time.sleep(args[0] / 1000)
            elif verb == "reset":
                self.w.reset()
                return self.heard
            elif args[0] == "byte":
                self.byte()
            else:
                for _ in range(args[1]):
                    while self.message() not in (args[0], None):
                        pass
        self.write()
        if not conversation.tls:  # inside TLS a client does not close its side only
            with contextlib.suppress(OSError):
                self.w.sock.shutdown(socket.SHUT_WR)
        while self.message():
            pass
        return self.heard


def play(conversation, port):
    player = Player(port)
    try:
        return player.run(conversation)
    finally:
        player.w.close()
