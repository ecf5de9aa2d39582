"""Servers that lie, break off, or split what they say: pgiam refuses them with a reason and goes on."""
import base64
import contextlib
import struct
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

import fakepg
import wire
from proxy import undisturbed


def split(conn, data, pause=0.001):
    for byte in data:
        conn.send(bytes([byte]))
        time.sleep(pause)


def test_11_login_byte_by_byte(fake_factory, pgiam_for):
    def script(conn):
        conn.begin()
        split(conn, wire.message("R", b"\0\0\0\3"))
        conn.password()
        split(conn, wire.message("R", b"\0\0\0\0"))
        for name, value in fakepg.PARAMETERS.items():
            split(conn, wire.message("S", wire.cstring(name) + wire.cstring(value)), 0)
        split(conn, wire.message("K", b"\0\0\0\1\0\0\0\2"))
        split(conn, wire.message("Z", b"I"))
        conn.serve()

    with pgiam_for(fake_factory(script), server_login_retry=0.1).wire() as w:
        w.login()
        assert w.value("select 1") == "1"


def test_11_long_parameter_status(fake_factory, pgiam_for):
    value = "x" * 20000

    def script(conn):
        conn.login(parameters={"search_path": value})
        conn.serve()

    with pgiam_for(fake_factory(script), server_login_retry=0.1).wire() as w:
        w.login()
        assert w.parameters["search_path"] == value


def test_11_everything_in_one_piece(fake_factory, pgiam_for):
    def script(conn):
        conn.begin()
        conn.auth(3)
        conn.password()
        conn.send(wire.message("R", b"\0\0\0\0"), wire.message("S", b"server_version\x0015\0"),
                  wire.message("K", b"\0\0\0\1\0\0\0\2"), wire.message("Z", b"I"))
        conn.serve()

    with pgiam_for(fake_factory(script), server_login_retry=0.1).wire() as w:
        w.login()
        assert w.value("select 1") == "1"


BAD_LOGINS = {
    "closes at once": lambda c: None,
    "http": lambda c: c.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "zeros": lambda c: c.send(b"\0" * 100),
    "length 0": lambda c: c.send(b"R\0\0\0\0"),
    "length 3": lambda c: c.send(b"R\0\0\0\3"),
    "negative length": lambda c: c.send(b"R\xff\xff\xff\xff"),
    "length 2^31 - 1": lambda c: c.send(b"R\x7f\xff\xff\xff", b"x" * 1000),
    "huge error": lambda c: c.send(b"E\x40\0\0\0", b"x" * 1000),
    "short authentication": lambda c: c.say("R", b"\0\0"),
    "unknown message": lambda c: c.say("q", b"x"),
    "data before login": lambda c: c.say("D", b"\0\0"),
    "ready before login": lambda c: c.ready(),
    "parameter without end": lambda c: (c.auth(0), c.say("S", b"TimeZone")),
    "parameter without value": lambda c: (c.auth(0), c.say("S", b"TimeZone\0")),
    "parameter with more": lambda c: (c.auth(0), c.say("S", b"a\0b\0c")),
    "short key": lambda c: (c.auth(0), c.say("K", b"\0\0")),
    "long key": lambda c: (c.auth(0), c.say("K", b"x" * 400)),
    "two authentication requests": lambda c: (c.auth(3), c.auth(3)),
    "ok, then a password request": lambda c: (c.auth(0), c.auth(3)),
    "ready with nothing": lambda c: (c.auth(0), c.say("Z")),
    "ready with rubbish": lambda c: (c.auth(0), c.say("Z", b"?")),
    "ready with more": lambda c: (c.auth(0), c.say("Z", b"II")),
    "starts a query": lambda c: (c.auth(0), c.one_row("x")),
    "copies": lambda c: (c.auth(0), c.say("G", b"\0\0\0")),
}


@pytest.mark.parametrize("case", BAD_LOGINS)
def test_broken_login(fake_factory, pgiam_for, case):
    def script(conn):
        conn.begin()
        BAD_LOGINS[case](conn)
        if case != "closes at once":
            conn.closed()

    pgiam = pgiam_for(fake_factory(script), server_login_retry=0.1, server_connect_timeout=3)
    fields = pgiam.refusal()
    assert fields["S"] == "FATAL" and fields["C"][:2] in ("08", "28"), fields
    assert pgiam.memory_kib() < 400000


@pytest.mark.parametrize("answer", [b"X", b"\0", b"E", b"HTTP/1.1 200 OK\r\n", b"E\0\0\0\x20SFATAL\0Mlook at evil.example\0\0",
                                    b""])
def test_odd_answer_to_ssl_request(fake_factory, pgiam_for, answer):
    """What is said before TLS is an attacker's text: it is not shown to the client."""
    def script(conn):
        conn.read_packet()
        if answer:
            conn.send(answer)
            conn.closed()

    fake = fake_factory(script)
    fields = pgiam_for(fake, server_login_retry=0.1, server_connect_timeout=3).refusal()
    assert fields["C"][:2] == "08", fields
    assert not any("evil.example" in text for text in fields.values())
    assert fake.startups == []


def test_server_without_tls(fake_factory, pgiam_for):
    """'N' ends it: nothing goes out in plaintext, not even the user's name."""
    fake = fake_factory(lambda conn: (conn.begin()), names=None)
    fields = pgiam_for(fake, server_login_retry=0.1).refusal()
    assert fields["C"][:2] == "08" and "TLS" in fields["M"] + fields.get("H", ""), fields
    assert fake.startups == []


def test_token_asked_for_without_tls(fake_factory, pgiam_for):
    """disable is refused for a database that sends a token."""
    fake = fake_factory(lambda conn: conn.begin(), names=None)
    with pytest.raises(RuntimeError, match="sslmode"):
        pgiam_for(fake, server_login_retry=0.1, database={"sslmode": "disable"})


# ---- 18, 76, 77: SCRAM ----

PASSWORD = "p\u00e4ssword"


@pytest.fixture
def scram_login(fake_factory, pgiam_for):
    """scram_login(login): pgiam with auth=password before a fake server that asks for the password as login(conn) does."""
    def make(login, **kw):
        def script(conn):
            conn.begin()
            login(conn)
            conn.welcome()
            conn.serve()

        return pgiam_for(fake_factory(script, **kw), env={"SECRET": PASSWORD}, server_login_retry=0.1, server_connect_timeout=5,
                         database=dict(auth="password", password_env="SECRET"))
    return make


def test_18_scram(scram_login):
    pgiam = scram_login(lambda c: fakepg.Scram(PASSWORD).login(c))
    assert pgiam.sql("select 1") == [("1",)]


def test_18_channel_binding(scram_login, authority):
    """Where the server offers -PLUS it is taken, bound to the certificate: a man in the middle with another one fails."""
    chain_key = authority.issue([fakepg.HOST], key="ec")
    cert = x509.load_pem_x509_certificate(chain_key[0])
    scram, chosen = fakepg.Scram(PASSWORD), []
    pgiam = scram_login(lambda c: chosen.append(scram.login(c, mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"))),
                        chain_key=chain_key)
    assert pgiam.sql("select 1") == [("1",)]
    assert chosen == ["SCRAM-SHA-256-PLUS"] and scram.gs2_header == "p=tls-server-end-point,,"
    assert scram.binding == cert.fingerprint(hashes.SHA256())


def test_18_no_channel_binding_offered(scram_login):
    """'y' tells a server that did offer it that somebody took the offer away."""
    scram = fakepg.Scram(PASSWORD)
    pgiam = scram_login(scram.login)
    assert pgiam.sql("select 1") == [("1",)]
    assert (scram.gs2_header, scram.binding) == ("y,,", b"")


def test_18_no_tls_to_bind_to(fake_factory, pgiam_factory):
    """On this host in plaintext: 'n', and -PLUS is not for us."""
    scram = fakepg.Scram(PASSWORD)
    fake = fake_factory(lambda c: (c.begin(), scram.login(c), c.welcome(), c.serve()), names=None)
    entry = "host=127.0.0.1 port=%d auth=password password_env=SECRET sslmode=disable" % fake.port
    assert pgiam_factory({"app": entry}, env={"SECRET": PASSWORD}).sql("select 1") == [("1",)]
    assert (scram.gs2_header, scram.binding) == ("n,,", b"")


def replaced(name, value):
    """Changes one attribute of a SCRAM message; None leaves it out."""
    def change(text):
        parts = [p for p in text.split(",") if value is not None or not p.startswith(name + "=")]
        return ",".join(name + "=" + value if p.startswith(name + "=") else p for p in parts)
    return change


LONG = base64.b64encode(b"x" * 30000).decode()
BAD_FIRST = {
    "no nonce": replaced("r", None), "empty nonce": replaced("r", ""), "own nonce": replaced("r", "abc"),
    "long nonce": lambda t: t.replace("r=", "r=" + "n" * 30000, 1), "endless nonce": lambda t: t.replace(",s=", "x" * 30000 + ",s="),
    "no salt": replaced("s", None), "empty salt": replaced("s", ""), "bad salt": replaced("s", "!!!"),
    "long salt": replaced("s", LONG),
    "no iterations": replaced("i", None), "empty iterations": replaced("i", ""), "zero": replaced("i", "0"),
    "negative": replaced("i", "-1"), "not a number": replaced("i", "4096x"), "2^32": replaced("i", "4294967296"),
    "2^63": replaced("i", "9223372036854775808"), "too many": replaced("i", "100000000"),
    "reordered": lambda t: ",".join(reversed(t.split(","))), "twice": lambda t: t + "," + t,
    "extension": lambda t: "m=x," + t, "empty": lambda t: "", "comma": lambda t: ",", "error": lambda t: "e=other-error",
    "nul": lambda t: t.replace("r=", "r=\0"),
}


@pytest.mark.parametrize("case", BAD_FIRST)
def test_76_server_first(scram_login, case):
    got = []

    def login(conn):
        conn_first = BAD_FIRST[case]
        try:
            fakepg.Scram(PASSWORD).login(conn, first=conn_first)
        except AssertionError:
            got.append("proof")
        raise fakepg.Done

    pgiam = scram_login(login)
    start = time.monotonic()
    fields = pgiam.refusal()
    assert time.monotonic() - start < 4
    assert fields["S"] == "FATAL" and fields["C"][:2] in ("08", "28"), fields
    assert got == [], "it answered"


BAD_FINAL = {
    "wrong signature": lambda t: "v=" + base64.b64encode(b"x" * 32).decode(), "empty": lambda t: "", "no signature": lambda t: "v=",
    "short": lambda t: t[:-8], "error": lambda t: "e=invalid-proof", "more": lambda t: t + ",v=x", "long": lambda t: "v=" + LONG,
    "not base64": lambda t: "v=!!!!",
}


@pytest.mark.parametrize("case", BAD_FINAL)
def test_76_server_final(scram_login, case):
    """A server that cannot prove that it knows the password is not used."""
    pgiam = scram_login(lambda c: fakepg.Scram(PASSWORD).login(c, final=BAD_FINAL[case]))
    fields = pgiam.refusal()
    assert fields["S"] == "FATAL", fields


def test_76_ok_without_server_final(scram_login):
    """AuthenticationOk in place of the server's proof."""
    def login(conn):
        conn.auth(10, b"SCRAM-SHA-256\0\0")
        conn.password()

    fields = scram_login(login).refusal()
    assert fields["S"] == "FATAL", fields


def test_77_iterations_do_not_stop_the_others(fake_factory, pgiam_factory, plain):
    """900,000 are allowed and take their time: on another thread. Traffic goes on."""
    fake = fake_factory(lambda c: (c.begin(), fakepg.Scram(PASSWORD, iterations=900000).login(c), c.welcome(), c.serve()))
    pgiam = pgiam_factory({"slow": fake.database(auth="password", password_env="SECRET"),
                           "app": plain.database(auth="none")}, env={"SECRET": PASSWORD}, server_connect_timeout=100)
    with pgiam.connect() as conn:
        conn.execute("select 1")
        assert undisturbed(conn, lambda: pgiam.sql("select 1", dbname="slow", connect_timeout=100)) == [("1",)]


@pytest.mark.parametrize("offer, shown", [
    (["OAUTHBEARER"], "OAUTHBEARER"), (["SCRAM-SHA-1", "GS2-KRB5"], "SCRAM-SHA-1, GS2-KRB5"), (["scram-sha-256"], "?????-???-256"),
    ([], "none at all")])
def test_19_mechanisms_that_nobody_here_knows(scram_login, offer, shown):
    """No secret goes out, and the client learns what was offered and what to do."""
    said = []

    def login(conn):
        conn.auth(10, b"".join(wire.cstring(m) for m in offer) + b"\0")
        with contextlib.suppress(wire.Closed):
            said.append(conn.recv())
        raise fakepg.Done

    pgiam = scram_login(login)
    fields = pgiam.refusal()
    assert fields["S"] == "FATAL" and fields["C"] == "28000", fields
    assert fields["M"] == "login: the server offers no SASL mechanism that pgiam knows"
    assert fields["D"].startswith('It offers user "app_user" %s.' % shown), fields
    assert "scram-sha-256" in fields["H"] and "pg_hba.conf" in fields["H"]
    assert not said, said
    assert pgiam.logged("no SASL mechanism that pgiam knows")


@pytest.mark.parametrize("mechanisms", [[""], ["x" * 5000], ["SCRAM-SHA-256"] * 2000])
def test_19_mechanisms(scram_login, mechanisms):
    def login(conn):
        conn.auth(10, b"".join(wire.cstring(m) for m in mechanisms) + b"\0")
        conn.closed()
        raise fakepg.Done

    fields = scram_login(login).refusal()
    assert fields["S"] == "FATAL", fields


def test_18_sasl_out_of_order(scram_login):
    for steps in ([11], [12], [10, 12], [10, 10], [10, 3]):
        def login(conn, steps=tuple(steps)):
            for step in steps:
                conn.auth(step, b"SCRAM-SHA-256\0\0" if step == 10 else b"r=x,s=YQ==,i=4096")
                if step == 10:
                    conn.password()
            conn.closed()
            raise fakepg.Done
        fields = scram_login(login).refusal()
        assert fields["S"] == "FATAL", (steps, fields)


def test_empty_password_is_refused(fake_factory, pgiam_factory):
    asked = []
    fake = fake_factory(lambda c: (c.begin(), asked.append(1)))
    entry = fake.database(auth="password", password_env="SECRET")
    try:
        fields = pgiam_factory({"app": entry}, env={"SECRET": ""}).refusal()
        assert fields["S"] == "FATAL" and "password" in fields["M"].lower(), fields
    except RuntimeError as e:
        assert "password" in str(e).lower()


# ---- in a session ----

BAD_ANSWERS = {
    "negative length": b"D\xff\xff\xff\xff",
    "length 2": b"D\0\0\0\2",
    "unknown type": b"\0\0\0\0\4",
    "ready with rubbish": b"Z\0\0\0\5?",
    "long ready": b"Z\0\0\0\x64" + b"I" * 96,
    "authentication": wire.message("R", struct.pack("!I", 3)),
    "broken parameter": wire.message("S", b"TimeZone"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_broken_answer(fake_factory, pgiam_for, case):
    """The client is told and let go; that server is not used again; the next client has a working one."""
    def script(conn):
        conn.login()
        conn.serve({"select bad": lambda c: (c.send(BAD_ANSWERS[case]), c.close())})

    pgiam = pgiam_for(fake_factory(script), server_login_retry=0.1, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select bad"))
        got = w.until("E")
        assert got and got[-1][0] == "E" and w.closed(), got
        assert wire.error_fields(got[-1][1])["S"] == "FATAL"
    assert pgiam.sql("select 1") == [("1",)]


def test_answer_that_breaks_off(fake_factory, pgiam_for):
    """In the middle of a message nothing can be said: the connection closes."""
    def script(conn):
        conn.login()
        conn.serve({"select bad": lambda c: (c.send(b"D\0\0\1\0" + b"x" * 10), c.close())})

    pgiam = pgiam_for(fake_factory(script), server_login_retry=0.1, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select bad"))
        assert w.closed()
    assert pgiam.sql("select 1") == [("1",)]


def test_more_replies_than_queries(fake_factory, pgiam_for):
    """A server that is ahead of its client would answer the next one's question."""
    def script(conn):
        conn.login()
        conn.serve({"select two": lambda c: (c.one_row("a"), c.ready(), c.one_row("b"))})

    pgiam = pgiam_for(fake_factory(script), server_login_retry=0.1, default_pool_size=1)
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select two"))
        w.until("Z")
    time.sleep(0.3)
    with pgiam.wire() as w:
        w.login()
        assert w.value("select 1") == "1"
