"""`pgiam token` beside the published vectors, and what it says when something is wrong. Needs neither PostgreSQL nor root."""
import os
import pathlib
import subprocess
import time

import pytest

import proxy
from fakepg import AWS as KEYS, HOST
from standin import VECTORS


def pgiam(*args, env=KEYS):
    """Its output as bytes: what is published counts to the last one."""
    return proxy.pgiam(*args, env=env, text=False)


def token(*args, env=KEYS):
    return pgiam("token", *args, env=env)


@pytest.mark.parametrize("v", VECTORS["rds_tokens"], ids=lambda v: v["name"])
def test_vector(v):
    c = v["credentials"]
    env = {"AWS_ACCESS_KEY_ID": c["access_key_id"], "AWS_SECRET_ACCESS_KEY": c["secret_access_key"]}
    if c["session_token"]:
        env["AWS_SESSION_TOKEN"] = c["session_token"]
    r = token("--host", v["host"], "--port", str(v["port"]), "--user", v["user"], "--region", v["region"],
              "--at", v["timestamp"], env=env)
    assert r.returncode == 0, r.stderr
    assert r.stdout == v["expected_token"].encode() + b"\n"


def basic(*args, **kw):
    return token(*args, "--at", "2026-01-15T12:34:56Z", **kw)


@pytest.mark.parametrize("host,instead", [
    ("c1.abc123.eu-west-1.redshift.amazonaws.com", b"aws redshift get-cluster-credentials --cluster-identifier c1 "),
    ("wg1.123456789012.eu-west-1.redshift-serverless.amazonaws.com",
     b"aws redshift-serverless get-credentials --workgroup-name wg1\n"),
])
def test_redshift(host, instead):
    """There are no tokens for it: none is printed that would only be refused."""
    r = basic("--host", host, "--user", "joe")
    assert (r.returncode, r.stdout) == (2, b"")
    assert b"no tokens for Redshift" in r.stderr and b"auth=redshift" in r.stderr and instead in r.stderr


@pytest.mark.parametrize("user,action", [("admin", b"DbConnectAdmin"), ("joe", b"DbConnect")])
def test_dsql(user, action):
    """The host's name says that it takes the other kind."""
    host = "abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws"
    r = basic("--host", host, "--user", user)
    assert r.returncode == 0 and r.stdout.startswith(host.encode() + b"/?Action=%s&" % action), r
    assert b"%2Fdsql%2Faws4_request" in r.stdout


EXPECTED = VECTORS["rds_tokens"][0]["expected_token"].encode() + b"\n"


@pytest.mark.parametrize("args", [
    ["--host", HOST, "--user", "app_user"],
    [f"--host={HOST}", "--user=app_user", "--port=5432", "--region=us-east-1"],
    ["--hostname", HOST, "--port", "5432", "--username", "app_user"],
    [f"--hostname={HOST}", "--username=app_user"],
])
def test_spellings(args):
    r = basic(*args)
    assert (r.returncode, r.stdout, r.stderr) == (0, EXPECTED, b"")


def test_legacy_session_token_and_empty_variables():
    with_token = basic("--host", HOST, "--user", "u", env={**KEYS, "AWS_SESSION_TOKEN": "abc"})
    legacy = basic("--host", HOST, "--user", "u", env={**KEYS, "AWS_SESSION_TOKEN": "", "AWS_SECURITY_TOKEN": "abc"})
    assert b"X-Amz-Security-Token=abc" in with_token.stdout
    assert legacy.stdout == with_token.stdout


def test_session_token_of_16_kib():
    r = basic("--host", HOST, "--user", "u", env={**KEYS, "AWS_SESSION_TOKEN": "/" * 16384})
    assert r.returncode == 0
    assert b"%2F" * 16384 in r.stdout


@pytest.mark.parametrize("args, env, said", [
    (["--host", "10.0.12.34"], {"AWS_REGION": "us-east-1"}, "is an IP address"),
    (["--host", "[::1]"], {"AWS_REGION": "us-east-1"}, "is an IP address"),
    (["--host", "localhost"], {"AWS_REGION": "us-east-1"}, "is this machine"),
    (["--host", "db.example.com"], {"AWS_DEFAULT_REGION": "us-east-1"}, "does not look like an RDS endpoint"),
    (["--host", HOST.upper()], {}, "upper-case"),
    (["--host", HOST + "."], {}, "ends with a dot"),
    (["--host", HOST, "--region", "eu-west-1"], {}, "us-east-1"),
    (["--host", HOST], {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
    (["--host", HOST], {"AWS_CREDENTIAL_EXPIRATION": "2026-01-15T12:40:00Z"}, "expire at 2026-01-15T12:40:00Z"),
    (["--host", HOST], {"AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE"}, "AWS_SESSION_TOKEN is not set"),
])
def test_signs_and_warns(args, env, said):
    r = basic(*args, "--user", "u", env={**KEYS, **env})
    assert r.returncode == 0
    assert r.stdout.count(b"\n") == 1 and b"X-Amz-Signature=" in r.stdout
    assert r.stderr.startswith(b"pgiam token: warning: ") and said in r.stderr.decode()
    assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in r.stderr


@pytest.mark.parametrize("args, env, status, said", [
    ([], {}, 2, "--host is missing"),
    (["--host", HOST], {}, 2, "--user is missing"),
    (["--host", "", "--user", "u"], {}, 2, "--host is missing"),
    (["--host"], {}, 2, "value is missing after --host"),
    (["--host", HOST, "--user", "u", "--prot", "1"], {}, 2, "--prot"),
    (["--host", HOST, "--user", "u", "extra"], {}, 2, "extra"),
    (["--host", HOST, "--user", "u", "--port", "0"], {}, 2, "not a port"),
    (["--host", HOST, "--user", "u", "--port", "65536"], {}, 2, "not a port"),
    (["--host", HOST, "--user", "u", "--port", "5432x"], {}, 2, "not a port"),
    (["--host", HOST, "--user", "u", "--port", "+1"], {}, 2, "not a port"),
    (["--host", HOST, "--user", "u", "--at", "yesterday"], {}, 2, "--at"),
    (["--host", HOST, "--user", "u", "--region", "Frankfurt"], {}, 2, "region"),
    (["--host", "db.example.com", "--user", "u"], {}, 2, "AWS_REGION"),
    (["--host", "a/b", "--user", "u", "--region", "us-east-1"], {}, 2, "no host name"),
    (["--host", HOST, "--user", "u"], {"AWS_SECRET_ACCESS_KEY": ""}, 1, "AWS_SECRET_ACCESS_KEY is not"),
    (["--host", HOST, "--user", "u"], {"AWS_ACCESS_KEY_ID": ""}, 1, "AWS_ACCESS_KEY_ID is not"),
    (["--host", HOST, "--user", "u"], {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "no AWS credentials"),
    (["--host", HOST, "--user", "u"], {"AWS_SECRET_ACCESS_KEY": "topsecret\n"}, 1, "newline"),
    (["--host", HOST, "--user", "u"], {"AWS_CREDENTIAL_EXPIRATION": "soon"}, 1, "AWS_CREDENTIAL_EXPIRATION"),
])
def test_refuses(args, env, status, said):
    r = token(*args, env={**KEYS, **env})
    assert (r.returncode, r.stdout) == (status, b"")
    assert said in r.stderr.decode()
    assert b"topsecret" not in r.stderr and KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in r.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("args", [["token", "--host", HOST, "--user", "u"], ["help"], ["--version"]])
def test_full_disk_is_a_failure(args):
    with open("/dev/full", "wb") as full:
        r = subprocess.run([*proxy.WRAPPER, proxy.BINARY, *args], env=proxy.environment(KEYS), stdout=full,
                           stderr=subprocess.PIPE, check=False)
    assert r.returncode == 1 and b"standard output" in r.stderr


def test_help_and_version():
    overview = pgiam("help")
    assert overview.returncode == 0 and overview.stderr == b""
    assert pgiam("--help").stdout == pgiam("-h").stdout == overview.stdout
    for line in overview.stdout.decode().splitlines():
        if line.startswith("  "):
            r = pgiam("help", line.split()[0])
            assert r.returncode == 0 and r.stdout and r.stderr == b""
    assert pgiam("--version").stdout == pgiam("-V").stdout == pgiam("version").stdout
    assert pgiam("--version").stdout.startswith(b"pgiam ")
    assert pgiam("help", "token").stdout == pgiam("token", "--help").stdout
    for args in [[], ["nonsense"], ["help", "nonsense"]]:
        r = pgiam(*args)
        assert (r.returncode, r.stdout) == (2, b"") and r.stderr


def test_no_core_and_no_peeping():
    """Looked at while the token waits for room in a full pipe. A process that is not dumpable belongs to root in /proc."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    uid = os.geteuid() or 65534
    try:
        p = subprocess.Popen([proxy.BINARY, "token", "--host", HOST, "--user", "u"], env=proxy.environment(KEYS), stdout=writer,
                             user=uid if os.geteuid() == 0 else None)
    except PermissionError:
        pytest.skip("the program is where an ordinary user cannot run it")
    finally:
        os.close(writer)
    try:
        deadline = time.monotonic() + 20
        while not hardened(p.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert p.poll() is None and hardened(p.pid)
    finally:
        os.close(reader)
        p.wait()


def hardened(pid):
    """Neither leaves a core nor belongs to its user."""
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
    core = next(line for line in limits if line.startswith("Max core file size")).split()[4:6]
    return core == ["0", "0"] and os.stat(f"/proc/{pid}/fd").st_uid == 0
