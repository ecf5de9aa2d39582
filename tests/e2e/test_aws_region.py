"""The region, where neither region= nor the host name tells it: the environment's, the profile's, the instance's."""
import concurrent.futures

import pytest

import proxy

HOST = "db.example.test"
REGION_PATH = "/latest/meta-data/placement/region"


@pytest.fixture
def nameless(another_rds, aws):
    """An instance whose host name tells no region; what is issued, it accepts."""
    one = another_rds("--host", HOST)
    aws.serve(one)
    assert one.region == aws.region == "us-east-1"
    return one


@pytest.fixture
def serve(nameless, pgiam_factory):
    def make(env, **options):
        return pgiam_factory({"app": nameless.database(iam_host=HOST)}, env=env, **dict({"query_wait_timeout": 20}, **options))
    return make


@pytest.fixture
def keys(aws, nameless):
    key = aws.user()
    return {"AWS_ACCESS_KEY_ID": key.key_id, "AWS_SECRET_ACCESS_KEY": key.secret}


def asked(aws):
    return [r for r in aws.asked("imds") if r.path == REGION_PATH]


def config(workdir, text):
    path = workdir + "/aws-config"
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def test_environment(serve, aws, keys, workdir):
    path = config(workdir, "[default]\nregion = eu-west-1\n")
    assert serve(aws.env(AWS_CONFIG_FILE=path, AWS_EC2_METADATA_DISABLED="false", **keys)).logs_in()
    assert not asked(aws)


def test_profile(serve, aws, keys, workdir):
    path = config(workdir, "[default]\nregion = eu-west-1\n[profile prod]\nregion = us-east-1\n")
    env = aws.env(AWS_CONFIG_FILE=path, AWS_REGION=None, AWS_PROFILE="prod", AWS_EC2_METADATA_DISABLED="false", **keys)
    assert serve(env).logs_in()
    assert not asked(aws)


def test_profile_of_the_database(nameless, aws, workdir, pgiam_factory):
    key = aws.user()
    path = config(workdir, "[default]\nregion = eu-west-1\n[profile prod]\nregion = us-east-1\naws_access_key_id = %s\n"
                           "aws_secret_access_key = %s\n" % (key.key_id, key.secret))
    one = pgiam_factory({"app": nameless.database(iam_host=HOST, aws_profile="prod")}, env=aws.env(AWS_CONFIG_FILE=path, AWS_REGION=None))
    assert one.logs_in()


def test_instance(serve, aws, keys):
    """Asked once, whoever waits for it, and not at every login."""
    aws.fault("imds", times=1, only=REGION_PATH, delay_sec=0.5)
    one = serve(aws.env(AWS_REGION=None, AWS_EC2_METADATA_DISABLED="false", **keys), default_pool_size=4)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: one.logs_in(), range(8)))
    assert len(asked(aws)) == 1
    assert one.logged("metadata service will be asked")


def test_role_without_a_region(serve, aws, workdir):
    """STS is asked in the instance's region as well: nothing has to be configured on one."""
    path = config(workdir, "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Ec2InstanceMetadata\n")
    assert serve(aws.env(AWS_CONFIG_FILE=path, AWS_REGION=None, AWS_EC2_METADATA_DISABLED="false")).logs_in()
    assert [r.form["Action"] for r in aws.asked("sts")] == ["AssumeRole"]


def test_nobody_tells(serve, aws, keys):
    """Clients are told who was asked, and pgiam goes on asking."""
    aws.fault("imds", times=None, code="NotFound", status=404)
    one = serve(aws.env(AWS_REGION=None, AWS_EC2_METADATA_DISABLED="false", **keys), query_wait_timeout=3)
    assert "no AWS region: no setting, host name, variable or profile tells" in one.complaint()
    env = aws.env(AWS_REGION=None, **keys)
    file = one.file
    done = proxy.pgiam("check", file, env=env)
    assert done.returncode != 0 and "AWS_EC2_METADATA_DISABLED forbids" in done.stdout + done.stderr
    done = proxy.pgiam("check", file, env=dict(env, AWS_EC2_METADATA_DISABLED="false"))
    assert done.returncode == 0 and "in the instance's region" in done.stdout, done.stderr


@pytest.mark.parametrize("tell", ["instance", "profile"])
def test_secret(nameless, aws, keys, workdir, pgiam_factory, tell):
    """Secrets Manager is asked there as well."""
    aws.secretsmanager.put("prod/db", {"username": "scram_user", "password": nameless.env["RDS_SCRAM_PASSWORD"]})
    path = config(workdir, "[profile prod]\nregion = us-east-1\n")
    env = dict(AWS_EC2_METADATA_DISABLED="false") if tell == "instance" else dict(AWS_CONFIG_FILE=path, AWS_PROFILE="prod")
    one = pgiam_factory({"app": nameless.database(auth="secret", secret_id="prod/db")},
                        env=aws.env(AWS_REGION=None, **dict(keys, **env)), query_wait_timeout=20)
    assert one.who() == "scram_user"
    assert len(asked(aws)) == (tell == "instance") and len(aws.asked("secretsmanager")) == 1
    if tell == "instance":
        assert one.logged("the instance's region")
    else:
        assert "the instance's region" not in one.log()


def test_redshift(nameless, aws, keys, pgiam_factory):
    aws.redshift.on_login = lambda user, password, _: nameless.admin(
        "create role \"%s\" login password '%s'" % (user, password))
    one = pgiam_factory({"app": nameless.database(auth="redshift", cluster_id="c1", user="joe")},
                        env=aws.env(AWS_REGION=None, AWS_EC2_METADATA_DISABLED="false", **keys), query_wait_timeout=20)
    try:
        assert one.who() == "IAM:joe"
        assert len(asked(aws)) == 1
    finally:
        one.stop()
        nameless.admin('drop role "IAM:joe"')


def test_token_command(aws, keys, nameless, workdir):
    args = ("token", "--host", HOST, "--port", str(nameless.env["RDS_SIGN_PORT"]), "--user", "app_user")
    path = config(workdir, "[default]\nregion = us-east-1\n")
    for env in (dict(AWS_CONFIG_FILE=path), dict(AWS_EC2_METADATA_DISABLED="false")):
        done = proxy.pgiam(*args, env=aws.env(AWS_REGION=None, **dict(keys, **env)))
        assert done.returncode == 0, done.stderr
        with nameless.connect(password=done.stdout.strip()) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
    assert len(asked(aws)) == 1
    done = proxy.pgiam(*args, env=aws.env(AWS_REGION=None, AWS_PROFILE="p", **keys))
    assert done.returncode == 2 and done.stdout == ""
    for text in ("AWS_REGION is not set", 'no profile "p"', "AWS_EC2_METADATA_DISABLED"):
        assert text in done.stderr


def test_credentials_command(aws, keys):
    done = proxy.pgiam("credentials", env=aws.env(AWS_REGION=None, AWS_EC2_METADATA_DISABLED="false", **keys))
    assert done.returncode == 0, done.stderr
    assert len(asked(aws)) == 1
