"""Random sessions (sessions.py), said to PostgreSQL and to pgiam in front of it: both answer alike, message by message, but for
what doc/protocol-differences.md lists.

PGIAM_SESSIONS_SEED begins with that seed (default: a random one, which a failure names), PGIAM_SESSIONS_SECONDS goes on for so
long (default: 15)."""
import contextlib
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

import sessions
import wire
from proxy import patiently

SECONDS = float(os.environ.get("PGIAM_SESSIONS_SECONDS", "15"))
SEED = int(os.environ.get("PGIAM_SESSIONS_SEED") or random.SystemRandom().randrange(1 << 32))
AT_A_TIME = 4


def normal(heard, hasty):
    """Without what differs between two connections to the same server. The order of a welcome's parameters is nobody's."""
    out = []
    for kind, body in heard:
        if kind == "K":
            body = len(body)
        elif kind in "EN":
            body = tuple(sorted(wire.error_fields(body).items()))
        elif kind in "TA":
            body = wire.comparable(kind, body)[1]
        out.append((kind, body))
    if hasty:
        told = [i for i, m in enumerate(out[:next((i for i, m in enumerate(out) if m[0] == "Z"), 0)]) if m[0] == "S"]
        out[told[0]:told[-1] + 1] = sorted(out[told[0]:told[-1] + 1]) if told else []
    return out


def is_error(message, severity, text=""):
    fields = dict(message[1]) if message[0] == "E" else {}
    return fields.get("S") == severity and text in fields["M"]


def without_source(message):
    """An error of pgiam's own: "errors that are pgiam's own"."""
    return message[0], tuple(f for f in message[1] if f[0] not in "FLR")


def of_pgiam(message):
    return message[0] == "E" and not dict(message[1]).keys() & set("FLR")


def alike(direct, ours):
    return len(direct) == len(ours) and all(
        d == o or (of_pgiam(o) and d[0] == "E" and without_source(d) == o) for d, o in zip(direct, ours))


# ---- the known differences: rows of doc/protocol-differences.md ----

def impossible_length(session, direct, ours):
    """a message with an impossible length, a startup packet with one"""
    answers = ours[:-1]
    if not ours or not of_pgiam(ours[-1]) or not is_error(ours[-1], "FATAL", "invalid message length"):
        return False
    if lost_in_copy(direct) and alike(direct[:-2], answers):
        return True
    skipped = direct[:-1] if direct and is_error(direct[-1], "ERROR") else direct  # a Flush that is not empty
    unsent = answers[len(skipped):]
    return alike(skipped, answers[:len(skipped)]) and "Z" not in [kind for kind, _ in unsent]


def lost_in_copy(direct):
    """Its last words when nothing makes sense any more to a server that reads COPY data."""
    return len(direct) > 1 and is_error(direct[-2], "ERROR") and is_error(direct[-1], "FATAL", "synchronization was lost")


def unknown_type(session, direct, ours):
    """a message of an unknown type while the server reads COPY data"""
    return lost_in_copy(direct) and alike(direct[:-2], ours[:-1]) and of_pgiam(ours[-1]) and \
        is_error(ours[-1], "FATAL", "invalid frontend message type")


def closed_in_copy(session, direct, ours):
    """a client that closes its side while the server reads COPY data"""
    return session.end in ("eof", "cut") and lost_in_copy(direct) and alike(direct[:-2], ours)


def closed_in_message(session, direct, ours):
    """a client that closes its side in the middle of a message"""
    return session.end == "cut" and len(session.messages[-1]) > 4 and alike(direct[:len(ours)], ours)


KNOWN = [impossible_length, unknown_type, closed_in_copy, closed_in_message]


def difference(seed, direct_port, our_port):
    """None, or what differs, for people."""
    session = sessions.Session(seed)
    try:
        direct, ended = session.play(direct_port)
        ours, we_ended = session.play(our_port)
    except (AssertionError, wire.Closed) as e:
        return "%s\nno login: %s" % (session, e)
    direct, ours = normal(direct, session.hasty), normal(ours, session.hasty)
    if ended == we_ended and (alike(direct, ours) or any(known(session, direct, ours) for known in KNOWN)):
        return None
    at = next((i for i, (a, b) in enumerate(zip(direct, ours)) if not alike([a], [b])), min(len(direct), len(ours)))
    return "%s\nalike: %s\ndirectly: %.900s (%s)\nthrough pgiam: %.900s (%s)" % (
        session, "".join(k for k, _ in ours[:at]), direct[at:at + 5], "closed" if ended else "silent", ours[at:at + 5],
        "closed" if we_ended else "silent")


def test_the_differences_are_listed():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "protocol-differences.md"),
              encoding="utf-8") as file:
        text = file.read()
    for known in KNOWN:
        assert "| %s |" % known.__doc__ in text, known.__doc__


class Witness:
    """Says whether the server has gone down meanwhile: PostgreSQL 15 can be brought to it, and takes everybody along."""

    def __init__(self, plain):
        self.conn = patiently(lambda: plain.connect("app_user", ""))

    def gone(self):
        with contextlib.suppress(psycopg.OperationalError):
            self.conn.execute("select 1")
            self.conn.close()
            return False
        return True


def one_by_one(seeds, plain, pgiam):
    """The first difference of those that do not bring down PostgreSQL itself."""
    for seed in seeds:
        witness = Witness(plain)
        sessions.Session(seed).play(plain.port)
        if witness.gone():
            print("left out: PostgreSQL itself goes down with", sessions.Session(seed))
            continue
        patiently(lambda: pgiam.sql("select 1"))
        found = difference(seed, plain.port, pgiam.port)
        if found:
            return [found]
    return []


def test_alike(plain, pgiam_for):
    print("PGIAM_SESSIONS_SEED=%d" % SEED)
    pgiam = pgiam_for(plain, database=dict(auth="none"), default_pool_size=AT_A_TIME, query_wait_timeout=sessions.SILENCE_SEC / 2)
    deadline, seed, found = time.monotonic() + SECONDS, SEED, []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        while not found and (seed == SEED or time.monotonic() < deadline):
            batch, witness = range(seed, seed + 4 * AT_A_TIME), Witness(plain)
            found = [d for d in pool.map(lambda s: difference(s, plain.port, pgiam.port), batch) if d]
            if witness.gone():
                found = one_by_one(batch, plain, pgiam)
            seed = batch.stop
    assert not found, "\n\n".join(found)
