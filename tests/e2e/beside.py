"""botocore, the AWS CLI's own library, beside pgiam: whom both find, and what both ask AWS on the way."""
import functools
import json
import os
import shutil
import subprocess
import sys
import urllib.parse

import proxy
from files import put
from home import Home, stamp

# Older ones, Debian 12's for one, know neither DSQL nor AWS_ENDPOINT_URL.
RECENT = "import botocore.session as b; assert tuple(map(int, b.__version__.split('.')[:2])) >= (1, 36)"
MISSING = "no python3 here has botocore, 1.36 or later"


@functools.cache
def python():
    """An interpreter that has botocore, or None."""
    for one in (sys.executable, shutil.which("python3"), shutil.which("python")):
        if one and subprocess.run([one, "-c", RECENT], stdin=subprocess.DEVNULL, capture_output=True,
                                  check=False).returncode == 0:
            return one
    return None


FIND = """
import json, os, sys, botocore.session
for line in sys.stdin:
    env, profile = json.loads(line)
    os.environ.clear()
    os.environ.update(env)
    try:
        found = botocore.session.Session(profile=profile).get_credentials()
        answer = [found.get_frozen_credentials()[:3]] if found else []
    except Exception as e:
        answer = [type(e).__name__]
    print(json.dumps(answer), flush=True)
"""
ROLE = "arn:aws:iam::123456789012:role/"


class Beside:
    """botocore and pgiam in one home directory, with one stand-in for AWS."""

    def __init__(self, path, aws_server, ca_path):
        self.aws, self.path, self.ca_path = aws_server, path, ca_path
        self.home = Home(path, aws_server)
        self.process = subprocess.Popen([python(), "-c", FIND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, HOME=path))

    def prepare(self):
        """What each case may need is there, and only `env` and the files say which is meant. The two keys that last."""
        aws, home = self.aws, self.home
        aws.reset()
        aws.ca_path = self.ca_path
        user, base = aws.user(), aws.user("arn:aws:iam::123456789012:user/base")
        program = aws.issue("arn:aws:sts::123456789012:assumed-role/program/s", 3600)
        put(self.path + "/a program", "#!%s\nimport sys\nassert sys.argv[1:] == ['x y']\nprint(%r)\n" % (sys.executable, json.dumps(dict(
            Version=1, AccessKeyId=program.key_id, SecretAccessKey=program.secret, SessionToken=program.token))), mode=0o755)
        aws.sts.roles = {ROLE + name: {} for name in ("a", "b", "irsa")}
        aws.sts.roles[ROLE + "e"] = {"external_id": "e/1"}
        aws.sts.web_tokens, aws.sso.tokens, aws.container.authorization = {"web-token"}, {"browser-token"}, {"pod-token"}
        home.write("token", "web-token")
        home.write("pod", "pod-token")
        for session in ("corp", "https://d-1.awsapps.com/start"):
            home.sso_token(session, accessToken="browser-token", expiresAt=stamp(7200))
        return user, base

    def env(self, more, **names):
        env = {k: v and v.format(home=self.path, aws=self.aws, **names) for k, v in more.items()}
        return self.home.env(**env)

    def asked(self):
        """What AWS was asked since the last time, without what each makes up by itself."""
        said = []
        for service, r in self.aws.requests:
            form = {k: v for k, v in r.form.items()
                    if k != "RoleSessionName" or not v.startswith(("pgiam-", "botocore-session-"))}
            signed = r.headers.get("authorization", "").partition("Credential=")[2].split("/")
            by = self.aws.keys.get(signed[0])
            said.append((service, r.method, r.target, r.tls, form, by and whose(by.arn), signed[2:4]))
        self.aws.requests = []
        return said

    def described(self, found):
        """Of (key, secret, session token) whose it is."""
        key = self.aws.keys[found[0]]
        assert found[1] == key.secret
        return [whose(key.arn), "its own" if found[2] == key.token else found[2]]

    def botocore(self, env, profile):
        full = {"PATH": os.environ["PATH"], "HOME": self.path, **env}
        if "AWS_REGION" in env:  # botocore knows the old name only
            full["AWS_DEFAULT_REGION"] = env["AWS_REGION"]
        self.process.stdin.write(json.dumps([full, profile]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        found = self.described(answer[0]) if answer and isinstance(answer[0], list) else ["nobody"]
        return found, self.asked()

    def pgiam(self, env, profile):
        args = ["token", "--host", "db.example.com", "--user", "u", "--region", "us-east-1", "--at", "2026-01-15T12:34:56Z"]
        done = proxy.pgiam(*args, *(["--aws-profile", profile] if profile else []), env=env)
        if done.returncode != 0:
            return ["nobody"], self.asked(), done.stderr
        signed = urllib.parse.parse_qs(done.stdout.partition("?")[2])
        key = self.aws.keys[signed["X-Amz-Credential"][0].partition("/")[0]]
        token = signed.get("X-Amz-Security-Token", [None])[0]
        # made with the secret that belongs to the key: the same once more, of the environment
        told = proxy.pgiam(*args, env={"AWS_ACCESS_KEY_ID": key.key_id, "AWS_SECRET_ACCESS_KEY": key.secret,
                                       "AWS_SESSION_TOKEN": token})
        assert done.stdout == told.stdout
        return self.described((key.key_id, key.secret, token)), self.asked(), done.stderr

    def both(self, more, config, credentials, profile=None):
        user, base = self.prepare()
        for name, text in (("config", config), ("credentials", credentials)):
            self.home.write(name, text.format(home=self.path, aws=self.aws, user=user, base=base))
        env = self.env(more, user=user, base=base)
        return self.pgiam(env, profile), self.botocore(env, profile)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def whose(arn):
    """Without the name of the session, if they made it up."""
    head, _, session = arn.rpartition("/")
    return head if session.startswith(("pgiam-", "botocore-session-")) else arn
