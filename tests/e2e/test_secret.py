"""auth=secret: user and password out of Secrets Manager, logged in with by SCRAM, while the secret is rotated."""
import json
import threading
import time

import psycopg
import pytest

import proxy
import wire

NAME = "prod/db/app"
USER = "scram_user"


@pytest.fixture
def vault(rds, aws, pgiam_factory):
    """vault(**options): pgiam before the instance, with the secret of that name. vault.set(password): the role's."""
    role = rds.env["RDS_SCRAM_PASSWORD"]
    key = aws.user()

    def make(secret_id=NAME, env=None, database=None, **options):
        entry = rds.database(auth="secret", secret_id=secret_id, **(database or {}))
        here = aws.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret, **(env or {}))
        return pgiam_factory({"app": entry}, env=here, **dict({"query_wait_timeout": 20}, **options))

    def put(password, stage="AWSCURRENT", **more):
        return aws.secretsmanager.put(NAME, dict({"engine": "postgres", "username": USER, "password": password,
                                                  "host": rds.host, "port": str(rds.port)}, **more), stage)

    def change(password):
        rds.admin("alter role %s password '%s'" % (USER, password))

    make.put, make.change, make.role = put, change, role
    change(role)
    put(role)
    yield make
    change(role)


def test_logs_in(vault, aws):
    """Whoever asks logs in as the secret's user; the secret is read once, and nobody sees it."""
    one = vault()
    assert one.who() == USER
    assert one.who(user="somebody") == USER
    assert aws.counts["secretsmanager"] == 1
    assert aws.asked("secretsmanager")[0].tls
    assert vault.role not in one.log()


def test_readiness_before_anybody_logs_in(vault, aws):
    """A secret that cannot be read makes its database unready from the start, says why, and is read again although nobody
    comes: who waits for readiness sends nobody."""
    aws.fault("secretsmanager", times=None, status=503)
    one = vault()

    def page():
        status, text = one.http("/readiness")
        return status, json.loads(text)

    assert wire.eventually(lambda: page()[0] == 503 and "503" in page()[1]["secrets"][0].get("error", ""))
    said = page()[1]
    assert said["secrets"][0]["secret"] == "secret %s in us-east-1" % NAME and said["secrets"][0]["ok"] is False
    assert said["credentials"][0]["ok"] is True
    assert said["databases"][0]["ok"] is False and said["databases"][0]["cause"] == "credentials_away"
    assert one.http("/startup")[0] == 200 and one.http("/liveness")[0] == 200
    aws.clear()
    assert wire.eventually(lambda: page()[0] == 200, 30)
    assert one.who() == USER


def test_by_arn_and_binary(vault, aws, rds):
    """An ARN says its region; SecretBinary is as good as SecretString."""
    aws.secretsmanager.put(NAME, json.dumps({"username": USER, "password": vault.role}).encode())
    one = vault(aws.secretsmanager.arn(NAME), env={"AWS_REGION": "eu-central-1"})
    assert one.who() == USER


def test_read_by_a_role(vault, aws):
    """role_arn reads it: of the account the secret is in."""
    arn = "arn:aws:iam::123456789012:role/reader"
    aws.sts.roles[arn] = {"external_id": "x-1"}
    assert vault(database=dict(role_arn=arn, external_id="x-1")).who() == USER
    assert aws.asked("secretsmanager")[0].by.arn.startswith("arn:aws:sts::123456789012:assumed-role/reader/")
    assert [r.form["Action"] for r in aws.asked("sts")] == ["AssumeRole"]


def test_role_that_may_not(vault, aws):
    """A role that cannot be assumed, or may not read: no other credentials stand in for it."""
    aws.sts.roles["arn:aws:iam::123456789012:role/other"] = {}
    one = vault(database=dict(role_arn="arn:aws:iam::123456789012:role/reader"), query_wait_timeout=3)
    with pytest.raises(psycopg.OperationalError, match="AccessDenied"):
        one.who()
    assert aws.counts["secretsmanager"] == 0


def test_workers_share_it(vault, aws):
    one = vault(workers=3, default_pool_size=3)
    for i in range(9):
        assert one.who(user="user%d" % i) == USER
    assert aws.counts["secretsmanager"] == 1


def test_another_password(vault, aws):
    """Changed in the database and in the secret: the next login does not fail."""
    one = vault(server_lifetime=0)
    assert one.who() == USER
    vault.change("other-secret-2")
    vault.put("other-secret-2")
    assert one.who() == USER
    assert aws.counts["secretsmanager"] == 2


def test_pending(vault, aws):
    """Between setSecret and finishSecret the database wants what is pending."""
    one = vault(server_lifetime=0)
    assert one.who() == USER
    vault.put("pending-secret-2", "AWSPENDING")
    assert one.who() == USER
    vault.change("pending-secret-2")
    assert one.who() == USER
    aws.secretsmanager.finish(NAME)
    assert one.who() == USER
    assert [json.loads(r.body)["VersionStage"] for r in aws.asked("secretsmanager")] == [
        "AWSCURRENT", "AWSCURRENT", "AWSPENDING"]


def test_previous(vault):
    """A database that lags behind its secret: a reader, or one restored."""
    vault.put("not-yet-there-2")
    assert vault().who() == USER


def test_alternating_users(vault, rds):
    """User and password belong together."""
    rds.admin("create role scram_user_clone login password 'clone-secret-1'")
    try:
        one = vault(server_lifetime=0)
        assert one.who() == USER
        vault.put("clone-secret-1", username="scram_user_clone")
        vault.change("changed-in-turn-3")
        assert one.who() == "scram_user_clone"
    finally:
        rds.terminate("scram_user_clone")
        rds.admin("drop role scram_user_clone")


def test_rotation_in_a_login_storm(vault, aws):
    """Each query has a login of its own, and the password changes under them: none fails."""
    one = vault(server_lifetime=0, default_pool_size=4, login_rate=0)
    wrong, done, stop = [], [0] * 6, threading.Event()

    def storm(n):
        while not stop.is_set():
            try:
                assert one.who() == USER
                done[n] += 1
            except (psycopg.Error, AssertionError) as e:
                wrong.append(str(e))

    threads = [threading.Thread(target=storm, args=(n,)) for n in range(len(done))]
    for t in threads:
        t.start()
    time.sleep(1)
    vault.put("rotated-secret-2", "AWSPENDING")  # createSecret
    vault.change("rotated-secret-2")             # setSecret
    time.sleep(2)                                # testSecret
    aws.secretsmanager.finish(NAME)              # finishSecret
    time.sleep(1)
    stop.set()
    for t in threads:
        t.join()
    assert not wrong, (wrong[:3], sum(done))
    assert min(done) > 1
    assert aws.counts["secretsmanager"] <= 4


def test_refusals_are_bounded(vault, aws):
    """A password that nothing holds: each refusal is told, and Secrets Manager is not asked at each."""
    one = vault(server_login_retry=0.1)
    vault.change("nobody-knows-1")
    for _ in range(5):
        assert "password authentication failed" in one.complaint()
    assert one.logged("version") and one.logged("AWSCURRENT")
    assert aws.counts["secretsmanager"] <= 4
    assert vault.role not in one.log()


@pytest.mark.parametrize("fault,word", [
    (dict(code="AccessDeniedException", status=400), "AccessDeniedException"),
    (dict(status=500), "500"),
    (dict(status=200, body="{}"), "GetSecretValue"),
    (dict(status=200, body='{"VersionId": "v-1", "SecretString": "{}"}'), "no password"),
    (dict(status=200, body='{"VersionId": "v-1", "SecretString": "sesame"}'), "not a JSON object"),
], ids=["denied", "broken", "empty", "no-password", "no-json"])
def test_service_in_trouble(vault, aws, fault, word):
    """It says why, and goes on when it is over."""
    aws.fault("secretsmanager", times=None, **fault)
    one = vault(query_wait_timeout=3, server_login_retry=0.2)
    assert word in one.complaint()
    assert "sesame" not in one.log()
    assert one.metric("pgiam_secret_read_failures_total") > 0 and one.metric("pgiam_secret_valid") == 0
    assert not [name for name in one.metrics() if name.startswith("pgiam_secret_age_seconds")]
    aws.clear()
    assert proxy.patiently(one.who) == USER
    assert one.metric("pgiam_secret_valid") == 1


def test_away_at_start(vault, aws):
    """Clients wait for Secrets Manager as they do for credentials; its trouble is counted by cause."""
    aws.fault("secretsmanager", times=None, status=503)
    one = vault()
    back = threading.Timer(3, aws.clear)
    begin = time.monotonic()
    back.start()
    assert one.who() == USER
    assert time.monotonic() - begin > 2.5
    back.join()
    label = dict(identity="default", secret="secret %s in us-east-1" % NAME)
    assert one.metric("pgiam_secret_read_failures_total", cause="server_error", **label) > 0
    assert one.metric("pgiam_secret_reads_total", **label) == 1
    assert 0 <= one.metric("pgiam_secret_age_seconds", **label) < 10
    assert abs(one.metric("pgiam_secret_read_timestamp_seconds", **label) - time.time()) < 10


def test_kept_while_the_service_is_away(vault, aws):
    """What is there serves on."""
    one = vault(server_lifetime=0)
    assert one.who() == USER
    aws.fault("secretsmanager", times=None, drop=True)
    assert one.who() == USER


def test_read_again_in_vain(vault, aws):
    """The log tells whether there is one to go on with."""
    one = vault(server_lifetime=0)
    assert one.who() == USER
    vault.change("nobody-knows-1")
    aws.fault("secretsmanager", times=None, code="AccessDeniedException", status=400)
    one.complaint()
    assert one.logged('msg="secret not read".*AccessDeniedException.* kept=AWSCURRENT$')


def test_unverified_tls_is_refused(rds, workdir):
    done = proxy.pgiam("check", "--host", rds.host, "--auth", "secret", "--secret-id", NAME, "--region", "us-east-1",
                       "--server-tls-sslmode", "require", env={})
    assert done.returncode != 0
    assert "only over verified TLS" in done.stderr
