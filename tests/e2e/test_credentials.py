"""`pgiam credentials`: which ones, whose, why not others; never a secret."""
import re

import pytest

import proxy

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


def test_clock(aws):
    key = aws.user()
    aws.offset_sec = 600
    done, said, _ = credentials(aws.env(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret))
    assert done.returncode == 0, done.stderr
    assert re.match(r"this machine's is (9|10) min behind AWS's", said["clock"])


@pytest.mark.parametrize("args,code", [(("--help",), 0), (("x",), 2), (("--nonsense",), 2), (("--region",), 2)])
def test_usage(aws, args, code):
    done = proxy.pgiam("credentials", *args, env=aws.env())
    assert done.returncode == code
    assert "credentials" in (done.stdout if code == 0 else done.stderr)
