"""Credentials from each source, proven by a login: what the stand-in for AWS issues, the RDS stand-in accepts."""
import time

import pytest

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
    assert 'provider="web-identity"' in one.log() or "provider=web-identity" in one.log()


def test_web_identity_xml(serve, aws, write):
    aws.sts.xml_only = True
    token = write("t")
    assert serve(aws.env(AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=ROLE)).logs_in()


def test_container(serve, aws, write):
    token = write("pod-token\n")
    aws.container.authorization = "pod-token"
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
    one = serve(aws.env(AWS_EC2_METADATA_DISABLED="false", AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=ROLE),
                query_wait_timeout=3)
    assert "AccessDenied" in one.complaint()
    assert not aws.asked("imds")


def test_imds_is_given_up_quickly(serve, aws):
    """Silence where the metadata service would be costs a second, and never version 1."""
    aws.fault("imds", times=None, hang=True)
    begin = time.monotonic()
    one = serve(aws.env(AWS_EC2_METADATA_DISABLED="false"))
    assert "does not answer" in one.complaint()
    assert time.monotonic() - begin < 10
    assert {r.method for r in aws.asked("imds")} == {"PUT"}


def test_comes_back(serve, aws):
    """The source is away at start: clients wait within their bound, and are served as soon as it is back."""
    aws.fault("container", times=None, status=503)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"), query_wait_timeout=2)
    assert "503" in one.complaint()
    aws.clear()
    assert patiently(one.logs_in)


@pytest.mark.parametrize("fault", [
    dict(hang=True), dict(drop=True), dict(huge=1 << 20), dict(redirect="http://127.0.0.1:1/"), dict(status=200, body="{"),
    dict(status=500, body="<html>"), dict(code="ThrottlingException", status=400), dict(status=429, headers={"Retry-After": "1"}),
], ids=lambda f: "-".join(f))
def test_one_misfortune(serve, aws, fault):
    """Any one misfortune is got over: by a retry of the call, or of the whole fetch."""
    aws.fault("container", times=1, **fault)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"))
    assert patiently(one.logs_in)


def test_token_command(rds, aws, workdir):
    """`pgiam token` asks the same chain."""
    aws.serve(rds)
    args = ("token", "--host", rds.host, "--port", str(rds.env["RDS_SIGN_PORT"]), "--user", "app_user",
            "--region", rds.region)
    for env in (aws.env(AWS_EC2_METADATA_DISABLED="false"),
                aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials")):
        done = proxy.pgiam(*args, env=env)
        assert done.returncode == 0, done.stderr
        with rds.connect(password=done.stdout.strip()) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
    done = proxy.pgiam(*args, env=aws.env())
    assert done.returncode != 0
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER", "AWS_EC2_METADATA_DISABLED"):
        assert name in done.stderr


def test_clock_skew(serve, aws, rds):
    """The clocks of AWS and of the database are ten minutes ahead: pgiam signs with theirs, and says so."""
    aws.offset_sec = 600
    rds.fault("skew", 600)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.tls_url + "/v1/credentials"))
    assert one.logs_in()
    assert "clock is wrong" in one.log()
