"""Who may use the port."""
import os
import pwd
import subprocess

import pytest

from proxy import environment

NOBODY = "nobody"


def as_user(name, words):
    """Runs a program as another local user."""
    who = pwd.getpwnam(name)
    return subprocess.run(words, env=environment({}), capture_output=True, text=True, cwd="/", user=who.pw_uid,
                          group=who.pw_gid, extra_groups=[], check=False)


def psql(rds, conninfo):
    return [rds.program("psql"), conninfo, "-XAtc", "select current_user"]


def test_client_users(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_users="app_user, third")
    assert pgiam.sql("select 1") == [(1,)]
    fields = pgiam.refusal(user="other_user")
    assert (fields["S"], fields["C"]) == ("FATAL", "28000")
    assert "other_user" in fields["M"] and "client_users" in fields["H"]
    assert rds.backends("other_user") == []


def test_client_users_without_a_list_is_everybody(pgiam):
    assert pgiam.sql("select 1", user="other_user") == [(1,)]


def test_client_uids_over_tcp(rds, pgiam_for):
    """The owner of a loopback connection is known to the kernel."""
    pgiam = pgiam_for(rds, client_uids="root")
    assert pgiam.sql("select 1") == [(1,)]
    done = as_user(NOBODY, psql(rds, pgiam.conninfo()))
    assert done.returncode == 2 and "FATAL" in done.stderr, done.stderr
    pgiam = pgiam_for(rds, client_uids=NOBODY)
    assert as_user(NOBODY, psql(rds, pgiam.conninfo())).stdout == "app_user\n"
    fields = pgiam.refusal()
    assert fields["C"] == "28000" and "client_uids" in fields["H"]


def test_client_uids_over_ipv6(rds, pgiam_for):
    pgiam = pgiam_for(rds, client_uids="0", listen_addr="::1")
    try:
        assert pgiam.sql("select 1", host="::1") == [(1,)]
    except Exception as e:
        if "Cannot assign" in str(e):
            pytest.skip("no IPv6 loopback here")
        raise
    assert as_user(NOBODY, psql(rds, pgiam.conninfo(host="::1"))).returncode == 2


def test_client_uids_over_a_unix_socket(rds, pgiam_for, workdir):
    os.chmod(workdir, 0o755)
    pgiam = pgiam_for(rds, client_uids=NOBODY, unix_socket_dir=workdir, unix_socket_mode="0777")
    where = pgiam.conninfo(host=workdir, sslmode=None)
    assert as_user(NOBODY, psql(rds, where)).stdout == "app_user\n"
    done = subprocess.run(psql(rds, where), env=environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "FATAL" in done.stderr, done.stderr


def test_unix_socket_is_not_for_everybody(rds, pgiam_for, workdir):
    os.chmod(workdir, 0o755)
    pgiam = pgiam_for(rds, unix_socket_dir=workdir)
    done = as_user(NOBODY, psql(rds, pgiam.conninfo(host=workdir, sslmode=None)))
    assert done.returncode == 2 and "Permission denied" in done.stderr


@pytest.mark.parametrize("address", ["0.0.0.0", "*", "::", "192.0.2.1"])
def test_remote_trust_is_refused(rds, pgiam_for, address):
    with pytest.raises(RuntimeError, match="allow_remote_trust"):
        pgiam_for(rds, listen_addr=address)


def test_remote_trust_by_name(rds, pgiam_for):
    pgiam = pgiam_for(rds, listen_addr="0.0.0.0", allow_remote_trust=1)
    assert pgiam.sql("select 1") == [(1,)]


def test_nothing_of_the_server_before_the_login(rds, pgiam_for):
    """A user who is not in the list learns no upstream text."""
    rds.fault("deny", "other_user")
    pgiam = pgiam_for(rds, client_users="app_user")
    fields = pgiam.refusal(user="other_user")
    assert not any("PAM" in v or rds.host in v for v in fields.values()), fields


def test_process_is_closed_to_its_own_user(rds, pgiam_for):
    """Not dumpable: /proc/PID/mem and friends belong to root."""
    pgiam = pgiam_for(rds)
    limits = open("/proc/%d/limits" % pgiam.pid, encoding="ascii").read()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
