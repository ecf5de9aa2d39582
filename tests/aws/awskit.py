"""What the services of the stand-in for AWS share: keys, requests whose signature is verified, answers."""
import datetime
import hmac
import json
import os
import random
import string
import sys
import urllib.parse
from xml.sax.saxutils import escape

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rds"))
import sigv4  # noqa: E402

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

    def json_call(self, service, target):
        """The arguments of this call of AWS's JSON protocol, signed for service; whatever else it is is refused."""
        self.by = self.caller(service)
        if self.target_header != target or self.headers.get("content-type") != "application/x-amz-json-1.1":
            raise Refused(400, "UnknownOperationException", self.target_header)
        return json.loads(self.body)

    def said(self, what):
        """A header, or "body"."""
        return self.body.decode() if what == "body" else self.headers[what]

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


class Service:
    name = None

    def __init__(self, aws):
        self.aws = aws

    def error(self, request, e):
        return Reply({"__type": e.code, "code": e.code, "message": e.message}, e.status, headers=e.headers)


def xml(value):
    if isinstance(value, dict):
        return "".join("<%s>%s</%s>" % (k, xml(v), k) for k, v in value.items())
    return escape(str(value))
