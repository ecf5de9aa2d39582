"""One RDS stand-in: a PostgreSQL server in a directory of its own, its certificates, its PAM service and its verifier.

The server runs as an ordinary user (`postgres` when started by root). Everything lives in one directory but the PAM
service file, which libpam reads from /etc/pam.d only. initdb's result and the PAM module are made once and kept in a
cache below the temporary directory, so that a start takes about a second.
"""
import contextlib
import ctypes.util
import fcntl
import glob
import hashlib
import json
import os
import pwd
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PAM_DIR = "/etc/pam.d"
PAM_PREFIX = "pgiam-rds-"
LOCALHOST = "127.0.0.1"
PATH_MAX = 80             # a unix socket's name has to fit behind it
SCRAM_PASSWORD = "scram-secret"

# In every instance. The odd name shows whether DBUser is encoded as it has to be.
TEMPLATE_SQL = {
    "postgres": [
        "CREATE ROLE rds_iam NOLOGIN",
        "CREATE ROLE app_user LOGIN IN ROLE rds_iam",
        "CREATE ROLE other_user LOGIN IN ROLE rds_iam",
        "CREATE ROLE \"we!rd us*er+\u00e9/%41\" LOGIN IN ROLE rds_iam",
        "CREATE ROLE repl_user LOGIN REPLICATION IN ROLE rds_iam",
        "CREATE ROLE norole LOGIN",
        "CREATE ROLE scram_user LOGIN PASSWORD '%s'" % SCRAM_PASSWORD,
        "SET password_encryption = 'md5'",
        "CREATE ROLE md5_user LOGIN PASSWORD '%s'" % SCRAM_PASSWORD,
        "CREATE DATABASE app OWNER app_user",
    ],
    "app": ["GRANT CREATE ON SCHEMA public TO PUBLIC"],
}

SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200",
    "log_line_prefix": "'%m [%p] %q%u@%d '", "log_connections": "on", "log_disconnections": "on",
    "unix_socket_permissions": "0700", "timezone": "'UTC'", "log_timezone": "'UTC'",
}


class Unable(Exception):
    """This machine cannot do it (exit 77); the text says why."""


class Failed(Exception):
    """It went wrong (exit 1)."""


# ---- who and where ----

def server_user():
    """(passwd entry, keyword arguments that make subprocess run as it)"""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()), {}
    try:
        who = pwd.getpwnam("postgres")
    except KeyError:
        subprocess.run(["useradd", "--system", "--user-group", "postgres"], check=True)
        who = pwd.getpwnam("postgres")
    return who, {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": os.getgrouplist("postgres", who.pw_gid)}


def run(args, as_server=True, **kw):
    """subprocess.run as the server's user, output captured; Failed with that output if it does not succeed."""
    if as_server:
        kw.update(server_user()[1])
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", env=env, check=False, **kw)
    if done.returncode != 0:
        raise Failed("%s: exit %d\n%s" % (shlex.join(args), done.returncode, done.stdout.decode(errors="replace")))
    return done.stdout


def bindir():
    """PGBIN, or that of the newest PostgreSQL that is installed."""
    named = os.environ.get("PGBIN")
    if named:
        if not os.access(os.path.join(named, "postgres"), os.X_OK):
            raise Failed("PGBIN=%s: there is no postgres in this directory" % named)
        return os.path.abspath(named)
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    if found:
        return os.path.dirname(max(found, key=lambda p: int(re.sub(r"\D", "", p) or 0)))
    postgres = shutil.which("postgres")
    if not postgres:
        raise Unable("no PostgreSQL server is installed (Debian: postgresql)")
    return os.path.dirname(os.path.realpath(postgres))


def give(path, mode=None):
    """Hands a file to the server's user."""
    if mode is not None:
        os.chmod(path, mode)
    if os.geteuid() == 0:
        who = server_user()[0]
        os.chown(path, who.pw_uid, who.pw_gid)


def write(path, data, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    give(path, mode)


def check_reachable(where):
    """The server's user has to get through every directory above."""
    try:
        run(["test", "-d", os.path.dirname(where)])
        run(["test", "-x", os.path.dirname(where)])
    except Failed:
        raise Failed("the user %s cannot enter %s" % (server_user()[0].pw_name, os.path.dirname(where))) from None


# ---- what is made once ----

@contextlib.contextmanager
def cache():
    """The cache directory, locked."""
    who = server_user()[0]
    path = os.path.join(tempfile.gettempdir(), "pgiam-rds-cache-%d" % who.pw_uid)
    if not os.path.lexists(path):
        new = tempfile.mkdtemp(prefix="pgiam-rds-cache-")
        give(new)  # before it is there: others start at the same time, and take only what is the server's user's
        try:
            os.rename(new, path)
        except OSError:
            os.rmdir(new)  # another one was first
    info = os.lstat(path)
    if info.st_uid != who.pw_uid or info.st_mode & 0o077 or not os.path.isdir(path) or os.path.islink(path):
        raise Failed("%s belongs to somebody else" % path)
    with open(os.path.join(path, "lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def made_once(path, make):
    """path, made by make(temporary path) unless it is there."""
    if not os.path.exists(path):
        new = path + ".new"
        run(["rm", "-rf", new])
        make(new)
        run(["mv", "-T", new, path])
    return path


def make_template(new):
    run([bindir() + "/initdb", "-D", new, "-U", "admin", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
    for database, statements in TEMPLATE_SQL.items():
        text = "".join(s + "\n" for s in statements).encode()
        out = run([bindir() + "/postgres", "--single", "-F", "-D", new, database], input=text)
        if b"ERROR" in out:
            raise Failed(out.decode(errors="replace"))


def template():
    version = run([bindir() + "/postgres", "--version"])
    digest = hashlib.sha256(version + json.dumps(TEMPLATE_SQL).encode()).hexdigest()[:16]
    with cache() as path:
        return made_once(os.path.join(path, "data-" + digest), make_template)


def pam_module():
    with open(os.path.join(HERE, "pam_pgiam_rds.c"), "rb") as file:
        source = file.read()

    def make(new):
        run(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-x", "c", "-", "-o", new,
             "-lpam"], input=source)

    with cache() as path:
        return made_once(os.path.join(path, "pam-%s.so" % hashlib.sha256(source).hexdigest()[:16]), make)


def check_pam():
    """Raises Unable unless logins can be judged by our PAM module here."""
    if os.geteuid() != 0:
        raise Unable("needs root: PAM service files live in %s (or give --auth scram, trust, ...)" % PAM_DIR)
    if not os.path.isdir(PAM_DIR) or not ctypes.util.find_library("pam"):
        raise Unable("there is no PAM on this machine")
    if not shutil.which("cc") or not os.path.exists("/usr/include/security/pam_modules.h"):
        raise Unable("a C compiler and libpam0g-dev are needed to build the PAM module")
    if b"with-pam" not in run([bindir() + "/pg_config", "--configure"]) and b"libpam" not in run(
            ["ldd", bindir() + "/postgres"]):
        raise Unable("this PostgreSQL was built without PAM")


def sweep_pam():
    """Removes service files whose instance is gone (its starter was killed)."""
    for path in glob.glob(os.path.join(PAM_DIR, PAM_PREFIX + "*")):
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            module = file.readline().split()
            if len(module) > 2 and not os.path.exists(module[2]):
                os.unlink(path)


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((LOCALHOST, port))
            return True
        except OSError:
            return False


def free_port():
    """A port nobody listens on, below the range the kernel hands out to clients."""
    while True:
        port = random.randint(15000, 19999)
        if is_free(port):
            return port


def alive(pid):
    """Is there such a process, and is it not just waiting to be reaped?"""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def random_text(n, alphabet):
    return "".join(secrets.choice(alphabet) for _ in range(n))


UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Instance:
    """One in a directory. start() makes it; the rest reads what start() wrote."""

    def __init__(self, where):
        self.dir = os.path.abspath(where)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    # ---- state ----
    def env(self):
        """DIR/env as a dict."""
        try:
            with open(self.path("env"), encoding="utf-8") as file:
                words = shlex.split(file.read())
        except OSError:
            raise Failed("%s holds no RDS stand-in" % self.dir) from None
        return dict(w.split("=", 1) for w in words)

    def pid_of(self, name):
        """The pid in a pid file, if that process lives and is what it says."""
        try:
            with open(self.path(name), encoding="utf-8") as file:
                pid = int(file.readline())
            with open("/proc/%d/cmdline" % pid, "rb") as file:
                return pid if self.dir.encode() in file.read() else None
        except (OSError, ValueError):
            return None

    @property
    def postmaster(self):
        return self.pid_of("data/postmaster.pid")

    @property
    def verifier(self):
        return self.pid_of("verifier.pid")

    # ---- starting ----
    def start(self, o):
        """o: the options of `rds start`."""
        if len(self.dir) > PATH_MAX or re.search(r"[^\w./+-]", self.dir):
            raise Failed("%s: at most %d letters, digits and ./_+-, please" % (self.dir, PATH_MAX))
        if o.auth == "iam":
            check_pam()
            sweep_pam()
        bindir()
        check_reachable(self.dir)
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        if os.listdir(self.dir):
            raise Failed("%s is not empty" % self.dir)
        give(self.dir, 0o700)
        try:
            self._start(o)
        except BaseException:
            self.stop(keep=True)
            raise

    def _start(self, o):
        host = o.host or "%s.c9akciq32rgw.%s.rds.amazonaws.com" % (o.name, o.region)
        run(["cp", "-a", "--reflink=auto", template(), self.path("data")])
        if o.tls != "off":
            self.make_certificates([host] + o.san)
        if o.auth == "iam":
            self.make_pam()
        write(self.path("data/pg_hba.conf"), self.hba(o))
        port = self.start_postgres(o)
        env = {"RDS_DIR": self.dir, "RDS_HOST": host, "RDS_HOSTADDR": LOCALHOST, "RDS_PORT": port,
               "RDS_REGION": o.region, "RDS_DATABASE": "app", "RDS_AUTH": o.auth, "RDS_TLS": o.tls,
               "RDS_SOCKET_DIR": self.dir, "RDS_ADMIN": "admin", "RDS_LOG": self.path("postgres.log"),
               "RDS_SCRAM_USER": "scram_user", "RDS_SCRAM_PASSWORD": SCRAM_PASSWORD, "RDS_BINDIR": bindir()}
        if o.tls != "off":
            env["RDS_CA"] = self.path("ca.pem")
        if o.auth == "iam":
            env.update(self.start_verifier(o, "%s:%d" % (o.sign_host or host, o.sign_port or port)))
        write(self.path("env"), "".join("%s=%s\n" % (k, shlex.quote(str(v))) for k, v in env.items()))
        if o.until:
            self.start_guard(o.until)

    def start_guard(self, pid):
        """A process that stops the instance when process pid has ended, however that ended."""
        process = subprocess.Popen([sys.executable, "-E", "-B", os.path.join(HERE, "rds"), "guard", self.dir, str(pid)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   cwd="/", start_new_session=True)
        write(self.path("guard.pid"), "%d\n" % process.pid)

    def guard(self, pid):
        while alive(pid) and os.path.exists(self.path("env")):
            time.sleep(1)
        if os.path.exists(self.path("env")):
            self.stop()

    def make_certificates(self, names):
        import certs  # python3-cryptography is needed for this alone
        root = certs.Authority("pgiam test RDS root CA " + secrets.token_hex(4))
        region = certs.Authority("pgiam test RDS region CA " + secrets.token_hex(4), parent=root)
        chain, key = region.issue(names)
        write(self.path("ca.pem"), root.pem(), 0o644)
        write(self.path("server.crt"), chain)
        write(self.path("server.key"), key)

    def pam_service(self):
        return PAM_PREFIX + hashlib.sha256(self.dir.encode()).hexdigest()[:12]

    def make_pam(self):
        module = self.path("pam_pgiam_rds.so")
        shutil.copyfile(pam_module(), module)
        give(module, 0o644)
        line = "%s required " + module + " socket=" + self.path("verifier.sock") + "\n"
        path = os.path.join(PAM_DIR, self.pam_service())
        with open(path, "w", encoding="utf-8") as file:
            file.write(line % "auth" + line % "account")
        os.chmod(path, 0o644)

    def hba(self, o):
        kind = "hostssl" if o.tls == "require" else "host"
        lines = ["local all all trust", "local replication all trust"] + o.hba
        for what in ("all", "replication"):
            if o.auth == "iam":
                lines.append("hostssl %s +rds_iam all pam pamservice=%s" % (what, self.pam_service()))
                lines.append("%s %s all all scram-sha-256" % (kind, what))
            elif o.auth == "trust":
                lines += ["%s %s all %s trust" % (kind, what, net) for net in ("127.0.0.0/8", "::1/128")]
            else:
                lines.append("%s %s all all %s" % (kind, what, "scram-sha-256" if o.auth == "scram" else o.auth))
        return "\n".join(lines) + "\n"

    def start_postgres(self, o):
        """The port. Another process may take a port between choosing and binding it, so try more than once."""
        settings = dict(SETTINGS, unix_socket_directories="'%s'" % self.dir, listen_addresses="'%s'" % o.listen)
        if o.tls != "off":
            settings.update(ssl="on", ssl_cert_file="'%s'" % self.path("server.crt"),
                            ssl_key_file="'%s'" % self.path("server.key"))
        settings.update(s.split("=", 1) for s in o.set)
        for attempt in range(5):
            settings["port"] = port = o.port or free_port()
            write(self.path("data/postgresql.auto.conf"), "".join("%s = %s\n" % kv for kv in settings.items()))
            try:
                self.pg_ctl("start")
                return port
            except Failed:
                log = self.log()
                if o.port or attempt == 4 or "Address already in use" not in log:
                    raise Failed("PostgreSQL does not start:\n" + log) from None
        raise AssertionError

    def start_verifier(self, o, host_port):
        """What env has to say of it."""
        static = ("AKIA" + random_text(16, UPPER), random_text(40, BASE64), None)
        temporary = ("ASIA" + random_text(16, UPPER), random_text(40, BASE64),
                     random_text(o.session_token_size, "+/=" if o.session_token_size > 4000 else BASE64))
        keys = {k: {"secret": s, "session_token": t} for k, s, t in (static, temporary)}
        write(self.path("verifier.json"), json.dumps({"host_port": host_port, "region": o.region, "keys": keys,
                                                        "dsql": o.dsql}))
        with open(self.path("verifier.log"), "wb") as log:
            give(log.name)
            process = subprocess.Popen([sys.executable, "-E", "-B", self.copy_verifier(), self.dir],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                       start_new_session=True, **server_user()[1])
        write(self.path("verifier.pid"), "%d\n" % process.pid)
        deadline = time.monotonic() + 15
        while not (os.path.exists(self.path("verifier.sock")) and os.path.exists(self.path("control.sock"))):
            if process.poll() is not None or time.monotonic() > deadline:
                with open(self.path("verifier.log"), encoding="utf-8") as file:
                    raise Failed("the verifier does not start:\n" + file.read())
            time.sleep(0.01)
        return {"RDS_CONTROL": self.path("control.sock"), "RDS_AUTH_LOG": self.path("iam-db-auth-error.log"),
                "RDS_SIGN_HOST": host_port.rpartition(":")[0], "RDS_SIGN_PORT": host_port.rpartition(":")[2],
                "RDS_STATIC_KEY_ID": static[0], "RDS_STATIC_SECRET": static[1],
                "AWS_ACCESS_KEY_ID": temporary[0], "AWS_SECRET_ACCESS_KEY": temporary[1],
                "AWS_SESSION_TOKEN": temporary[2]}

    def copy_verifier(self):
        """The server's user may have no access to the source tree: a copy it can read."""
        for name in ("verifier.py", "sigv4.py"):
            shutil.copyfile(os.path.join(HERE, name), self.path(name))
            give(self.path(name), 0o600)
        return self.path("verifier.py")

    def pg_ctl(self, *words):
        return run([bindir() + "/pg_ctl", "-D", self.path("data"), "-l", self.path("postgres.log"), "-s", "-w",
                    "-t", "30", *words])

    # ---- running ----
    def restart(self):
        self.pg_ctl("restart", "-m", "fast")

    def kill(self):
        """kill -9, as an instance that dies: the postmaster first, then whatever served its clients."""
        pid = self.postmaster
        if pid is None:
            raise Failed("PostgreSQL is not running")
        family = [pid]
        for path in glob.glob("/proc/[0-9]*/stat"):  # not all kernels list /proc/PID/task/PID/children
            with contextlib.suppress(OSError), open(path, "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                    family.append(int(path.split("/")[2]))
        for p in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        while any(alive(p) for p in family):
            time.sleep(0.01)

    def resume(self):
        """Starts PostgreSQL again after kill()."""
        deadline = time.monotonic() + 10
        while True:  # a child just forked may outlive kill() for a moment, and hold the shared memory
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path("data/postmaster.pid"))
            try:
                self.pg_ctl("start")
                return
            except Failed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def fault(self, words):
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(self.path("control.sock"))
            except OSError as e:
                raise Failed("no verifier in %s: %s" % (self.dir, e.strerror)) from None
            with s.makefile("rw", encoding="utf-8") as stream:
                stream.write(json.dumps(words) + "\n")
                stream.flush()
                answer = json.loads(stream.readline() or "{}")
        if "ok" not in answer:
            raise Failed(answer.get("error", "the verifier did not answer"))
        return answer["ok"]

    def log(self):
        try:
            with open(self.path("postgres.log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def stop(self, keep=False):
        if self.postmaster is not None:
            try:
                self.pg_ctl("stop", "-m", "immediate")
            except Failed:
                self.kill()
        for pid in (self.verifier, self.pid_of("guard.pid")):
            if pid is not None and pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if os.geteuid() == 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(PAM_DIR, self.pam_service()))
        if not keep:
            shutil.rmtree(self.dir)
