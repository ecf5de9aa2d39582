"""`pgiam token` and `pgiam credentials` with each provider there is: the token logs in, and what is told of the credentials is
true and no secret. Whose they are is said by the environment or by flags, as to `pgiam run`."""
import json
import sys

import pytest

import proxy
from files import put
from home import SESSION, stamp

ACCOUNT = "123456789012"
ROLE = "arn:aws:iam::%s:role/" % ACCOUNT
USER = "arn:aws:iam::%s:user/me" % ACCOUNT


# Each makes what one provider needs: (environment, flags).

def env(home, aws):
    key = aws.user()
    return home.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret), ()


def web_identity(home, aws):
    home.write("token", "web-token")
    aws.sts.web_tokens = {"web-token"}
    return home.env(AWS_WEB_IDENTITY_TOKEN_FILE=home.path + "/.aws/token", AWS_ROLE_ARN=ROLE + "irsa"), ()


def profile(home, aws):
    home.write("credentials", home.keys("prod"))
    return home.env(), ("--aws-profile", "prod")


def profile_role(home, aws):
    home.write("config", "[profile prod]\nrole_arn = %sr\nsource_profile = base\n" % ROLE)
    home.write("credentials", home.keys("base"))
    return home.env(AWS_PROFILE="prod"), ()


def profile_web_identity(home, aws):
    home.write("token", "web-token")
    aws.sts.web_tokens = {"web-token"}
    home.write("config", "[default]\nrole_arn = %sr\nweb_identity_token_file = %s/.aws/token\n" % (ROLE, home.path))
    return home.env(), ()


def profile_source(home, aws):
    home.write("config", "[profile prod]\nrole_arn = %sr\ncredential_source = Ec2InstanceMetadata\n" % ROLE)
    return home.env(AWS_EC2_METADATA_DISABLED="false"), ("--aws-profile=prod",)


def sso(home, aws):
    aws.sso.tokens = {"browser-token"}
    home.write("config", "[default]\nsso_session = corp\nsso_account_id = %s\nsso_role_name = r\n" % ACCOUNT + SESSION)
    home.sso_token("corp", accessToken="browser-token", expiresAt=stamp(7200))
    return home.env(), ()


def process(home, aws):
    key = aws.issue("arn:aws:sts::%s:assumed-role/r/s" % ACCOUNT, 3600)
    script = put(home.path + "/program.py", "#!%s\nprint(%r)\n" % (sys.executable, json.dumps(dict(
        Version=1, AccessKeyId=key.key_id, SecretAccessKey=key.secret, SessionToken=key.token,
        Expiration=key.expiration()))), mode=0o755)
    home.write("config", "[default]\ncredential_process = %s\n" % script)
    return home.env(), ()


def login(home, aws):
    home.write("config", "[default]\nlogin_session = %s\n" % USER)
    home.login_session(aws.issue(USER, 3600))
    return home.env(), ()


def container(home, aws):
    return home.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"), ()


def imds(home, aws):
    """Before it comes what the environment says; but somebody asks for it by name."""
    key = aws.user()
    return home.env(AWS_EC2_METADATA_DISABLED="false", AWS_ACCESS_KEY_ID=key.key_id,
                    AWS_SECRET_ACCESS_KEY=key.secret), ("--credential-provider", "imds")


def role(home, aws):
    aws.sts.roles = {ROLE + "db": {"external_id": "ext-1"}}
    return env(home, aws)[0], ("--role-arn", ROLE + "db", "--external-id", "ext-1", "--role-session-name", "me@host")


def role_of_environment(home, aws):
    """The variables that `pgiam run` knows."""
    home.write("credentials", home.keys("prod"))
    return home.env(PGIAM_AWS_PROFILE="prod", PGIAM_ROLE_ARN=ROLE + "db", PGIAM_ROLE_SESSION_NAME="me@host"), ()


# (what makes it, the provider's name, the end of the ARN)
PROVIDERS = [
    (env, "env", None), (web_identity, "web-identity", "role/irsa/"), (profile, "profile", None),
    (profile_role, "profile", "role/r/"), (profile_web_identity, "profile", "role/r/"),
    (profile_source, "profile", "role/r/"), (sso, "sso", None), (process, "process", "role/r/s"),
    (login, "login", "user/me"), (container, "container", None), (imds, "imds", "instance-role/"),
    (role, "role", "role/db/me@host"), (role_of_environment, "role", "role/db/me@host"),
]
each = pytest.mark.parametrize("make,name,arn", PROVIDERS, ids=[make.__name__ for make, _, _ in PROVIDERS])


def mint(rds, variables, *args):
    return proxy.pgiam("token", "--host", rds.host, "--port", str(rds.env["RDS_SIGN_PORT"]), "--user", "app_user",
                       "--region", rds.region, *args, env=variables)


@each
def test_token(rds, home, aws, make, name, arn):
    variables, args = make(home, aws)
    done = mint(rds, variables, *args)
    assert done.returncode == 0 and not done.stderr, done.stderr
    with rds.connect(password=done.stdout.strip()) as conn:
        assert conn.execute("select current_user").fetchone() == ("app_user",)


@each
def test_credentials(home, aws, make, name, arn):
    variables, args = make(home, aws)
    done = proxy.pgiam("credentials", *args, env=variables)
    assert done.returncode == 0 and not done.stderr, done.stderr
    said = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert said["provider"] == name and said["account"] == ACCOUNT and "****" in said["key"] and "expires" in said
    assert arn is None or arn in said["arn"].replace("assumed-role", "role")
    secrets = [s for key in aws.keys.values() for s in (key.secret, key.token) if s]
    assert secrets and not [s for s in secrets + ["browser-token", "web-token"] if s in done.stdout]


def test_every_provider_is_here():
    """Who adds one adds it to the list: the names in the sources."""
    import pathlib
    import re
    sources = pathlib.Path(__file__).resolve().parents[2] / "src" / "aws"
    names = {m for f in sources.glob("provider_*.c") for m in re.findall(r'^#define NAME +"(.*)"|\.name = "(.*?)"', f.read_text(), re.M)}
    assert {a or b for a, b in names} == {name for _, name, _ in PROVIDERS}


@pytest.mark.parametrize("command", ["token", "credentials"])
@pytest.mark.parametrize("args,said", [
    (("--credential-provider", "ec2"), "--credential-provider"),
    (("--role-arn", "db"), "--role-arn"),
    (("--external-id", "x1"), "--role-arn is missing"),
    (("--role-arn", ROLE + "db", "--role-session-name", "a b"), "--role-session-name"),
], ids=lambda a: a[0][2:] if isinstance(a, tuple) else "")
def test_wrong(aws, command, args, said):
    more = ("--host", "db.example.com", "--user", "u") if command == "token" else ()
    done = proxy.pgiam(command, *more, *args, env=aws.env())
    assert done.returncode == 2 and said in done.stderr and not done.stdout and not aws.requests


def test_clock(rds, home, aws):
    """The clocks of AWS and of the database are 20 minutes ahead: the token is signed for theirs, which is told."""
    home.write("token", "t")
    variables = home.env(AWS_WEB_IDENTITY_TOKEN_FILE=home.path + "/.aws/token", AWS_ROLE_ARN=ROLE + "irsa")
    aws.offset_sec = 1200
    rds.fault("skew", 1200)
    done = mint(rds, variables)
    assert done.returncode == 0 and "min behind AWS's" in done.stderr
    with rds.connect(password=done.stdout.strip()) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    exact = mint(rds, variables, "--at", "2026-01-15T12:34:56Z")  # to the letter
    assert exact.returncode == 0 and "X-Amz-Date=20260115T123456Z" in exact.stdout and "behind" not in exact.stderr
