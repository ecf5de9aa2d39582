"""More than 200 beginnings of connections, said to PostgreSQL and to pgiam in front of it: both answer alike, byte for byte,
but for what doc/protocol-differences.md lists. A conversation that shows such a difference names its row there."""
import os
import re
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

import conversations
import wire
from files import put

DOC = os.path.join(conversations.HERE, "..", "..", "doc", "protocol-differences.md")
AT_LEAST = 200


def request(body):
    """An authentication request: its code, and what is not random in it."""
    code, = struct.unpack_from("!I", body)
    if code == 11:  # of a SCRAM server's first message
        return [code, [part if part[:2] == b"i=" else (part[:2], len(part)) for part in body[4:].split(b",")]]
    return [code, len(body)] if code in (5, 12) else [code, body[4:]]


def plain(heard):
    """Without what differs between two connections to the same server: keys, salts, nonces and proofs, of which the length
    counts, OIDs of tables made anew, positions in the WAL, and the source lines of PostgreSQL's errors."""
    out = []
    for kind, *rest in heard:
        if kind == "T":
            rest = wire.comparable(kind, rest[0])[1:]
        elif kind == "D":
            rest = [re.sub(rb"....[0-9A-F]+/[0-9A-F]{6,}", b"(lsn)", rest[0], flags=re.DOTALL)]
        elif kind == "K":
            rest = [len(rest[0])]
        elif kind == "R":
            rest = request(*rest)
        elif kind in "EN":
            rest = [{k: v for k, v in wire.error_fields(rest[0]).items() if k not in "FLR"}]
        out.append((kind, *rest))
    return out


# ---- the known differences: each turns what PostgreSQL said into what pgiam says, or leaves out of both what differs ----

def fatal(heard):
    return [h for h in heard if h[0] == "E" and h[1].get("S") == "FATAL"]


def authentication_ok(direct, ours):
    """An error that PostgreSQL finds behind it; pgiam says it with the welcome only."""
    ok = ("R", 0, b"")
    assert fatal(direct) and direct.count(ok) == 1 and ok not in ours
    return [h for h in direct if h != ok], ours


def login_errors(direct, ours):
    """The same SQLSTATE in other words."""
    assert [e[1]["C"] for e in fatal(direct)] == [e[1]["C"] for e in fatal(ours)] and fatal(ours)
    return [h for h in direct if h[0] != "E"], [h for h in ours if h[0] != "E"]


def impossible_length(direct, ours):
    """PostgreSQL closes without a word; to a Flush that is not empty it says an ERROR, to a password that it was refused."""
    assert ours[-2:-1] == fatal(ours) and ours[-2][1]["C"] == "08P01"
    if direct[-2:-1] and direct[-2][0] == "E" and (direct[-2][1]["M"] == "invalid message format" or
                                                   direct[-2][1]["C"] == "28P01"):
        direct = direct[:-2] + direct[-1:]
    return direct, ours[:-2] + ours[-1:]


def protocol_version(direct, ours):
    """PostgreSQL 15 speaks 3.0, pgiam 3.2: what is agreed on, the length of the key, and the end of an error's text."""
    def cut(heard):
        out = []
        for kind, *rest in heard:
            if kind == "v":
                newest, = struct.unpack_from("!I", rest[0])
                assert newest in (wire.VERSION_3, wire.VERSION_3 | 1, wire.VERSION_3_2)
                rest = [rest[0][4:]] if rest[0][4:] != b"\0\0\0\0" else None
            elif kind == "K":
                rest = []
            elif kind == "E":
                rest = [dict(rest[0], M=re.sub(r"3\.0 to 3\.[02]$", "3.0 to 3.x", rest[0]["M"]))]
            elif kind == "rest":
                rest = [re.sub(rb"3\.0 to 3\.[02]\n", b"3.0 to 3.x\n", rest[0])]
            if rest is not None:
                out.append((kind, *rest))
        return out
    return cut(direct), cut(ours)


def application_name(direct, ours):
    """RESET returns to '' and not to the startup packet's."""
    def cut(heard):
        return [h for h in heard if not (h[0] == "D" or (h[0] == "S" and h[1].startswith(b"application_name\0")))]
    return cut(direct), cut(ours)


def gssenc(direct, ours):
    """Debian's PostgreSQL says G, and waits for Kerberos or closes; pgiam says N, and why it closes."""
    at = direct.index(("byte", b"G"))
    assert direct[at + 1:] == [("end",)] and ours[at] == ("byte", b"N")
    assert [h[0] for h in ours[at + 1:]] in (["end"], ["E", "end"])
    return direct[:at], ours[:at]


def login_notices(direct, ours):
    assert "N" in [h[0] for h in direct] and "N" not in [h[0] for h in ours]
    return [h for h in direct if h[0] != "N"], ours


def parameter_count(direct, ours):
    assert "Z" in [h[0] for h in direct] and [e[1]["C"] for e in fatal(ours)] == ["54000"]
    return [], []


def failed_authentication(direct, ours):
    """Why is in the log."""
    assert "D" in fatal(direct)[0][1] and "D" not in fatal(ours)[0][1]
    return [h[:1] + ({k: v for k, v in h[1].items() if k != "D"},) if h[0] == "E" else h for h in direct], ours


def scram_attributes(direct, ours):
    """PostgreSQL goes on."""
    assert not fatal(direct) and [(e[1]["C"], e[1]["M"][-11:]) for e in fatal(ours)] in (
        [("08P01", "RAM message")], [("08P01", "SCRAM nonce")])
    return [], []


DIFFERENCES = {
    "AuthenticationOk": authentication_ok,
    "error text of a failed login": login_errors,
    "a message with an impossible length": impossible_length,
    "protocol version": protocol_version,
    "`application_name`": application_name,
    "GSSENCRequest": gssenc,
    "messages of the login": login_notices,
    "number of startup parameters": parameter_count,
    "failed authentication": failed_authentication,
    "attributes of SCRAM": scram_attributes,
}


# ---- the conversations ----

def is_to_be_seen(difference, major, direct):
    """By this PostgreSQL? The conversations name what Debian's 15 shows."""
    if difference == "protocol version":
        return major < 18
    return difference != "GSSENCRequest" or ("byte", b"G") in direct  # it may be built without


@pytest.fixture(scope="module")
def everything():
    return {name: conversations.group(name) for name in conversations.groups()}


def test_there_are_enough(everything):
    all_of_them = [c for group in everything.values() for c in group]
    seen = {}
    for group, members in everything.items():
        for c in members:
            first = seen.setdefault((PROVING.get(group), c.key()), c)
            assert first is c, "%s is the same as %s" % (c.where, first.where)
    assert len(all_of_them) >= AT_LEAST
    assert len({c.name for c in all_of_them}) == len(all_of_them), "two have the same name"


def test_differences_are_listed(everything):
    with open(DOC, encoding="utf-8") as file:
        rows = [line[2:].split(" | ")[0] for line in file if line.startswith("| ")]
    named = {d for group in everything.values() for c in group for d in c.differences}
    assert named == set(DIFFERENCES), "the table here and the conversations name different ones"
    for name in named:
        assert any(row.startswith(name) for row in rows), "%s is not in doc/protocol-differences.md" % name


def compare(conversation, major, direct, ours):
    """None, or what is different. major: PostgreSQL's version."""
    direct, ours = plain(direct), plain(ours)
    if ("silence",) in direct or ("silence",) in ours:
        return "it has no end: directly %s\n  through pgiam %s" % (direct[-3:], ours[-3:])
    for name in [d for d in conversation.differences if is_to_be_seen(d, major, direct)]:
        if direct == ours:
            return "shows no difference, and names %s" % name
        direct, ours = DIFFERENCES[name](direct, ours)
    if direct == ours:
        return None
    at = next((i for i, (d, o) in enumerate(zip(direct, ours)) if d != o), min(len(direct), len(ours)))
    return "from message %d on\n  directly      %s\n  through pgiam %s" % (at, direct[at:at + 3], ours[at:at + 3])


def test_a_difference_is_seen(plain):
    """A message that is missing, or comes twice, or with another byte in it, wherever that is; what is left out of the
    comparison is a key's bytes, and the source lines of errors."""
    conversation = conversations.group("libpq")[0]
    heard = conversations.play(conversation, plain.port)
    assert compare(conversation, plain.major, heard, heard) is None and len(heard) > 15
    for i, (kind, *body) in enumerate(heard):
        others = [heard[:i] + heard[i + 1:], heard[:i] + heard[i:i + 1] + heard[i:]]
        if body and kind not in "KET":
            others += [heard[:i] + [(kind, body[0][:at] + bytes([body[0][at] ^ 1]) + body[0][at + 1:])] + heard[i + 1:]
                       for at in range(len(body[0]))]
        for other in others:
            assert compare(conversation, plain.major, heard, other), (kind, body)


# Groups in which clients prove who they are: what PostgreSQL is set up with, and pgiam's auth_type. The others are let in.
PROVING = {"scram": ("scram", "scram-sha-256"), "scram_tls": ("scram", "scram-sha-256"), "md5": ("md5", "md5"),
           "password": ("password", "plain")}


# Groups of programs that list all tables, in an order that depends on the size of each: in the meantime neither autovacuum nor
# another conversation may change anything. Directly and behind pgiam it is one server.
LISTING = {"libpq"}


@pytest.fixture
def both(rds_factory, pgiam_for, workdir):
    """both(group): PostgreSQL, and pgiam in front of it; of one that asks for nothing where the direct one asks clients for
    proofs, which pgiam does with the same secrets."""
    def make(group):
        tls = group in ("tls", "scram_tls")
        # Every conversation has a server connection of its own, as it has directly; the server bears 200.
        options = dict(server_lifetime=0, max_db_connections=50, max_client_conn=500,
                       client_tls_sslmode="allow" if tls else "disable", workers=1)
        one = another = rds_factory("--auth", PROVING.get(group, ("trust",))[0], "--tls", "allow" if tls else "off")
        if group in PROVING:
            secrets = one.admin("select rolname, coalesce(rolpassword, '') from pg_authid where rolcanlogin")
            users = put(os.path.join(workdir, "users"), "".join('"%s" "%s"\n' % row for row in secrets), mode=0o600)
            options.update(auth_type=PROVING[group][1], auth_file=users)
            another = rds_factory("--auth", "trust", "--tls", "off")
        if group in LISTING:
            one.configure("autovacuum", "off")
        return one, pgiam_for(another, database={"auth": "none"}, **options)
    return make


@pytest.mark.parametrize("group", conversations.groups())
def test_conversations(both, everything, group):
    one, pgiam = both(group)

    def judge(conversation):
        wrong = compare(conversation, one.major, conversations.play(conversation, one.port),
                        conversations.play(conversation, pgiam.port))
        return wrong and "%s, %s: %s" % (conversation.where, conversation.name, wrong)

    with ThreadPoolExecutor(1 if group in LISTING else 4) as pool:
        wrong = [w for w in pool.map(judge, everything[group]) if w]
    assert not wrong, "%d of %d conversations differ\n\n%s" % (len(wrong), len(everything[group]), "\n\n".join(wrong))
    assert wire.eventually(lambda: pgiam.metric("pgiam_clients") == 0)
