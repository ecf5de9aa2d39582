"""Credentials from each source, proven by a login: what the stand-in for AWS issues, the RDS stand-in accepts."""
import concurrent.futures
import threading
import time

import pytest

import fakepg
import proxy
from files import put
from proxy import patiently

ROLE = "arn:aws:iam::123456789012:role/irsa"


@pytest.fixture
def write(workdir):
    """write(text): a file with a token in it; its path."""
    return lambda text: put(workdir + "/token", text)


def test_web_identity(serve, aws, write):
    token = write("web-token-1\n")
    aws.sts.web_tokens = {"web-token-1"}
    env = aws.env(AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=ROLE, AWS_ROLE_SESSION_NAME="pod-1")
    one = serve(env)
    assert one.logs_in()
    asked = aws.asked("sts")[0]
    assert asked.tls and asked.form["RoleSessionName"] == "pod-1"
    assert "web-token" not in one.log()
    assert one.logged('provider="?web-identity')


def test_web_identity_xml(serve, aws, write):
    aws.sts.xml_only = True
    token = write("t")
    assert serve(aws.env(AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=ROLE)).logs_in()


def test_container(serve, aws, write):
    token = write("pod-token\n")
    aws.container.authorization = {"pod-token"}
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials",
                        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token, http_proxy="http://127.0.0.1:1"))
    assert one.logs_in()
    assert "pod-token" not in one.log()


def test_imds(serve, aws):
    one = serve(aws.env(AWS_EC2_METADATA_DISABLED="false", http_proxy="http://127.0.0.1:1"))
    assert one.logs_in()
    assert [r.method for r in aws.asked("imds")][:3] == ["PUT", "GET", "GET"]


def test_order(serve, aws, rds, write):
    """Everything is configured: the environment's keys win, and nobody else is asked."""
    token = write("t")
    env = aws.env(AWS_EC2_METADATA_DISABLED="false", AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials",
                  AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=ROLE)
    assert serve(dict(env, **rds.aws(), AWS_REGION=aws.region)).logs_in()
    assert not aws.requests
    assert serve(env).logs_in()
    assert set(aws.counts) == {"sts"}


def test_failing_stops_the_chain(serve, aws, write):
    """A role that is refused is not replaced by the instance's."""
    token = write("t")
    aws.sts.roles = {"arn:aws:iam::123456789012:role/other": {}}
    one = serve(aws.env(AWS_EC2_METADATA_DISABLED="false", AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=ROLE))
    begin = time.monotonic()
    assert "AccessDenied" in one.complaint()
    assert time.monotonic() - begin < 5  # waiting would not mend it
    assert not aws.asked("imds")


def test_imds_is_given_up_quickly(serve, aws):
    """Silence where the metadata service would be costs a second, and never version 1."""
    aws.fault("imds", times=None, hang=True)
    one = serve(aws.env(AWS_EC2_METADATA_DISABLED="false", AWS_METADATA_SERVICE_TIMEOUT=None), query_wait_timeout=4)
    said = one.complaint()
    assert "does not answer" in said and "hop limit" in said
    assert len(aws.asked("imds")) > 1  # not one attempt of four seconds
    assert {r.method for r in aws.asked("imds")} == {"PUT"}


PASSING = [dict(hang=True), dict(drop=True), dict(status=503), dict(status=500, body="<html>"),
           dict(code="ThrottlingException", status=400), dict(status=429, headers={"Retry-After": "1"})]
LASTING = [dict(huge=1 << 20), dict(redirect="http://127.0.0.1:1/"), dict(status=200, body="{"), dict(status=403)]


def name_of(fault):
    return "-".join(fault)


@pytest.mark.parametrize("fault", PASSING, ids=name_of)
def test_away_at_start(serve, aws, fault):
    """The source is away at start: clients wait within their bound, and are served once it is back."""
    aws.fault("container", times=None, **fault)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"))
    back = threading.Timer(3, aws.clear)
    begin = time.monotonic()
    back.start()
    assert one.logs_in()
    assert time.monotonic() - begin > 2.5
    back.join()


def test_named_and_away_at_start(serve, aws):
    """Where an operator says that it is the instance's role, nobody there is no reason to do without."""
    env = aws.env(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1/")
    begin = time.monotonic()
    assert "no AWS credentials found" in serve(env).complaint()
    assert time.monotonic() - begin < 10
    assert "query_wait_timeout" in serve(env, credential_provider="imds", query_wait_timeout=3).complaint()


def test_away_for_too_long(serve, aws):
    """Clients learn what they have waited for, and the next is served once the source is back."""
    aws.fault("container", times=None, status=503)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"), query_wait_timeout=3)
    begin = time.monotonic()
    said = one.complaint()
    assert 2.5 < time.monotonic() - begin < 8
    for part in ("query_wait_timeout", "DETAIL:  The last login failed: login: container: HTTP status 503",
                 "HINT:  Where the credentials come from is away"):
        assert part in said
    aws.clear()
    assert one.logs_in()


@pytest.mark.parametrize("status", [503, 403])
def test_away_costs_the_database_nothing(fake_factory, pgiam_factory, aws, status):
    """While the credentials are away, the database sees no connection and the log few lines, whether clients wait or come
    again and again; when they are back, everybody gets in."""
    server = fake_factory(fakepg.login_and_serve)
    aws.fault("container", times=None, status=status)
    one = pgiam_factory({"app": server.database()}, env=aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"))
    users = ["user%d" % n for n in range(5)]
    pools = len(users) * int(one.options["workers"] or 1)

    def log_in(user):
        return patiently(lambda: one.sql("select 1", user=user), 40)

    with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
        logins = [pool.submit(log_in, user) for user in users]
        time.sleep(6)
        assert server.accepted == 0
        assert one.log().count("login failed") <= 2 * pools and one.log().count("no aws credentials") <= 2
        aws.clear()
        back = time.monotonic()
        for login in logins:
            login.result()
    assert time.monotonic() - back < 10
    assert server.accepted == len(users)


@pytest.mark.parametrize("fault", PASSING + LASTING, ids=name_of)
def test_one_misfortune(serve, aws, fault):
    """Any one misfortune is got over: by a retry of the call, or of the whole fetch."""
    aws.fault("container", times=1, **fault)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"))
    assert patiently(one.logs_in)


def test_token_without_credentials(rds, aws):
    """`pgiam token` tells of each place where there are none."""
    done = proxy.pgiam("token", "--host", rds.host, "--user", "app_user", "--region", rds.region, env=aws.env())
    assert done.returncode != 0
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER", "AWS_EC2_METADATA_DISABLED"):
        assert name in done.stderr


def test_clock_skew(serve, aws, rds):
    """The clocks of AWS and of the database are ten minutes ahead: pgiam signs with theirs, and says so."""
    aws.offset_sec = 600
    rds.fault("skew", 600)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.tls_url + "/v1/credentials"))
    assert one.logs_in()
    assert one.logged("clock is wrong")
    assert abs(one.metric("pgiam_clock_skew_seconds") - 600) < 5
    # to their end by AWS's clock, not by this machine's
    expiry = one.metric("pgiam_credentials_expiry_timestamp_seconds")
    assert abs(one.metric("pgiam_credentials_expiry_seconds") - (expiry - time.time() - 600)) < 5
