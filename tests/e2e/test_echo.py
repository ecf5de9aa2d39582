"""AWS that says our secrets back, as it does when a signature is wrong, or because it is broken or hostile: nothing of them is
in a log or in what `pgiam credentials` prints."""
import json

import pytest

import proxy
from files import put
from home import SESSION, stamp

PIECE = 16
ROLE = "arn:aws:iam::123456789012:role/irsa"


def is_discreet(text, *secrets):
    """Not even a piece of one."""
    for secret in secrets:
        for at in range(len(secret) - PIECE + 1):
            assert secret[at:at + PIECE].lower() not in text.lower(), secret


def session(aws):
    key = aws.issue("arn:aws:sts::123456789012:assumed-role/r/s", 3600)
    return key, dict(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret, AWS_SESSION_TOKEN=key.token)


def asks(aws, env, service, header):
    """`pgiam credentials` is told this header of its request, again and again; what it prints, and what the header was."""
    aws.fault(service, times=None, echo=header)
    done = proxy.pgiam("credentials", env=env)
    assert done.returncode == 1 and "you sent" in done.stdout + done.stderr and "***" in done.stdout + done.stderr
    sent = [r.said(header) for r in aws.asked(service) if header == "body" or header in r.headers]
    assert sent
    return done.stdout + done.stderr, sent


@pytest.mark.parametrize("header", ["x-amz-security-token", "authorization"])
@pytest.mark.parametrize("xml", [False, True])
def test_sts(aws, header, xml):
    key, keys = session(aws)
    aws.sts.xml_only = xml
    said, sent = asks(aws, aws.env(**keys), "sts", header)
    is_discreet(said, key.secret, *sent)


def test_identity(aws):
    """An answer that is none of an error."""
    key, keys = session(aws)
    result = {"Arn": "arn:aws:sts::1:" + key.token, "Account": key.token[:30]}
    aws.fault("sts", status=200, body=json.dumps({"GetCallerIdentityResponse": {"GetCallerIdentityResult": result}}))
    done = proxy.pgiam("credentials", env=aws.env(**keys))
    assert done.returncode == 0 and "arn:aws:sts::1:***" in done.stdout
    is_discreet(done.stdout + done.stderr, key.secret, key.token)


def test_web_identity(aws, workdir):
    token = "eyJhbGciOiJSUzI1NiJ9." + "eyJpc3MiOiJo/+dHRwcyJ9" * 40 + ".c2lnbmF0dXJl"
    env = aws.env(AWS_WEB_IDENTITY_TOKEN_FILE=put(workdir + "/token", token), AWS_ROLE_ARN=ROLE)
    aws.fault("sts", times=None, code="InvalidIdentityToken", message="This token: %s, is none" % token)
    done = proxy.pgiam("credentials", env=env)
    assert "This token: ***, is none" in done.stderr
    is_discreet(done.stdout + done.stderr, token)
    aws.clear()
    said, _ = asks(aws, env, "sts", "body")  # where it stands with %XX
    is_discreet(said, token)


def test_container(aws, workdir):
    token = "k8s-aws-v1." + "aHR0cHM6Ly9zdHMuYW1" * 3
    env = aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials",
                  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=put(workdir + "/token", token))
    said, sent = asks(aws, env, "container", "authorization")
    is_discreet(said, token, *sent)


def test_imds(aws):
    """The metadata service gives a session's token, and says it back for the role's name and for an error."""
    token = "AQAEAHqZ3yXkVbN8w7P6sDfGhJkL0qWeRtYuIoPaSdFgHjKlZxCvBnM="
    roles = "/latest/meta-data/iam/security-credentials/"
    for only, body in [(roles, token), (roles + "instance-role", '{"Code":"%s","Message":"with %s"}' % (token, token))]:
        aws.clear()
        aws.fault("imds", only="/latest/api/token", status=200, body=token)
        aws.fault("imds", only=roles, status=200, body="instance-role") if only != roles else None
        aws.fault("imds", only=only, status=200, body=body)
        done = proxy.pgiam("credentials", env=aws.env(AWS_EC2_METADATA_DISABLED="false"))
        assert done.returncode == 1 and "imds" in done.stderr
        is_discreet(done.stdout + done.stderr, token)


@pytest.mark.parametrize("service,header", [("sso", "x-amz-sso_bearer_token"), ("oidc", "body")])
def test_sso(home, aws, service, header):
    access, refresh, secret = "aoa" + "Access/Token+1" * 6, "aor" + "Refresh/Token+2" * 6, "c" + "Client/Secret+3" * 6
    home.write("config", SESSION + "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = r\n")
    home.sso_token("corp", accessToken=access, refreshToken=refresh, clientId="client", clientSecret=secret,
                   expiresAt=stamp(3600 if service == "sso" else -60), registrationExpiresAt=stamp(86400))
    said, _ = asks(aws, home.env(), service, header)
    is_discreet(said, access, refresh, secret)


@pytest.mark.parametrize("service", ["secretsmanager", "redshift"])
def test_passwords(aws, pgiam_factory, rds, service):
    """What is logged of a database whose password cannot be had."""
    key, keys = session(aws)
    entry = rds.database(auth="secret", secret_id="prod/db") if service == "secretsmanager" else rds.database(
        host="examplecluster.abc123xyz789.us-east-1.redshift.amazonaws.com", auth="redshift", tls_server_name=rds.host, user="joe")
    aws.fault(service, times=2, echo="x-amz-security-token")
    aws.fault(service, times=None, echo="authorization")
    one = pgiam_factory({"app": entry}, env=aws.env(**keys), query_wait_timeout=4)
    assert "you sent ***" in one.complaint()
    one.complaint()
    sent = [r.headers["authorization"] for r in aws.asked(service)]
    is_discreet(one.log(), key.token, key.secret, *sent)


def test_password_of_redshift_for_a_user(aws, pgiam_factory, rds):
    """The user to log in as, which the database would be told, and its log."""
    key, keys = session(aws)
    body = ("<GetClusterCredentialsResponse><GetClusterCredentialsResult><DbUser>IAM:%s</DbUser><DbPassword>x</DbPassword>"
            "<Expiration>%s</Expiration></GetClusterCredentialsResult></GetClusterCredentialsResponse>")
    aws.fault("redshift", times=None, status=200, body=body % (key.token[:200], stamp(900)))
    one = pgiam_factory({"app": rds.database(host="c1.abc123xyz789.us-east-1.redshift.amazonaws.com", auth="redshift",
                                             tls_server_name=rds.host, user="joe")}, env=aws.env(**keys))
    assert "what was sent" in one.complaint()
    is_discreet(one.log(), key.token)
