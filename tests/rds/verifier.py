#!/usr/bin/python3
"""The verifier behind the RDS stand-in: judges login tokens as the helper on an RDS host does.

usage: verifier.py DIR

DIR/verifier.json says which endpoint this is and which keys exist. pam_pgiam_rds.c asks on DIR/verifier.sock;
`rds fault` steers on DIR/control.sock (one JSON list of words a line, one JSON answer). Refusals are logged to
DIR/iam-db-auth-error.log under the names RDS uses; the client never learns them, as with RDS. It ends when DIR
is gone.
"""
import collections
import datetime
import hmac
import json
import os
import select
import socket
import socketserver
import struct
import sys
import threading
import time

import sigv4

FUTURE_SKEW_SEC = 300     # AWS lets a clock be five minutes fast
MAX_AGE_SEC = 900
MAX_STRING = 65536


class Refused(Exception):
    def __init__(self, name, code, why):
        super().__init__(why)
        self.name, self.code = name, code


def invalid(why):
    return Refused("InvalidToken", 400, why)


class Faults:
    """What was asked for with `rds fault`. Counts say for how many more logins; None is until cleared."""

    def __init__(self):
        self.delay_ms = 0
        self.fail_code, self.fail_left = 0, 0
        self.hang_left = 0
        self.drop_left = 0
        self.rate = None
        self.recent = collections.deque()
        self.revoked, self.denied = set(), set()
        self.skew_sec = 0

    @staticmethod
    def take(left):
        """(does it hold now, what is left afterwards)"""
        return (True, None) if left is None else (left > 0, max(left - 1, 0))


class Verifier:
    def __init__(self, conf, log_path):
        self.conf = conf
        self.keys = dict(conf["keys"])  # key id -> {"secret": ..., "session_token": ... or None}
        self.lock = threading.Condition()
        self.faults = Faults()
        self.generation = 0             # `clear` counts it up, which wakes hanging logins
        self.counts = collections.Counter()
        self.log = open(log_path, "a", buffering=1, encoding="utf-8", errors="backslashreplace")

    # ---- judging ----
    def check(self, user, text):
        try:
            token = sigv4.Token(text)
        except ValueError as e:
            raise invalid(str(e)) from None
        dsql = self.conf.get("dsql", False)
        host, port = self.conf["host_port"].lower().rsplit(":", 1)
        action = ("DbConnectAdmin" if user == "admin" else "DbConnect") if dsql else "connect"
        want = {"host and port": (token.host_port.lower(), host if dsql else host + ":" + port),
                "Action": (token.action, action), "DBUser": (token.user, None if dsql else user),
                "X-Amz-Algorithm": (token.algorithm, sigv4.ALGORITHM),
                "X-Amz-SignedHeaders": (token.signed_headers, "host"),
                "region": (token.region, self.conf["region"]), "service": (token.service, "dsql" if dsql else sigv4.SERVICE),
                "credential scope": (token.terminator, "aws4_request"),
                "date of the credential scope": (token.date, token.amzdate[:8])}
        for what, (have, wanted) in want.items():
            if have != wanted:
                raise invalid("%s is %r, not %r" % (what, have, wanted))
        if not 0 < token.expires <= MAX_AGE_SEC:
            raise invalid("X-Amz-Expires is %d, allowed are 1 to %d" % (token.expires, MAX_AGE_SEC))
        self.check_key(user, token)
        self.check_age(token)

    def check_key(self, user, token):
        key = self.keys.get(token.key_id)
        if key is None:
            raise invalid("the access key %s does not exist" % token.key_id)
        if (token.session_token or "") != (key["session_token"] or ""):
            raise invalid("the session token is not that of %s" % token.key_id)
        if not hmac.compare_digest(token.signature_with(key["secret"]), token.signature):
            raise invalid("the signature does not match")
        if key.get("expires") and self.now().timestamp() >= key["expires"]:
            raise Refused("ExpiredToken", 400, "the credentials of %s have expired" % token.key_id)
        if token.key_id in self.faults.revoked:
            raise Refused("NotAuthorized", 403, "the access key %s is revoked" % token.key_id)
        if user in self.faults.denied:
            raise Refused("NotAuthorized", 403, "rds-db:connect is not allowed for %s" % user)

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.faults.skew_sec)

    def check_age(self, token):
        age = (self.now() - token.signed_at).total_seconds()
        if age < -FUTURE_SKEW_SEC:
            raise invalid("signature not yet current: it is from %d seconds ahead" % -age)
        if age > token.expires:
            raise Refused("ExpiredToken", 400, "the token is %d seconds old, allowed are %d" % (age, token.expires))

    def check_faults(self, peer):
        f = self.faults
        with self.lock:
            delay_ms = f.delay_ms
            hang, f.hang_left = f.take(f.hang_left)
            drop, f.drop_left = f.take(f.drop_left)
            fail, f.fail_left = f.take(f.fail_left)
            now = time.monotonic()
            while f.recent and f.recent[0] <= now - 1:
                f.recent.popleft()
            throttled = f.rate is not None and len(f.recent) >= f.rate
            if not throttled:
                f.recent.append(now)
        if hang:
            self.hang(peer)
        if delay_ms:
            time.sleep(delay_ms / 1000)
        if drop:
            raise ConnectionAbortedError
        if throttled:
            raise Refused("ThrottlingException", 429, "rate of logins exceeded")
        if fail:
            name = "InternalError" if f.fail_code >= 500 else "NotAuthorized"
            raise Refused(name, f.fail_code, "on request of `rds fault`")

    def hang(self, peer):
        with self.lock:
            start = self.generation
            while self.generation == start and not gone(peer):
                self.lock.wait(0.1)

    def login(self, peer, user, text):
        """The status for one login."""
        name, code = "Success", 200
        try:
            self.check_faults(peer)
            self.check(user, text)
        except Refused as e:
            name, code = e.name, e.code
            stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self.log.write("%s [ERROR] %s (%d) user=%s: %s\n" % (stamp, name, code, user, e))
        except ConnectionAbortedError:
            name, code = "Dropped", None
        with self.lock:
            self.counts["requests"] += 1
            self.counts[name] += 1
        return code

    # ---- control ----
    def control(self, words):
        """Does what `rds fault DIR WORDS...` says; raises ValueError or IndexError if it makes no sense."""
        verb, args = words[0], words[1:]
        f = self.faults
        with self.lock:
            if verb == "stats":
                return dict(self.counts)
            if verb == "delay":
                f.delay_ms = int(args[0])
            elif verb == "fail":
                f.fail_code, f.fail_left = int(args[0]), int(args[1]) if args[1:] else None
                if not 400 <= f.fail_code <= 599:
                    f.fail_left = 0
                    raise ValueError("fail takes a status of 400 to 599")
            elif verb == "refuse":
                f.fail_code, f.fail_left = 403, int(args[0])
            elif verb == "rate":
                f.rate = int(args[0])
            elif verb == "hang":
                f.hang_left = int(args[0]) if args else None
            elif verb == "drop":
                f.drop_left = int(args[0]) if args else None
            elif verb == "skew":
                f.skew_sec = int(args[0])
            elif verb == "revoke":
                f.revoked.add(args[0])
            elif verb == "restore":
                f.revoked.discard(args[0])
            elif verb == "deny":
                f.denied.add(args[0])
            elif verb == "allow":
                f.denied.discard(args[0])
            elif verb == "add-key":
                self.keys[args[0]] = {"secret": args[1], "session_token": (args[2] if args[2:] else None) or None,
                                      "expires": float(args[3]) if args[3:] and args[3] else None}
            elif verb == "clear":
                self.faults = Faults()
                self.generation += 1
                self.counts.clear()
                self.lock.notify_all()
            else:
                raise ValueError("unknown fault %r" % verb)
        return {}


def gone(peer):
    if not select.select([peer], [], [], 0)[0]:
        return False
    try:
        return peer.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            raise ConnectionAbortedError
        data += part
    return data


def read_string(sock):
    length, = struct.unpack("!I", read_exactly(sock, 4))
    if length > MAX_STRING:
        raise ConnectionAbortedError
    return read_exactly(sock, length).decode("utf-8", "surrogateescape")


def serve(path, handle):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            try:
                handle(self.request)
            except OSError:
                pass

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        request_queue_size = 512

    server = Server(path, Handler)
    threading.Thread(target=server.serve_forever, args=(0.5,), daemon=True).start()


def main():
    where = sys.argv[1]
    with open(os.path.join(where, "verifier.json"), encoding="utf-8") as file:
        conf = json.load(file)
    verifier = Verifier(conf, os.path.join(where, "iam-db-auth-error.log"))

    def on_login(sock):
        user, text = read_string(sock), read_string(sock)
        code = verifier.login(sock, user, text)
        if code is not None:
            sock.sendall(b"%03d" % code)

    def on_control(sock):
        with sock.makefile("rw", encoding="utf-8") as stream:
            try:
                answer = {"ok": verifier.control(json.loads(stream.readline()))}
            except (ValueError, IndexError) as e:
                answer = {"error": str(e) or "wrong arguments"}
            stream.write(json.dumps(answer) + "\n")

    serve(os.path.join(where, "verifier.sock"), on_login)
    serve(os.path.join(where, "control.sock"), on_control)
    while os.path.exists(os.path.join(where, "verifier.json")):
        time.sleep(2)


if __name__ == "__main__":
    main()
