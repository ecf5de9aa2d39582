"""Logging in with an IAM token: it works, and where it does not, the client learns why and what to do."""
import re
import time

import pytest

import fakepg
import proxy
import wire
from files import put

WHO = "select current_user::text, ssl from pg_stat_ssl where pid = pg_backend_pid()"


def test_application_without_a_password(pgiam, rds):
    assert pgiam.sql(WHO) == [("app_user", True)]
    assert rds.logins() == {"requests": 1, "Success": 1}
    assert pgiam.metric("pgiam_tokens_total", database="app") == 1


def test_password_of_the_application_is_ignored(pgiam):
    assert pgiam.sql(WHO, password="what ever") == [("app_user", True)]


@pytest.mark.parametrize("user", ["other_user", "we!rd us*er+\u00e9/%41"])
def test_each_user_is_itself(pgiam, user):
    assert pgiam.sql(WHO, user=user) == [(user, True)]
    assert pgiam.sql(WHO) == [("app_user", True)]


def test_forced_user(rds, pgiam_for):
    pgiam = pgiam_for(rds, database={"user": "other_user"})
    assert pgiam.sql(WHO, user="somebody") == [("other_user", True)]


def test_other_database_name(rds, pgiam_factory):
    pgiam = pgiam_factory({"shop": rds.database(dbname="app")}, env=rds.aws())
    assert pgiam.sql("select current_database()::text", dbname="shop") == [("app",)]


def test_key_without_session_token(rds, pgiam_factory):
    pgiam = pgiam_factory({"app": rds.database()}, env=rds.static_aws())
    assert pgiam.sql(WHO) == [("app_user", True)]


@pytest.mark.parametrize("size", [4096, 5400])
def test_long_tokens(rds_factory, pgiam_for, size):
    """12,800 bytes is the longest there is today; 16 KiB has to pass too."""
    rds = rds_factory("--name", "big", "--session-token-size", str(size))
    assert len(rds.token()) > size * 3
    assert pgiam_for(rds).sql(WHO) == [("app_user", True)]


def test_alias_of_the_endpoint(rds_factory, pgiam_for):
    """host is a name of the user's own; the token is for the endpoint's name and port, the certificate for the alias."""
    endpoint = "real.c9akciq32rgw.us-east-1.rds.amazonaws.com"
    rds = rds_factory("--host", "db.example.com", "--sign-host", endpoint, "--sign-port", "5432")
    pgiam = pgiam_for(rds, database={"iam_host": endpoint, "iam_port": 5432})
    assert pgiam.sql(WHO) == [("app_user", True)]
    pgiam = pgiam_for(rds, database={"host": endpoint, "tls_server_name": "db.example.com", "iam_port": 5432})
    assert pgiam.sql(WHO) == [("app_user", True)]


def test_host_is_normalised(rds, pgiam_for):
    assert pgiam_for(rds, database={"host": rds.host.upper() + "."}).sql(WHO) == [("app_user", True)]


def test_region_from_the_environment(rds_factory, pgiam_for):
    rds = rds_factory("--host", "db.example.com", "--region", "eu-west-3")
    named = {"iam_host": rds.host}
    assert pgiam_for(rds, {"AWS_REGION": "eu-west-3"}, named).sql(WHO) == [("app_user", True)]
    told = dict(named, region="eu-west-3")
    assert pgiam_for(rds, {"AWS_REGION": "us-east-1"}, told).sql(WHO) == [("app_user", True)]


def test_two_instances(rds, rds_factory, pgiam_factory):
    two = rds_factory("--name", "two")
    two.fault("add-key", rds.env["AWS_ACCESS_KEY_ID"], rds.env["AWS_SECRET_ACCESS_KEY"], rds.env["AWS_SESSION_TOKEN"])
    pgiam = pgiam_factory({"one": rds.database(dbname="app"), "two": two.database(dbname="app")}, env=rds.aws())
    assert pgiam.sql("select inet_server_port()", dbname="one") == [(rds.port,)]
    assert pgiam.sql("select inet_server_port()", dbname="two") == [(two.port,)]


# ---- refused, and why ----

def refused(pgiam, **kw):
    fields = pgiam.refusal(**kw)
    assert fields["S"] == "FATAL", fields
    assert fields.get("D") and fields.get("H"), "no DETAIL or HINT: %s" % fields
    return fields


@pytest.mark.parametrize("database, cause", [
    ({"region": "eu-west-1"}, r"region.*eu-west-1|eu-west-1.*region"),
    ({"iam_host": "other.c9akciq32rgw.us-east-1.rds.amazonaws.com"}, r"other\.c9akciq32rgw"),
    ({"iam_port": 5433}, r"5433"),
])
def test_signed_for_the_wrong_thing(rds, pgiam_for, database, cause):
    fields = refused(pgiam_for(rds, database=database))
    assert fields["C"] == "28000"
    assert re.search(cause, fields["D"] + " " + fields["H"], re.S), fields


def test_policy_denies_the_user(rds, pgiam):
    rds.fault("deny", "other_user")
    fields = refused(pgiam, user="other_user")
    assert fields["C"] == "28000"
    assert re.search("rds-db:connect", fields["D"] + fields["H"]), fields
    assert "other_user" in fields["M"] + fields["D"] + fields["H"]
    assert pgiam.sql(WHO) == [("app_user", True)]


def test_clock_is_wrong(rds, pgiam):
    rds.fault("skew", 3600)
    fields = refused(pgiam)
    assert re.search("clock|time", fields["D"] + fields["H"]), fields


def test_key_is_revoked(rds, pgiam):
    rds.fault("revoke", rds.env["AWS_ACCESS_KEY_ID"])
    fields = refused(pgiam)
    assert re.search("credential|key", fields["D"] + fields["H"]), fields


def test_user_without_rds_iam(rds, pgiam):
    """SCRAM is asked for: the token is not sent, and the client is told what is missing."""
    fields = refused(pgiam, user="norole")
    assert fields["C"] == "28000"
    assert "GRANT rds_iam" in fields["H"], fields
    assert rds.logins() == {}


def test_user_that_does_not_exist(pgiam):
    fields = refused(pgiam, user="nobody")
    assert fields["C"] in ("28000", "28P01")


def test_database_that_does_not_exist(pgiam):
    fields = pgiam.refusal(database="missing")
    assert (fields["C"], fields["S"]) == ("3D000", "FATAL")
    assert 'database "missing" does not exist' in fields["M"] + fields.get("D", "")


def test_database_nobody_configured(rds, pgiam_factory):
    pgiam = pgiam_factory({"app": rds.database()}, env=rds.aws())
    fields = pgiam.refusal(database="missing")
    assert fields["C"] == "3D000"
    assert rds.logins() == {}


def test_no_credentials(rds, pgiam_factory):
    pgiam = pgiam_factory({"app": rds.database()})
    fields = refused(pgiam)
    assert "AWS_ACCESS_KEY_ID" in fields["D"] and "`pgiam credentials`" in fields["H"], fields
    assert rds.logins() == {}


def test_nobody_listens(rds, pgiam_for):
    fields = refused(pgiam_for(rds, database={"port": 1}))
    assert fields["C"] == "08001"
    assert re.search("connect", fields["M"]), fields
    assert re.search("refused", fields["M"] + fields["D"], re.I), fields


def test_name_that_does_not_resolve(rds, pgiam_for):
    fields = pgiam_for(rds, database={"hostaddr": None, "host": "nowhere.invalid", "iam_host": rds.host}).refusal()
    assert fields["C"] == "08001"
    assert re.search("resolve|look", fields["M"], re.I), fields


def test_the_first_refusal_is_tried_once_more(rds, pgiam):
    """RDS's helper fails now and then; one fresh token later the client is in and has noticed nothing."""
    rds.fault("refuse", 1)
    assert pgiam.sql(WHO) == [("app_user", True)]
    assert rds.logins()["requests"] == 2


def test_refusals_do_not_burn_the_login_budget(rds, pgiam_for):
    """One try more, then everybody is told the same for server_login_retry, without asking the server."""
    pgiam = pgiam_for(rds, server_login_retry=30, workers=1)
    rds.fault("deny", "app_user")
    first = refused(pgiam)
    asked = rds.logins()["requests"]
    assert asked <= 2
    start = time.monotonic()
    for _ in range(20):
        assert refused(pgiam)["C"] == first["C"]
    assert time.monotonic() - start < 25
    assert rds.logins()["requests"] == asked


def test_recovers_by_itself(rds, pgiam_for):
    pgiam = pgiam_for(rds, server_login_retry=0.2)
    rds.fault("fail", 503)
    refused(pgiam)
    rds.fault("clear")
    assert proxy.patiently(lambda: pgiam.sql(WHO)) == [("app_user", True)]


def test_waiting_clients_share_one_login_failure(rds, pgiam_for):
    """A crowd at an empty pool does not become a crowd of logins."""
    pgiam = pgiam_for(rds, default_pool_size=20, server_login_retry=3)
    rds.fault("deny", "app_user")
    rds.fault("delay", 200)
    crowd = [pgiam.wire().send(wire.startup()) for _ in range(30)]
    for w in crowd:
        assert w.refused()["C"] == "28000"
        w.close()
    assert rds.logins()["requests"] <= 12


def test_slow_login_times_out(rds, pgiam_for):
    pgiam = pgiam_for(rds, server_connect_timeout=1, server_login_retry=0.2)
    rds.fault("hang")
    start = time.monotonic()
    fields = pgiam.refusal()
    assert 0.8 < time.monotonic() - start < 8
    assert fields["C"] == "08001"
    assert re.search("time", fields["M"] + fields["D"], re.I), fields
    rds.fault("clear")


def test_login_is_counted_by_cause(rds, pgiam):
    rds.fault("deny", "app_user")
    refused(pgiam)
    assert pgiam.metric("pgiam_server_login_sqlstate_total", sqlstate="28000") >= 1
    rds.fault("allow", "app_user")


def test_no_secret_is_logged(rds, pgiam):
    """At debug level, after a login and after a refusal."""
    pgiam.sql(WHO)
    rds.fault("deny", "other_user")
    refused(pgiam, user="other_user")
    pgiam.stop()
    for secret in ("X-Amz-Signature", rds.env["AWS_SECRET_ACCESS_KEY"], rds.env["AWS_SESSION_TOKEN"][:40]):
        assert secret not in pgiam.log()


# ---- other ways to log in ----

def test_scram_with_a_password_file(rds, pgiam_factory, workdir):
    put(workdir + "/password", rds.env["RDS_SCRAM_PASSWORD"] + "\n")
    entry = rds.database(auth="password", password_file=workdir + "/password")
    assert pgiam_factory({"app": entry}).sql(WHO, user="scram_user") == [("scram_user", True)]


def test_scram_with_a_password_from_the_environment(rds, pgiam_factory):
    entry = rds.database(auth="password", password_env="DB_SECRET")
    pgiam = pgiam_factory({"app": entry}, env={"DB_SECRET": rds.env["RDS_SCRAM_PASSWORD"]})
    assert pgiam.sql(WHO, user="scram_user") == [("scram_user", True)]


@pytest.mark.parametrize("method", ["md5", "password"])
def test_md5_and_cleartext(another_rds, pgiam_factory, method):
    """Older ways, inside verified TLS only."""
    one = another_rds("--auth", method)
    user = "md5_user" if method == "md5" else "scram_user"
    entry = one.database(auth="password", password_env="DB_SECRET")
    pgiam = pgiam_factory({"app": entry}, env={"DB_SECRET": one.env["RDS_SCRAM_PASSWORD"]})
    assert pgiam.sql(WHO, user=user) == [(user, True)]
    wrong = pgiam_factory({"app": entry}, env={"DB_SECRET": "wrong"})
    assert wrong.refusal(user=user)["C"] == "28P01"


def test_changed_password_file(rds, pgiam_factory, workdir):
    """Rotation: the file is read at each login."""
    path = workdir + "/password"
    with open(path, "w", encoding="utf-8") as file:
        file.write("wrong\n")
    pgiam = pgiam_factory({"app": rds.database(auth="password", password_file=path)}, server_login_retry=0.1)
    fields = pgiam.refusal(user="scram_user")
    assert fields["C"] == "28P01"
    with open(path, "w", encoding="utf-8") as file:
        file.write(rds.env["RDS_SCRAM_PASSWORD"] + "\n")
    assert proxy.patiently(lambda: pgiam.sql(WHO, user="scram_user")) == [("scram_user", True)]


@pytest.mark.parametrize("method", ["cleartext", "scram"])
def test_long_passwords(fake_factory, pgiam_factory, workdir, method):
    """No buffer for one has a fixed size. 65,535 bytes are what PostgreSQL takes."""
    password = "p\u00e4ssword" * 3000

    def script(conn):
        conn.begin()
        if method == "scram":
            fakepg.Scram(password).login(conn)
        else:
            conn.auth(3)
            assert conn.password() == password.encode() + b"\0"
        conn.welcome()
        conn.serve()

    path = put(workdir + "/password", password + "\n")
    entry = fake_factory(script).database(auth="password", password_file=path)
    assert pgiam_factory({"app": entry}).sql("select 1") == [("1",)]


def test_trust_over_a_unix_socket(rds, pgiam_factory):
    """host=/path: the server's unix socket."""
    entry = "host=%s port=%d auth=none dbname=app user=admin" % (rds.dir, rds.port)
    assert pgiam_factory({"app": entry}).sql("select current_user::text, inet_server_addr()") == [("admin", None)]


def test_plain_server(plain, pgiam_factory):
    entry = plain.database(auth="none")
    assert pgiam_factory({"app": entry}).sql(WHO) == [("app_user", False)]


# ---- a token goes nowhere else ----

@pytest.mark.parametrize("method, body", [
    (5, b"salt"),  # md5
    (10, b"SCRAM-SHA-256\0\0"),
    (7, b""),      # GSSAPI
    (9, b""),      # SSPI
    (2, b""),      # Kerberos
    (99, b""),
])
def test_token_answers_cleartext_only(fake_factory, pgiam_for, method, body):
    got = []

    def script(conn):
        conn.begin()
        conn.auth(method, body)
        try:
            got.append(conn.read())
        except wire.Closed:
            pass

    fake = fake_factory(script)
    fields = refused(pgiam_for(fake, server_login_retry=0.1))
    assert fields["C"] == "28000"
    assert [m for m in got if m[0] == "p"] == []


def test_token_of_the_command(rds):
    """`pgiam token` with the present time is what the server wants, and no secret is printed with it."""
    done = proxy.pgiam("token", "--host", rds.host, "--port", str(rds.port), "--user", "app_user", env=rds.aws())
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert rds.env["AWS_SECRET_ACCESS_KEY"] not in done.stdout
    rds.connect(password=done.stdout.strip()).close()
