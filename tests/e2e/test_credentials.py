"""`pgiam credentials`: which ones, whose, why not others; never a secret."""
import re
import socket
import socketserver
import threading

import pytest

import proxy
from files import put

PROFILES = dict(HOME=None, AWS_CONFIG_FILE=None, AWS_SHARED_CREDENTIALS_FILE=None)


def credentials(env, *args):
    done = proxy.pgiam("credentials", *args, env=env)
    lines = [tuple(re.split(r"\s+", line, maxsplit=1)) for line in done.stdout.splitlines()]
    return done, dict(lines), [v for k, v in lines if k == "skipped"]


def test_long_term_keys(aws):
    key = aws.user()
    done, said, skipped = credentials(aws.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret))
    assert done.returncode == 0, done.stderr
    assert said["provider"] == "env" and said["arn"] == key.arn and said["account"] == "123456789012"
    assert said["key"] == key.key_id[:4] + "****" + key.key_id[-4:]
    assert said["expires"].startswith("never") and not skipped and "clock" not in said
    assert key.secret not in done.stdout + done.stderr


def test_behind_others(aws):
    """The instance's role: everybody before says why it was passed over."""
    done, said, skipped = credentials(aws.env(AWS_EC2_METADATA_DISABLED="false"))
    assert done.returncode == 0, done.stderr
    assert said["provider"] == "imds" and ":assumed-role/instance-role/" in said["arn"]
    assert re.fullmatch(r"20\d\d-\S+Z \(in \d.*\)", said["expires"])
    assert [s.split(":")[0] for s in skipped] == ["env", "web-identity", "profile", "container"]


def test_none(aws):
    done, said, skipped = credentials(aws.env())
    assert done.returncode == 1 and "no AWS credentials found" in done.stderr and "provider" not in said
    assert len(skipped) == 5


def test_unknown_to_aws(aws):
    """What is known without AWS is said all the same."""
    done, said, _ = credentials(aws.env(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="sesame"))
    assert done.returncode == 1 and said["provider"] == "env" and said["arn"] == "not known"
    assert "InvalidClientTokenId" in done.stderr and "sesame" not in done.stdout + done.stderr


@pytest.mark.slow
def test_who_does_not_answer(aws):
    """Whoever keeps it waiting is named, after all the attempts that are made."""
    key = aws.user()
    aws.fault("sts", times=None, hang=True)
    done = proxy.pgiam("credentials", "--role-arn", "arn:aws:iam::123456789012:role/app", timeout=120,
                       env=aws.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret))
    assert done.returncode == 1
    assert "sts AssumeRole: 127.0.0.1:%d" % aws.tls_port in done.stderr and "this machine reaches" in done.stderr


@pytest.mark.parametrize("offset_sec,how", [(600, "behind"), (-600, "ahead of")])
def test_clock(aws, offset_sec, how):
    """What is signed by a wrong clock is refused, as expired or as not yet valid, and signed once more by AWS's."""
    key = aws.user()
    aws.offset_sec = offset_sec
    done, said, _ = credentials(aws.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret))
    assert done.returncode == 0, done.stderr
    assert re.match(r"this machine's is (9|10) min %s AWS's" % how, said["clock"])
    assert len(aws.asked("sts")) == 2


@pytest.fixture
def connect_proxy():
    """A proxy for TLS: .url, and .asked, the places it was asked for."""
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            method, place, _ = self.rfile.readline().decode().split()
            while self.rfile.readline().strip():
                pass
            self.server.asked.append((method, place))
            host, _, port = place.rpartition(":")
            with socket.create_connection((host, int(port))) as there:
                self.wfile.write(b"HTTP/1.1 200 Go on\r\n\r\n")
                back = threading.Thread(target=self.pump, args=(there, self.connection))
                back.start()
                self.pump(self.connection, there)
                back.join()

        @staticmethod
        def pump(source, sink):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.url = [], "http://127.0.0.1:%d" % server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("variables,used", [
    ({"HTTPS_PROXY": "{url}"}, True), ({"https_proxy": "{url}", "HTTPS_PROXY": "http://127.0.0.1:1"}, True),
    ({"ALL_PROXY": "{url}"}, True), ({"http_proxy": "{url}", "HTTP_PROXY": "{url}"}, False),
    ({"HTTPS_PROXY": "{url}", "NO_PROXY": "example.com,127.0.0.1"}, False),
], ids=lambda v: "-".join(v) if isinstance(v, dict) else "")
def test_proxies(aws, connect_proxy, variables, used):
    """Services are asked through a proxy. What is beside the machine never is: a proxy would read the credentials."""
    variables = {name: value.format(url=connect_proxy.url) for name, value in variables.items()}
    done, said, _ = credentials(aws.env(AWS_EC2_METADATA_DISABLED="false", **variables))
    assert done.returncode == 0 and said["provider"] == "imds", done.stderr
    assert connect_proxy.asked == [("CONNECT", "127.0.0.1:%d" % aws.tls_port)] * used
    done, said, _ = credentials(aws.env(AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials", **variables))
    assert done.returncode == 0 and said["provider"] == "container", done.stderr
    assert connect_proxy.asked == [("CONNECT", "127.0.0.1:%d" % aws.tls_port)] * (2 * used)


def test_who_is_trusted(aws):
    """Nobody but whom AWS_CA_BUNDLE, or else the system, vouches for."""
    key = aws.user()
    done, said, _ = credentials(aws.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret, AWS_CA_BUNDLE=None))
    assert done.returncode == 1 and said["arn"] == "not known" and "certificate" in done.stderr
    assert not aws.requests


ROLE = "arn:aws:iam::111111111111:role/reader"


def identities(aws, workdir, *more):
    """What is said of a file with three databases of two identities, and one of none: each one's lines."""
    path, key = workdir + "/three.ini", aws.user()
    host = "mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com"
    put(path, proxy.ini({"a": "host=" + host, "b": "host=%s role_arn=%s" % (host, ROLE), "c": "host=" + host,
                         "d": "host=/tmp auth=none", **dict(more)}, {}))
    done = proxy.pgiam("credentials", path,
                       env=aws.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret))
    return done, key, [dict(re.split(r"\s+", line, maxsplit=1) for line in block.splitlines())
                       for block in done.stdout.split("\n\n")]


def test_of_a_file(aws, workdir):
    """Each identity of a configuration once, as pgiam would be it."""
    aws.sts.roles = {ROLE: {}}
    done, key, (plain, role) = identities(aws, workdir)
    assert done.returncode == 0, done.stderr
    assert plain["identity"] == "default" and plain["provider"] == "env" and plain["arn"] == key.arn
    assert role["identity"] == "role " + ROLE and role["provider"] == "role"
    assert "111111111111:assumed-role/reader/" in role["arn"]
    assert key.secret not in done.stdout + done.stderr


def test_of_a_file_in_part(aws, workdir):
    """What one identity lacks is said, and of the others all there is."""
    aws.sts.roles = {ROLE + "s": {}}
    done, key, (plain, role) = identities(aws, workdir)
    assert done.returncode == 1 and "AccessDenied" in done.stderr
    assert plain["arn"] == key.arn and role["identity"] == "role " + ROLE and "provider" not in role


def test_of_a_file_that_is_wrong(aws, workdir):
    done, _, _ = identities(aws, workdir, ("e", "host=x nonsense=1"))
    assert done.returncode == 3 and "nonsense" in done.stderr and not aws.requests
    assert proxy.pgiam("credentials", workdir + "/not-there.ini", env=aws.env()).returncode == 3


def test_of_a_file_without(aws, workdir):
    put(workdir + "/none.ini", proxy.ini({"d": "host=/tmp auth=none"}, {}))
    done = proxy.pgiam("credentials", workdir + "/none.ini", env=aws.env())
    assert done.returncode == 0 and done.stdout == "no database logs in with AWS credentials\n"


@pytest.mark.parametrize("args,code", [(("--help",), 0), (("x", "y"), 2), (("x", "--region", "eu-west-1"), 2),
                                       (("--nonsense",), 2), (("--region",), 2)])
def test_usage(aws, args, code):
    done = proxy.pgiam("credentials", *args, env=aws.env())
    assert done.returncode == code
    assert "credentials" in (done.stdout if code == 0 else done.stderr)
