"""A PostgreSQL server that says what a test tells it to: for what the real one never does."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import tempfile
import threading
import traceback

import wire
from standin import quote

import certs  # noqa: F401 -- of tests/rds, which standin put on the path; for the tests too

HOST = "mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com"
AWS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
IDLE_SEC = 120  # a pooled connection may have nothing to do for as long as a test takes
PARAMETERS = {"server_version": "15.9", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
              "TimeZone": "UTC", "IntervalStyle": "postgres", "integer_datetimes": "on",
              "standard_conforming_strings": "on", "is_superuser": "off", "session_authorization": "app_user",
              "application_name": "", "default_transaction_read_only": "off", "in_hot_standby": "off"}


class Done(Exception):
    """The script has nothing more to do on this connection."""


class Conn(wire.Wire):
    """The server's end of a connection."""

    def __init__(self, sock, server):
        super().__init__(sock)
        self.server, self.startup = server, {}

    # ---- beginning ----
    def begin(self):
        """Reads up to the StartupMessage, with TLS if the server has it; its parameters. Done after a CancelRequest."""
        code, body = self.read_packet()
        while code in (wire.SSL_REQUEST, wire.GSSENC_REQUEST):
            if code == wire.SSL_REQUEST and self.server.context:
                self.send(b"S")
                self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
            else:
                self.send(b"N")
            code, body = self.read_packet()
        encrypted = isinstance(self.sock, ssl.SSLSocket)
        if code == wire.CANCEL:
            self.server.cancels.append((encrypted, struct.unpack("!I", body[:4])[0], body[4:]))
            raise Done
        assert code in (wire.VERSION_3, wire.VERSION_3_2), hex(code)
        self.version = min(code, self.server.protocol)
        if code > self.server.protocol:
            self.say("v", struct.pack("!II", self.server.protocol, 0))
        words = [w.decode() for w in body.split(b"\0")]
        self.startup = dict(zip(words[0:-2:2], words[1:-2:2]))
        self.server.startups.append(dict(self.startup, encrypted=encrypted))
        return self.startup

    def say(self, kind, body=b""):
        return self.send(wire.message(kind, body))

    def auth(self, method, body=b""):
        return self.say("R", struct.pack("!I", method) + body)

    def password(self):
        """The next message, which has to be a password message; its body."""
        kind, body = self.read()
        assert kind == "p", (kind, body)
        return body

    def error(self, message, code="XX000", severity="FATAL", **more):
        fields = dict(S=severity, V=severity, C=code, M=message, **more)
        return self.say("E", wire.error_body(**{k: v for k, v in fields.items() if v is not None}))

    def welcome(self, parameters=None, key=b"\0\0\4\xd2\0\0\x16\x2e"):
        """AuthenticationOk to ReadyForQuery; key None: no BackendKeyData."""
        self.auth(0)
        for name, value in dict(PARAMETERS, **(parameters or {})).items():
            self.say("S", wire.cstring(name) + wire.cstring(value))
        if key is not None:
            self.say("K", key)
        return self.ready()

    def login(self, **kw):
        """A login with a token, as RDS has it; the token."""
        self.begin()
        self.auth(3)
        token = self.password()
        self.server.tokens.append(token.rstrip(b"\0").decode())
        self.welcome(**kw)
        return token

    # ---- serving ----
    def ready(self, status="I"):
        return self.say("Z", status.encode())

    def tag(self, text):
        return self.say("C", wire.cstring(text))

    def one_row(self, value, tag="SELECT 1"):
        """RowDescription, DataRow, CommandComplete for one text column."""
        value = value.encode() if isinstance(value, str) else value
        self.say("T", struct.pack("!H", 1) + b"v\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0))
        self.say("D", struct.pack("!Hi", 1, len(value)) + value)
        return self.tag(tag)

    def serve(self, answers=None):
        """Answers simple queries until the client goes. answers: {sql: function(conn)}, which leave out 'Z'."""
        while True:
            self.sock.settimeout(IDLE_SEC)
            kind, body = self.read()
            self.sock.settimeout(wire.PATIENCE_SEC)
            if kind == "X":
                return
            assert kind == "Q", (kind, body)
            sql = body.rstrip(b"\0").decode()
            self.server.queries.append(sql)
            if answers and sql in answers:
                answers[sql](self)
            elif sql.split()[:1] == ["select"]:
                self.one_row("1")
            else:
                self.tag(" ".join(sql.split()[:2]).rstrip(";"))
            self.ready()


def login_and_serve(conn):
    """The usual script."""
    conn.login()
    conn.serve()


class Server:
    """Listens; every connection runs script(conn) in a thread. A script may raise AssertionError: that fails the test.

    names: of its certificate; None: no TLS. chain_key: (chain, key) as PEM in place of an own one. protocol: the newest
    version it speaks."""

    def __init__(self, script, authority, names=(HOST,), chain_key=None, host=HOST, protocol=wire.VERSION_3):
        self.script, self.host, self.ca, self.protocol = script, host, authority.path, protocol
        self.startups, self.cancels, self.tokens, self.queries, self.errors = [], [], [], [], []
        self.accepted, self.conns, self.lock = 0, [], threading.Lock()
        self.context = server_context(chain_key or authority.issue(list(names), key="ec")) if names else None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
                conn = Conn(sock, self)
                self.conns.append(conn)
            threading.Thread(target=self.run, args=(conn,), daemon=True).start()

    def run(self, conn):
        try:
            self.script(conn)
        except (Done, wire.Closed, ssl.SSLError, ConnectionError):
            pass
        except TimeoutError:
            self.errors.append("the script waited for what did not come:\n" + traceback.format_exc())
        except OSError:
            pass  # closed by stop()
        except Exception:  # whatever it is, the test has to know
            self.errors.append(traceback.format_exc())
        finally:
            conn.close()

    def stop(self):
        self.listener.close()
        with self.lock:
            for conn in self.conns:
                conn.close()

    @staticmethod
    def credentials():
        """As of standin.Rds; it takes any token."""
        return AWS

    def database(self, **more):
        """The value of a [databases] entry that reaches it."""
        keys = dict(host=self.host, hostaddr="127.0.0.1", port=self.port, auth="iam", tls_ca=self.ca)
        keys.update(more)
        return " ".join("%s=%s" % (k, quote(v)) for k, v in keys.items() if v is not None)


def server_context(chain_key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(chain_key[0] + chain_key[1])
        file.flush()
        context.load_cert_chain(file.name)
    return context


class Scram:
    """The server's half of SCRAM-SHA-256. A test may change any part of what it says."""

    def __init__(self, password, iterations=4096, salt=None):
        self.password, self.iterations, self.salt = password, iterations, salt or os.urandom(16)
        self.gs2_header, self.binding = None, None

    def login(self, conn, mechanisms=("SCRAM-SHA-256",), first=None, final=None):
        """Runs it on a connection that has begun, and checks the client's proof. first, final: functions that change
        the server's messages."""
        conn.auth(10, b"".join(wire.cstring(m) for m in mechanisms) + b"\0")
        chosen, _, rest = conn.password().partition(b"\0")
        length, = struct.unpack("!i", rest[:4])
        client_first = rest[4:4 + length].decode()
        self.gs2_header, bare = ",".join(client_first.split(",", 2)[:2]) + ",", client_first.split(",", 2)[2]
        nonce = dict(p.split("=", 1) for p in bare.split(","))["r"]
        server_first = "r=%s,s=%s,i=%d" % (nonce + base64.b64encode(os.urandom(18)).decode(),
                                           base64.b64encode(self.salt).decode(), self.iterations)
        if first:
            server_first = first(server_first)
        conn.auth(11, server_first.encode())
        client_final = conn.password().decode()
        without_proof, _, proof = client_final.rpartition(",p=")
        cbind = base64.b64decode(dict(p.split("=", 1) for p in without_proof.split(","))["c"])
        assert cbind.startswith(self.gs2_header.encode()), cbind
        self.binding = cbind[len(self.gs2_header):]
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), self.salt, self.iterations)
        message = ",".join([bare, server_first, without_proof]).encode()

        def mac(key, data):
            return hmac.new(key, data, hashlib.sha256).digest()

        client_key = mac(salted, b"Client Key")
        signature = mac(hashlib.sha256(client_key).digest(), message)
        expected = bytes(a ^ b for a, b in zip(client_key, signature))
        assert base64.b64decode(proof) == expected, "the client's proof is wrong"
        server_final = "v=" + base64.b64encode(mac(mac(salted, b"Server Key"), message)).decode()
        conn.auth(12, (final(server_final) if final else server_final).encode())
        return chosen.decode()
