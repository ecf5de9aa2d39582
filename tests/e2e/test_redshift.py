"""auth=redshift: temporary users and passwords of Redshift, logged in with as the user that is answered. The cluster is the
RDS stand-in under a Redshift endpoint's name; what the stand-in for AWS hands out is its role's password."""
import json
import re
import threading
import time

import psycopg
import pytest

import proxy

CLUSTER = "examplecluster.abc123xyz789.us-east-1.redshift.amazonaws.com"
WORKGROUP = "wg-1.123456789012.us-east-1.redshift-serverless.amazonaws.com"


@pytest.fixture
def redshift(rds, aws, pgiam_factory):
    """redshift(database keys and options): pgiam before the cluster. redshift.users: who was handed out, in order."""
    made, users = set(), []
    key = aws.user()

    def on_login(user, password, _end):
        if user not in made:
            rds.admin('create role "%s" login' % user)
            made.add(user)
        rds.admin("alter role \"%s\" password '%s'" % (user, password))
        users.append(user)

    def make(host=CLUSTER, options=None, env=None, **keys):
        entry = rds.database(host=host, tls_server_name=rds.host, port=rds.port, auth=keys.pop("auth", None), **keys)
        here = aws.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret, AWS_REGION=None, **(env or {}))
        return pgiam_factory({"app": entry}, env=here, **dict({"query_wait_timeout": 20}, **(options or {})))

    def change(user, password="changed-behind-1"):
        rds.admin("alter role \"%s\" password '%s'" % (user, password))

    aws.redshift.on_login = aws.redshift_serverless.on_login = on_login
    make.users, make.change = users, change
    yield make
    for user in made:
        rds.terminate(user)
        rds.admin('drop role "%s"' % user)


def test_named_user(redshift, aws):
    """user= is asked for, the answered user logs in; the call is made once, and nobody sees the password."""
    aws.redshift.known.add("examplecluster")
    one = redshift(user="joe", dbname="app")
    assert one.who() == "IAM:joe"
    assert one.who(user="somebody") == "IAM:joe"
    asked, = aws.asked("redshift")
    assert asked.tls and asked.form == {
        "Action": "GetClusterCredentials", "Version": "2012-12-01", "DbUser": "joe", "DbName": "app",
        "ClusterIdentifier": "examplecluster", "DurationSeconds": "900", "AutoCreate": "false"}
    assert asked.handed[1] not in one.log()


def test_made_in_groups(redshift, aws):
    one = redshift(user="a.b+c", auto_create=1, db_groups="g1, g2", cluster_id="other-1", duration_seconds=3600)
    assert one.who() == "IAMA:a.b+c"
    form = aws.asked("redshift")[0].form
    assert form["AutoCreate"] == "true" and form["ClusterIdentifier"] == "other-1" and form["DurationSeconds"] == "3600"
    assert form["DbGroups.DbGroup.1"] == "g1" and form["DbGroups.DbGroup.2"] == "g2" and "DbName" not in form


def test_of_the_identity(redshift, aws):
    """Without user= the user is that of the IAM identity."""
    assert redshift().who() == "IAM:tester"
    assert aws.asked("redshift")[0].form["Action"] == "GetClusterCredentialsWithIAM"


def test_of_a_role(redshift, aws):
    assert redshift(role_arn="arn:aws:iam::123456789012:role/reports").who() == "IAMR:reports"
    assert aws.asked("redshift")[0].by.arn.startswith("arn:aws:sts::123456789012:assumed-role/reports/")


def test_custom_domain(redshift, aws):
    """Of a cluster the host's own name does; a workgroup has to be said to be one."""
    aws.redshift.domains["dw.example.com"] = "examplecluster"
    aws.redshift_serverless.domains["wg.example.com"] = "wg-1"
    one = redshift("dw.example.com", user="joe", auth="redshift", region=aws.region)
    assert one.who() == "IAM:joe"
    form = aws.asked("redshift")[0].form
    assert form["CustomDomainName"] == "dw.example.com" and "ClusterIdentifier" not in form
    assert redshift("dw.example.com", auth="redshift", region=aws.region).who() == "IAM:tester"
    one = redshift("wg.example.com", workgroup="wg.example.com", auth="redshift", region=aws.region)
    assert one.who() == "IAM:tester"
    assert json.loads(aws.asked("redshift-serverless")[0].body)["customDomainName"] == "wg.example.com"
    one = redshift("other.example.com", auth="redshift", region=aws.region, options={"query_wait_timeout": 3})
    assert "ClusterNotFound" in one.complaint() and "cluster_id" in one.complaint()


def test_serverless(redshift, aws):
    aws.redshift_serverless.known.add("wg-1")
    one = redshift(WORKGROUP, dbname="app")
    assert one.who() == "IAM:tester"
    assert json.loads(aws.asked("redshift-serverless")[0].body) == {
        "workgroupName": "wg-1", "dbName": "app", "durationSeconds": 900}


def test_by_another_name(redshift, rds, aws):
    """A tunnel: iam_host is the endpoint's own name."""
    one = redshift(rds.host, iam_host=CLUSTER, user="joe")
    assert one.who() == "IAM:joe"
    assert aws.asked("redshift")[0].form["ClusterIdentifier"] == "examplecluster"


def test_workers_share_it(redshift, aws):
    one = redshift(user="joe", options=dict(workers=3, default_pool_size=3))
    for i in range(9):
        assert one.who(user="user%d" % i) == "IAM:joe"
    assert aws.counts["redshift"] == 1


def test_refused(redshift, aws):
    """A password that is good no more, though its time has not come: the login that finds out does not fail."""
    one = redshift(user="joe")
    assert one.who() == "IAM:joe"
    redshift.change("IAM:joe")
    assert one.who() == "IAM:joe"
    assert aws.counts["redshift"] == 2


def test_refusals_are_bounded(redshift, aws):
    """A cluster that takes none of them: each refusal is told, and AWS is not asked at each."""
    one = redshift(user="joe", options=dict(server_login_retry=0.1))
    assert one.who() == "IAM:joe"
    aws.redshift.on_login = None
    redshift.change("IAM:joe")
    for _ in range(5):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            one.who()
    assert one.logged(re.escape('user \\"IAM:joe\\" is from the Redshift cluster examplecluster'))
    assert one.logged("GetClusterCredentials") and one.logged("expires in")
    assert aws.counts["redshift"] <= 4
    assert not any(r.handed[1] in one.log() for r in aws.asked("redshift"))


def test_session_state_stays(redshift):
    """Nothing resets a session of Redshift wholly: the next client gets a connection of its own."""
    one = redshift(user="joe")
    with one.connect() as conn:
        first = conn.execute("select pg_backend_pid()").fetchone()[0]
        conn.execute("create temporary table t (x int)")
    with one.connect() as conn:
        assert conn.execute("select pg_backend_pid()").fetchone()[0] != first
        assert conn.execute("select to_regclass('pg_temp.t')").fetchone()[0] is None


@pytest.mark.parametrize("fault,word", [
    (dict(code="ClusterNotFound", status=404), "ClusterNotFound"),
    (dict(code="AccessDenied", status=403), "AccessDenied"),
    (dict(status=500), "500"),
    (dict(status=200, body="<GetClusterCredentialsResponse/>"), "GetClusterCredentials"),
    (dict(status=200, body="sesame"), "not one of GetClusterCredentials"),
    (dict(huge=400000), "redshift"),
    (dict(redirect="http://169.254.169.254/"), "302"),
], ids=["no-cluster", "denied", "broken", "empty", "garbage", "huge", "redirect"])
def test_service_in_trouble(redshift, aws, fault, word):
    """It says why, and goes on when it is over."""
    aws.fault("redshift", times=None, **fault)
    one = redshift(user="joe", options=dict(query_wait_timeout=3, server_login_retry=0.2))
    with pytest.raises(psycopg.OperationalError, match=word):
        one.who()
    assert "sesame" not in one.log()
    aws.clear()
    end = time.monotonic() + 20
    while True:
        try:
            assert one.who() == "IAM:joe"
            return
        except psycopg.OperationalError:
            assert time.monotonic() < end
            time.sleep(0.3)


def test_kept_while_the_service_is_away(redshift, aws):
    one = redshift(user="joe")
    assert one.who() == "IAM:joe"
    aws.fault("redshift", times=None, drop=True)
    assert one.who() == "IAM:joe"


def test_expiry_in_a_login_storm(redshift, aws):
    """With less than a minute of life left another password is asked for; the old one is good no more then, as it happens
    to be here. No login fails for that."""
    aws.redshift.life_sec = 61
    one = redshift(user="joe", options=dict(default_pool_size=4, login_rate=0))
    wrong, done, stop = [], [0] * 4, threading.Event()

    def storm(n):
        while not stop.is_set():
            try:
                assert one.who() == "IAM:joe"
                done[n] += 1
            except (psycopg.Error, AssertionError) as e:
                wrong.append(str(e))

    threads = [threading.Thread(target=storm, args=(n,)) for n in range(len(done))]
    for t in threads:
        t.start()
    time.sleep(13)
    stop.set()
    for t in threads:
        t.join()
    assert not wrong, (wrong[:3], sum(done))
    assert min(done) > 1
    assert 2 <= len(redshift.users) <= 4


def test_unverified_tls_is_refused():
    done = proxy.pgiam("check", "--host", CLUSTER, "--server-tls-sslmode", "require", env={})
    assert done.returncode != 0
    assert "only over verified TLS" in done.stderr
