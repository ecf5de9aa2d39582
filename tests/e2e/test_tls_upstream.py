"""TLS to servers beyond the common way: client certificates, direct TLS, servers that get no secret."""
import os
import ssl
import threading
import time

import pytest

import fakepg
import wire
from fakepg import certs, login_and_serve
from files import put
from tls import refused


def no_secret(conn):
    """A server that lets everybody in."""
    conn.begin()
    conn.welcome()
    conn.serve()


@pytest.fixture
def identity(workdir, authority):
    """issue(name): a certificate of that name in `cert`, its key in `key`; they may be replaced."""
    paths = os.path.join(workdir, "cert"), os.path.join(workdir, "key")

    def issue(name):
        for path, data in zip(paths, authority.issue([], key="ec", common_name=name)):
            put(path, data)
        return paths
    return issue


@pytest.fixture
def asking(fake_factory, authority):
    """A server that wants a client certificate, as one with clientcert in pg_hba.conf."""
    def make(script=login_and_serve, **kw):
        def wrapped(conn):
            conn.begin()
            cert = conn.sock.getpeercert()
            fake.seen.append(dict(pair[0] for pair in cert["subject"])["commonName"])
            conn.begin = lambda: conn.startup
            script(conn)
        fake = fake_factory(wrapped, **kw)
        fake.seen = []
        fake.context.verify_mode = ssl.CERT_REQUIRED
        fake.context.load_verify_locations(authority.path)
        return fake
    return make


# ---- client certificates ----

def test_client_certificate(asking, pgiam_for, identity):
    """A database's own certificate; the next one is taken as soon as it is there, connections go on."""
    cert, key = identity("pgiam-1")
    fake = asking()
    pgiam = pgiam_for(fake, database=dict(sslcert=cert, sslkey=key))
    with pgiam.connect() as old:
        assert old.execute("select 1").fetchone() == ("1",)
        assert fake.seen == ["pgiam-1"]
        identity("pgiam-2")
        time.sleep(1.1)  # the files are looked at once a second
        with pgiam.connect() as new:
            assert new.execute("select 1").fetchone() == ("1",)
            assert fake.seen == ["pgiam-1", "pgiam-2"]
            assert old.execute("select 1").fetchone() == ("1",)


def test_client_certificates_per_database(asking, pgiam_factory, workdir, authority, identity):
    """[pgiam]'s for all, a database's own wins."""
    cert, key = identity("everybody")
    own = os.path.join(workdir, "own")
    put(own, b"".join(authority.issue([], key="ec", common_name="own")))
    fake = asking()
    pgiam = pgiam_factory({"one": fake.database(), "two": fake.database(sslcert=own, sslkey=own)}, env=fakepg.AWS,
                          server_tls_cert_file=cert, server_tls_key_file=key)
    pgiam.sql("select 1", dbname="one")
    pgiam.sql("select 1", dbname="two")
    assert fake.seen == ["everybody", "own"]


def test_no_client_certificate(asking, pgiam_for):
    """It fails in TLS; no token goes out. (With TLS 1.3 that is seen only by what comes next.)"""
    fake = asking()
    for version in ("tlsv1.2", "tlsv1.3"):
        pgiam = pgiam_for(fake, server_tls_protocols=version)
        refused(pgiam)
    assert fake.tokens == [] and fake.seen == []


def test_bad_client_certificate(asking, pgiam_for, workdir):
    """Nothing starts with half a pair, or a key of another certificate."""
    fake, path = asking(), os.path.join(workdir, "x")
    put(path, b"".join(certs.Authority("stranger", key="ec").issue([], key="ec", common_name="x")))
    with pytest.raises(RuntimeError, match="server_tls_cert_file and server_tls_key_file need each other"):
        pgiam_for(fake, database=dict(sslcert=path))
    with pytest.raises(RuntimeError, match="/no-such-key: No such file"):
        pgiam_for(fake, database=dict(sslcert=path, sslkey="/no-such-key"))


# ---- direct TLS ----

def direct(alpn=True, started=None):
    """A script: begins as PostgreSQL 17's, without SSLRequest; `select 'slow'` says that it has started, and ends when a cancel
    has come."""
    started = started or threading.Event()

    def script(conn):
        context = conn.server.context
        if alpn:
            context.set_alpn_protocols(["postgresql"])
        conn.sock = context.wrap_socket(conn.sock, server_side=True)
        assert not alpn or conn.sock.selected_alpn_protocol() == "postgresql"
        conn.login()
        conn.serve({"select 'slow'": lambda c: (started.set(), wire.eventually(lambda: c.server.cancels), c.one_row("slow"))})
    return script


def test_direct(fake_factory, pgiam_for):
    started = threading.Event()
    fake = fake_factory(direct(started=started))
    pgiam = pgiam_for(fake, database=dict(sslnegotiation="direct"))
    with pgiam.wire() as w:
        w.login()
        w.send(wire.query("select 'slow'"))
        assert started.wait(10)
        pgiam.cancel(w.key)
        assert w.until("Z")[-1][0] == "Z"
    assert len(fake.tokens) == 1
    assert [encrypted for encrypted, _, _ in fake.cancels] == [True]


def test_direct_without_alpn(fake_factory, pgiam_for):
    fake = fake_factory(direct(alpn=False))
    text = refused(pgiam_for(fake, database=dict(sslnegotiation="direct")))
    assert "ALPN" in text and "PostgreSQL 17" in text, text
    assert fake.tokens == []


def test_direct_to_a_stranger(fake_factory, pgiam_for):
    stranger = certs.Authority("stranger", key="ec")
    fake = fake_factory(direct(), chain_key=stranger.issue([fakepg.HOST], key="ec"))
    refused(pgiam_for(fake, database=dict(sslnegotiation="direct")))
    assert fake.tokens == []


def test_direct_to_postgresql(rds, pgiam_factory):
    """Before 17 it takes the ClientHello for a bad packet; the client is told what is wrong."""
    pgiam = pgiam_factory({"app": rds.database(sslnegotiation="direct")}, env=rds.aws())
    if rds.major >= 17:
        assert pgiam.sql("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == [(True,)]
        return
    text = refused(pgiam)
    assert "TLS" in text and "PostgreSQL 17" in text, text


# ---- servers that get no secret ----

@pytest.mark.parametrize("mode", ["allow", "prefer"])
def test_tls_where_there_is_some(fake_factory, pgiam_factory, mode):
    for names in ((fakepg.HOST,), None):
        fake = fake_factory(no_secret, names=names)
        pgiam = pgiam_factory({"app": fake.database(auth="none", sslmode=mode, tls_ca=None)})
        assert pgiam.sql("select 1") == [("1",)]
        assert fake.startups[0]["encrypted"] == (names is not None)


def test_error_before_tls(fake_factory, pgiam_factory):
    """With prefer, what a server says in plaintext is heard."""
    def script(conn):
        conn.begin()
        conn.error("the server says no", code="3D000")

    fake = fake_factory(script, names=None)
    fields = pgiam_factory({"app": fake.database(auth="none", sslmode="prefer", tls_ca=None)}).refusal()
    assert fields["M"] == "the server says no" and fields["C"] == "3D000", fields


def test_verify_ca(fake_factory, pgiam_factory, authority):
    """Any name, but not any authority."""
    fake = fake_factory(no_secret, names=["elsewhere.example"])
    assert pgiam_factory({"app": fake.database(auth="none", sslmode="verify-ca")}).sql("select 1") == [("1",)]
    stranger = certs.Authority("stranger", key="ec")
    fake = fake_factory(no_secret, chain_key=stranger.issue([fakepg.HOST], key="ec"))
    refused(pgiam_factory({"app": fake.database(auth="none", sslmode="verify-ca")}))
    assert fake.startups == []


def test_a_secret_is_asked_for_all_the_same(fake_factory, pgiam_factory):
    """auth=none has none, whatever the server wants."""
    fake = fake_factory(lambda conn: (conn.begin(), conn.auth(3), conn.closed()))
    fields = pgiam_factory({"app": fake.database(auth="none", sslmode="require", tls_ca=None)}).refusal()
    assert fields["C"] == "28000" and "auth=none gives none" in fields["M"], fields


# ---- terms ----

def test_versions(fake_factory, pgiam_for):
    fake = fake_factory(login_and_serve)
    fake.context.minimum_version = ssl.TLSVersion.TLSv1_3
    own = dict(server_tls_protocols="secure")
    assert pgiam_for(fake, database=own, server_tls_protocols="tlsv1.2").sql("select 1") == [("1",)]
    refused(pgiam_for(fake, server_tls_protocols="tlsv1.2"))


def test_no_name_for_an_address(fake_factory, pgiam_for):
    """SNI is for names (RFC 6066)."""
    seen = []
    fake = fake_factory(login_and_serve, names=["127.0.0.1"])
    fake.context.sni_callback = lambda sock, name, context: seen.append(name)
    for keys, script in ((dict(auth="iam", sslmode="verify-full", iam_host=fakepg.HOST), login_and_serve),
                         (dict(auth="none", sslmode="require"), no_secret)):
        fake.script = script
        assert pgiam_for(fake, database=dict(host="127.0.0.1", hostaddr=None, **keys)).sql("select 1") == [("1",)]
    assert seen == [None, None]
