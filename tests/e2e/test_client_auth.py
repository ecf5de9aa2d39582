"""Clients that must prove who they are: real drivers, each auth_type, each kind of secret, each transport."""
import asyncio
import base64
import hashlib
import hmac
import os
import pwd
import signal
import subprocess
import time

import asyncpg
import psycopg
import pytest

import fakepg
import wire
from files import put
from proxy import environment, undisturbed

PASSWORD = "open \"sesame"
FAILED = 'password authentication failed for user "%s"'


def scram_secret(password, salt=b"0123456789abcdef", iterations=4096):
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.new(salted, b"Client Key", "sha256").digest()
    keys = hashlib.sha256(client).digest(), hmac.new(salted, b"Server Key", "sha256").digest()
    return "SCRAM-SHA-256$%d:%s$%s:%s" % (iterations, *(base64.b64encode(b).decode() for b in (salt, *keys)))


def md5_secret(user, password):
    return "md5" + hashlib.md5((password + user).encode()).hexdigest()


SECRETS = {"plain": PASSWORD, "md5": md5_secret("md5", PASSWORD), "scram": scram_secret(PASSWORD), "empty": ""}
MAY = {"plain": {"plain", "md5", "scram"}, "md5": {"plain", "md5", "scram"}, "scram-sha-256": {"plain", "scram"}}
TRANSPORTS = {"tcp": dict(sslmode="disable"), "tls": dict(sslmode="require"), "unix": None}


@pytest.fixture
def guarded(plain, pgiam_for, workdir):
    """guarded(auth_type): pgiam that asks, with a user for every kind of secret."""
    def make(auth_type, secrets=None, **options):
        path = os.path.join(workdir, "users")
        write(path, SECRETS if secrets is None else secrets)
        return pgiam_for(plain, database=dict(auth="none", user="app_user"), auth_type=auth_type, auth_file=path,
                         unix_socket_dir=workdir, **options)
    return make


def write(path, secrets):
    with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        for user, secret in secrets.items():
            file.write('"%s" "%s"\n' % (user, secret.replace('"', '""')))


def where(pgiam, transport):
    return TRANSPORTS[transport] or dict(host=pgiam.options["unix_socket_dir"], sslmode=None)


def by_psycopg(pgiam, user, password, transport):
    try:
        return pgiam.sql("select current_user", user=user, password=password, **where(pgiam, transport))[0][0]
    except psycopg.OperationalError as e:
        return str(e)


def by_psql(pgiam, user, password, transport):
    done = subprocess.run(["psql", pgiam.conninfo(user=user, **where(pgiam, transport)), "-wXAtc", "select current_user"],
                          env=environment({"PGPASSWORD": password}), capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else done.stderr


def by_asyncpg(pgiam, user, password, transport):
    to = where(pgiam, transport)

    async def go():
        conn = await asyncpg.connect(host=to.get("host", "127.0.0.1"), port=pgiam.port, user=user, password=password,
                                     database="app", ssl=to["sslmode"] or "disable")
        try:
            return await conn.fetchval("select current_user")
        finally:
            await conn.close()
    try:
        return asyncio.run(go())
    except asyncpg.InvalidPasswordError as e:
        return str(e)


DRIVERS = {"psycopg": by_psycopg, "psql": by_psql, "asyncpg": by_asyncpg}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("auth_type", MAY)
def test_logins(guarded, auth_type, driver):
    pgiam = guarded(auth_type)
    for transport in TRANSPORTS:
        for user in SECRETS:
            said = DRIVERS[driver](pgiam, user, PASSWORD, transport)
            if user in MAY[auth_type]:
                assert said == "app_user", (transport, user, said)
            else:
                assert FAILED % user in said, (transport, user, said)
    for user in ("plain", "scram", "nobody"):
        assert FAILED % user in DRIVERS[driver](pgiam, user, "wrong", "tcp")
    assert PASSWORD not in pgiam.log()


def test_channel_binding(guarded):
    """Inside TLS -PLUS is offered, and libpq insists on it where told to."""
    pgiam = guarded("scram-sha-256")
    assert pgiam.sql("select 1", user="scram", password=PASSWORD, sslmode="require", channel_binding="require") == [(1,)]
    assert pgiam.sql("select 1", user="scram", password=PASSWORD, sslmode="require", channel_binding="disable") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        pgiam.sql("select 1", user="scram", password=PASSWORD, channel_binding="require")
    plain = guarded("plain")
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        plain.sql("select 1", user="scram", password=PASSWORD, sslmode="require", channel_binding="require")


@pytest.mark.parametrize("auth_type", MAY)
def test_beyond_ascii(guarded, auth_type):
    """SASLprep makes one of the two ways to write a letter; other types take the bytes as they are."""
    pgiam = guarded(auth_type, {"joe": "p\u00e4ss", "kept": scram_secret("p\u00e4ss")})
    for user in "joe", "kept":
        assert by_psycopg(pgiam, user, "p\u00e4ss", "tcp") == "app_user"
    assert by_psycopg(pgiam, "kept", "pa\u0308ss", "tcp") == "app_user"
    assert FAILED % "joe" in by_psycopg(pgiam, "joe", "p\u00e5ss", "tcp")


def test_downgrade(guarded):
    """Somebody on the way takes -PLUS out of the offer: the client says it saw none, and is told so."""
    with guarded("scram-sha-256").wire() as w:
        w.tls()
        w.send(wire.startup(user="scram"))
        kind, body = w.read()
        assert kind == "R" and b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0" in body
        first = b"y,,n=,r=abcdefgh"
        w.send(wire.message("p", b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first))
        fields = wire.error_fields(w.until("E")[-1][1])
        assert fields["C"] == "28000" and fields["M"] == "SCRAM channel binding negotiation error"


def test_pooled_session_is_the_users_own(guarded):
    """A right password of one user opens no other user's door, whatever connections wait in the pool."""
    pgiam = guarded("scram-sha-256", {"one": "first", "two": "second"})
    assert pgiam.sql("select 1", user="one", password="first") == [(1,)]
    assert FAILED % "two" in by_psycopg(pgiam, "two", "first", "tcp")
    assert pgiam.sql("select 1", user="two", password="second") == [(1,)]


def test_file_is_read_again(guarded):
    pgiam = guarded("scram-sha-256", {"joe": "first"})
    path = pgiam.options["auth_file"]
    assert by_psycopg(pgiam, "joe", "first", "tcp") == "app_user"
    write(path, {"joe": "second", "ann": "third"})
    assert wire.eventually(lambda: by_psycopg(pgiam, "joe", "second", "tcp") == "app_user", 10)
    time.sleep(2)  # each worker looks for itself, once a second at most
    for _ in range(4):
        assert FAILED % "joe" in by_psycopg(pgiam, "joe", "first", "tcp")
        assert by_psycopg(pgiam, "ann", "third", "tcp") == "app_user"
    with open(path, "a", encoding="utf-8") as file:
        file.write("broken\n")
    assert wire.eventually(lambda: by_psycopg(pgiam, "ann", "third", "tcp") == "app_user" and
                           "line 3" in pgiam.log(), 10)
    os.unlink(path)
    assert wire.eventually(lambda: by_psycopg(pgiam, "ann", "third", "tcp") == "app_user" and
                           "No such file" in pgiam.log(), 10)


def test_rules_are_read_again(plain, pgiam_for, workdir):
    """auth_hba_file and auth_ident_file, when they change and on SIGHUP; broken ones change nothing, are told and counted."""
    me, paths = pwd.getpwuid(os.getuid()).pw_name, {n: os.path.join(workdir, n) for n in ("users", "hba", "ident")}

    def write(name, text):
        put(paths[name], text, mode=0o600)

    def told(failed):
        before = pgiam.log().count("SIGHUP: ")
        pgiam.process.send_signal(signal.SIGHUP)
        assert wire.eventually(lambda: pgiam.log().count("SIGHUP: ") > before)
        assert pgiam.log().rsplit("SIGHUP: ", 1)[1].split("failed=")[1].startswith(str(failed))
    write("users", '"joe" "%s"\n' % scram_secret(PASSWORD))
    write("hba", "local all all peer map=m\nhost all all 127.0.0.1/32 reject\n")
    write("ident", "m %s app\n" % me)
    pgiam = pgiam_for(plain, database=dict(auth="none", user="app_user"), auth_type="hba", auth_file=paths["users"],
                      auth_hba_file=paths["hba"], auth_ident_file=paths["ident"], unix_socket_dir=workdir)
    with pgiam.connect(user="app", host=workdir, sslmode=None) as kept:
        assert "rejects connection" in by_psycopg(pgiam, "joe", PASSWORD, "tcp")
        write("hba", "local all all peer map=m\nhost all all 127.0.0.1/32 scram-sha-256\n")
        assert wire.eventually(lambda: by_psycopg(pgiam, "joe", PASSWORD, "tcp") == "app_user")
        write("ident", "m %s other\n" % me)
        told(0)
        assert "Peer authentication failed" in by_psycopg(pgiam, "app", None, "unix")
        assert by_psycopg(pgiam, "other", None, "unix") == "app_user"
        assert pgiam.metric("pgiam_file_failures_total", files="auth_hba_file") == 0
        write("ident", "n %s app\n" % me)
        told(1)
        assert pgiam.logged('auth_hba_file or auth_ident_file cannot be used: what they said before holds.*no map')
        write("users", "broken\n")
        told(2)
        write("hba", "host all all 0.0.0.0/0 trust\n")  # a door nobody opens by editing a file
        told(2)
        assert pgiam.logged("other hosts are let in by trust")
        for name in paths:
            os.unlink(paths[name])
            os.mkfifo(paths[name])
        told(2)
        assert by_psycopg(pgiam, "joe", PASSWORD, "tcp") == "app_user"
        assert by_psycopg(pgiam, "other", None, "unix") == "app_user"
        assert pgiam.metric("pgiam_file_failures_total", files="auth_hba_file") >= 4
        assert pgiam.metric("pgiam_file_failures_total", files="auth_file") >= 3
        assert kept.execute("select 1").fetchone() == (1,)


def test_psql_asks_for_a_password(guarded):
    """psql connects, sees that it needs one, hangs up, and comes again: nobody is told that a login failed."""
    pgiam = guarded("scram-sha-256")
    done = subprocess.run(["psql", pgiam.conninfo(user="scram"), "-wXAtc", "select 1"], env=environment({}),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no password supplied" in done.stderr
    assert "authentication failed" not in pgiam.log()


def test_a_hash_does_not_stall_others(guarded):
    """A secret with as many iterations as there may be takes its time: on another thread. Traffic goes on."""
    pgiam = guarded("plain", {"slow": scram_secret(PASSWORD, iterations=1000000), "quick": PASSWORD})
    with pgiam.connect(user="quick", password=PASSWORD) as conn:
        conn.execute("select 1")
        assert undisturbed(conn, lambda: by_psycopg(pgiam, "slow", PASSWORD, "tcp")) == "app_user"


def test_many_hashes(guarded):
    """Fifty logins at once, all of whom need one."""
    pgiam = guarded("scram-sha-256", default_pool_size=5)

    async def go():
        async def one():
            conn = await asyncpg.connect(host="127.0.0.1", port=pgiam.port, user="plain", password=PASSWORD,
                                         database="app", ssl="disable")
            value = await conn.fetchval("select 1")
            await conn.close()
            return value
        return await asyncio.gather(*(one() for _ in range(50)))
    assert asyncio.run(go()) == [1] * 50
    assert pgiam.metric("pgiam_client_password_hashes_total") == 50


# ---- who somebody else says one is ----

def test_peer_by_name(plain, pgiam_for, workdir):
    """The kernel says who is at the other end of a unix socket."""
    os.chmod(workdir, 0o755)
    pgiam = pgiam_for(plain, database=dict(auth="none", user="app_user"), auth_type="peer", unix_socket_dir=workdir,
                      unix_socket_mode="0777")
    here = dict(host=workdir, sslmode=None)
    assert pgiam.sql("select current_user", user=pwd.getpwuid(os.getuid()).pw_name, **here) == [("app_user",)]
    with pytest.raises(psycopg.OperationalError, match='Peer authentication failed for user "nobody"'):
        pgiam.sql("select 1", user="nobody", **here)
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        pgiam.sql("select 1", user=pwd.getpwuid(os.getuid()).pw_name)


def test_hba(plain, pgiam_for, workdir):
    """Lines for unix sockets, with a map, for TLS and for plaintext."""
    me = pwd.getpwuid(os.getuid()).pw_name
    write(workdir + "/users", {"joe": scram_secret(PASSWORD)})
    put(workdir + "/hba", "local all all peer map=local\nhostnossl all joe 127.0.0.1/32 scram-sha-256\n"
                          "hostssl app \"free man\" 127.0.0.0/8 trust\nhost all mallory all reject\n")
    put(workdir + "/ident", "local %s app\n" % me)
    pgiam = pgiam_for(plain, database=dict(auth="none", user="app_user"), auth_type="hba", auth_file=workdir + "/users",
                      auth_hba_file=workdir + "/hba", auth_ident_file=workdir + "/ident", unix_socket_dir=workdir)
    here = dict(host=workdir, sslmode=None)
    assert pgiam.sql("select 1", user="app", **here) == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        pgiam.sql("select 1", user=me, **here)
    assert by_psycopg(pgiam, "joe", PASSWORD, "tcp") == "app_user"
    assert FAILED % "joe" in by_psycopg(pgiam, "joe", "wrong", "tcp")
    assert 'no pg_hba.conf entry for host "127.0.0.1", user "joe", database "app", SSL encryption' in \
        by_psycopg(pgiam, "joe", PASSWORD, "tls")
    assert by_psycopg(pgiam, "free man", None, "tls") == "app_user"
    assert 'pg_hba.conf rejects connection for host "127.0.0.1", user "mallory", database "app", no encryption' in \
        by_psycopg(pgiam, "mallory", PASSWORD, "tcp")


def test_certificates(plain, pgiam_for, workdir, authority):
    """The common name of a certificate that our authority signed is the user; nobody else's counts."""
    def shown(name, issuer=authority):
        paths = [os.path.join(workdir, "%s-%s" % (name.replace("\0", "NUL"), kind)) for kind in ("crt", "key")]
        for path, pem in zip(paths, issuer.issue([], key="ec", common_name=name)):
            put(path, pem, mode=0o600)
        return dict(sslmode="require", sslcert=paths[0], sslkey=paths[1])

    def said(pgiam, user, **kw):
        try:
            return pgiam.sql("select current_user", user=user, **kw)[0][0]
        except psycopg.OperationalError as e:
            return str(e)
    refused = 'certificate authentication failed for user "%s"'
    cert, other, ident = shown("joe"), shown("ann"), workdir + "/ident"
    pgiam = pgiam_for(plain, database=dict(auth="none", user="app_user"), auth_type="cert", client_tls_ca_file=authority.path)
    assert said(pgiam, "joe", **cert) == "app_user"
    assert refused % "ann" in said(pgiam, "ann", **cert)
    assert refused % "joe" in said(pgiam, "joe", **other)
    assert refused % "joe" in said(pgiam, "joe", sslmode="require")
    assert refused % "joe" in said(pgiam, "joe")
    for name in ("joe\0.example", "joe\0", "\0joe"):  # CVE-2009-4034
        assert refused % "joe" in said(pgiam, "joe", **shown(name))
    stranger = shown("joe", fakepg.certs.Authority("stranger", key="ec"))
    assert "app_user" not in said(pgiam, "joe", **stranger)
    put(workdir + "/hba", "hostssl all all all cert map=certs\n")
    put(ident, "certs joe app\ncerts ann all\n")
    pgiam = pgiam_for(plain, database=dict(auth="none", user="app_user"), auth_type="hba", client_tls_ca_file=authority.path,
                      auth_hba_file=workdir + "/hba", auth_ident_file=ident)
    cert, other = shown("joe"), shown("ann")
    assert said(pgiam, "app", **cert) == "app_user"
    assert refused % "joe" in said(pgiam, "joe", **cert)
    assert said(pgiam, "whoever", **other) == "app_user"


def test_certificates_need_a_ca(plain, pgiam_for):
    with pytest.raises(RuntimeError, match="cert needs TLS with client_tls_ca_file"):
        pgiam_for(plain, database=dict(auth="none"), auth_type="cert")
