"""What is left of secrets in the process when it is done with them. Its memory is read, which only root may: to everybody else
it is closed."""
import re
import urllib.parse

import pytest

import fakepg
import proxy
import wire
from files import put

LARGE = 1 << 30  # a sanitizer's own
SIGNATURE = re.compile(rb"X-Amz-Signature=[0-9a-f]{64}")


def pieces(pgiam):
    """All that it may write to."""
    if proxy.WRAPPER:
        pytest.skip("the memory of the program itself is wanted")
    with open("/proc/%d/maps" % pgiam.pid, encoding="utf-8") as file:
        lines = [line.split() for line in file]
    try:
        mem = open("/proc/%d/mem" % pgiam.pid, "rb", buffering=0)
    except PermissionError as e:
        pytest.skip(str(e))
    with mem:
        for words in lines:
            low, high = (int(n, 16) for n in words[0].split("-"))
            if words[1].startswith("rw") and high - low < LARGE:
                mem.seek(low)
                data = bytearray()
                while len(data) < high - low:
                    try:
                        part = mem.read(high - low - len(data))
                    except OSError:
                        break  # gone meanwhile
                    if not part:
                        break
                    data += part
                yield data


def left(pgiam, *patterns):
    """Those of the patterns (bytes, or a regular expression) that are found."""
    found = set()
    for data in pieces(pgiam):
        found |= {p for p in patterns if (p.search(data) if isinstance(p, re.Pattern) else p in data)}
    return [p for p in patterns if p in found]


def test_tokens(rds, pgiam):
    """After logins, refused ones and cancels."""
    own = rds.env["AWS_SECRET_ACCESS_KEY"].encode()
    in_token = urllib.parse.quote(rds.env["AWS_SESSION_TOKEN"], safe="").encode()
    assert in_token != rds.env["AWS_SESSION_TOKEN"].encode()
    rds.fault("deny", "other_user")
    pgiam.sql("select 1")
    pgiam.refusal(user="other_user")
    assert left(pgiam, own, SIGNATURE, in_token) == [own]  # it is in the environment: so there is something to find


@pytest.mark.parametrize("source", ["container", "sts"])
def test_credentials_that_were_replaced(rds, aws, workdir, pgiam_factory, source):
    """There are others; of the first ones, which came through libcurl, TLS and cJSON, nothing remains."""
    env = {"container": dict(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials"),
           "sts": dict(AWS_WEB_IDENTITY_TOKEN_FILE=put(workdir + "/token", "web-token"),
                       AWS_ROLE_ARN="arn:aws:iam::123456789012:role/irsa")}
    aws.serve(rds)
    # one worker: another keeps what it has until somebody logs in there
    pgiam = pgiam_factory({"app": rds.database(region=rds.region)}, server_lifetime=0, server_login_retry=0.1, workers=1,
                          env=aws.env(**env[source]))
    assert wire.eventually(lambda: pgiam.metric("pgiam_credentials_valid") == 1)
    pgiam.sql("select 1")
    old = aws.issued[-1]
    assert left(pgiam, old.secret.encode(), old.token.encode()) == [old.secret.encode(), old.token.encode()]
    rds.fault("revoke", old.key_id)
    assert proxy.patiently(lambda: pgiam.sql("select 1")) == [(1,)]
    new = aws.issued[-1]
    assert new is not old
    wanted = [k.encode() for k in (old.secret, old.token, new.secret, new.token)]
    assert left(pgiam, *wanted) == wanted[2:]


@pytest.mark.parametrize("method", ["cleartext", "scram"])
def test_passwords_of_a_file(fake_factory, pgiam_factory, workdir, method):
    password = "it is " + "open sesame" * 100

    def script(conn):
        conn.begin()
        if method == "scram":
            fakepg.Scram(password).login(conn)
        else:
            conn.auth(3)
            conn.password()
        conn.welcome()
        conn.serve()

    path = put(workdir + "/password", password)
    pgiam = pgiam_factory({"app": fake_factory(script).database(auth="password", password_file=path)})
    pgiam.sql("select 1")
    assert left(pgiam, b"it is open sesame", b"sesameopen sesame") == []


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_passwords_of_clients(plain, pgiam_for, workdir, sslmode):
    """auth_file has but what proves them."""
    secret = plain.admin("select 'md5' || md5('guess me if you canjoe')")[0][0]
    users = put(workdir + "/users", '"joe" "%s"\n' % secret)
    pgiam = pgiam_for(plain, database=dict(auth="none", user="app_user"), auth_type="plain", auth_file=users)
    assert pgiam.sql("select 1", user="joe", password="guess me if you can", sslmode=sslmode) == [(1,)]
    assert left(pgiam, b"guess me if you can") == []
