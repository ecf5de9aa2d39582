"""What is wrong with this machine is said where somebody looks: when it starts, in the log, in the metrics."""
import resource
import socket
import subprocess

import pytest

import proxy
import wire
from files import put


@pytest.mark.parametrize("limit", [6, 9, 13, 16, 30])
def test_too_few_descriptors_to_start(rds, workdir, limit):
    """Neither a silent end nor a process that can accept nobody."""
    file = workdir + "/pgiam.ini"
    put(file, proxy.ini({"app": rds.database()}, {"listen_port": next(proxy.PORTS), "http_listen": ""}))
    done = subprocess.run([proxy.BINARY, "run", file], env=proxy.environment(rds.aws()), capture_output=True, text=True,
                          timeout=30, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    assert done.returncode == 1
    assert "limit of open files is %d" % limit in done.stderr and "ulimit -n" in done.stderr


def refuses_to_start(rds, workdir, **options):
    """What is on stderr of a pgiam that cannot start."""
    file = workdir + "/pgiam.ini"
    options = dict({"listen_port": next(proxy.PORTS), "listen_addr": "127.0.0.1", "http_listen": ""}, **options)
    put(file, proxy.ini({"app": rds.database()}, options))
    done = proxy.pgiam("run", file, env=rds.aws())
    assert done.returncode == 1
    return done.stderr


def test_port_in_use_names_who_has_it(rds, workdir):
    """In the log, and on stderr where the log goes elsewhere: whoever starts it by hand looks there."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
        assert "in use by python" in refuses_to_start(rds, workdir, listen_port=port)
        log = workdir + "/log"
        stderr = refuses_to_start(rds, workdir, listen_port=port, logfile=log)
        assert "error: cannot listen on 127.0.0.1:%d: Address already in use" % port in stderr
        assert "in use by python" in stderr
        with open(log, encoding="utf-8") as f:
            assert "in use by python" in f.read()
        assert "http_listen: cannot listen" in refuses_to_start(rds, workdir, http_listen="127.0.0.1:%d" % port)


def test_pidfile_that_is_somebody_elses(rds, workdir):
    mine = workdir + "/mine"
    put(mine, "precious")
    stderr = refuses_to_start(rds, workdir, pidfile=mine, logfile=workdir + "/log")
    assert "is no pid file" in stderr and "Choose another name" in stderr
    with open(mine, encoding="utf-8") as f:
        assert f.read() == "precious"


def test_pidfile_of_one_that_runs(rds, workdir):
    pidfile = workdir + "/pid"
    one = proxy.Pgiam(workdir + "/x", {"app": rds.database()}, env=rds.aws(), pidfile=pidfile)
    stderr = refuses_to_start(rds, workdir, pidfile=pidfile)
    assert "is held by another pgiam that runs, process %d" % one.pid in stderr and "Stop that one" in stderr
    one.stop()


def test_full_disk_of_the_log(rds, workdir):
    """There is nothing in the log about it: stderr says it, and it serves all the same."""
    pgiam = proxy.Pgiam(workdir + "/x", {"app": rds.database()}, env=rds.aws(), logfile="/dev/full")
    assert pgiam.sql("select 1") == [(1,)]
    pgiam.stop()
    assert pgiam.log().count("cannot write the log: No space left on device") == 1


def test_wrong_region_is_pointed_at(rds, pgiam_factory):
    pgiam = pgiam_factory({"app": rds.database(region="eu-west-1")}, env=rds.aws())
    fields = pgiam.refusal()
    assert "signed for" in fields["D"] and "in eu-west-1" in fields["D"]
    assert "The host name says %s" % rds.region in fields["D"]
    assert "The host name says %s" % rds.region in pgiam.http("/readiness")[1]


def test_out_of_descriptors_is_logged(pgiam):
    """There is no /metrics then: it needs one, too."""
    pgiam.sql("select 1")
    resource.prlimit(pgiam.pid, resource.RLIMIT_NOFILE, (pgiam.descriptors() + 4,) * 2)
    crowd = [socket.create_connection(("127.0.0.1", pgiam.port)) for _ in range(30)]
    assert pgiam.logged("cannot accept clients.*Too many open files.*ulimit -n")
    for s in crowd:
        s.close()


def test_no_descriptor_for_a_server(pgiam):
    """The database is not what has to be looked at. The limit lies below every number in use: with a limit of as many as are
    open one number is left, where a worker whose accept() came too late held the one before the client's meanwhile."""
    with pgiam.wire() as w:
        assert w.request(wire.GSSENC_REQUEST) == b"N"
        before = resource.prlimit(pgiam.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pgiam.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        w.send(wire.startup())
        fields = wire.error_fields(w.until("E")[-1][1])
        resource.prlimit(pgiam.pid, resource.RLIMIT_NOFILE, before)  # LeakSanitizer wants some at the end
        assert "Too many open files" in fields["M"]
        assert "ulimit -n" in fields["H"]


def test_log_that_cannot_be_written_is_counted(rds, pgiam_for):
    pgiam = pgiam_for(rds, logfile="/dev/full")
    pgiam.sql("select 1")
    assert wire.eventually(lambda: pgiam.metric("pgiam_log_write_failures_total") > 0)
    assert pgiam.metric("pgiam_log_dropped_lines_total") == 0


def test_sessions_the_server_ends_are_counted(rds, pgiam):
    """A failover is many of them."""
    with pgiam.wire() as w:
        w.login()
        w.ask("select 1")
        rds.terminate()
        assert wire.error_fields(w.until("E")[-1][1])["C"] == "57P01"
    assert wire.eventually(lambda: pgiam.metric("pgiam_client_errors_total", cause="server_closed") == 1)


def test_clients_turned_away_are_logged(rds, pgiam_for):
    pgiam = pgiam_for(rds, max_client_conn=1, workers=1)
    with pgiam.connect():
        assert pgiam.refusal()["C"] == "53300"
    assert pgiam.logged("client refused or ended.*max_client_conn")
