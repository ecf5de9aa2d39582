"""Until the authentication is over nobody learns which users and databases there are: what pgiam sends is the same to the
byte, and the work it does is."""
import os
import struct

import pytest

import tls
import wire
from files import put

# Names as long as each other; each kind of secret, of the password "secret".
SECRETS = {
    "clear": "secret",
    "md5": "md5a76b7b2e59a3f9c0b5e5a9f6b1b0f4c2",
    "scram": "SCRAM-SHA-256$8000:MDEyMzQ1Njc4OWFi$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
             "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
}
THERE, NOBODY = "there1", "nobody"
HERE, NOWHERE = "app", "nil"
HBA = "local all all %s\nhostssl all all all %s\nhostnossl all all all %s\n"


def answer(request, data, turn):
    """What somebody says who does not know the password."""
    if request == 3:
        return wire.cstring("wrong")
    if request == 5:
        return wire.cstring("md5" + "0" * 32)
    if request == 10:
        first = b"n,,n=,r=abcdefgh"
        return b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first
    assert request == 11 and turn == 1, (request, turn)
    nonce = dict(p.split("=", 1) for p in data.decode().split(","))["r"]
    return b"c=biws,r=%s,p=%s=" % (nonce.encode(), b"A" * 43)


def masked(request, data):
    """Without what is random, or made of the name: the salts and the nonce. Their lengths stay."""
    if request == 5:
        return len(data)
    if request == 11:
        return [(p[:2], len(p)) if p[:1] in b"rs" else p for p in data.split(b",")]
    return data


def transcript(pgiam, transport, user, database, cert):
    """All that is said to a client who cannot prove to be that user, and how many hashes that took."""
    before = pgiam.metric("pgiam_client_password_hashes_total")
    if transport == "unix":
        w = wire.Wire.dial_unix("%s/.s.PGSQL.%d" % (pgiam.options["unix_socket_dir"], pgiam.port))
    else:
        w = pgiam.wire()
    said = []
    with w:
        if transport == "tls":
            w.tls(tls.context(alpn=None, cert=cert))
        w.send(wire.startup(user=user, database=database))
        turn = 0
        for kind, body in iter(lambda: (w.until("RE") or [("end", b"")])[-1], ("end", b"")):
            if kind == "R":
                request, = struct.unpack("!I", body[:4])
                said.append(("R", request, masked(request, body[4:])))
                w.send(wire.message("p", answer(request, body[4:], turn)))
                turn += 1
            else:
                said.append((kind, body.replace(user.encode(), b"******").replace(database.encode(), b"***")))
    assert said and said[-1][0] == "E", said
    return said, pgiam.metric("pgiam_client_password_hashes_total") - before


def look_alike(pgiam, transport, cert=None):
    real = transcript(pgiam, transport, THERE, HERE, cert)
    for user, database in ((NOBODY, HERE), (THERE, NOWHERE), (NOBODY, NOWHERE)):
        assert transcript(pgiam, transport, user, database, cert) == real, (user, database)
    return real


@pytest.fixture
def asking(plain, pgiam_factory, workdir):
    """asking(**options): pgiam with one database, and clients that have to prove who they are."""
    def make(**options):
        return pgiam_factory({HERE: plain.database(auth="none", user="app_user")}, unix_socket_dir=workdir, **options)
    return make


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("asked", ["scram-sha-256", "md5", "plain"])
@pytest.mark.parametrize("by_hba", [False, True], ids=["auth_type", "hba"])
def test_passwords(asking, workdir, asked, kind, by_hba):
    users = put(os.path.join(workdir, "users"), '"%s" "%s"\n' % (THERE, SECRETS[kind]), mode=0o600)
    how = dict(auth_type=asked)
    if by_hba:
        how = dict(auth_type="hba", auth_hba_file=put(os.path.join(workdir, "hba"), HBA % ((asked,) * 3)))
    pgiam = asking(auth_file=users, **how)
    for transport in ("tcp", "tls") if asked == "scram-sha-256" else ("unix",):
        said, hashes = look_alike(pgiam, transport)
        assert b"28P01" in said[-1][1], said
        assert hashes == ((asked, kind) in (("plain", "scram"), ("scram-sha-256", "clear"))), (transport, hashes)


@pytest.mark.parametrize("by_hba", [False, True], ids=["auth_type", "hba"])
@pytest.mark.parametrize("asked", ["cert", "peer"])
def test_names(asking, workdir, authority, asked, by_hba):
    """Nothing is asked; who is refused is refused alike."""
    how = dict(auth_type=asked)
    if by_hba:
        line = "local all all peer map=m\n" if asked == "peer" else "hostssl all all all cert map=m\n"
        how = dict(auth_type="hba", auth_hba_file=put(os.path.join(workdir, "hba"), line),
                   auth_ident_file=put(os.path.join(workdir, "ident"), "m somebody %s\n" % THERE))
    if asked == "cert":
        how["client_tls_ca_file"] = authority.path
    pgiam = asking(**how)
    certs = (authority.issue([], key="ec", common_name="joe"), None) if asked == "cert" else (None,)
    for transport in ("tcp", "tls", "unix"):
        for cert in certs:
            said, hashes = look_alike(pgiam, transport, cert)
            assert b"C28000\0" in said[-1][1] and hashes == 0, said


def test_no_line(asking, workdir):
    """auth_hba_file tells what it says, and not who is there."""
    lines = "host all all 192.0.2.0/24 reject\nhostssl all all all reject\n"
    pgiam = asking(auth_type="hba", auth_hba_file=put(os.path.join(workdir, "hba"), lines))
    for transport, words in (("tcp", b"no pg_hba.conf entry"), ("tls", b"pg_hba.conf rejects"), ("unix", b"no pg_hba.conf entry")):
        said, hashes = look_alike(pgiam, transport)
        assert words in said[-1][1] and hashes == 0, said
