"""A client's first bytes: negotiation, startup packets whole, in pieces and hostile. Numbers: PostgreSQL poolers' known
pitfalls. What PostgreSQL itself would do decides."""
import os
import socket
import struct
import time

import psycopg
import pytest

import wire


def ends(w, may_say="E"):
    """The peer closes, and says nothing before but messages of these types."""
    got = w.until("")
    assert all(kind in may_say for kind, _ in got), got
    assert w.closed()
    return [wire.error_fields(body) for kind, body in got if kind == "E"]


# ---- 1: nothing may be buffered when TLS starts ----

@pytest.mark.parametrize("after", [wire.startup(), b"x", wire.client_hello()], ids=["startup", "byte", "hello"])
def test_01_plaintext_behind_ssl_request(pgiam, after):
    with pgiam.wire() as w:
        w.send(wire.packet(wire.SSL_REQUEST), after)
        data = b""
        try:
            while True:
                data += w.recv()
        except wire.Closed:
            pass
        assert b"R\0\0\0\x08" not in data, "the plaintext was taken as part of the session"
    assert pgiam.sql("select 1") == [(1,)]


@pytest.mark.parametrize("extra", [b"x", b"R\0\0\0\x08\0\0\0\0" * 3, b"E\0\0\0\x04"])
def test_01_plaintext_behind_the_servers_s(fake_factory, pgiam_for, extra):
    def script(conn):
        conn.read_packet()
        conn.send(b"S" + extra)
        conn.closed()

    fake = fake_factory(script)
    pgiam = pgiam_for(fake, server_connect_timeout=2)
    fields = pgiam.refusal()
    assert fields["C"] in ("08P01", "08001", "08006"), fields
    assert fake.tokens == [] and fake.startups == []


# ---- 2, 3: negotiation is bounded ----

def test_02_gssenc_then_ssl_then_login(pgiam):
    with pgiam.wire() as w:
        assert w.request(wire.GSSENC_REQUEST) == b"N"
        w.tls()
        w.login()
        assert w.value("select 7") == "7"


def test_02_gssenc_then_login(pgiam):
    with pgiam.wire() as w:
        assert w.request(wire.GSSENC_REQUEST) == b"N"
        w.login()


@pytest.mark.parametrize("code", [wire.SSL_REQUEST, wire.GSSENC_REQUEST])
def test_02_negotiation_inside_tls(pgiam, code):
    with pgiam.wire() as w:
        w.tls()
        w.send(wire.packet(code), wire.startup())
        ends(w)


@pytest.mark.parametrize("first, second", [
    (wire.GSSENC_REQUEST, wire.GSSENC_REQUEST), (wire.SSL_REQUEST, wire.SSL_REQUEST)])
def test_03_the_same_request_twice(rds, pgiam_for, first, second):
    pgiam = pgiam_for(rds, client_tls_sslmode="disable")
    with pgiam.wire() as w:
        assert w.request(first) == b"N"
        w.send(wire.packet(second))
        ends(w)


def test_03_ten_thousand_requests(pgiam):
    with pgiam.wire() as w:
        with pytest.raises(wire.Closed):
            w.send(wire.packet(wire.GSSENC_REQUEST) * 10000)
            got = b""
            while len(got) < 10000:
                got += w.recv()
                assert len(got) < 2000, "every request is answered"
    assert pgiam.sql("select 1") == [(1,)]


def test_tls_refused_by_configuration(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_tls_sslmode="disable")
    with pgiam.wire() as w:
        assert w.request(wire.SSL_REQUEST) == b"N"
        w.login()


def test_tls_required_by_configuration(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_tls_sslmode="require")
    fields = pgiam.refusal()
    assert (fields["S"], fields["C"], fields["H"]) == ("FATAL", "28000", "Connect with sslmode=require.")
    assert pgiam.sql("select 1", sslmode="require") == [(1,)]


# ---- protocol versions ----

@pytest.mark.parametrize("minor, options, newest_and_unknown", [
    (3, {}, (2, [])),
    (9999, {"_pq_.test_protocol_negotiation": ""}, (2, ["_pq_.test_protocol_negotiation"])),
    (9999, {"_pq_.%d" % i: "" for i in range(100)}, (2, ["_pq_.%d" % i for i in range(100)])),
    (2, {"_pq_.a": "1"}, (2, ["_pq_.a"])),
    (1, {"_pq_.a": "1"}, (1, ["_pq_.a"])),
    (0, {"_pq_.a": "1", "_pq_.b": "2"}, (0, ["_pq_.a", "_pq_.b"])),
])
def test_06_negotiate_protocol_version(pgiam, minor, options, newest_and_unknown):
    with pgiam.wire() as w:
        got = w.login(version=3 << 16 | minor, **options)
        assert [k for k, _ in got].count("v") == 1
        assert got[0][0] == "v", "it comes before the authentication request"
        newest, count = struct.unpack_from("!II", got[0][1])
        names = [n.decode() for n in got[0][1][8:].split(b"\0")[:-1]]
        minor, unknown = newest_and_unknown
        assert (newest, names, count) == (3 << 16 | minor, unknown, len(unknown))
        assert w.value("select 1") == "1"


@pytest.mark.parametrize("minor, key_bytes", [(0, 4), (1, 4), (2, 32), (3, 32), (9999, 32)])
def test_06_08_versions_and_their_keys(pgiam, minor, key_bytes):
    """No word about 3.0 to 3.2, of which 3.1 never was; and the key is as long as the version has it."""
    with pgiam.wire() as w:
        assert ("v" in [k for k, _ in w.login(version=3 << 16 | minor)]) == (minor > 2)
        assert len(w.key[1]) == key_bytes
        assert w.value("select 1") == "1"


def test_06_negotiation_comes_before_a_refusal(pgiam):
    with pgiam.wire() as w:
        w.send(wire.packet(3 << 16 | 9999, b"_pq_.x\0\0\0"))
        got = w.until("")
        assert [k for k, _ in got] == ["v", "E"]
        assert wire.error_fields(got[1][1])["C"] == "28000"


@pytest.mark.parametrize("version", [0, 4 << 16, 0xffffffff, 1234 << 16 | 5681])
def test_07_other_major_version(pgiam, version):
    with pgiam.wire() as w:
        w.send(wire.startup(version=version))
        fields = w.refused()
        assert fields["C"] == "0A000", fields


@pytest.mark.parametrize("version", [1 << 16, 2 << 16])
def test_07_older_major_version(pgiam, version):
    """Told in a form they know: a text without a length."""
    with pgiam.wire() as w:
        w.send(wire.startup(version=version))
        said = w.exactly(2)
        while not said.endswith(b"\0"):
            said += w.recv()
        assert said.startswith(b"EFATAL:  unsupported frontend protocol %d.0: " % (version >> 16)), said
        assert w.closed()


# ---- 10, 12, 75: sizes ----

def test_10_byte_by_byte(pgiam):
    with pgiam.wire() as w:
        for byte in wire.startup(application_name="slow"):
            w.send(bytes([byte]))
            time.sleep(0.002)
        assert w.until("ZE")[-1][0] == "Z"
        for byte in wire.query("select 42"):
            w.send(bytes([byte]))
            time.sleep(0.002)
        assert wire.rows(w.until("Z")) == [[b"42"]]


def test_10_byte_by_byte_in_tls(pgiam):
    with pgiam.wire() as w:
        w.tls()
        for byte in wire.startup():
            w.send(bytes([byte]))
        assert w.until("ZE")[-1][0] == "Z"


@pytest.mark.parametrize("size", [9000, 9900])
def test_10_large_startup_packet(pgiam, size):
    with pgiam.wire() as w:
        w.login(application_name="x" * size)
        assert w.value("show application_name") == "x" * 63


def test_10_number_of_startup_parameters(pgiam):
    """Fewer than a packet has room for: a listed difference."""
    settings = {"x.a%d" % i: "1" for i in range(128)}  # besides user and database
    with pgiam.wire() as w:
        w.login(**settings)
        assert w.value("show x.a127") == "1"
    fields = pgiam.refusal(**settings, **{"x.a128": "1"})
    assert (fields["S"], fields["C"]) == ("FATAL", "54000")
    assert "128" in fields["M"] and "options" in fields["H"]


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 10005, 1 << 20, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff])
def test_12_75_startup_length(pgiam, length):
    """Refused as soon as the length is read: nothing of that size is waited for, or allocated."""
    before = pgiam.memory_kib()
    with pgiam.wire() as w:
        w.send(struct.pack("!I", length))
        if 4 <= length <= 7:  # PostgreSQL reads the code first
            w.send(b"\0" * 8)
        start = time.monotonic()
        ends(w)
        assert time.monotonic() - start < 5
    assert pgiam.memory_kib() - before < 20000


@pytest.mark.parametrize("body", [
    b"user\0app_user\0database\0app\0",        # the last terminator is missing
    b"user\0app_user\0database\0app\0\0x",     # something behind it
    b"user\0app_user\0database\0",             # a name without a value
    b"user",
    b"",
    b"\0",                                     # no user
    b"user\0\0\0",                             # an empty one
    b"database\0app\0\0",
], ids=range(8))
def test_10_broken_layout(pgiam, body):
    with pgiam.wire() as w:
        w.send(wire.packet(wire.VERSION_3, body))
        fields = w.refused()
        assert fields["S"] == "FATAL" and fields["C"] in ("08P01", "28000"), fields


def test_10_password_sent_ahead(pgiam, plain):
    """Nobody asked for one: the same as from a PostgreSQL that trusts."""
    said = []
    for w in (pgiam.wire(), wire.Wire.dial(plain.port)):
        with w:
            w.send(wire.startup(), wire.message("p", b"x" * 65000 + b"\0"))
            said.append([(k, wire.error_fields(b)["C"] if k == "E" else "") for k, b in w.until("") if k not in "SN"])
    assert said[0] == said[1]


@pytest.mark.parametrize("length", [0, 3, 0x80000000, 0xffffffff, 0x7fffffff])
def test_12_length_of_a_message(pgiam, length):
    """After the login; a message must have 4 bytes, and PostgreSQL takes 1 GB at most."""
    before = pgiam.memory_kib()
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
        w.send(b"Q", struct.pack("!I", length), b"x" * 64)
        said = ends(w)
        assert said and said[-1]["S"] == "FATAL" and said[-1]["C"] == "08P01", said
    assert pgiam.memory_kib() - before < 20000
    assert pgiam.sql("select 1") == [(1,)]


@pytest.mark.parametrize("kind", ["\0", "z", "R", "Z", "\xff"])
def test_12_type_of_a_message(pgiam, kind):
    with pgiam.wire() as w:
        w.login()
        w.send(kind.encode("latin-1"), struct.pack("!I", 4))
        said = ends(w)
        assert said and said[-1]["C"] == "08P01", said
    assert pgiam.sql("select 1") == [(1,)]


# ---- 13: unix sockets ----

def test_13_unix_socket(rds, pgiam_for, workdir):
    pgiam = pgiam_for(rds, unix_socket_dir=workdir, client_tls_sslmode="require")
    path = "%s/.s.PGSQL.%d" % (workdir, pgiam.port)
    assert os.stat(path).st_mode & 0o777 == 0o660
    with wire.Wire.dial_unix(path) as w:
        assert w.request(wire.SSL_REQUEST) == b"N"
        w.login()
        assert w.value("select 5") == "5"
    assert pgiam.sql("select 1", host=workdir, sslmode=None) == [(1,)]
    pgiam.stop()
    assert not os.path.exists(path)


def test_13_abstract_unix_socket(rds, pgiam_for):
    name = "@pgiam-e2e-%d" % os.getpid()
    pgiam = pgiam_for(rds, unix_socket_dir=name)
    with wire.Wire.dial_unix("\0%s/.s.PGSQL.%d" % (name[1:], pgiam.port)) as w:
        w.login()


def test_no_tcp_at_all(rds, pgiam_for, workdir):
    pgiam = pgiam_for(rds, unix_socket_dir=workdir, listen_addr="", wait=False)
    assert wire.eventually(lambda: os.path.exists("%s/.s.PGSQL.%d" % (workdir, pgiam.port)))
    assert pgiam.sql("select 1", host=workdir, sslmode=None) == [(1,)]


# ---- 73: one StartupMessage ----

def test_73_second_startup_message(pgiam, rds):
    with pgiam.wire() as w:
        w.send(wire.startup(), wire.startup(user="other_user"))
        got = w.until("")
        assert w.closed()
        assert [wire.error_fields(b)["S"] for k, b in got if k == "E"] in ([], ["FATAL"])
    assert rds.backends("other_user") == []


def test_73_second_startup_message_while_logging_in(pgiam, rds):
    rds.fault("delay", 700)
    with pgiam.wire() as w:
        w.send(wire.startup())
        time.sleep(0.2)
        w.send(wire.startup(user="other_user"))
        w.until("")
        assert w.closed()
    assert rds.backends("other_user") == []
    rds.fault("clear")
    assert pgiam.sql("select current_user::text") == [("app_user",)]


def test_73_second_startup_message_after_login(pgiam, rds):
    with pgiam.wire() as w:
        w.login()
        w.send(wire.startup(user="other_user"))
        ends(w)
    assert rds.backends("other_user") == []


# ---- crowd ----

def test_clients_that_say_nothing(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_login_timeout=1)
    crowd = [pgiam.wire() for _ in range(20)]
    assert pgiam.sql("select 1") == [(1,)]
    for w in crowd:
        assert w.closed()
    assert pgiam.metric("pgiam_clients") == 0


def test_clients_that_close_at_once(pgiam):
    pgiam.sql("select 1")
    before = pgiam.descriptors()
    for code in (None, wire.SSL_REQUEST, wire.GSSENC_REQUEST):
        for _ in range(30):
            w = pgiam.wire()
            if code:
                w.send(wire.packet(code))
            w.reset()
    assert pgiam.sql("select 1") == [(1,)]
    assert wire.eventually(lambda: pgiam.descriptors() <= before + 2)


def test_dual_stack(rds, pgiam_for):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    pgiam = pgiam_for(rds, listen_addr="127.0.0.1,::1")
    for host in ("127.0.0.1", "::1"):
        try:
            assert pgiam.sql("select 1", host=host) == [(1,)]
        except psycopg.OperationalError as e:
            if "Cannot assign" in str(e):
                pytest.skip("no IPv6 loopback here")
            raise
