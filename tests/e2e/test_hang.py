"""A worker that hangs: its thread is held still by ptrace, as a system call that never returns would."""
import contextlib
import ctypes
import os
import select
import signal
import socket
import time

import pytest

import proxy
import wire

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def thread(pgiam, name):
    for tid in os.listdir("/proc/%d/task" % pgiam.pid):
        with open("/proc/%d/task/%s/comm" % (pgiam.pid, tid), encoding="ascii") as f:
            if f.read().strip() == name:
                return int(tid)
    raise AssertionError("no thread " + name)


def hold(tid):
    if LIBC.ptrace(PTRACE_SEIZE, tid, None, None) != 0:
        pytest.skip("ptrace: " + os.strerror(ctypes.get_errno()))
    assert LIBC.ptrace(PTRACE_INTERRUPT, tid, None, None) == 0
    os.waitpid(tid, WALL)


def exit_code(pgiam, seconds=20):
    """Waits for the end, taking leave of the threads that are held: the process is not over before."""
    end = time.monotonic() + seconds
    while pgiam.process.poll() is None:
        assert time.monotonic() < end, "it does not end"
        for tid in os.listdir("/proc/%d/task" % pgiam.pid):
            if int(tid) != pgiam.pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(int(tid), WALL | os.WNOHANG)
        time.sleep(0.01)
    return pgiam.process.returncode


@pytest.fixture
def hung(rds, workdir):
    """Two workers, each with a client in a transaction; the second worker hangs. (pgiam, the client of the first)"""
    if proxy.WRAPPER:
        pytest.skip("needs the threads of the program itself")
    pgiam = proxy.Pgiam(workdir + "/x", {"app": rds.database()}, env=rds.aws(), workers=2, shutdown_timeout=1,
                        listen_addr="127.0.0.1", unix_socket_dir=workdir)
    with contextlib.ExitStack() as stack:
        stack.callback(exit_code, pgiam)
        stack.callback(pgiam.process.kill)
        pair = [stack.enter_context(pgiam.wire()) for _ in range(2)]
        for w in pair:
            w.login()
            w.ask("begin")
        hold(thread(pgiam, "pgiam-w1"))
        for w in pair:
            w.send(wire.query("select 1"))
        socks = {w.sock: w for w in pair}
        alive = [socks[s] for s in select.select(socks, [], [], wire.PATIENCE_SEC)[0]]
        assert len(alive) == 1
        alive[0].until("Z")
        yield pgiam, alive[0]


def test_a_worker_that_hangs_is_told_apart(hung):
    pgiam, w = hung
    status, text = pgiam.http("/liveness")
    assert status == 503 and '"unresponsive":[1]' in text
    status, text = pgiam.http("/readiness")
    assert status == 503 and '"workers_unresponsive":1' in text
    assert pgiam.metric("pgiam_worker_unresponsive", worker="1") == 1
    assert pgiam.metric("pgiam_worker_unresponsive", worker="0") == 0
    assert pgiam.metric("pgiam_clients") == 1  # what the other says
    assert w.value("select 5") == "5"


def test_the_end_does_not_wait_for_it(hung, workdir):
    """Clients of the other worker have their grace; nobody waits in front of a door that will not open; then it is said what
    was left behind."""
    pgiam, w = hung
    start = time.monotonic()
    pgiam.tell()
    assert wire.eventually(lambda: not pgiam.listening())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", pgiam.port), timeout=3)
    with pytest.raises(ConnectionRefusedError), socket.socket(socket.AF_UNIX) as s:
        s.settimeout(3)
        s.connect("%s/.s.PGSQL.%d" % (workdir, pgiam.port))
    assert pgiam.http("/readiness")[0] == 503
    assert w.closed()
    assert exit_code(pgiam) == 1
    assert 5 < time.monotonic() - start < 20
    assert "a worker did not end in time and is abandoned" in pgiam.log() and "worker=1" in pgiam.log()
    with socket.create_server(("127.0.0.1", pgiam.port)):  # it is free
        pass
    assert not os.path.exists("%s/.s.PGSQL.%d" % (workdir, pgiam.port))


def test_signals_hurry_it(hung):
    pgiam, _ = hung
    for said in ("msg=stopping ", "stopping at once"):  # each is taken before the next: two at once are one
        pgiam.tell(signal.SIGTERM)
        assert pgiam.logged(said)
    start = time.monotonic()
    pgiam.tell(signal.SIGTERM)
    assert exit_code(pgiam) == 1, pgiam.log()  # 66: ThreadSanitizer, which says why there
    assert time.monotonic() - start < 5  # two signals would have waited that long
