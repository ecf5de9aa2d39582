"""A pgiam process under test."""
import contextlib
import os
import random
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import psycopg
import pytest

import wire
from standin import instance

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(os.environ.get("PGIAM") or os.path.join(HERE, "..", "..", "src", "pgiam"))
WRAPPER = os.environ.get("PGIAM_WRAPPER", "").split()  # e.g. valgrind
START_SEC, STOP_SEC = 20, 30
SHARED = ("default_pool_size", "max_client_conn", "max_db_connections", "max_pools", "min_pool_size")
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed")


def environment(more):
    """Nothing of AWS_*, PG* or PGIAM_* comes from outside; sanitizers report leaks and stop at the first finding."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PG", "RDS_"))}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:quarantine_size_mb=4")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=0:exitcode=66:second_deadlock_stack=1")
    env["AWS_EC2_METADATA_DISABLED"] = "true"  # no test asks 169.254.169.254
    env["HOME"] = "/nonexistent"  # nor reads the files of whoever runs it
    env.update({k: str(v) for k, v in more.items() if v is not None})
    return env


def pgiam(*args, env=None, stdin=None, timeout=30, text=True):
    """Runs a command to its end; the finished process with its output, as text or as bytes."""
    return subprocess.run([*WRAPPER, BINARY, *args], env=environment(env or {}), input=stdin, capture_output=True,
                          text=text, timeout=timeout, check=False)


def ini(databases, options, users=None):
    lines = ["[pgiam]"] + ["%s = %s" % kv for kv in options.items() if kv[1] is not None]
    lines += ["[databases]"] + ["%s = %s" % kv for kv in databases.items()]
    if users:
        lines += ["[users]"] + ["%s = %s" % kv for kv in users.items()]
    return "\n".join(lines) + "\n"


def _ports():
    """Ports nobody listens on: a range for each of pytest-xdist's workers, and each port once in a long while, so that two
    tests do not get the same one. Servers of the stand-in take others."""
    index = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % 8
    low, size = 20000 + 1500 * index, 1500
    at = random.randrange(size)
    while True:
        at = (at + 1) % size
        if instance.is_free(low + at):
            yield low + at


PORTS = _ports()


def workers(options):
    """PGIAM_TEST_WORKERS, but one for a test with limits too small to be shared: it is about exact numbers."""
    wanted = os.environ.get("PGIAM_TEST_WORKERS")
    limits = [int(options[name]) for name in SHARED if options.get(name)]
    return wanted if wanted and all(limit >= 2 * int(wanted) for limit in limits) else None


class Pgiam:
    """`pgiam run FILE`, behind the words of prefix. databases and options are as in the file."""

    def __init__(self, where, databases, env=None, stderr=None, wait=True, prefix=(), pass_fds=(), **options):
        self.dir = where
        os.makedirs(where, exist_ok=True)
        self.options = {"listen_addr": "127.0.0.1", "listen_port": next(PORTS),
                        "http_listen": "127.0.0.1:%d" % next(PORTS),
                        "workers": workers(options), "log_level": "debug"}
        self.options.update(options)
        self.databases, self.env = databases, environment(env or {})
        self.file, self.log_path = os.path.join(where, "pgiam.ini"), os.path.join(where, "log")
        self.write()
        self.stderr = open(self.log_path, "ab")
        self.readable = stderr is None and "logfile" not in options and options.get("log_level", "info") in ("info", "debug")
        if stderr is not None:  # the file stays empty
            self.stderr.close()
            self.stderr = stderr
        self.process = subprocess.Popen([*prefix, *WRAPPER, BINARY, "run", self.file], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=self.stderr, stderr=self.stderr, cwd=where, pass_fds=pass_fds)
        self.stopped = self.told = False
        if wait:
            self.wait()

    # ---- process ----
    @property
    def port(self):
        return int(self.options["listen_port"])

    @property
    def pid(self):
        return self.process.pid

    def write(self, **options):
        """Writes the file, with other options from now on."""
        self.options.update(options)
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(ini(self.databases, self.options))

    def listening(self):
        """Does it wait on its port? Asks the kernel, so that pgiam sees no connection."""
        ours = set()
        with contextlib.suppress(OSError):
            for fd in os.listdir("/proc/%d/fd" % self.pid):
                with contextlib.suppress(OSError):
                    ours.add(os.readlink("/proc/%d/fd/%s" % (self.pid, fd)))
        for name in ("tcp", "tcp6"):
            with contextlib.suppress(OSError), open("/proc/net/" + name, encoding="ascii") as file:
                for line in file.readlines()[1:]:
                    words = line.split()
                    if (words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == self.port and
                            (WRAPPER or "socket:[%s]" % words[9] in ours)):
                        return True
        return False

    def wait(self):
        """Until it is up: it listens, and has said so as the last thing it does at its start, where that can be read."""
        deadline = time.monotonic() + START_SEC
        while not self.listening() or (self.readable and "pgiam serves" not in self.log()):
            if self.process.poll() is not None:
                raise RuntimeError("pgiam ended with %d:\n%s" % (self.process.returncode, self.log()))
            if time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError("pgiam does not listen:\n" + self.log())
            time.sleep(0.01)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def logged(self, pattern, seconds=wire.PATIENCE_SEC):
        """Waits for a line that matches, as lines are written by a thread of their own: what pgiam has done is in log() a while
        later. The match or None."""
        found = None

        def look():
            nonlocal found
            found = re.search(pattern, self.log(), re.MULTILINE)
            return found
        wire.eventually(look, seconds)
        return found

    def tell(self, how=signal.SIGTERM):
        """Sends a signal and does not wait for what comes of it; stop() does."""
        self.told = True
        self.process.send_signal(how)

    def stop(self, how=signal.SIGTERM, seconds=STOP_SEC):
        """Ends it; fails unless it ends by itself, with exit code 0, and no sanitizer complained."""
        if self.stopped:
            return
        self.stopped = True
        crashed = self.process.poll()
        if crashed is None:
            self.process.send_signal(how)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)
                self.process.wait()
                raise AssertionError("pgiam did not end within %d s of %s" % (seconds, how.name)) from None
        text = self.log()
        found = SANITIZER.search(text)
        assert not found, text[found.start():found.start() + 6000]
        assert crashed is None or self.told, "pgiam ended by itself with %d" % crashed
        assert self.process.returncode == 0, "pgiam's exit code is %d" % self.process.returncode

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def memory_kib(self):
        """Resident set."""
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def cpu_sec(self):
        with open("/proc/%d/stat" % self.pid, encoding="ascii") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    # ---- clients ----
    def conninfo(self, **kw):
        right = dict(host="127.0.0.1", port=self.port, user="app_user", dbname="app", sslmode="disable",
                     connect_timeout=60)  # longer than a test lets pgiam keep somebody waiting: it has the last word
        return psycopg.conninfo.make_conninfo(**{k: v for k, v in dict(right, **kw).items() if v is not None})

    def connect(self, autocommit=True, **kw):
        return psycopg.connect(self.conninfo(**kw), autocommit=autocommit)

    def sql(self, text, **kw):
        """One statement on a connection of its own; the rows."""
        with self.connect(**kw) as conn:
            cursor = conn.execute(text)
            return cursor.fetchall() if cursor.description else []

    def who(self, **kw):
        """Logs in; whom the server takes it for."""
        return self.sql("select current_user::text", **kw)[0][0]

    def logs_in(self, **kw):
        """Logs in: is it as the user asked for?"""
        return self.who(**kw) == kw.get("user", "app_user")

    def complaint(self, **kw):
        """Logs in, which must fail; the text a driver shows."""
        with pytest.raises(psycopg.OperationalError) as caught:
            self.who(**kw)
        return str(caught.value)

    def refusal(self, **kw):
        """Logs in, which must fail; the fields of the FATAL."""
        with self.wire() as w:
            return w.refused(**dict(dict(user="app_user"), **kw))

    def wire(self):
        return wire.Wire.dial(self.port)

    def cancel(self, key):
        with self.wire() as w:
            w.send(wire.cancel_packet(key))
            assert w.closed()

    # ---- HTTP ----
    def http(self, path, headers=None):
        """(status, text)"""
        request = urllib.request.Request("http://%s%s" % (self.options["http_listen"], path), headers=headers or {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=wire.PATIENCE_SEC) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metrics(self):
        """{'name{labels}': value}"""
        status, text = self.http("/metrics")
        assert status == 200, text
        out = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                out[name] = float(value)
        return out

    def metric(self, name, **labels):
        """The sum of a metric's series that have these labels."""
        total = 0.0
        for series, value in self.metrics().items():
            bare, _, rest = series.partition("{")
            have = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', rest))
            if bare == name and all(have.get(k) == v for k, v in labels.items()):
                total += value
        return total


def patiently(ask, seconds=20, told=""):
    """What ask() gives in the end. While there is no server, or there are no credentials, clients are told so at once: it is
    asked again. A refusal without the text of `told` is none of these."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except psycopg.OperationalError as e:
            assert told in str(e), e
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def undisturbed(conn, work):
    """What work() gives, done by another thread while conn asks and asks. None of its queries may take half of that time: then
    a loop did that work, and nothing else."""
    said, longest, done = [], 0, 0
    thread = threading.Thread(target=lambda: said.append(work()))
    begun = before = time.monotonic()
    thread.start()
    while thread.is_alive():
        conn.execute("select 1")
        done += 1
        before, longest = time.monotonic(), max(longest, time.monotonic() - before)
    assert said, "it failed"
    assert longest < (before - begun) / 2 and done > 10, (longest, before - begun, done)
    return said[0]
