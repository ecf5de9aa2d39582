"""Ten thousand connections that are half open, slow or hostile: those who have something to say are served as if they were
not there, and what they took comes back."""
import contextlib
import os
import resource
import subprocess
import sys

import pytest

import proxy
import wire

CROWD = 10000
SPARE = 500  # descriptors for everything else


def crowd_size():
    """As many as wanted, or as descriptors allow: each takes one here and one in pgiam."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < CROWD + SPARE:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (CROWD + SPARE, max(hard, CROWD + SPARE)))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    size = min(CROWD, soft - SPARE)
    if size < CROWD:
        print("only %d connections: the limit of open files is %d" % (size, soft))
    return size


@contextlib.contextmanager
def crowd(port, size):
    """Another process: psycopg uses select(), which knows 1024 descriptors."""
    with subprocess.Popen([sys.executable, os.path.join(proxy.HERE, "crowd.py"), str(port), str(size)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "full\n"
        yield
        process.stdin.close()
        print("%s connections" % process.stdout.read().strip())
    assert process.returncode == 0


# Its notice goes out at once (elog.c: send_message_to_frontend flushes), so whoever reads it knows that the query runs.
SLEEP = "do $$ begin raise notice 'asleep'; perform pg_sleep(300); end $$"


def a_cancel_comes_through(pgiam):
    """Nothing is looked up at the server: each step waits for what the step before must bring, whatever else the machine does."""
    with pgiam.wire() as w, pgiam.connect() as busy:
        w.sock.settimeout(60)
        w.login()
        w.send(wire.query(SLEEP))
        try:
            assert wire.error_fields(w.until("N")[-1][1])["M"] == "asleep"
            assert busy.execute("select 1").fetchone() == (1,)
            pgiam.cancel(w.key)
            assert wire.error_fields(w.until("E")[-1][1])["C"] == "57014"
        except TimeoutError:
            print(pgiam.http("/metrics")[1])  # was it waiting for a server, or was a server busy?
            raise


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_crowd_keeps_nobody_out(plain, pgiam_factory, workers):
    size = crowd_size()
    pgiam = pgiam_factory({"app": plain.database(auth="none")}, workers=workers, max_client_conn=100, log_level="info",
                          listen_backlog=1000, client_login_timeout=600)
    with pgiam.connect() as old:
        old.execute("select 1")
        descriptors, memory = pgiam.descriptors(), pgiam.memory_kib()
        with crowd(pgiam.port, size):
            for i in range(50):  # new ones in plaintext and TLS, and one that was there
                for sslmode in ("disable", "require"):
                    assert pgiam.sql("select %d" % i, sslmode=sslmode) == [(i,)]
                assert old.execute("select %d" % i).fetchone() == (i,)
            print("%d descriptors, %d KiB, before %d" % (pgiam.descriptors(), pgiam.memory_kib(), memory))
            a_cancel_comes_through(pgiam)
        assert wire.eventually(lambda: pgiam.descriptors() <= descriptors + 5, 120), pgiam.descriptors()
        # what malloc keeps is bounded by the places there are, not by the crowd
        assert pgiam.memory_kib() < memory + 150 * 1024
        assert old.execute("select 1").fetchone() == (1,)
    assert pgiam.sql("select 1") == [(1,)]
    assert len(pgiam.log()) < 2000000  # ten lines a second of a kind
