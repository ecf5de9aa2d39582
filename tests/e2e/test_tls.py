"""TLS on both sides: whom pgiam trusts, and what it shows."""
import datetime
import os
import re
import signal
import ssl
import subprocess
import threading
import time

import pytest
from cryptography import x509

import fakepg
import proxy
import wire
from fakepg import certs, login_and_serve
from files import put
from tls import refused


pytestmark = pytest.mark.filterwarnings("ignore:.*TLSv1.*deprecated:DeprecationWarning")


# ---- the server's certificate ----

def test_good_certificate(fake_factory, pgiam_for):
    fake = fake_factory(login_and_serve)
    assert pgiam_for(fake).sql("select 1") == [("1",)]
    assert fake.startups[0]["encrypted"] and len(fake.tokens) == 1


BAD_CERTIFICATES = {
    "other name": (dict(names=["other.example"]), "other.example|name"),
    "part of the name": (dict(names=["c9akciq32rgw.us-east-1.rds.amazonaws.com"]), "name"),
    "wildcard too high": (dict(names=["*.rds.amazonaws.com"]), "name"),
    "expired": (dict(names=[fakepg.HOST], from_days=-10, days=-1), "expired"),
    "not yet": (dict(names=[fakepg.HOST], from_days=5, days=10), "not yet valid"),
}


@pytest.mark.parametrize("case", BAD_CERTIFICATES)
def test_bad_certificate(fake_factory, pgiam_for, authority, case):
    """No token goes out; the client learns what is wrong with which certificate, and which CA file was used."""
    kw, why = BAD_CERTIFICATES[case]
    fake = fake_factory(login_and_serve, chain_key=authority.issue(key="ec", **kw))
    text = refused(pgiam_for(fake))
    assert re.search(why, text), text
    assert 'subject "CN = %s", issuer "O = pgiam tests, CN = pgiam e2e CA"' % kw["names"][0] in text, text
    assert 'wanted "%s"; trusted: %s' % (fakepg.HOST, authority.path) in text, text
    assert fake.startups == [] and fake.tokens == []


def test_wildcard(fake_factory, pgiam_for):
    """RDS Proxy's certificates have one."""
    fake = fake_factory(login_and_serve, names=["*.c9akciq32rgw.us-east-1.rds.amazonaws.com"])
    assert pgiam_for(fake).sql("select 1") == [("1",)]


@pytest.mark.parametrize("names", [[fakepg.HOST + "\0.evil.example"], []], ids=["name", "common name"])
def test_nul_in_the_name(fake_factory, pgiam_for, authority, names):
    """What stops reading at the NUL sees the name that is wanted."""
    fake = fake_factory(login_and_serve, chain_key=authority.issue(names, key="ec", common_name=fakepg.HOST + "\0.evil"))
    assert "cannot be verified" in refused(pgiam_for(fake))
    assert fake.tokens == []


def test_common_name_beside_names(fake_factory, pgiam_for, authority):
    """It is not looked at where there are others."""
    fake = fake_factory(login_and_serve, chain_key=authority.issue(["x.example"], key="ec", common_name=fakepg.HOST))
    refused(pgiam_for(fake))
    assert fake.tokens == []


def test_unknown_authority(fake_factory, pgiam_for):
    stranger = certs.Authority("stranger", key="ec")
    fake = fake_factory(login_and_serve, chain_key=stranger.issue([fakepg.HOST], key="ec"))
    text = refused(pgiam_for(fake))
    assert "stranger" in text or "issuer" in text, text
    assert fake.tokens == []


def test_self_signed(fake_factory, pgiam_for):
    own = certs.Authority(fakepg.HOST, key="ec")
    fake = fake_factory(login_and_serve, chain_key=(own.pem(), certs.key_pem(own.key)))
    refused(pgiam_for(fake))
    assert fake.tokens == []


def test_subordinate_authority(fake_factory, pgiam_for, authority):
    region = certs.Authority("region", parent=authority, key="ec")
    fake = fake_factory(login_and_serve, chain_key=region.issue([fakepg.HOST], key="ec"))
    assert pgiam_for(fake).sql("select 1") == [("1",)]


# Where a CA is looked for when none is named. Each has to be there: the system's roots are for RDS Proxy and DSQL.
PLACES = {
    "a usual place of the RDS bundle": ("/etc/ssl/certs/global-bundle.pem", {}),
    "the system's roots": ("/etc/ssl/certs/ca-certificates.crt", {}),
    "SSL_CERT_FILE": ("/etc/ssl/certs/own.pem", {"SSL_CERT_FILE": "/etc/ssl/certs/own.pem"}),
}
COPY = ["sh", "-ec", 'cp "$1" "$2"; shift 2; exec "$@"', "sh"]
OWN_CERTS = ["unshare", "--mount", "sh", "-ec", 'mount -t tmpfs none /etc/ssl/certs; exec "$@"', "sh", *COPY]


def needs_own_certs(authority, path):
    if not os.path.isdir("/etc/ssl/certs") or subprocess.run([*OWN_CERTS, authority.path, path, "true"], check=False,
                                                             capture_output=True).returncode:
        pytest.skip("needs /etc/ssl/certs and the right to mount")


@pytest.mark.parametrize("place", PLACES)
def test_places_of_a_ca(fake_factory, pgiam_for, authority, workdir, place):
    """In a file system of the process's own. A renewed one is read again there, too; where OpenSSL is told by a variable,
    on SIGHUP."""
    path, env = PLACES[place]
    needs_own_certs(authority, path)
    stranger = put(workdir + "/stranger.pem", certs.Authority("stranger", key="ec").pem())
    fake = fake_factory(login_and_serve)
    pgiam = pgiam_for(fake, env=env, database={"tls_ca": None}, server_login_retry=0.1, prefix=[*OWN_CERTS, stranger, path])
    refused(pgiam)
    with open(authority.path, "rb") as file:
        put("/proc/%d/root%s" % (pgiam.pid, path), file.read())
    if env:
        pgiam.process.send_signal(signal.SIGHUP)
    assert proxy.patiently(lambda: pgiam.sql("select 1")) == [("1",)]


def test_bundle_and_roots(fake_factory, pgiam_for, authority, workdir):
    """Both count: RDS and Aurora are verified by the bundle, RDS Proxy and DSQL by the system's roots."""
    bundle, roots = PLACES["a usual place of the RDS bundle"][0], PLACES["the system's roots"][0]
    needs_own_certs(authority, bundle)
    stranger = put(workdir + "/stranger.pem", certs.Authority("stranger", key="ec").pem())
    for ours, others in ((bundle, roots), (roots, bundle)):
        pgiam = pgiam_for(fake_factory(login_and_serve), database={"tls_ca": None},
                          prefix=[*OWN_CERTS, stranger, others, *COPY, authority.path, ours])
        assert pgiam.sql("select 1") == [("1",)]


def test_named_place_without_a_ca(fake_factory, pgiam_for, authority):
    """Whoever names a place trusts no other, though there be nothing."""
    path = PLACES["the system's roots"][0]
    needs_own_certs(authority, path)
    fake = fake_factory(login_and_serve)
    pgiam = pgiam_for(fake, env={"SSL_CERT_FILE": "/etc/ssl/certs/none.pem"}, database={"tls_ca": None},
                      prefix=[*OWN_CERTS, authority.path, path])
    assert "cannot be verified" in refused(pgiam)
    assert fake.tokens == []


def test_without_ca_file_a_test_ca_is_not_trusted(fake_factory, pgiam_for):
    fake = fake_factory(login_and_serve)
    refused(pgiam_for(fake, database=dict(tls_ca=None)))
    assert fake.tokens == []


def test_tls_1_1_is_refused(fake_factory, pgiam_for):
    fake = fake_factory(login_and_serve)
    fake.context.minimum_version = ssl.TLSVersion.TLSv1
    fake.context.maximum_version = ssl.TLSVersion.TLSv1_1
    fake.context.set_ciphers("ALL:@SECLEVEL=0")
    refused(pgiam_for(fake))
    assert fake.tokens == []


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_versions(fake_factory, pgiam_for, version):
    fake = fake_factory(login_and_serve)
    fake.context.minimum_version = fake.context.maximum_version = ssl.TLSVersion[version]
    assert pgiam_for(fake).sql("select 1") == [("1",)]


def test_server_name_indication(fake_factory, pgiam_for):
    """Sent without a trailing dot, never for an address."""
    seen = []
    fake = fake_factory(login_and_serve)
    fake.context.sni_callback = lambda sock, name, context: seen.append(name)
    pgiam_for(fake, database=dict(host=fakepg.HOST + ".")).sql("select 1")
    assert seen == [fakepg.HOST]


def test_address_in_the_certificate(fake_factory, pgiam_for):
    fake = fake_factory(login_and_serve, names=["127.0.0.1"])
    to_it = dict(host="127.0.0.1", hostaddr=None, iam_host=fakepg.HOST)
    assert pgiam_for(fake, database=to_it).sql("select 1") == [("1",)]


def test_server_that_hangs_in_the_handshake(fake_factory, pgiam_for):
    def script(conn):
        conn.read_packet()
        conn.send(b"S")
        conn.closed()

    pgiam = pgiam_for(fake_factory(script), server_connect_timeout=1)
    start = time.monotonic()
    text = refused(pgiam)
    assert time.monotonic() - start < 8 and "TLS" in text, text


def test_server_that_breaks_the_handshake(fake_factory, pgiam_for):
    for rubbish in (b"", b"\x15\x03\x01\0\2\2\x28", b"HTTP/1.1 400\r\n\r\n", os.urandom(500)):
        def script(conn, rubbish=rubbish):
            conn.read_packet()
            conn.send(b"S")
            conn.recv()
            conn.send(rubbish)
            time.sleep(0.1)

        text = refused(pgiam_for(fake_factory(script)))
        assert "TLS" in text, text


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-ca"])
def test_modes_that_verify_too_little_are_refused(rds, pgiam_factory, mode):
    with pytest.raises(RuntimeError, match="sslmode.*%s|%s.*verify-full" % (mode, mode)):
        pgiam_factory({"app": rds.database(sslmode=mode)}, env=rds.aws())


def test_changed_ca_file_is_read_again(fake_factory, pgiam_for, workdir, authority):
    """A new bundle, as when RDS's authorities are renewed, needs no restart."""
    path = workdir + "/ca.pem"
    stranger = certs.Authority("stranger", key="ec")
    put(path, stranger.pem())
    fake = fake_factory(login_and_serve)
    pgiam = pgiam_for(fake, database=dict(tls_ca=path), server_login_retry=0.1)
    refused(pgiam)
    put(path, stranger.pem() + authority.pem())
    assert proxy.patiently(lambda: pgiam.sql("select 1")) == [("1",)]


def test_missing_ca_file(rds, pgiam_factory):
    with pytest.raises(RuntimeError, match="no-such-file"):
        pgiam_factory({"app": rds.database(tls_ca="/no-such-file.pem")}, env=rds.aws())


# ---- pgiam's own certificate ----

def test_certificate_of_its_own(pgiam):
    """Made in memory: sslmode=require works with nothing configured, and nothing says it is a CA."""
    with pgiam.wire() as w:
        w.tls(server_hostname="localhost")
        cert = x509.load_der_x509_certificate(w.sock.getpeercert(binary_form=True))
        w.login()
    now = datetime.datetime.utcnow()
    assert cert.not_valid_before <= now < cert.not_valid_after
    assert "localhost" in cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName)


def test_configured_certificate(rds, pgiam_for, workdir, authority):
    chain, key = authority.issue(["localhost", "127.0.0.1"], key="ec")
    for name, data in (("cert", chain), ("key", key)):
        put(os.path.join(workdir, name), data)
    pgiam = pgiam_for(rds, client_tls_cert_file=workdir + "/cert", client_tls_key_file=workdir + "/key")
    assert pgiam.sql("select 1", host="localhost", hostaddr="127.0.0.1", sslmode="verify-full",
                     sslrootcert=authority.path) == [(1,)]


@pytest.mark.parametrize("broken", ["missing", "empty", "other key", "key in place of certificate"])
def test_broken_certificate_files(rds, pgiam_for, workdir, authority, broken):
    chain, key = authority.issue(["localhost"], key="ec")
    files = {"missing": (None, key), "empty": (b"", key), "other key": (chain, authority.issue(["x"], key="ec")[1]),
             "key in place of certificate": (key, key)}[broken]
    for name, data in zip(("cert", "key"), files):
        if data is not None:
            put(os.path.join(workdir, name), data)
    with pytest.raises(RuntimeError, match="ended with 3"):
        pgiam_for(rds, client_tls_cert_file=workdir + "/cert", client_tls_key_file=workdir + "/key")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_clients_tls_versions(pgiam, version):
    context = wire.trusting_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with pgiam.wire() as w:
        w.tls(context)
        w.login()
        assert len(w.value("select repeat('x', 200000)")) == 200000


def test_clients_tls_1_1_is_refused(pgiam):
    context = wire.trusting_context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pgiam.wire() as w, pytest.raises((ssl.SSLError, ConnectionError)):
        w.tls(context)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\0" * 200, b"\x16"])
def test_broken_handshake_of_a_client(pgiam, data):
    with pgiam.wire() as w:
        assert w.request(wire.SSL_REQUEST) == b"S"
        w.send(data)
        if len(data) > 1:
            assert w.closed()
    assert pgiam.sql("select 1") == [(1,)]


def test_client_half_way_through_the_handshake(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_login_timeout=1)
    with pgiam.wire() as w:
        assert w.request(wire.SSL_REQUEST) == b"S"
        w.send(wire.client_hello()[:50])
        assert w.closed()


def test_close_notify(pgiam):
    """TLS ends as it should when the client says goodbye: no truncation."""
    with pgiam.wire() as w:
        w.tls()
        w.login()
        w.send(wire.terminate())
        assert w.sock.recv(1) == b""


def test_session_ends_without_close_notify(pgiam):
    for _ in range(10):
        with pgiam.wire() as w:
            w.tls()
            w.login()
            w.ask("select 1")
            raw = w.sock.detach()
            os.close(raw)
    assert pgiam.sql("select 1") == [(1,)]
    assert not pgiam.logged("internal", 0.1)


def test_many_handshakes_at_once(pgiam):
    done = []

    def one():
        with pgiam.wire() as w:
            w.tls()
            w.login()
            done.append(w.value("select 1"))
    threads = [threading.Thread(target=one) for _ in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert done == ["1"] * 40
