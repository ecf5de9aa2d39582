"""AWS files in a home directory of a test's own."""
import hashlib
import json
import os
import time

SESSION = """
[sso-session corp]
sso_start_url = https://d-1234567890.awsapps.com/start
sso_region = us-east-1
"""


class Home:
    """A home directory with AWS files, and pgiam's environment in it."""

    def __init__(self, path, aws):
        self.path, self.aws = path, aws
        os.makedirs(path + "/.aws/sso/cache")

    def write(self, name, text):
        with open("%s/.aws/%s" % (self.path, name), "w", encoding="utf-8") as file:
            file.write(text)

    def env(self, **more):
        here = dict(HOME=self.path, AWS_CONFIG_FILE=None, AWS_SHARED_CREDENTIALS_FILE=None)
        return self.aws.env(**dict(here, **more))

    def keys(self, profile="default"):
        """A section with long-lived keys that AWS and the instance know."""
        key = self.aws.user()
        return "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % (profile, key.key_id, key.secret)

    def sso_token(self, key, **members):
        path = "sso/cache/%s.json" % hashlib.sha1(key.encode()).hexdigest()
        self.write(path, json.dumps(members))
        return "%s/.aws/%s" % (self.path, path)

    def login_session(self, key, **members):
        """What `aws login` leaves for a profile with this login_session; the path of its file."""
        name = "login/cache/%s.json" % hashlib.sha256(key.arn.encode()).hexdigest()
        os.makedirs(self.path + "/.aws/login/cache", exist_ok=True)
        self.write(name, json.dumps(dict(members, accessToken=dict(
            accessKeyId=key.key_id, secretAccessKey=key.secret, sessionToken=key.token, accountId="123456789012",
            expiresAt=key.expiration()))))
        return "%s/.aws/%s" % (self.path, name)


def stamp(sec):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + sec))
