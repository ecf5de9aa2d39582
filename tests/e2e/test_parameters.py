"""What a login carries: errors, notices and parameters on their way to the client, startup parameters and options on
their way to the server. Numbers: pitfalls. What PostgreSQL itself would do decides."""
import re

import pytest

import fakepg
import wire


# ---- 15: errors before the login ----

def test_15_errors_are_fatal_and_complete(pgiam):
    for fields in (pgiam.refusal(database="missing"), pgiam.refusal(user="norole")):
        assert fields["S"] == fields["V"] == "FATAL"
        assert fields["C"] and fields["M"]


# ---- 16: notices while logging in ----

def test_16_notices_at_startup(fake_factory, pgiam_for):
    def script(conn):
        conn.begin()
        conn.auth(3)
        conn.password()
        conn.auth(0)
        for name, value in fakepg.PARAMETERS.items():
            conn.say("S", wire.cstring(name) + wire.cstring(value))
        conn.say("N", wire.error_body(S="WARNING", V="WARNING", C="01000", M="look out"))
        conn.say("K", b"\0\0\0\1\0\0\0\2")
        conn.say("N", wire.error_body(S="NOTICE", V="NOTICE", C="00000", M="hello"))
        conn.ready()
        conn.serve()

    fake = fake_factory(script)
    pgiam = pgiam_for(fake)
    with pgiam.wire() as w:
        w.login()
        assert w.value("select 1") == "1"


# ---- 17: the parameters a client is told ----

def test_17_parameters_are_the_servers_own(rds, pgiam):
    """Those of a direct connection, for the first client and for one that waits for no login."""
    asked = dict(application_name="same", client_encoding="LATIN1", DateStyle="German", TimeZone="Asia/Tokyo")
    with rds.dial(**asked) as direct:
        direct.until("Z")
    for _ in range(2):
        with pgiam.wire() as w:
            w.login(**asked)
            assert w.parameters == direct.parameters


@pytest.mark.parametrize("name", ["caf\u00e9", "\u00e9" * 40, "x" + "\u00e9" * 40, "\u65e5\u672c\u8a9e" * 10, "a\tb\x7f", "x" * 70,
                                  b"a" * 62 + b"\xe0bc"])  # no UTF-8
def test_an_application_name_is_what_the_server_makes_of_it(plain, pgiam_for, name):
    """It is told before there is a server, and that is what the server has then."""
    pgiam = pgiam_for(plain, database={"auth": "none"})
    seen = []
    for port in (plain.port, pgiam.port):
        with wire.Wire.dial(port) as w:
            w.login(application_name=name)
            seen += [w.parameters["application_name"], w.value("show application_name")]
    direct = seen[0]
    if plain.major >= 16 and len(direct) > 63:  # a difference that is listed: the whole escapes that fit
        direct = re.match(r"([^\\]|\\x..)*", direct[:63])[0]
    assert seen == seen[:1] * 2 + [direct] * 2


def test_17_parameters_after_a_change(another_rds, pgiam_for):
    """What pgiam remembers of a pool gives way to what the next login says."""
    rds = another_rds("--name", "changing")
    pgiam = pgiam_for(rds)
    assert pgiam.sql("show timezone") == [("UTC",)]
    rds.admin("alter role app_user set timezone = 'Europe/Berlin'")
    try:
        rds.terminate()
        with pgiam.wire() as w:
            w.login()
            assert w.value("show timezone") == "Europe/Berlin"
            assert w.parameters["TimeZone"] == "Europe/Berlin"
        with pgiam.wire() as w:
            w.login()
            assert w.parameters["TimeZone"] == "Europe/Berlin"
    finally:
        rds.admin("alter role app_user reset timezone")


# ---- startup parameters ----

@pytest.mark.parametrize("given, name, value", [
    ({"search_path": "a, b"}, "search_path", "a, b"),
    ({"statement_timeout": "7s"}, "statement_timeout", "7s"),
    ({"extra_float_digits": "2"}, "extra_float_digits", "2"),
    ({"options": "-c work_mem=3MB"}, "work_mem", "3MB"),
    ({"options": "-cwork_mem=3MB --enable-seqscan=off"}, "enable_seqscan", "off"),
    ({"options": "-c application_name=a\\ b\\\\c"}, "application_name", "a b\\c"),
    ({"options": "-c geqo=on -c geqo=off"}, "geqo", "off"),
    ({"application_name": "x y"}, "application_name", "x y"),
    ({"client_encoding": "LATIN1"}, "client_encoding", "LATIN1"),
])
def test_startup_parameters(pgiam, given, name, value):
    for _ in range(2):  # the second one gets a connection that was reset
        with pgiam.wire() as w:
            w.login(**given)
            assert w.value("show " + name) == value
            if name != "application_name":  # a listed difference
                w.ask("set %s to default" % name)
                w.ask("reset all")
                assert w.value("show " + name) == value
    with pgiam.wire() as w:
        w.login()
        assert w.value("show " + name) != value


# ---- 74: options that do not advance ----

ODD_OPTIONS = ["-c=", "-c", "--=x", "--", "-", "-c =", "-c=x", "--x", "x", "-c x\\", "\\", "-c a=b\\", " ", "\t \n", "-cx",
               "-c work_mem", "-c work_mem=", "-c 'x'=1", "-x", "-c work_mem=3MB -c=", "=", "--work-mem"]


@pytest.mark.parametrize("options", ODD_OPTIONS)
def test_74_odd_options(rds, pgiam, options):
    """The same SQLSTATE, or the same success, as directly."""
    with rds.dial(options=options) as direct:
        expected = outcome(direct)
    with pgiam.wire() as w:
        w.send(wire.startup(options=options))
        assert outcome(w) == expected
    assert pgiam.sql("select 1") == [(1,)]


def outcome(w):
    kind, body = w.until("ZE")[-1]
    return wire.error_fields(body)["C"] if kind == "E" else kind
