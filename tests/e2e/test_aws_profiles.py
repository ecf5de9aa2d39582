"""Profiles of ~/.aws: each way one can be written, proven by a login, alone and within the chain."""
import base64
import json
import os
import stat
import sys

import pytest

import dpop
import proxy
from files import put
from home import SESSION, stamp
from proxy import patiently

ROLE = "arn:aws:iam::123456789012:role/"


def test_keys(serve, home):
    home.write("credentials", home.keys())
    assert serve(home.env()).logs_in()


def test_named(serve, home):
    """AWS_PROFILE, and a name that does not exist."""
    home.write("credentials", home.keys("prod"))
    assert serve(home.env(AWS_PROFILE="prod")).logs_in()
    assert 'there is no profile "prdo"' in serve(home.env(AWS_PROFILE="prdo")).complaint()


def test_role(serve, home, aws):
    """A role of a role, with all its settings."""
    aws.sts.roles = {ROLE + "inner": {}, ROLE + "outer": {"external_id": "ext-1"}}
    home.write("config", "[profile prod]\nrole_arn = %souter\nsource_profile = middle\nexternal_id = ext-1\n"
                         "role_session_name = me@host\nduration_seconds = 900\n"
                         "[profile middle]\nrole_arn = %sinner\nsource_profile = base\n" % (ROLE, ROLE))
    home.write("credentials", home.keys("base"))
    one = serve(home.env(AWS_PROFILE="prod"))
    assert one.logs_in()
    asked = [r.form for r in aws.asked("sts")]
    assert [f["RoleArn"] for f in asked] == [ROLE + "inner", ROLE + "outer"]
    assert asked[1]["RoleSessionName"] == "me@host" and asked[1]["DurationSeconds"] == "900"


def test_role_without_region(serve, home, aws):
    """Neither environment nor profile has one: STS is asked in the database's."""
    aws.sts.roles = {ROLE + "r": {}}
    home.write("config", "[profile prod]\nrole_arn = %sr\nsource_profile = base\n" % ROLE)
    home.write("credentials", home.keys("base"))
    assert serve(home.env(AWS_PROFILE="prod", AWS_REGION=None)).logs_in()
    assert serve(home.env(AWS_REGION=None), aws_profile="prod").logs_in()
    assert len(aws.asked("sts")) == 2


@pytest.mark.parametrize("source,env", [
    ("Environment", {}),
    ("EcsContainer", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/v1/credentials"}),
    ("Ec2InstanceMetadata", {"AWS_EC2_METADATA_DISABLED": "false"}),
])
def test_credential_source(serve, home, aws, source, env):
    home.write("config", "[profile prod]\nrole_arn = %sr\ncredential_source = %s\n" % (ROLE, source))
    env = {k: v.format(url=aws.url) for k, v in env.items()}
    if source == "Environment":
        # the environment's keys win over the profile unless it is the configuration that names one
        key = aws.user()
        env = dict(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret)
        assert serve(home.env(AWS_PROFILE="prod", **env)).logs_in()
        assert not aws.asked("sts")
    else:
        assert serve(home.env(AWS_PROFILE="prod", **env)).logs_in()
        assert aws.asked("sts")[0].form["RoleArn"] == ROLE + "r"


def test_web_identity(serve, home, aws):
    aws.sts.web_tokens = {"token-2"}
    home.write("token", "token-1")
    home.write("config", "[default]\nrole_arn = %sr\nweb_identity_token_file = %s/.aws/token\n" % (ROLE, home.path))
    one = serve(home.env())
    assert "InvalidIdentityToken" in one.complaint()
    home.write("token", "token-2\n")  # seen without a restart
    assert patiently(one.logs_in)


def test_process(serve, home, aws, workdir):
    key = aws.issue("arn:aws:sts::123456789012:assumed-role/r/s", 3600)
    script = workdir + "/a program.py"
    said = dict(Version=1, AccessKeyId=key.key_id, SecretAccessKey=key.secret, SessionToken=key.token,
                Expiration=key.expiration())
    put(script, "#!%s\nimport sys, json\nassert sys.argv[1:] == ['a b', '$HOME']\nprint(json.dumps(%r))\n" % (
        sys.executable, said), mode=0o755)
    home.write("config", "[default]\ncredential_process = '%s' \"a b\" $HOME\n" % script)
    one = serve(home.env())
    assert one.logs_in()
    assert key.secret not in one.log() and key.token not in one.log()


def test_process_fails(serve, home):
    home.write("config", "[default]\ncredential_process = sh -c 'echo sesame; echo sesame >&2; exit 3'\n")
    one = serve(home.env())
    assert "exited with status 3" in one.complaint()
    assert "sesame" not in one.log()


def test_sso(serve, home, aws):
    aws.sso.tokens = {"browser-token"}
    aws.sso.assignments = {("123456789012", "Read Only")}
    home.write("config", "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Read Only\n" + SESSION)
    one = serve(home.env())
    said = one.complaint()
    assert "aws/sso/cache" in said and "aws sso login --sso-session corp" in said
    assert one.metric("pgiam_credentials_refresh_failures_total", cause="session") > 0
    assert one.metric("pgiam_credentials_refresh_failures_total", cause="settings") == 0
    home.sso_token("corp", accessToken="browser-token", expiresAt=stamp(7200))  # somebody runs aws sso login
    assert patiently(one.logs_in)
    assert "browser-token" not in one.log()


def test_sso_renewed(serve, home, aws):
    aws.oidc.refresh = {"refresh-1": ("client", "secret")}
    home.write("config", "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = r\n" + SESSION)
    path = home.sso_token("corp", accessToken="old", expiresAt=stamp(-60), refreshToken="refresh-1", clientId="client",
                          clientSecret="secret", registrationExpiresAt=stamp(86400), region="us-east-1")
    assert serve(home.env()).logs_in()
    with open(path, encoding="utf-8") as file:
        cached = json.load(file)
    assert cached["accessToken"] in aws.sso.tokens and cached["refreshToken"] in aws.oidc.refresh
    assert cached["region"] == "us-east-1"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


def test_sso_legacy(serve, home, aws):
    aws.sso.tokens = {"browser-token"}
    start = "https://d-1.awsapps.com/start"
    home.write("config", "[default]\nsso_start_url = %s\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r\n" % start)
    home.sso_token(start, accessToken="browser-token", expiresAt=stamp(7200))
    assert serve(home.env()).logs_in()


def test_login(serve, home, aws):
    home.write("config", "[default]\nlogin_session = arn:aws:iam::123456789012:user/me\n")
    home.login_session(aws.issue("arn:aws:iam::123456789012:user/me", 900))
    assert serve(home.env()).logs_in()


@pytest.fixture
def login_session(home, aws):
    """login_session(sec): `aws login` was run, and its credentials have so long to live; the path of its file."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec

    def make(life_sec, refresh="rt-1", own_key=True):
        private = ec.generate_private_key(ec.SECP256R1())
        x, y = (base64.urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode()
                for n in (private.public_key().public_numbers().x, private.public_key().public_numbers().y))
        if own_key:
            aws.signin.refresh[refresh] = dpop.thumbprint(dict(kty="EC", crv="P-256", x=x, y=y))
        key = aws.issue("arn:aws:iam::123456789012:user/me", life_sec)
        home.write("config", "[default]\nlogin_session = arn:aws:iam::123456789012:user/me\nregion = us-east-1\n")
        return home.login_session(
            key, tokenType="aws_sigv4", clientId=aws.signin.CLIENT, refreshToken=refresh, idToken="id",
            dpopKey=private.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption()).decode())
    return make


def test_login_renewed(serve, home, aws, login_session):
    path = login_session(-60)
    one = serve(home.env())
    assert one.logs_in()
    with open(path, encoding="utf-8") as file:
        cached = json.load(file)
    assert cached["accessToken"]["accessKeyId"] == aws.issued[-1].key_id
    assert cached["refreshToken"] in aws.signin.refresh and cached["refreshToken"] != "rt-1"
    assert cached["idToken"] == "id" and cached["accessToken"]["accountId"] == "123456789012"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    for secret in ("rt-1", cached["refreshToken"], cached["accessToken"]["secretAccessKey"]):
        assert secret not in one.log()


def test_login_renewed_through_a_link(serve, home, aws, login_session, workdir):
    """The cache is kept elsewhere: the file there is renewed, and the link stays."""
    path = login_session(-60)
    kept = workdir + "/kept.json"
    os.rename(path, kept)
    os.symlink(kept, path)
    assert serve(home.env()).logs_in()
    assert os.readlink(path) == kept
    with open(kept, encoding="utf-8") as file:
        assert json.load(file)["accessToken"]["accessKeyId"] == aws.issued[-1].key_id
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600


def test_login_not_renewed(serve, home, aws, login_session):
    """Over: used while they live, and then told."""
    aws.signin.code = "USER_CREDENTIALS_CHANGED"
    login_session(120)
    one = serve(home.env())
    assert one.logs_in()
    assert one.logged("USER_CREDENTIALS_CHANGED")
    one.stop()
    login_session(-1)
    assert "USER_CREDENTIALS_CHANGED" in serve(home.env(), query_wait_timeout=3).complaint()


def test_login_of_another_key(serve, home, login_session):
    """The stand-in tells a proof by another key from one by the session's own."""
    login_session(-1, refresh="rt-2")
    login_session(-1, refresh="rt-2", own_key=False)
    assert "TOKEN_EXPIRED" in serve(home.env(), query_wait_timeout=3).complaint()


def test_settings(serve, home, aws):
    """Where services are, whom to trust there, how often to try: the profile says it where the environment does not."""
    home.write("token", "t")
    home.write("config", "[default]\nca_bundle = %s\nmax_attempts = 1\nservices = here\n[services here]\nsts =\n"
                         "  endpoint_url = %s\n" % (aws.ca_path, aws.tls_url))
    env = home.env(AWS_ENDPOINT_URL=None, AWS_CA_BUNDLE=None, AWS_ROLE_ARN=ROLE + "r",
                   AWS_WEB_IDENTITY_TOKEN_FILE=home.path + "/.aws/token")
    aws.fault("sts", times=None, status=503)
    done = proxy.pgiam("credentials", env=env)
    assert done.returncode == 1 and "503" in done.stderr and len(aws.asked("sts")) == 1
    aws.clear()
    assert serve(env).logs_in()


def test_place_in_the_chain(serve, home, aws):
    """Behind the environment's web identity, before a container."""
    home.write("credentials", home.keys())
    home.write("token", "t")
    container = dict(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials")
    assert serve(home.env(**container)).logs_in()
    assert not aws.requests
    assert serve(home.env(AWS_WEB_IDENTITY_TOKEN_FILE=home.path + "/.aws/token", AWS_ROLE_ARN=ROLE + "r",
                          **container)).logs_in()
    assert set(aws.counts) == {"sts"}


@pytest.mark.parametrize("config,match", [
    ("[default]\nrole_arn = r\nsource_profile = x\nmfa_serial = m\n", "mfa_serial"),
    ("[default]\nrole_arn = r\nsource_profile = x\n[profile x]\nrole_arn = r\nsource_profile = default\n", "leads back"),
    ("[default]\nnonsense\n", "line 2"),
    ("[default]\naws_access_key_id = AKIA\n", "aws_secret_access_key is not"),
], ids=["mfa", "loop", "nonsense", "half"])
def test_refusals_stop_the_chain(serve, home, aws, config, match):
    home.write("config", config)
    env = home.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials")
    assert match in serve(env, query_wait_timeout=3).complaint()
    assert not aws.requests


def test_token_command(rds, home):
    home.write("credentials", home.keys("prod"))
    done = proxy.pgiam("token", "--host", rds.host, "--port", str(rds.env["RDS_SIGN_PORT"]), "--user", "app_user",
                       "--region", rds.region, env=home.env(AWS_PROFILE="prod"))
    assert done.returncode == 0, done.stderr
    with rds.connect(password=done.stdout.strip()) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
