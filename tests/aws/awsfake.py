#!/usr/bin/python3
"""A stand-in for AWS: the endpoints credentials come from, on loopback, with nothing of pgiam's code.

usage: awsfake.py [--port N] [--tls-port N --cert FILE --key FILE]     (then POST /control, see Aws.control)

Each service is a class with `name`, `wants(request)` and `answer(request)`; add one, and list it in SERVICES. Every
signature is verified (tests/rds/sigv4.py). Faults are scripted per service, time is movable (`offset_sec`), and what is
issued is known to the later calls, and to whoever sets `on_issue`: the RDS stand-in, so that a login proves a provider.

One plain and one TLS listener serve everything: a test points AWS_ENDPOINT_URL_STS at the one and
AWS_EC2_METADATA_SERVICE_ENDPOINT at the other.
"""
import argparse
import base64
import collections
import datetime
import email.utils
import hmac
import http.server
import json
import os
import random
import socket
import ssl
import string
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rds"))
import sigv4  # noqa: E402

import dpop  # noqa: E402

SKEW_SEC = 300
ACCOUNT = "123456789012"


def text_of(n, alphabet=string.ascii_letters + string.digits + "+/"):
    return "".join(random.choice(alphabet) for _ in range(n))


class Key:
    """Credentials somebody was given. expires: epoch seconds, or None."""

    def __init__(self, arn, expires, kind="ASIA", token_bytes=400):
        self.key_id = kind + text_of(16, string.ascii_uppercase + string.digits)
        self.secret, self.arn, self.expires = text_of(40), arn, expires
        self.token = "IQoJb3JpZ2luX2Vj" + text_of(token_bytes - 16) if expires is not None else None

    def expiration(self):
        return stamp(self.expires)


def stamp(epoch):
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Refused(Exception):
    """The answer is this error."""

    def __init__(self, status, code, message, headers=None):
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


class Request:
    def __init__(self, aws, method, target, headers, body, tls):
        self.aws, self.method, self.target, self.headers, self.body, self.tls = aws, method, target, headers, body, tls
        parts = urllib.parse.urlsplit(target)
        self.path, self.query = parts.path, urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        self.form, self.by = {}, None  # by: the Key that signed it, where the service remembers
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            self.form = {k: v[0] for k, v in urllib.parse.parse_qs(body.decode(), keep_blank_values=True).items()}
        self.target_header = headers.get("x-amz-target", "")

    def scope_service(self):
        try:
            return sigv4.SignedRequest(self.method, self.target, self.headers, self.body).service
        except ValueError:
            return None

    def caller(self, service):
        """The Key that signed it, or Refused."""
        try:
            signed = sigv4.SignedRequest(self.method, self.target, self.headers, self.body)
        except ValueError as e:
            raise Refused(403, "IncompleteSignature", str(e)) from None
        key = self.aws.keys.get(signed.key_id)
        now = self.aws.now()
        if key is None:
            raise Refused(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if signed.service != service or signed.region != self.aws.region:
            raise Refused(403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region, service.")
        if not hmac.compare_digest(signed.signature, signed.signature_with(key.secret)):
            raise Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        if signed.session_token != key.token:
            raise Refused(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        off = signed.signed_at.timestamp() - now
        if abs(off) > SKEW_SEC:
            word = "Signature not yet current" if off > 0 else "Signature expired"
            raise Refused(403, "SignatureDoesNotMatch", "%s: %s (%d s)" % (word, signed.amzdate, off))
        if key.expires is not None and now >= key.expires:
            raise Refused(403, "ExpiredToken", "The security token included in the request is expired")
        return key


class Reply:
    def __init__(self, body, status=200, content_type="application/json", headers=None):
        self.status, self.content_type, self.headers = status, content_type, headers or {}
        self.body = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else \
            json.dumps(body).encode()


# ---- services ----

class Service:
    name = None

    def __init__(self, aws):
        self.aws = aws

    def error(self, request, e):
        return Reply({"__type": e.code, "code": e.code, "message": e.message}, e.status, headers=e.headers)


class Sts(Service):
    """AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity; XML, or JSON if asked for."""
    name = "sts"
    ACTIONS = ("AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity")

    def __init__(self, aws):
        super().__init__(aws)
        self.xml_only = False
        self.roles = {}          # ARN -> {"external_id": ..., "max_duration": ...}; empty: any role
        self.web_tokens = set()  # accepted; empty: any

    def wants(self, r):
        return r.method == "POST" and r.path == "/" and (r.form.get("Action") in self.ACTIONS
                                                         or r.scope_service() == "sts")

    def json_asked(self, r):
        return not self.xml_only and "application/json" in r.headers.get("accept", "")

    def reply(self, r, action, result):
        if self.json_asked(r):
            return Reply({action + "Response": {action + "Result": result, "ResponseMetadata": {"RequestId": "r-1"}}})
        return Reply('<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <%sResult>%s</%sResult>\n'
                     '  <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>\n</%sResponse>\n'
                     % (action, action, xml(result), action, action), content_type="text/xml")

    def error(self, r, e):
        if self.json_asked(r):
            return Reply({"Error": {"Type": "Sender", "Code": e.code, "Message": e.message}, "RequestId": "r-2"},
                         e.status, headers=e.headers)
        return Reply('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
                     '<Code>%s</Code><Message>%s</Message></Error><RequestId>r-2</RequestId></ErrorResponse>'
                     % (escape(e.code), escape(e.message)), e.status, "text/xml", e.headers)

    def answer(self, r):
        action, form = r.form.get("Action"), r.form
        if form.get("Version") != "2011-06-15":
            raise Refused(400, "MissingParameter", "Version")
        if action == "GetCallerIdentity":
            key = r.caller("sts")
            return self.reply(r, action, {"Arn": key.arn, "UserId": "AROAEXAMPLE:session", "Account": ACCOUNT})
        session = form.get("RoleSessionName", "")
        if not 2 <= len(session) <= 64 or not set(session) <= set(string.ascii_letters + string.digits + "_+=,.@-"):
            raise Refused(400, "ValidationError", "RoleSessionName %r" % session)
        if action == "AssumeRole":
            r.caller("sts")
        elif not form.get("WebIdentityToken") or "authorization" in r.headers:
            raise Refused(400, "MissingParameter", "WebIdentityToken, unsigned")
        elif self.web_tokens and form["WebIdentityToken"] not in self.web_tokens:
            raise Refused(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account")
        arn = form.get("RoleArn", "")
        role = self.roles.get(arn, None if self.roles else {})
        if role is None or role.get("external_id") != form.get("ExternalId"):
            raise Refused(403, "AccessDenied", "Not authorized to perform sts:%s on resource: %s" % (action, arn))
        duration = int(form.get("DurationSeconds", 3600))
        if not 900 <= duration <= role.get("max_duration", 43200):
            raise Refused(400, "ValidationError",
                          "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        assumed = arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/" + session
        key = self.aws.issue(assumed, duration)
        expires = key.expires if self.json_asked(r) else key.expiration()
        return self.reply(r, action, {
            "AssumedRoleUser": {"Arn": assumed, "AssumedRoleId": "AROAEXAMPLE:" + session},
            "Credentials": {"AccessKeyId": key.key_id, "SecretAccessKey": key.secret, "SessionToken": key.token,
                            "Expiration": expires}})


def xml(value):
    if isinstance(value, dict):
        return "".join("<%s>%s</%s>" % (k, xml(v), k) for k, v in value.items())
    return escape(str(value))


class Imds(Service):
    """The instance metadata service, version 2; 401 to version 1."""
    name = "imds"
    ROLE = "instance-role"

    def __init__(self, aws):
        super().__init__(aws)
        self.tokens, self.key, self.life_sec = {}, None, 21600
        self.code = "Success"
        self.frozen = False  # an outage of what stands behind: the old credentials again and again

    def wants(self, r):
        return r.path.startswith("/latest/")

    def error(self, r, e):
        return Reply("<html>%s</html>" % e.message, e.status, "text/html", e.headers)

    def answer(self, r):
        if "x-forwarded-for" in r.headers:
            raise Refused(403, "Forbidden", "X-Forwarded-For")
        if r.path == "/latest/api/token":
            ttl = r.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            if r.method != "PUT" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                raise Refused(400, "BadRequest", "token")
            token = text_of(56)
            self.tokens[token] = self.aws.now() + int(ttl)
            return Reply(token, content_type="text/plain")
        if self.tokens.get(r.headers.get("x-aws-ec2-metadata-token"), 0) <= self.aws.now():
            raise Refused(401, "Unauthorized", "Unauthorized")
        if r.path == "/latest/meta-data/placement/region":
            return Reply(self.aws.region, content_type="text/plain")
        base = "/latest/meta-data/iam/security-credentials/"
        if r.path == base:
            return Reply(self.ROLE + "\n", content_type="text/plain")
        if r.path != base + self.ROLE:
            raise Refused(404, "NotFound", "Not Found")
        if self.code != "Success":
            return Reply({"Code": self.code, "Message": "the instance's role cannot be assumed"}, content_type="text/plain")
        if self.key is None or (not self.frozen and self.key.expires - self.aws.now() < self.life_sec / 2):
            self.key = self.aws.issue("arn:aws:sts::%s:assumed-role/%s/i-0" % (ACCOUNT, self.ROLE), self.life_sec)
        k = self.key
        return Reply({"Code": "Success", "LastUpdated": stamp(self.aws.now()), "Type": "AWS-HMAC", "AccessKeyId": k.key_id,
                      "SecretAccessKey": k.secret, "Token": k.token, "Expiration": k.expiration()}, content_type="text/plain")


class Container(Service):
    """The endpoint of ECS and of EKS Pod Identity: GET /v2/credentials/..., /v1/credentials."""
    name = "container"

    def __init__(self, aws):
        super().__init__(aws)
        self.authorization = None  # what it wants to see, or None
        self.life_sec = 3600

    def wants(self, r):
        return r.path.startswith(("/v1/credentials", "/v2/credentials"))

    def answer(self, r):
        if r.method != "GET" or "application/json" not in r.headers.get("accept", "application/json"):
            raise Refused(400, "BadRequest", "GET, and JSON")
        if r.headers.get("authorization") != self.authorization:
            raise Refused(401, "AccessDenied", "wrong Authorization")
        k = self.aws.issue("arn:aws:sts::%s:assumed-role/task-role/task" % ACCOUNT, self.life_sec)
        return Reply({"AccessKeyId": k.key_id, "SecretAccessKey": k.secret, "Token": k.token,
                      "Expiration": k.expiration(), "RoleArn": "arn:aws:iam::%s:role/task-role" % ACCOUNT,
                      "AccountId": ACCOUNT})


class Portal(Service):
    """IAM Identity Center's portal: a role's credentials for a token somebody got in a browser."""
    name = "sso"

    def __init__(self, aws):
        super().__init__(aws)
        self.tokens = set()      # accepted
        self.assignments = set()  # (account, role) that may be had; empty: any

    def wants(self, r):
        return r.path == "/federation/credentials"

    def answer(self, r):
        if r.method != "GET" or "authorization" in r.headers:
            raise Refused(400, "InvalidRequestException", "GET, unsigned")
        if r.headers.get("x-amz-sso_bearer_token") not in self.tokens:
            raise Refused(401, "UnauthorizedException", "Session token not found or invalid")
        account, role = r.query["account_id"][0], r.query["role_name"][0]
        if self.assignments and (account, role) not in self.assignments:
            raise Refused(403, "ForbiddenException", "No access")
        k = self.aws.issue("arn:aws:sts::%s:assumed-role/AWSReservedSSO_%s/me" % (account, role), 3600)
        return Reply({"roleCredentials": {"accessKeyId": k.key_id, "secretAccessKey": k.secret, "sessionToken": k.token,
                                          "expiration": int(k.expires * 1000)}})


class Oidc(Service):
    """CreateToken of IAM Identity Center's OIDC service: a refresh token, used once, for an access token."""
    name = "oidc"

    def __init__(self, aws):
        super().__init__(aws)
        self.refresh = {}  # refresh token -> (client id, client secret)
        self.life_sec = 3600

    def wants(self, r):
        return r.path == "/token"

    def error(self, r, e):
        return Reply({"error": e.code, "error_description": e.message}, e.status, headers=e.headers)

    def answer(self, r):
        asked = json.loads(r.body)
        client = self.refresh.pop(asked.get("refreshToken"), None)
        if r.method != "POST" or asked.get("grantType") != "refresh_token":
            raise Refused(400, "unsupported_grant_type", "refresh_token only")
        if client is None or client != (asked.get("clientId"), asked.get("clientSecret")):
            raise Refused(400, "invalid_grant", "Invalid refresh token provided")
        access, refresh = "aoa" + text_of(60), "aor" + text_of(60)
        self.refresh[refresh] = client
        self.aws.sso.tokens.add(access)
        return Reply({"accessToken": access, "expiresIn": self.life_sec, "refreshToken": refresh, "tokenType": "Bearer"})


class Signin(Service):
    """The sign-in service's CreateOAuth2Token, for `aws login`: a refresh token for credentials and a new refresh token,
    with a proof that whoever asks holds the key it was given to. The old one goes on being good, as documented."""
    name = "signin"
    CLIENT = "arn:aws:signin:::devtools/same-device"

    def __init__(self, aws):
        super().__init__(aws)
        self.refresh = {}   # refresh token -> thumbprint of its key
        self.seen = set()   # numbers of proofs
        self.code = None    # TOKEN_EXPIRED, USER_CREDENTIALS_CHANGED, INSUFFICIENT_PERMISSIONS: the answer to everybody
        self.life_sec = 900

    def wants(self, r):
        return r.path == "/v1/token"

    def error(self, request, e):
        return Reply({"error": e.code, "message": e.message}, e.status, headers=e.headers)

    def answer(self, r):
        if r.method != "POST" or "authorization" in r.headers or r.headers.get("content-type") != "application/json":
            raise Refused(400, "INVALID_REQUEST", "POST of JSON, unsigned")
        asked = json.loads(r.body)
        url = "%s://%s%s" % ("https" if r.tls else "http", r.headers["host"], r.path)
        try:
            key, number = dpop.verify(r.headers.get("dpop", ""), "POST", url, self.aws.now())
        except ValueError as e:
            raise Refused(400, "INVALID_REQUEST", "DPoP: %s" % e) from None
        if number in self.seen or asked.get("clientId") != self.CLIENT or asked.get("grantType") != "refresh_token":
            raise Refused(400, "INVALID_REQUEST", "a number used twice, or not a client's refresh")
        self.seen.add(number)
        if self.code:
            raise Refused(403 if self.code in ("USER_CREDENTIALS_CHANGED", "INSUFFICIENT_PERMISSIONS") else 401, self.code, "no")
        if self.refresh.get(asked.get("refreshToken")) != key:
            raise Refused(401, "TOKEN_EXPIRED", "no such refresh token, or another's")
        token = "rt" + text_of(60)
        self.refresh[token] = key
        k = self.aws.issue("arn:aws:iam::%s:user/me" % ACCOUNT, self.life_sec)
        return Reply({"accessToken": {"accessKeyId": k.key_id, "secretAccessKey": k.secret, "sessionToken": k.token},
                      "tokenType": "aws_sigv4", "expiresIn": self.life_sec, "refreshToken": token})


class SecretsManager(Service):
    """GetSecretValue of Secrets Manager. A secret is versions and the stages that name them."""
    name = "secretsmanager"

    def __init__(self, aws):
        super().__init__(aws)
        self.secrets = {}  # name -> {"versions": {id: str or bytes}, "stages": {label: id}}

    def put(self, name, value, stage="AWSCURRENT"):
        """Another version: of text, of bytes (SecretBinary), or of a dict as JSON. What was current is previous then."""
        one = self.secrets.setdefault(name, {"versions": {}, "stages": {}})
        version = "%s-version-%024d" % (text_of(4, string.ascii_lowercase), len(one["versions"]) + 1)
        one["versions"][version] = json.dumps(value) if isinstance(value, dict) else value
        if stage == "AWSCURRENT" and stage in one["stages"]:
            one["stages"]["AWSPREVIOUS"] = one["stages"][stage]
        one["stages"][stage] = version
        return version

    def finish(self, name):
        """The last step of a rotation: what is pending becomes current."""
        stages = self.secrets[name]["stages"]
        stages["AWSPREVIOUS"], stages["AWSCURRENT"] = stages["AWSCURRENT"], stages["AWSPENDING"]

    def arn(self, name):
        return "arn:aws:secretsmanager:%s:%s:secret:%s-AbCdEf" % (self.aws.region, ACCOUNT, name)

    def wants(self, r):
        return r.target_header.startswith("secretsmanager.")

    def error(self, r, e):
        return Reply({"__type": e.code, "Message": e.message}, e.status, "application/x-amz-json-1.1", e.headers)

    def answer(self, r):
        r.by = r.caller("secretsmanager")
        if r.target_header != "secretsmanager.GetSecretValue" or \
                r.headers.get("content-type") != "application/x-amz-json-1.1":
            raise Refused(400, "UnknownOperationException", r.target_header)
        asked = json.loads(r.body)
        name = next((n for n in self.secrets if asked.get("SecretId") in (n, self.arn(n))), None)
        if name is None:
            raise Refused(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        stage = asked.get("VersionStage", "AWSCURRENT")
        version = self.secrets[name]["stages"].get(stage)
        if version is None:
            raise Refused(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for "
                          "staging label: %s" % stage)
        value = self.secrets[name]["versions"][version]
        what = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": base64.b64encode(value).decode()}
        return Reply(dict({"ARN": self.arn(name), "Name": name, "VersionId": version, "VersionStages": [stage],
                           "CreatedDate": self.aws.now()}, **what), content_type="application/x-amz-json-1.1")


class RedshiftBase(Service):
    """Temporary users and passwords. What is handed out goes to whoever sets `on_login`, too: the database."""

    def __init__(self, aws):
        super().__init__(aws)
        self.known = set()    # clusters or workgroups; empty: any
        self.on_login = None  # on_login(user, password, epoch of the end)
        self.life_sec = None  # in place of what is asked for

    def hand_out(self, r, user, duration):
        if not str(duration).isdigit() or not 900 <= int(duration) <= 3600:
            raise Refused(400, "ValidationException", "duration %s" % duration)
        password, end = text_of(64), self.aws.now() + (self.life_sec or int(duration))
        if self.on_login:
            self.on_login(user, password, end)
        r.handed = (user, password)
        return password, end

    @staticmethod
    def user_of(key):
        """The database user that belongs to an IAM identity."""
        kind, _, name = key.arn.rpartition(":")[2].partition("/")
        return "IAMR:" + name.split("/")[0] if kind == "assumed-role" else "IAM:" + name


class Redshift(RedshiftBase):
    """GetClusterCredentials and GetClusterCredentialsWithIAM."""
    name = "redshift"
    ACTIONS = ("GetClusterCredentials", "GetClusterCredentialsWithIAM")
    NAMESPACE = "http://redshift.amazonaws.com/doc/2012-12-01/"

    def wants(self, r):
        return r.method == "POST" and r.path == "/" and (r.form.get("Action") in self.ACTIONS
                                                         or r.scope_service() == "redshift")

    def error(self, r, e):
        return Reply('<ErrorResponse xmlns="%s">\n  <Error>\n    <Type>Sender</Type>\n    <Code>%s</Code>\n    <Message>%s'
                     '</Message>\n  </Error>\n  <RequestId>r-3</RequestId>\n</ErrorResponse>\n'
                     % (self.NAMESPACE, escape(e.code), escape(e.message)), e.status, "text/xml", e.headers)

    def answer(self, r):
        r.by = r.caller("redshift")
        action, form = r.form.get("Action"), r.form
        if action not in self.ACTIONS or form.get("Version") != "2012-12-01":
            raise Refused(400, "InvalidAction", "Could not find operation %s" % action)
        if self.known and form.get("ClusterIdentifier") not in self.known:
            raise Refused(404, "ClusterNotFound", "Cluster %s not found." % form.get("ClusterIdentifier"))
        if action == "GetClusterCredentials":
            if not form.get("DbUser"):
                raise Refused(400, "MissingParameter", "DbUser")
            user = ("IAMA:" if form.get("AutoCreate") == "true" else "IAM:") + form["DbUser"]
        elif "DbUser" in form:
            raise Refused(400, "InvalidParameterCombination", "DbUser")
        else:
            user = self.user_of(r.by)
        password, end = self.hand_out(r, user, form.get("DurationSeconds", 900))
        result = {"DbUser": user, "DbPassword": password, "Expiration": stamp(end)[:-1] + ".123Z"}
        if action != "GetClusterCredentials":
            result["NextRefreshTime"] = stamp(end - 300)
        return Reply('<%sResponse xmlns="%s">\n  <%sResult>%s</%sResult>\n  <ResponseMetadata>\n    <RequestId>r-4</RequestId>'
                     '\n  </ResponseMetadata>\n</%sResponse>\n' % (action, self.NAMESPACE, action, xml(result), action, action),
                     content_type="text/xml")


class RedshiftServerless(RedshiftBase):
    """GetCredentials."""
    name = "redshift-serverless"

    def wants(self, r):
        return r.target_header.startswith("RedshiftServerless.")

    def error(self, r, e):
        return Reply({"__type": e.code, "message": e.message}, e.status, "application/x-amz-json-1.1", e.headers)

    def answer(self, r):
        r.by = r.caller("redshift-serverless")
        if r.target_header != "RedshiftServerless.GetCredentials" or \
                r.headers.get("content-type") != "application/x-amz-json-1.1":
            raise Refused(400, "UnknownOperationException", r.target_header)
        asked = json.loads(r.body)
        if self.known and asked.get("workgroupName") not in self.known:
            raise Refused(400, "ResourceNotFoundException", "Resource not found")
        user = self.user_of(r.by)
        password, end = self.hand_out(r, user, asked.get("durationSeconds", 900))
        return Reply({"dbPassword": password, "dbUser": user, "expiration": end, "nextRefreshTime": end - 300},
                     content_type="application/x-amz-json-1.1")


SERVICES = [Sts, Imds, Container, Portal, Oidc, Signin, SecretsManager, Redshift, RedshiftServerless]


# ---- all of it ----

class Fault:
    """One scripted misfortune: status+body+headers in place of the answer, delay_sec before it, hang (silence until the
    stand-in stops or faults are cleared), drop (the connection is closed), huge (so many bytes), redirect (to there).
    times: for how many requests; None is until cleared. only: paths or actions it is for."""

    def __init__(self, service, times=1, only=None, status=None, body="", headers=None, delay_sec=0, hang=False,
                 drop=False, huge=0, redirect=None, code=None, message="on request of the test"):
        self.service, self.times, self.only, self.code, self.message = service, times, only, code, message
        self.status, self.body, self.headers, self.delay_sec = status, body, headers or {}, delay_sec
        self.hang, self.drop, self.huge, self.redirect = hang, drop, huge, redirect


class Aws:
    """The listeners and what they know. Ports are chosen if not given; the TLS one needs cert and key files."""

    def __init__(self, port=0, tls_port=0, cert=None, key=None, region="us-east-1", host="127.0.0.1"):
        self.lock = threading.Condition()
        self.region, self.offset_sec = region, 0
        self.keys, self.issued, self.on_issue = {}, [], None
        self.faults, self.generation, self.stopping = [], 0, False
        self.requests = []      # (service name, Request), in order
        self.counts = collections.Counter()
        self.services, self.ca_path = [], None
        self.reset()
        self.servers = [self.listen(host, port, None)]
        self.port = self.servers[0].server_address[1]
        self.url = "http://%s:%d" % ("[%s]" % host if ":" in host else host, self.port)
        self.tls_url = None
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            self.servers.append(self.listen(host, tls_port, context))
            self.tls_port = self.servers[1].server_address[1]
            self.tls_url = "https://%s:%d" % (host, self.tls_port)

    def listen(self, host, port, context):
        aws = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def setup(self):
                if context:  # here, in the connection's own thread
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def any_method(self):
                self.close_connection = True
                aws.handle(self, context is not None)

            do_GET = do_PUT = do_POST = do_HEAD = any_method

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(timestamp if timestamp is not None else aws.now(), usegmt=True)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, request, client_address):
                pass  # a client that went away, or one that did not trust our certificate

        server = Server((host, port), Handler)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        return server

    def stop(self):
        with self.lock:
            self.stopping = True
            self.lock.notify_all()
        for one in self.servers:
            one.shutdown()
            one.server_close()

    # ---- what a test does ----
    def now(self):
        return time.time() + self.offset_sec

    def add_key(self, key):
        """Makes a Key known here and to the RDS stand-in."""
        self.keys[key.key_id] = key
        self.issued.append(key)
        if self.on_issue:
            self.on_issue(key)
        return key

    def issue(self, arn, life_sec):
        return self.add_key(Key(arn, int(self.now()) + life_sec))

    def user(self, arn="arn:aws:iam::%s:user/tester" % ACCOUNT):
        """A long-term key."""
        return self.add_key(Key(arn, None, kind="AKIA"))

    def fault(self, service, **kw):
        with self.lock:
            self.faults.append(Fault(service, **kw))

    def clear(self):
        """No faults, no hanging requests, nothing counted; time as it is."""
        with self.lock:
            self.faults, self.requests, self.offset_sec = [], [], 0
            self.counts.clear()
            self.generation += 1
            self.lock.notify_all()

    def reset(self):
        """As new, but for the ports."""
        self.clear()
        self.keys, self.issued, self.on_issue = {}, [], None
        self.services = [cls(self) for cls in SERVICES]
        for one in self.services:
            setattr(self, one.name.replace("-", "_"), one)

    def serve(self, rds):
        """What is issued from now on, this instance of the RDS stand-in accepts."""
        self.on_issue = lambda key: rds.fault("add-key", key.key_id, key.secret, key.token or "", key.expires or "")

    def env(self, **more):
        """An environment in which every service is here, and nothing says which credentials to take."""
        here = {"AWS_ENDPOINT_URL": self.tls_url, "AWS_CA_BUNDLE": self.ca_path, "AWS_REGION": self.region,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url, "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": "/nonexistent/config", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials"}
        return {k: v for k, v in dict(here, **more).items() if v is not None}

    def asked(self, service):
        return [r for name, r in self.requests if name == service]

    # ---- a request ----
    def take_fault(self, name, request):
        with self.lock:
            for f in self.faults:
                if f.service == name and (f.only is None or f.only in (request.path, request.form.get("Action"))):
                    if f.times is not None:
                        f.times -= 1
                        if f.times <= 0:
                            self.faults.remove(f)
                    return f
        return None

    def handle(self, handler, tls):
        headers = {k.lower(): v for k, v in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self, handler.command, handler.path, headers, body, tls)
        if request.path == "/control":
            self.send(handler, Reply(self.control(json.loads(body or b"{}"))))
            return
        service = next((s for s in self.services if s.wants(request)), None)
        name = service.name if service else "nobody"
        with self.lock:
            self.requests.append((name, request))
            self.counts[name] += 1
        fault = self.take_fault(name, request)
        if fault and not self.suffer(handler, fault):
            return
        if service is None:
            self.send(handler, Reply("nothing here\n", 404, "text/plain"))
            return
        try:
            if fault and fault.code:
                raise Refused(fault.status or 400, fault.code, fault.message, fault.headers)
            reply = Reply(fault.body, fault.status, headers=fault.headers) if fault and fault.status \
                else service.answer(request)
        except Refused as e:
            reply = service.error(request, e)
        self.send(handler, reply)

    def suffer(self, handler, fault):
        """True if there is an answer to be sent nevertheless."""
        if fault.delay_sec:
            time.sleep(fault.delay_sec)
        if fault.hang:
            with self.lock:
                start = self.generation
                while self.generation == start and not self.stopping:
                    self.lock.wait(0.5)
            return False
        if fault.drop:
            return False
        if fault.huge:
            self.send(handler, Reply(b"{" + b" " * fault.huge))
            return False
        if fault.redirect:
            self.send(handler, Reply(b"", 302, headers={"Location": fault.redirect}))
            return False
        return True

    @staticmethod
    def send(handler, reply):
        handler.send_response(reply.status)
        handler.send_header("Content-Type", reply.content_type)
        handler.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            handler.wfile.write(reply.body)
        except OSError:
            pass

    def control(self, what):
        """{"offset_sec": n} | {"fault": {"service": ..., ...}} | {"clear": true}; the counts."""
        if "offset_sec" in what:
            self.offset_sec = what["offset_sec"]
        if "fault" in what:
            self.fault(**what["fault"])
        if what.get("clear"):
            self.clear()
        return dict(self.counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls-port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    o = parser.parse_args()
    aws = Aws(o.port, o.tls_port, o.cert, o.key)
    user = aws.user()
    print(json.dumps({"url": aws.url, "tls_url": aws.tls_url, "key_id": user.key_id, "secret": user.secret}), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        aws.stop()


if __name__ == "__main__":
    main()
