"""Several databases in several accounts behind one pgiam. The second instance knows other keys than the first: a login
with the wrong identity is refused."""
import json

import pytest

import proxy
from files import put

READER, WRITER = "arn:aws:iam::111111111111:role/reader", "arn:aws:iam::222222222222:role/writer"


@pytest.fixture
def two(rds, another_rds, aws, workdir, pgiam_factory):
    """two({...}, {...}, **options): pgiam with the databases one and two, these options in each. What is issued for the
    role writer only the second instance accepts, all else only the first."""
    second = another_rds("--name", "two")
    config = workdir + "/aws-config"

    def accept(key):
        (second if "/writer/" in key.arn or key.arn.endswith("other") else rds).fault(
            "add-key", key.key_id, key.secret, key.token or "", key.expires or "")

    aws.on_issue = accept
    with open(config, "w", encoding="ascii") as file:
        for name in ("tester", "other"):
            key = aws.user("arn:aws:iam::123456789012:user/" + name)
            file.write("[profile %s]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % (name, key.key_id, key.secret))
    env = aws.env(AWS_CONFIG_FILE=config, AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials")

    def make(first, other, **options):
        return pgiam_factory({"one": rds.database(region=rds.region, dbname="app", **first),
                              "two": second.database(region=second.region, dbname="app", **other)},
                             env=env, **dict({"query_wait_timeout": 10}, **options))
    return make


def test_profiles(two, aws):
    """A profile each. Exchanged, both are refused: so the logins were not the other's."""
    one = two({"aws_profile": "tester"}, {"aws_profile": "other"})
    assert one.logs_in(dbname="one") and one.logs_in(dbname="two")
    assert not aws.requests
    one.stop()
    one = two({"aws_profile": "other"}, {"aws_profile": "tester"})
    for name in ("one", "two"):
        assert one.complaint(dbname=name)


def test_roles(two, aws):
    """Two roles, in two accounts, assumed with what the chain finds; one wants its external id."""
    aws.sts.roles = {READER: {}, WRITER: {"external_id": "tenant:7"}}
    one = two({"role_arn": READER, "role_session_name": "reports"}, {"role_arn": WRITER, "external_id": "tenant:7"})
    assert one.logs_in(dbname="one") and one.logs_in(dbname="two")
    asked = {r.form["RoleArn"]: r.form for r in aws.asked("sts")}
    assert set(asked) == {READER, WRITER}
    assert asked[READER]["RoleSessionName"] == "reports" and "ExternalId" not in asked[READER]
    for identity in ("role %s as reports" % READER, "role " + WRITER):
        assert one.metric("pgiam_credentials_valid", identity=identity, provider="role") == 1
        assert one.metric("pgiam_credentials_refreshes_total", identity=identity) == 1


def test_role_of_a_profile(two, aws):
    aws.sts.roles = {WRITER: {}}
    one = two({"aws_profile": "tester"}, {"aws_profile": "tester", "role_arn": WRITER})
    assert one.logs_in(dbname="one") and one.logs_in(dbname="two")
    assert not aws.asked("container")


def test_same_settings_share(two, aws, rds, pgiam_factory):
    """Set for all databases, for one again: one identity, and the role is assumed once."""
    one = pgiam_factory({name: rds.database(region=rds.region, dbname="app", **more) for name, more in
                         (("a", {}), ("b", {}), ("c", {"role_arn": READER}))},
                        env=aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"), role_arn=READER)
    for name in "abc":
        assert one.logs_in(dbname=name)
    assert len(aws.asked("sts")) == 1


def test_one_account_is_away(two, aws):
    """What keeps one database out is told of it, and is nothing to the other."""
    aws.sts.roles = {READER: {}}
    one = two({"role_arn": READER}, {"role_arn": WRITER})
    assert one.logs_in(dbname="one")
    assert "AccessDenied" in one.complaint(dbname="two")
    assert one.http("/startup")[0] == 200
    assert one.http("/readiness?database=one")[0] == 200
    status, body = one.http("/readiness")
    body = json.loads(body)
    assert status == 503
    assert [c["identity"] for c in body["credentials"] if not c["ok"]] == ["role " + WRITER]
    assert [d for d in body["databases"] if not d["ok"]] == [
        {"database": "two", "ok": False, "cause": "credentials", "identity": "role " + WRITER}]


def test_credential_provider(two, aws, rds):
    """The environment has no keys and the container has: with credential_provider = env nobody asks it."""
    one = two({}, {"aws_profile": "other"}, credential_provider="env")
    said = one.complaint(dbname="one")
    assert "AWS_ACCESS_KEY_ID is not set" in said and "credential_provider" in said
    assert one.logs_in(dbname="two")
    assert not aws.requests


def test_check(rds, aws, workdir):
    path = workdir + "/check.ini"
    put(path, "[databases]\na = host=a.c9akciq32rgw.eu-west-1.rds.amazonaws.com role_arn=%s external_id=x1\n"
              "b = host=b.c9akciq32rgw.eu-west-1.rds.amazonaws.com aws_profile=p\n"
              "c = host=c.c9akciq32rgw.eu-west-1.rds.amazonaws.com\n[pgiam]\ncredential_provider = imds\n" % READER)
    done = proxy.pgiam("check", path, env={})
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("identity")]
    assert lines == ["identity role %s, with external id, from imds only" % READER, "identity profile p",
                     "identity default, from imds only"]
