"""TLS between clients and pgiam in every form: direct, in pieces, with certificates, and with files that change."""
import os
import re
import signal
import ssl
import time

import pytest

import tls
import wire
from fakepg import certs
from files import put

STARTUP = wire.startup()


class Files:
    """A certificate for localhost, its key and the CA for clients, in files."""

    def __init__(self, where, authority):
        self.cert, self.key, self.ca = (os.path.join(where, name) for name in ("cert", "key", "ca"))
        self.authority = authority
        self.renew()
        put(self.ca, authority.pem())

    def renew(self, **kw):
        chain, key = self.authority.issue(["localhost"], key="ec", **kw)
        put(self.cert, chain)
        put(self.key, key)

    def options(self, **more):
        return dict(dict(client_tls_cert_file=self.cert, client_tls_key_file=self.key), **more)

    def client(self, name="app_user", **kw):
        return self.authority.issue([], key="ec", common_name=name, **kw)


@pytest.fixture
def files(workdir, authority):
    return Files(workdir, authority)


def serial(pgiam):
    """Of the certificate a new client sees."""
    with pgiam.wire() as w:
        w.tls()
        return w.sock.getpeercert(binary_form=True)


# ---- direct TLS (pitfall 4) ----

@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_direct(pgiam, rds, version):
    with pgiam.wire() as w:
        w.start_tls(tls.context(version=version))
        assert w.sock.selected_alpn_protocol() == "postgresql"
        w.login()
        assert w.value("select 1 + 1") == "2"
        key = w.key
        w.send(wire.query("select pg_sleep(60)"))
        assert wire.eventually(lambda: rds.running() == 1)
        with pgiam.wire() as canceller:
            canceller.start_tls(tls.context())
            canceller.send(wire.cancel_packet(key))
            assert canceller.closed()
        got = w.until("Z")
        assert wire.error_fields(dict(got)["E"])["C"] == "57014"


def test_direct_without_alpn(pgiam):
    with pgiam.wire() as w:
        w.start_tls(tls.context(alpn=None))
        assert w.closed()
    assert pgiam.logged("direct SSL connection request without ALPN")


def test_direct_with_another_protocol(pgiam):
    with pgiam.wire() as w, pytest.raises((ssl.SSLError, ConnectionError)):
        w.start_tls(tls.context(alpn="http/1.1"))


def test_requests_inside_direct_tls(pgiam):
    """PostgreSQL 17 answers an SSLRequest inside with N, and refuses the next one as a version it does not know."""
    with pgiam.wire() as w:
        w.start_tls(tls.context())
        assert w.request(wire.SSL_REQUEST) == b"N"
        assert w.request(wire.GSSENC_REQUEST) == b"N"
        w.login()
    with pgiam.wire() as w:
        w.start_tls(tls.context())
        assert w.request(wire.SSL_REQUEST) == b"N"
        assert w.send(wire.packet(wire.SSL_REQUEST)).refused()["C"] == "0A000"


def test_direct_where_there_is_no_tls(rds, pgiam_for, workdir):
    pgiam = pgiam_for(rds, client_tls_sslmode="disable", unix_socket_dir=workdir)
    with pgiam.wire() as w:
        assert w.send(wire.client_hello()).closed()
    path = "%s/.s.PGSQL.%d" % (workdir, pgiam.port)
    with wire.Wire.dial_unix(path) as w:
        assert w.send(wire.client_hello()).closed()
    assert pgiam.logged("TLS is not offered here")


def test_hello_behind_a_packet(pgiam):
    """Only the very first byte begins direct TLS."""
    with pgiam.wire() as w:
        assert w.request(wire.GSSENC_REQUEST) == b"N"
        assert w.send(wire.client_hello()).refused()["C"] == "08P01"


def test_first_byte_alone(pgiam):
    """It may take its time with the rest."""
    with pgiam.wire() as w:
        hello = wire.client_hello(context=tls.context())
        w.send(hello[:1])
        assert w.silent(0.3)
        w.send(hello[1:])
        assert w.recv()[:1] == b"\x16"


@pytest.mark.parametrize("direct", [True, False])
def test_one_byte_at_a_time(pgiam, direct):
    """Records of the handshake and of the session cut at every byte."""
    with pgiam.wire() as w:
        if not direct:
            assert w.request(wire.SSL_REQUEST) == b"S"
        tls.start(w, tls.context(), piece=1)
        w.login()
        assert w.value("select 'abc'") == "abc"
        assert len(w.value("select repeat('x', 100000)")) == 100000


def test_one_byte_records(pgiam):
    """A startup packet and queries of which every byte is a record of its own."""
    with pgiam.wire() as w:
        tls.start(w, tls.context())
        for byte in STARTUP:
            w.send(bytes([byte]))
        assert w.until("Z")[-1][0] == "Z"
        for byte in wire.query("select 'one byte'"):
            w.send(bytes([byte]))
        assert wire.rows(w.until("Z")) == [[b"one byte"]]


def hand_written(pgiam, workdir, before, behind=lambda r: b""):
    """Logs in, and says a query in records of our own making, and what the functions of Records give before and behind it;
    the wire.Wire."""
    w = pgiam.wire()
    tls.start(w, tls.keylogging(workdir))
    w.login()
    cipher = w.sock.tls.cipher()[0]
    records = tls.Records(os.path.join(workdir, "keys"), cipher, sent=1)
    w.sock.sock.sendall(before(records) + records.record(wire.query("select 'behind'")) + behind(records))
    return w


def test_empty_records(pgiam, workdir):
    """Records without data are legal (RFC 8446 5.1) and say nothing."""
    with hand_written(pgiam, workdir, lambda r: b"".join(r.record(b"") for _ in range(20))) as w:
        assert wire.rows(w.until("Z")) == [[b"behind"]]


def test_padded_records(pgiam, workdir):
    with hand_written(pgiam, workdir, lambda r: r.record(wire.query("select 'padded'"), padding=5000)) as w:
        assert wire.rows(w.until("Z")) == [[b"padded"]]
        assert wire.rows(w.until("Z")) == [[b"behind"]]


def test_no_end_of_empty_records(pgiam, workdir):
    """Nobody spins for it: the connection ends, the others do not."""
    with pgiam.connect() as other:
        with hand_written(pgiam, workdir, lambda r: b"".join(r.record(b"") for _ in range(1000))) as w:
            assert w.closed()
        assert other.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("kind", [20, 24, 99])
def test_records_of_another_kind(pgiam, workdir, kind):
    with pgiam.connect() as other:
        with hand_written(pgiam, workdir, lambda r: r.record(b"\1", kind)) as w:
            assert w.closed()
        assert other.execute("select 1").fetchone() == (1,)


def test_half_closed(pgiam, workdir):
    """Who says close_notify behind a query still gets its answer, as with shutdown(SHUT_WR)."""
    alert = b"\1\0"  # warning, close_notify

    with hand_written(pgiam, workdir, lambda r: b"", lambda r: r.record(alert, 21)) as w:
        assert wire.rows(w.until("Z")) == [[b"behind"]]
        assert w.closed()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_no_session_is_resumed(pgiam, version):
    """A session would bring along whom it was made for. There is no ticket, and one that is shown is not taken."""
    ctx = tls.context(version=version)
    with pgiam.wire() as w:
        tls.start(w, ctx)
        w.login()
        assert w.value("select 1") == "1"
        session = w.sock.tls.session
        assert session is None or not session.has_ticket
    with pgiam.wire() as w:
        tls.start(w, ctx, session=session)
        w.login()
        assert not w.sock.tls.session_reused


# ---- versions ----

def test_only_tls_1_3(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_tls_protocols="tlsv1.3")
    with pgiam.wire() as w, pytest.raises((ssl.SSLError, ConnectionError)):
        w.tls(tls.context(version="TLSv1_2"))
    with pgiam.wire() as w:
        w.tls(tls.context(version="TLSv1_3"))
        w.login()


def test_ciphers(rds, pgiam_for, files):
    pgiam = pgiam_for(rds, **files.options(client_tls_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384",
                                           client_tls13_ciphers="TLS_CHACHA20_POLY1305_SHA256"))
    for version, cipher in (("TLSv1_2", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("TLSv1_3", "TLS_CHACHA20_POLY1305_SHA256")):
        with pgiam.wire() as w:
            w.tls(tls.context(version=version))
            assert w.sock.cipher()[0] == cipher


# ---- clients' certificates ----

def logs_in(pgiam, cert, version="TLSv1_3"):
    """With that certificate, or none. With TLS 1.3 a refusal comes only behind the client's end of the handshake."""
    with pgiam.wire() as w:
        try:
            w.tls(tls.context(cert=cert, version=version))
            w.send(STARTUP)
            return w.until("ZE")[-1][0] == "Z"
        except (ssl.SSLError, ConnectionError, wire.Closed, IndexError):
            return False


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("mode", ["allow", "verify-ca", "verify-full"])
def test_client_certificates(rds, pgiam_for, files, workdir, mode, version):
    pgiam = pgiam_for(rds, unix_socket_dir=workdir,
                      **files.options(client_tls_sslmode=mode, client_tls_ca_file=files.ca))
    stranger = certs.Authority("stranger", key="ec")
    assert logs_in(pgiam, files.client(), version)
    assert logs_in(pgiam, None, version) == (mode == "allow")
    assert not logs_in(pgiam, stranger.issue([], key="ec", common_name="app_user"), version)
    assert not logs_in(pgiam, files.client(from_days=-9, days=-1), version)
    assert pgiam.logged("the client's certificate cannot be verified: certificate has expired")
    with pgiam.wire() as w:  # and none without TLS
        w.send(STARTUP)
        assert (w.until("ZE")[-1][0] == "Z") == (mode == "allow")
    with wire.Wire.dial_unix("%s/.s.PGSQL.%d" % (workdir, pgiam.port)) as w:
        w.login()


def test_server_certificate_in_place_of_a_clients(rds, pgiam_for, files, authority):
    from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
    pgiam = pgiam_for(rds, **files.options(client_tls_sslmode="verify-ca", client_tls_ca_file=files.ca))
    assert not logs_in(pgiam, files.client(usage=[Usage.SERVER_AUTH]))
    assert logs_in(pgiam, files.client(usage=[Usage.CLIENT_AUTH]))


def test_verify_ca_needs_a_ca(rds, pgiam_for):
    with pytest.raises(RuntimeError, match="needs client_tls_ca_file"):
        pgiam_for(rds, client_tls_sslmode="verify-ca")


# ---- files that change ----

def test_renewed_certificate(rds, pgiam_for, files):
    """Taken without a signal; who is connected stays connected."""
    pgiam = pgiam_for(rds, **files.options())
    with pgiam.wire() as old:
        old.tls()
        old.login()
        before = serial(pgiam)
        files.renew()
        assert wire.eventually(lambda: serial(pgiam) != before)
        assert old.value("select 'still here'") == "still here"
    assert pgiam.logged("TLS files read again")


def test_certificate_without_its_key(rds, pgiam_for, files, authority):
    """Changes nothing and says why, once, until the key is there as well."""
    pgiam = pgiam_for(rds, **files.options())
    before = serial(pgiam)
    chain, key = authority.issue(["localhost"], key="ec")
    put(files.cert, chain)
    time.sleep(1.1)
    for _ in range(3):
        assert serial(pgiam) == before
        time.sleep(0.5)
    assert pgiam.logged("TLS files cannot be used; what was read before stays.*key values mismatch")
    assert pgiam.log().count("TLS files cannot be used") == 1
    put(files.key, key)
    assert wire.eventually(lambda: serial(pgiam) != before)


def test_sighup(rds, pgiam_for, files):
    pgiam = pgiam_for(rds, **files.options(client_tls_ca_file=files.ca))
    before = serial(pgiam)
    with pgiam.connect() as conn:
        pgiam.process.send_signal(signal.SIGHUP)
        assert pgiam.logged("SIGHUP: certificates, keys, CA files and auth files read again; other options need a restart.*failed=0")
        files.renew()
        pgiam.process.send_signal(signal.SIGHUP)
        assert wire.eventually(lambda: serial(pgiam) != before)
        put(files.ca, b"rubbish")
        pgiam.process.send_signal(signal.SIGHUP)
        assert pgiam.logged("cannot be used.*%s.*holds no certificate" % re.escape(files.ca))
        assert pgiam.logged("SIGHUP: .*failed=1")
        assert conn.execute("select 1").fetchone() == (1,)
    assert logs_in(pgiam, files.client())  # by the old CA


def test_renewed_authority(rds, pgiam_for, files):
    """A client certificate by a new CA is taken once the CA file has it."""
    pgiam = pgiam_for(rds, **files.options(client_tls_sslmode="verify-ca", client_tls_ca_file=files.ca))
    new = certs.Authority("the next one", key="ec")
    cert = new.issue([], key="ec", common_name="app_user")
    assert not logs_in(pgiam, cert)
    put(files.ca, files.authority.pem() + new.pem())
    assert wire.eventually(lambda: logs_in(pgiam, cert))
    put(files.ca, new.pem())
    assert wire.eventually(lambda: not logs_in(pgiam, files.client()))


def test_expiry(rds, pgiam_for, files):
    files.renew(days=3)
    pgiam = pgiam_for(rds, **files.options())
    assert pgiam.logged("a certificate expires soon.*certificate=%s days_left=[23]\\b" % files.cert)
    left = pgiam.metric("pgiam_certificate_expiry_timestamp_seconds", shown_to="clients", file=files.cert) - time.time()
    assert 2.9 * 86400 < left < 3.1 * 86400
    files.renew(days=90)
    serial(pgiam)
    assert wire.eventually(lambda: serial(pgiam) and pgiam.metric(
        "pgiam_certificate_expiry_timestamp_seconds") - time.time() > 89 * 86400)


def test_encrypted_key(rds, pgiam_for, files):
    from cryptography.hazmat.primitives import serialization
    with open(files.key, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), None)
    put(files.key, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(RuntimeError, match="it is encrypted, and pgiam has no passphrase for it"):
        pgiam_for(rds, **files.options())
