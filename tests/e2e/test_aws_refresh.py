"""Credentials that end, change and stay away while pgiam runs: what it notices by itself, and what goes on."""
import time

import pytest

import proxy
import wire
from files import put

CONTAINER = "/v1/credentials"


def refreshed(one, times, sec=30):
    """Waits for that many refreshes."""
    end = time.monotonic() + sec
    while one.metric("pgiam_credentials_refreshes_total") < times:
        assert time.monotonic() < end, "not refreshed"
        time.sleep(0.1)


def test_a_connection_outlives_credentials(serve, aws):
    """Sessions and their server connections stay as they are while the credentials they began with end, twice."""
    aws.container.life_sec = 6
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + CONTAINER))
    with one.connect() as conn:
        who = conn.execute("select pg_backend_pid(), pg_postmaster_start_time()").fetchone()
        conn.execute("set statement_timeout = 4711")
        first = aws.issued[0]
        while time.time() < first.expires + 1:
            assert conn.execute("select pg_backend_pid(), pg_postmaster_start_time()").fetchone() == who
            time.sleep(0.2)
        refreshed(one, 3)
        assert conn.execute("show statement_timeout").fetchone() == ("4711ms",)
        assert conn.execute("select pg_backend_pid(), pg_postmaster_start_time()").fetchone() == who
    assert one.logs_in()


def test_changed_token_file(serve, aws, workdir):
    """The token that stands for the pod is another one at each refresh."""
    aws.container.life_sec = 6
    aws.container.authorization = {"token-1"}
    file = put(workdir + "/token", "token-1")
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + CONTAINER,
                        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=file))
    assert one.logs_in()
    aws.container.authorization = {"token-1", "token-2"}  # a refresh that is under way may have either
    put(file, "token-2\n")
    assert wire.eventually(lambda: aws.asked("container")[-1].headers["authorization"] == "token-2")
    aws.container.authorization = {"token-2"}
    refreshed(one, int(one.metric("pgiam_credentials_refreshes_total")) + 2)
    assert one.logs_in()
    assert one.metric("pgiam_credentials_refresh_failures_total") == 0


def test_rotated_keys_of_a_file(serve, home, aws, rds):
    """Long-lived keys are changed in the file, and the old ones turned off: the next refusal has the file read again."""
    home.write("credentials", home.keys())
    one = serve(home.env(), server_lifetime=0, server_login_retry=0.5)
    assert one.logs_in()
    old = aws.issued[-1].key_id
    home.write("credentials", home.keys())
    rds.fault("revoke", old)
    assert proxy.patiently(one.logs_in, 40)
    assert aws.issued[-1].key_id != old


def test_changed_keys_of_a_file(serve, home, aws):
    """Somebody writes other keys into the file, and no database refuses the old ones: the next login has the new."""
    home.write("credentials", home.keys())
    one = serve(home.env(), server_lifetime=0)
    assert one.logs_in()
    home.write("credentials", home.keys())
    end = time.monotonic() + 30
    while one.metric("pgiam_credentials_refreshes_total") < 2:
        assert time.monotonic() < end, "not noticed"
        assert one.logs_in()
        time.sleep(0.2)
    assert one.logs_in()


def test_last_good_ones_are_kept(serve, aws):
    """Their source fails from the first refresh on: while they live, logins go on."""
    aws.container.life_sec = 20
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + CONTAINER), server_lifetime=0)
    assert one.logs_in()
    aws.fault("container", times=None, status=500)
    end = time.monotonic() + 20
    while one.metric("pgiam_credentials_refresh_failures_total", cause="server_error") == 0:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert one.logs_in() and one.metric("pgiam_credentials_valid") == 1
    assert one.logged('"aws credentials not renewed".* kept=container expires=20.*Z$')
    assert "no aws credentials" not in one.log()


def test_static_stability(serve, aws, rds):
    """The instance's metadata service has no new credentials: the ones that ended are used on, as AWS takes them."""
    aws.imds.life_sec, aws.imds.frozen = 4, True
    aws.on_issue = lambda key: rds.fault("add-key", key.key_id, key.secret, key.token, "")  # AWS's side of it
    one = serve(aws.env(AWS_EC2_METADATA_DISABLED="false"), server_lifetime=0)
    assert one.logs_in()
    time.sleep(max(0, aws.issued[-1].expires + 2 - time.time()))
    assert one.logs_in()
    assert one.logged("only expired credentials") and len(aws.issued) == 1


def test_expired_on_arrival(serve, aws):
    """A source that hands out what has ended already is told as that, and asked again."""
    aws.container.life_sec = -60
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + CONTAINER), query_wait_timeout=3)
    said = one.complaint()
    assert "the AWS credentials have expired" in said and "1 min" in said
    assert one.metric("pgiam_credentials_refresh_failures_total", cause="expired") > 0
    aws.container.life_sec = 3600
    assert proxy.patiently(one.logs_in)


@pytest.mark.parametrize("offset_sec", [1200, -1200])
def test_clock_20_minutes_off(serve, aws, rds, offset_sec):
    """Measured, reported, and corrected for: logins go on."""
    aws.offset_sec = offset_sec
    rds.fault("skew", offset_sec)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.tls_url + CONTAINER))
    assert one.logs_in()
    assert abs(one.metric("pgiam_clock_skew_seconds") - offset_sec) < 5
    assert one.logged("corrected when signing")
    assert one.logged("direction=slow" if offset_sec > 0 else "direction=fast")


@pytest.mark.parametrize("offset_sec,how", [(7200, "behind"), (-7200, "ahead of")])
def test_clock_too_far_off(serve, aws, rds, offset_sec, how):
    """Two hours are not corrected: somebody has to look, and is told wherever he does. A clock that is fast takes good
    credentials for expired ones, which nobody is told to look for."""
    aws.offset_sec = offset_sec
    rds.fault("skew", offset_sec)
    one = serve(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.tls_url + CONTAINER), query_wait_timeout=3)
    told = "Set this machine's clock: it is 2 h 00 min %s AWS's" % how
    assert told in one.complaint()
    assert told in one.http("/readiness")[1]
    assert one.logged("too far to correct") and abs(one.metric("pgiam_clock_skew_seconds") - offset_sec) < 5
