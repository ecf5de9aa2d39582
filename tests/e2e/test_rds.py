"""The RDS stand-in itself, without pgiam: whom it lets in, whom it refuses, and what it says."""
import concurrent.futures
import datetime
import os
import subprocess
import time

import psycopg
import pytest

import fakepg
import instance
import sigv4
import standin
import wire

ODD_USER = "we!rd us*er+\u00e9/%41"


def test_cache_is_made_by_several(workdir, monkeypatch):
    """Nobody sees it before it is whole; who loses takes the other's."""
    path = "%s/pgiam-rds-cache-%d" % (workdir, instance.server_user()[0].pw_uid)
    seen, give = [], instance.give

    def slowly(new):
        seen.append(os.path.exists(path))
        give(new)
        if len(seen) == 1:
            with instance.cache():
                pass
    monkeypatch.setattr(instance.tempfile, "tempdir", workdir)
    monkeypatch.setattr(instance, "give", slowly)
    with instance.cache() as one:
        assert one == path and seen == [False, False]
    assert os.listdir(workdir) == [os.path.basename(path)] and os.listdir(path) == ["lock"]


def refusal(rds, user="app_user", password=None, **kw):
    with pytest.raises(psycopg.OperationalError) as caught:
        rds.connect(user, password, **kw).close()
    return str(caught.value)


def raw_refusal(rds, password):
    """The ErrorResponse's fields; psycopg shows only its text."""
    with rds.dial(token=password) as w:
        return w.refused()


def ago(seconds):
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)


def test_signer_makes_the_published_token():
    """botocore's token for the documentation's example key: the signer is right, so the verifier can be judged by it."""
    when = datetime.datetime(2026, 1, 15, 12, 34, 56, tzinfo=datetime.timezone.utc)
    token = sigv4.make_token(fakepg.HOST, 5432, "app_user", "us-east-1", when=when, key_id=fakepg.AWS["AWS_ACCESS_KEY_ID"],
                             secret=fakepg.AWS["AWS_SECRET_ACCESS_KEY"])
    assert len(token) == 352
    assert token.endswith("X-Amz-Signature=5139f8ed77defa93e19e213c0b47ed3c71310487703eb40261132b9b4a8d8b17")


@pytest.mark.parametrize("user", ["app_user", "other_user", ODD_USER])
def test_token_lets_in(rds, user):
    with rds.connect(user) as conn:
        assert conn.execute("select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone() == (
            user, True)
    assert rds.logins() == {"requests": 1, "Success": 1}


def test_key_without_session_token(rds):
    token = rds.token(key_id=rds.env["RDS_STATIC_KEY_ID"], secret=rds.env["RDS_STATIC_SECRET"], session_token=None)
    rds.connect(password=token).close()


@pytest.mark.parametrize("age", [0, 890, -290])
def test_age_that_is_allowed(rds, age):
    rds.connect(password=rds.token(when=ago(age))).close()


@pytest.mark.parametrize("wrong, logged", [
    (dict(host="mydb.c9akciq32rgw.eu-west-1.rds.amazonaws.com"), "InvalidToken (400)"),
    (dict(port=5433), "InvalidToken (400)"),
    (dict(region="eu-west-1"), "InvalidToken (400)"),
    (dict(service="rds"), "InvalidToken (400)"),
    (dict(action="DbConnect"), "InvalidToken (400)"),
    (dict(key_id="AKIAIOSFODNN7EXAMPLE"), "InvalidToken (400)"),
    (dict(secret="not-the-secret"), "InvalidToken (400)"),
    (dict(session_token="not-the-session-token"), "InvalidToken (400)"),
    (dict(session_token=None), "InvalidToken (400)"),
    (dict(expires=901), "InvalidToken (400)"),
    (dict(when=ago(-330)), "InvalidToken (400)"),
    (dict(when=ago(905)), "ExpiredToken (400)"),
    (dict(when=ago(30), expires=20), "ExpiredToken (400)"),
])
def test_wrong_token(rds, wrong, logged):
    if "when" in wrong and "expires" not in wrong:  # computed when the tests were collected
        wrong = dict(wrong, when=ago(905 if logged.startswith("Expired") else -330))
    said = refusal(rds, password=rds.token(**wrong))
    assert said.endswith('FATAL:  PAM authentication failed for user "app_user"'), said
    assert logged in rds.auth_log().splitlines()[-1]


def test_token_of_another_user(rds):
    assert "PAM authentication failed" in refusal(rds, password=rds.token("other_user"))


@pytest.mark.parametrize("password", ["", "x", "a:1/?b=c", "a:1/?%", "%s" * 20, "?" * 1000, "\u00e9" * 500])
def test_rubbish(rds, password):
    if password:
        assert raw_refusal(rds, password)["C"] == "28000"
    else:  # PostgreSQL itself refuses an empty password
        assert raw_refusal(rds, password)["M"] == "empty password returned by client"


@pytest.mark.parametrize("change", [
    lambda t: t.replace("DBUser=app_user", "DBUser=app_user&DBUser=app_user"),
    lambda t: t.replace("X-Amz-Expires=900&", ""),
    lambda t: t.replace("X-Amz-Expires=900", "X-Amz-Expires=800"),
    lambda t: t.replace("SignedHeaders=host", "SignedHeaders=host%3Bx"),
    lambda t: t[:-1] + ("0" if t[-1] != "0" else "1"),
    lambda t: t[:-1],
    lambda t: t + "&more=1",
])
def test_tampered_token(rds, change):
    assert raw_refusal(rds, change(rds.token()))["C"] == "28000"


def test_what_the_client_sees(rds):
    fields = raw_refusal(rds, "wrong")
    assert {k: fields[k] for k in "SCM"} == {
        "S": "FATAL", "C": "28000", "M": 'PAM authentication failed for user "app_user"'}


def test_plaintext_is_refused(rds):
    assert "no encryption" in refusal(rds, sslmode="disable")


def test_certificate_is_verified(rds):
    assert "certificate" in refusal(rds, host="other.example")


def test_user_without_rds_iam_gets_scram(rds):
    rds.connect("scram_user", rds.env["RDS_SCRAM_PASSWORD"]).close()
    assert 'password authentication failed for user "norole"' in refusal(rds, "norole")
    assert rds.logins() == {}


def test_plain_text_of_the_token_is_not_logged(rds):
    refusal(rds, password=rds.token(port=1))
    assert "X-Amz-Signature" not in rds.auth_log()


# ---- faults ----

def test_revoked_key(rds):
    key = rds.env["AWS_ACCESS_KEY_ID"]
    rds.fault("revoke", key)
    refusal(rds)
    assert rds.logins()["NotAuthorized"] == 1
    rds.fault("restore", key)
    rds.connect().close()


def test_denied_user(rds):
    rds.fault("deny", "app_user")
    refusal(rds)
    rds.connect("other_user").close()
    rds.fault("allow", "app_user")
    rds.connect().close()


def test_refuse_the_next_two(rds):
    rds.fault("refuse", 2)
    refusal(rds)
    refusal(rds)
    rds.connect().close()


def test_overloaded_helper(rds):
    rds.fault("fail", 503, 1)
    assert "PAM authentication failed" in refusal(rds)
    assert "InternalError (503)" in rds.auth_log().splitlines()[-1]
    rds.connect().close()


def test_delay(rds):
    rds.fault("delay", 300)
    start = time.monotonic()
    rds.connect().close()
    assert time.monotonic() - start >= 0.3


def test_rate(rds):
    def lets_in(_):
        try:
            rds.connect().close()
            return True
        except psycopg.OperationalError:
            return False

    def crowd():
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            return sum(pool.map(lets_in, range(6)))
    rds.fault("rate", 3)
    least = crowd()
    assert least >= 3
    assert least < 6 or wire.eventually(lambda: crowd() < 6)  # six logins may take longer than a second
    assert rds.logins()["ThrottlingException"] >= 1
    time.sleep(1)
    rds.connect().close()


def test_drop(rds):
    rds.fault("drop", 1)
    refusal(rds)
    rds.connect().close()


def test_hang_ends_with_clear(rds):
    rds.fault("hang", 1)
    with rds.dial() as w:
        assert w.silent(0.3)
        rds.fault("clear")
        assert w.until("Z")[-1][0] == "Z"


def test_skewed_clock(rds):
    rds.fault("skew", 1000)
    refusal(rds)
    assert rds.logins() == {"requests": 1, "ExpiredToken": 1}


def test_unknown_fault(rds):
    with pytest.raises(standin.instance.Failed, match="unknown fault"):
        rds.fault("nonsense")


# ---- instances ----

def test_tokens_of_any_size(rds_factory):
    big = rds_factory("--name", "big", "--session-token-size", "5400")
    assert len(big.token()) > 16384
    big.connect().close()


def test_side_by_side(rds, rds_factory):
    two = rds_factory("--name", "two")
    two.connect().close()
    assert two.port != rds.port
    with pytest.raises(psycopg.OperationalError, match="PAM authentication failed"):
        two.connect(password=rds.token())
    with pytest.raises(psycopg.OperationalError, match="certificate"):
        two.connect(sslrootcert=rds.ca)


def test_sign_host_and_port(rds_factory):
    behind = rds_factory("--name", "behind", "--sign-host", "real.c9akciq32rgw.us-east-1.rds.amazonaws.com",
                         "--sign-port", "5432")
    behind.connect().close()
    refusal(behind, password=behind.token(port=behind.port))


def test_kill_and_resume(rds_factory):
    one = rds_factory("--name", "mortal")
    with one.connect() as conn:
        one.it.kill()
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select 1")
    one.it.resume()
    one.connect().close()


def test_everything_is_gone_after_stop():
    one = standin.Rds()
    service = os.path.join("/etc/pam.d", one.it.pam_service())
    pids = one.it.postmaster, one.it.verifier
    assert os.path.exists(service) and all(pids)
    one.stop()
    assert not os.path.exists(service) and not os.path.exists(one.dir)
    assert wire.eventually(lambda: not any(standin.instance.alive(p) for p in pids))


def test_guard(workdir):
    """With --until it goes when its starter has gone, even by kill -9."""
    starter = subprocess.Popen(["sleep", "1000"])
    where = os.path.join(workdir, "db")
    os.chmod(workdir, 0o755)
    subprocess.run([standin.TOOL, "start", where, "--auth", "trust", "--tls", "off", "--until", str(starter.pid)], check=True,
                   stdout=subprocess.DEVNULL)
    starter.kill()
    starter.wait()
    assert wire.eventually(lambda: not os.path.exists(where))


def test_shell_use(rds):
    """What its --help says, in a shell."""
    script = ('. "$1/env" && PGPASSWORD=$("$2" token "$1") psql -XAt "host=$RDS_HOST hostaddr=$RDS_HOSTADDR '
              'port=$RDS_PORT user=app_user dbname=app sslmode=verify-full sslrootcert=$RDS_CA" -c "select current_user"')
    done = subprocess.run(["sh", "-c", script, "sh", rds.dir, standin.TOOL], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("app_user\n", 0), done.stderr
