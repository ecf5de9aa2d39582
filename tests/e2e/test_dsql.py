"""Aurora DSQL: its tokens, against an instance that judges them as DSQL does (tests/rds --dsql). What only DSQL itself
could show, its SQL and its limits, is not here."""
import psycopg
import pytest

import proxy
from files import put

HOST = "abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws"


@pytest.fixture
def dsql(another_rds):
    return another_rds("--dsql", "--host", HOST)


def test_logs_in(dsql, pgiam_for):
    """The host name alone says what to do."""
    one = pgiam_for(dsql, database=dict(auth=None))
    with one.connect() as conn:
        assert conn.execute("select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone() == (
            "app_user", True)
    assert dsql.logins()["Success"] == 1


def test_one_client_a_connection(dsql, pgiam_for):
    """DISCARD ALL is not to be had there: what cannot be reset never serves a second client."""
    one = pgiam_for(dsql, database=dict(auth="dsql"), default_pool_size=1)
    pids = set()
    for _ in range(3):
        with one.connect() as conn:
            conn.execute("set search_path to nowhere")
            pids.add(conn.execute("select pg_backend_pid()").fetchone()[0])
    assert len(pids) == 3


def test_refused(dsql, pgiam_for):
    dsql.fault("deny", "app_user")
    one = pgiam_for(dsql, database=dict(auth="dsql"))
    with pytest.raises(psycopg.OperationalError) as caught:
        one.connect()
    assert "PAM authentication failed" in str(caught.value)
    assert one.logged("action DbConnect,") and one.logged("dsql:DbConnect on arn:aws:dsql:us-east-1:")
    assert one.logged("AWS IAM GRANT app_user") and "does not look like" not in one.log()


def test_tokens_are_not_mixed_up(dsql, another_rds):
    """Neither takes the other's."""
    done = proxy.pgiam("token", "--host", HOST, "--user", "app_user", env=dsql.aws())
    assert done.returncode == 0 and not done.stderr and "Action=DbConnect&" in done.stdout and "DBUser" not in done.stdout
    with dsql.connect(password=done.stdout.strip()) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    assert "Action=DbConnectAdmin&" in proxy.pgiam("token", "--host", HOST, "--user", "admin", env=dsql.aws()).stdout
    rds = another_rds()
    for instance in (dsql, rds):
        other = rds if instance is dsql else dsql
        with pytest.raises(psycopg.OperationalError, match="PAM authentication failed"):
            instance.connect(password=other.token())


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_check(dsql, negotiation, workdir):
    path = workdir + "/pgiam.ini"
    put(path, proxy.ini({"app": "host=%s sslnegotiation=%s" % (HOST, negotiation)}, {}))
    done = proxy.pgiam("check", path, env=dsql.aws())
    assert done.returncode == 0, done.stderr
    assert "dsql" in done.stdout
