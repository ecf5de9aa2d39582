"""The PostgreSQL wire protocol over a bare socket, for what no driver would do. Client and server use the same class."""
import contextlib
import socket
import ssl
import struct
import time

VERSION_3 = 3 << 16
VERSION_3_2 = 3 << 16 | 2
CANCEL = 1234 << 16 | 5678
SSL_REQUEST = 1234 << 16 | 5679
GSSENC_REQUEST = 1234 << 16 | 5680
PATIENCE_SEC = 15.0


class Closed(Exception):
    """The peer closed, or reset, the connection."""


# ---- building ----

def packet(code, body=b""):
    """A packet without a type byte."""
    return struct.pack("!II", len(body) + 8, code) + body


def cstring(text):
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def startup(user="app_user", database="app", version=VERSION_3, **params):
    body = b"".join(cstring(k) + cstring(v) for k, v in dict(user=user, database=database, **params).items()
                    if v is not None)
    return packet(version, body + b"\0")


def message(kind, body=b""):
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def query(sql):
    return message("Q", cstring(sql))


def parse(sql, name="", types=()):
    return message("P", cstring(name) + cstring(sql) + struct.pack("!H", len(types)) +
                   b"".join(struct.pack("!I", t) for t in types))


def bind(portal="", name="", values=()):
    parts = [cstring(portal), cstring(name), struct.pack("!HH", 0, len(values))]
    for v in values:
        parts.append(struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v)
    return message("B", b"".join(parts) + struct.pack("!H", 0))


def describe(what, name=""):
    return message("D", what.encode() + cstring(name))


def execute(portal="", rows=0):
    return message("E", cstring(portal) + struct.pack("!I", rows))


def close(what, name=""):
    return message("C", what.encode() + cstring(name))


def sync():
    return message("S")


def flush():
    return message("H")


def terminate():
    return message("X")


def error_body(**fields):
    """Of an ErrorResponse or NoticeResponse: error_body(S="FATAL", C="28000", M="no")."""
    return b"".join(k.encode() + cstring(v) for k, v in fields.items()) + b"\0"


# ---- taking apart ----

def error_fields(body):
    """{"S": "FATAL", "C": "28000", ...}"""
    return {f[:1].decode(): f[1:].decode(errors="replace") for f in body.split(b"\0") if f}


def row(body):
    """The columns of a DataRow."""
    count, = struct.unpack_from("!H", body)
    at, columns = 2, []
    for _ in range(count):
        length, = struct.unpack_from("!i", body, at)
        at += 4
        columns.append(None if length < 0 else body[at:at + length])
        at += max(length, 0)
    return columns


def rows(messages):
    return [row(body) for kind, body in messages if kind == "D"]


def kinds(messages):
    """The type bytes in a row, what may come at any time left out."""
    return "".join(kind for kind, _ in messages if kind not in "SNA")


def comparable(kind, body):
    """A message without what differs between two runs of the same script."""
    if kind == "A":
        return kind, body[4:]  # the pid of the notifying backend
    if kind == "T":            # the table's OID: it was made anew
        out, at = [body[:2]], 2
        while at < len(body):
            end = body.index(b"\0", at) + 1
            out += [body[at:end], body[end + 4:end + 18]]
            at = end + 18
        return kind, tuple(out)
    return kind, body


def client_hello(context=None, server_hostname=None):
    """What a TLS client sends first."""
    out = ssl.MemoryBIO()
    tls = (context or trusting_context()).wrap_bio(ssl.MemoryBIO(), out, server_hostname=server_hostname)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def trusting_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    """One end of a connection. Everything waits at most PATIENCE_SEC."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(PATIENCE_SEC)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.parameters, self.key, self.notices = {}, None, []

    @classmethod
    def dial(cls, port, host="127.0.0.1"):
        return cls(socket.create_connection((host, port), PATIENCE_SEC))

    @classmethod
    def dial_unix(cls, path):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE_SEC)
        sock.connect(path)
        return cls(sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # ---- bytes ----
    def send(self, *parts):
        try:
            self.sock.sendall(b"".join(parts))
        except (ConnectionError, ssl.SSLError, OSError) as e:
            if isinstance(e, TimeoutError):
                raise
            raise Closed(str(e)) from None
        return self

    def recv(self, size=65536):
        """Some bytes; Closed at the end."""
        try:
            data = self.sock.recv(size)
        except TimeoutError:
            raise
        except (ConnectionError, ssl.SSLError, OSError) as e:
            raise Closed(str(e)) from None
        if not data:
            raise Closed("closed")
        return data

    def exactly(self, n):
        data = bytearray()
        while len(data) < n:
            data += self.recv(min(n - len(data), 1 << 20))
        return bytes(data)

    def closed(self):
        """Waits for the peer to close; what it said before is thrown away. False after PATIENCE_SEC."""
        with contextlib.suppress(Closed, TimeoutError):
            while True:
                self.recv()
        try:
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def silent(self, seconds=0.2):
        """Does the peer neither say anything nor close for so long?"""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) is None
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            self.sock.settimeout(PATIENCE_SEC)

    # ---- TLS ----
    def request(self, code):
        """Sends an SSLRequest or GSSENCRequest; the answer's one byte."""
        self.send(packet(code))
        return self.exactly(1)

    def start_tls(self, context=None, server_hostname=None):
        self.sock = (context or trusting_context()).wrap_socket(self.sock, server_hostname=server_hostname)
        return self

    def tls(self, context=None, server_hostname=None):
        answer = self.request(SSL_REQUEST)
        assert answer == b"S", answer
        return self.start_tls(context, server_hostname)

    # ---- messages ----
    def read(self):
        """(type, body) of the next message."""
        head = self.exactly(5)
        length, = struct.unpack("!I", head[1:])
        assert length >= 4, head
        kind, body = head[:1].decode("latin-1"), self.exactly(length - 4)
        if kind == "S" and b"\0" in body:
            name, value = body.split(b"\0")[:2]
            self.parameters[name.decode()] = value.decode()
        return kind, body

    def until(self, stop="Z"):
        """Messages up to and with one of the types in stop; to the end of the connection if it closes first."""
        out = []
        with contextlib.suppress(Closed):
            while not out or out[-1][0] not in stop:
                out.append(self.read())
        return out

    def read_packet(self):
        """(code, body) of a packet without a type byte."""
        length, code = struct.unpack("!II", self.exactly(8))
        assert 8 <= length <= 1 << 20, length
        return code, self.exactly(length - 8)

    def login(self, **kw):
        """Sends a StartupMessage and reads to ReadyForQuery; the messages. Fails on an ErrorResponse."""
        self.send(startup(**kw))
        got = self.until("ZE")
        assert got and got[-1][0] == "Z", [error_fields(b) if k == "E" else k for k, b in got]
        for kind, body in got:
            if kind == "K":
                self.key = struct.unpack("!I", body[:4])[0], body[4:]
        return got

    def refused(self, **kw):
        """Sends a StartupMessage (if keywords are given) and reads the FATAL; its fields. The connection must close."""
        if kw:
            self.send(startup(**kw))
        got = self.until("E")
        assert got and got[-1][0] == "E", [k for k, _ in got]
        assert self.closed(), "an error, but the connection stays open"
        return error_fields(got[-1][1])

    def ask(self, sql):
        """A simple query; all messages of its answer."""
        return self.send(query(sql)).until("Z")

    def value(self, sql):
        """A simple query's first column of its first row, as text."""
        got = self.ask(sql)
        assert rows(got), [error_fields(b) if k == "E" else k for k, b in got]
        return rows(got)[0][0].decode()

    def status(self, got):
        return got[-1][1].decode()


def cancel_packet(key):
    pid, secret = key
    return packet(CANCEL, struct.pack("!I", pid) + secret)


def eventually(what, seconds=PATIENCE_SEC):
    """Waits until what() is true, and says so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return bool(what())
