"""Where clients knock: sockets passed on by a service manager, unix sockets and their files, ports in use, no descriptors."""
import contextlib
import grp
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

import proxy
import wire
from files import put

PASS_ON = os.path.join(proxy.HERE, "pass_on.py")
NEVER = {"app": "host=127.0.0.1 port=1 auth=none sslmode=disable"}


def listening(family, address):
    sock = socket.socket(family)
    sock.bind(address)
    sock.listen(16)
    return sock


def passed_on(pgiam_factory, databases, socks, names="", wait=False, **options):
    """pgiam behind a service manager that passes these sockets on."""
    fds = [s.fileno() for s in socks]
    return pgiam_factory(databases, prefix=[sys.executable, PASS_ON, ",".join(map(str, fds)), names], pass_fds=fds, wait=wait,
                         **options)


def fails(one, *patterns):
    """It does not start, and says why."""
    assert one.process.wait(proxy.START_SEC) == 1
    one.told = True
    one.process.returncode = 0  # judged already
    for pattern in patterns:
        assert re.search(pattern, one.log()), one.log()


# ---- passed on ----

def test_sockets_passed_on(plain, pgiam_factory, workdir):
    path = os.path.join(workdir, "s")
    socks = [listening(socket.AF_INET, ("127.0.0.1", 0)), listening(socket.AF_UNIX, path),
             listening(socket.AF_INET, ("127.0.0.1", 0))]
    early = wire.Wire.dial(socks[0].getsockname()[1])  # before there is a pgiam
    pgiam = passed_on(pgiam_factory, {"app": plain.database(auth="none")}, socks, "client:client:http")
    assert pgiam.logged("pgiam serves")
    with early as w:
        w.login()
        assert w.value("select 1") == "1"
    with wire.Wire.dial_unix(path) as w:
        w.login()
        assert w.value("select 2") == "2"
    configured = pgiam.port
    pgiam.options["http_listen"] = "127.0.0.1:%d" % socks[2].getsockname()[1]
    assert pgiam.http("/liveness")[0] == 200
    with pytest.raises(OSError):
        wire.Wire.dial(configured)
    assert re.search("listen_addr, listen and unix_socket_dir are ignored", pgiam.log())
    assert re.search("http_listen is ignored", pgiam.log())
    pgiam.stop()
    assert os.path.exists(path)  # its maker's
    with wire.Wire.dial_unix(path):  # who still has it: clients wait for the next pgiam
        pass


def test_only_http_is_passed_on(plain, pgiam_factory):
    """Each kind for itself: clients then come in where the configuration says."""
    http = listening(socket.AF_INET, ("127.0.0.1", 0))
    pgiam = passed_on(pgiam_factory, {"app": plain.database(auth="none")}, [http], "http", wait=True)
    assert pgiam.sql("select 1") == [(1,)]
    pgiam.options["http_listen"] = "127.0.0.1:%d" % http.getsockname()[1]
    assert pgiam.http("/liveness")[0] == 200


def test_children_and_strangers(plain, pgiam_factory):
    """Variables that are meant for another process are none of pgiam's business."""
    pgiam = pgiam_factory({"app": plain.database(auth="none")}, env={"LISTEN_PID": 1, "LISTEN_FDS": 3})
    assert pgiam.sql("select 1") == [(1,)]
    assert pgiam.logged("LISTEN_PID=1")


def test_what_is_passed_on_is_checked(pgiam_factory):
    wide = listening(socket.AF_INET, ("0.0.0.0", 0))
    fails(passed_on(pgiam_factory, NEVER, [wide]), "can be reached from other hosts", "allow_remote_trust")
    fine = passed_on(pgiam_factory, NEVER, [wide], allow_remote_trust=1)
    assert fine.logged("pgiam serves")
    quiet = socket.socket()
    fails(passed_on(pgiam_factory, NEVER, [quiet], "some name"), "does not listen", "some name", "Accept=no")
    fails(passed_on(pgiam_factory, NEVER, [socket.socket(type=socket.SOCK_DGRAM)]), "not a stream socket")


# ---- unix sockets ----

def unix(pgiam_factory, directory, **options):
    return pgiam_factory(options.pop("databases", NEVER), listen_addr="", unix_socket_dir=directory, listen_port=5432,
                         wait=False, **options)


def test_unix_socket_mode_and_group(plain, pgiam_factory, workdir):
    group = grp.getgrgid(os.getgid()).gr_name
    pgiam = unix(pgiam_factory, workdir, databases={"app": plain.database(auth="none")}, unix_socket_mode="0620",
                 unix_socket_group=group)
    assert pgiam.logged("pgiam serves")
    path = os.path.join(workdir, ".s.PGSQL.5432")
    it = os.stat(path)
    assert (stat.S_IMODE(it.st_mode), it.st_gid, stat.S_ISSOCK(it.st_mode)) == (0o620, os.getgid(), True)
    assert pgiam.sql("select 1", host=workdir, port=5432) == [(1,)]
    with open(path + ".lock", encoding="ascii") as file:
        lines = file.read().split("\n")
    assert (int(lines[0]), lines[1], lines[3], lines[4]) == (pgiam.pid, "pgiam", "5432", workdir)
    pgiam.stop()
    assert not os.path.exists(path) and not os.path.exists(path + ".lock")


def test_unix_socket_left_behind(pgiam_factory, workdir):
    one = unix(pgiam_factory, workdir)
    assert one.logged("pgiam serves")
    one.tell(signal.SIGKILL)
    one.process.wait()
    one.process.returncode = 0
    assert os.path.exists(os.path.join(workdir, ".s.PGSQL.5432"))
    assert unix(pgiam_factory, workdir).logged("pgiam serves")


def test_unix_socket_of_one_that_lives(pgiam_factory, workdir):
    """Many that start at the same time: one of them has it, and it works."""
    all_of_them = [unix(pgiam_factory, workdir, http_listen="") for _ in range(8)]
    assert wire.eventually(lambda: sum(p.process.poll() is not None for p in all_of_them) == 7)
    for one in all_of_them:
        if one.process.poll() is not None:
            fails(one, "cannot listen on .*held by another pgiam")
    winner, = (p for p in all_of_them if p.process.poll() is None)
    assert winner.logged("pgiam serves")  # it may have the lock, and not listen yet
    with wire.Wire.dial_unix(os.path.join(workdir, ".s.PGSQL.5432")) as w:
        assert w.refused(user="app_user")["S"] == "FATAL"


def test_unix_socket_of_postgresql(plain, pgiam_factory):
    """In PostgreSQL's own directory, with its port: its lock file says that it lives."""
    one = pgiam_factory(NEVER, listen_addr="", unix_socket_dir=plain.dir, listen_port=plain.port, wait=False)
    with open(os.path.join(plain.dir, ".s.PGSQL.%d.lock" % plain.port), encoding="ascii") as file:
        pid = int(file.readline())
    fails(one, "belongs to process %d|held|Permission denied" % pid)
    assert plain.admin("select 1") == [(1,)]


def test_unix_socket_in_the_way(pgiam_factory, workdir):
    put(os.path.join(workdir, ".s.PGSQL.5432"), "precious")
    fails(unix(pgiam_factory, workdir), "no socket is in the way")
    os.unlink(os.path.join(workdir, ".s.PGSQL.5432"))
    # somebody without a lock file, PgBouncer for instance
    with contextlib.closing(listening(socket.AF_UNIX, os.path.join(workdir, ".s.PGSQL.5432"))):
        fails(unix(pgiam_factory, workdir), r"in use by \S+ \(pid %d\)" % os.getpid())
    fails(unix(pgiam_factory, os.path.join(workdir, "none")), "directory")


def test_abstract_unix_socket(plain, pgiam_factory):
    name = "@pgiam-e2e-%d" % os.getpid()
    pgiam = unix(pgiam_factory, name, databases={"app": plain.database(auth="none")})
    assert pgiam.logged("pgiam serves")
    with wire.Wire.dial_unix("\0" + name[1:] + "/.s.PGSQL.5432") as w:
        w.login()
        assert w.value("select 1") == "1"
    fails(unix(pgiam_factory, name), r"cannot listen on unix:@pgiam.*in use", r"pid %d\)" % pgiam.pid)


# ---- ports ----

@pytest.mark.parametrize("family,address", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_port_in_use(pgiam_factory, family, address):
    with contextlib.closing(listening(family, (address, 0))) as sock:
        port = sock.getsockname()[1]
        fails(pgiam_factory(NEVER, listen_addr=address, listen_port=port, wait=False),
              r"cannot listen on \[?%s\]?:%d: Address already in use" % (re.escape(address), port),
              r"in use by \S+ \(pid %d\)" % os.getpid())


# ---- connections that are dead ----

def keepalive(pgiam, port, mine):
    """What the kernel says of the timers of pgiam's connections at that port, its own or the other end's."""
    done = subprocess.run(["ss", "-Htnop", "state", "established", "%s :%d" % ("sport =" if mine else "dport =", port)],
                          capture_output=True, text=True, check=True)
    return [re.findall(r"timer:\((keepalive),(\d+)min", line) for line in done.stdout.splitlines()
            if "pid=%d," % pgiam.pid in line]


@pytest.mark.parametrize("options, timer", [({"tcp_keepidle": 900}, [("keepalive", "14")]), ({"tcp_keepalive": 0}, [])])
def test_keepalive(plain, pgiam_for, options, timer):
    """Of clients and of servers. (test_dial.c looks at the other options.)"""
    pgiam = pgiam_for(plain, database={"auth": "none"}, **options)
    with pgiam.connect() as conn:
        conn.execute("select 1")
        for port, mine in ((pgiam.port, True), (plain.port, False)):  # a moment later: there is but one timer, and more urgent ones
            assert wire.eventually(lambda port=port, mine=mine: keepalive(pgiam, port, mine) == [timer])


# ---- descriptors ----

def test_without_descriptors(plain, pgiam_factory):
    """More logged-in clients than descriptors: those who are in are served, the CPU rests, the log is short, and when some
    leave the waiting are let in."""
    pgiam = pgiam_factory({"app": plain.database(auth="none")}, prefix=["prlimit", "--nofile=100:100", "--"],
                          max_client_conn=500, workers=1, listen_backlog=200)
    with pgiam.connect() as good:
        good.execute("select 1")
        crowd = []
        for _ in range(120):
            crowd.append(wire.Wire.dial(pgiam.port))
            crowd[-1].send(wire.startup())
        assert pgiam.logged("cannot accept clients")
        wire.eventually(lambda: pgiam.descriptors() >= 98)
        before, start = pgiam.cpu_sec(), time.monotonic()
        while time.monotonic() - start < 2:
            assert good.execute("select 1").fetchone() == (1,)
            time.sleep(0.05)
        assert pgiam.cpu_sec() - before < 1.5
        assert pgiam.log().count("cannot accept clients") == 1
        last = crowd.pop()
        for w in crowd:
            w.close()
        last.until("Z")
        assert last.value("select 2") == "2"
        assert pgiam.logged("clients are accepted again")
        last.close()


def test_silent_connections_take_no_descriptors(plain, pgiam_factory):
    """More connections that say nothing than descriptors: they make room for those that have something to say."""
    pgiam = pgiam_factory({"app": plain.database(auth="none")}, prefix=["prlimit", "--nofile=100:100", "--"],
                          max_client_conn=500, workers=1)
    crowd = [socket.create_connection(("127.0.0.1", pgiam.port)) for _ in range(300)]
    for i in range(20):
        assert pgiam.sql("select %d" % i) == [(i,)]
    for sock in crowd:
        sock.close()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 300
