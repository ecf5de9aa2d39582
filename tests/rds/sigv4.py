"""RDS login tokens, independently of pgiam: made, taken apart and recomputed.

Written from the AWS description of presigned Signature Version 4 requests, with nothing of pgiam's code, so that the
two can be held against each other. Only the standard library.
"""
import datetime
import hashlib
import hmac
import re

UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "rds-db"


def encode(text):
    """RFC 3986 percent-encoding of everything but unreserved characters."""
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(b) if b in UNRESERVED else "%%%02X" % b for b in raw)


def decode(text):
    """Undoes encode(); raises ValueError at a % that is not followed by two hex digits."""
    out, i, raw = bytearray(), 0, text.encode("utf-8", "surrogateescape")
    while i < len(raw):
        if raw[i] == 0x25:
            digits = raw[i + 1:i + 3]
            if not re.fullmatch(rb"[0-9A-Fa-f]{2}", digits):
                raise ValueError("bad percent-encoding")
            out.append(int(digits, 16))
            i += 3
        else:
            out.append(raw[i])
            i += 1
    return out.decode("utf-8", "surrogateescape")


def signing_key(secret, date, region, service=SERVICE):
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def signature(secret, region, amzdate, host_port, pairs, service=SERVICE):
    """Of a presigned GET / with these (name, value) query pairs; host_port as the token says it."""
    host = host_port.lower()
    if host.endswith(":443"):  # https's own port is left out of the Host header
        host = host[:-4]
    query = "&".join("%s=%s" % p for p in sorted((encode(k), encode(v)) for k, v in pairs))
    request = "\n".join(["GET", "/", query, "host:" + host, "", "host", EMPTY_SHA256])
    date = amzdate[:8]
    scope = "/".join([date, region, service, "aws4_request"])
    to_sign = "\n".join([ALGORITHM, amzdate, scope, hashlib.sha256(request.encode()).hexdigest()])
    return hmac.new(signing_key(secret, date, region, service), to_sign.encode(), hashlib.sha256).hexdigest()


def make_token(host, port, user, region, key_id, secret, session_token=None, when=None, expires=900,
               action="connect", service=SERVICE):
    """A login token, in the order in which the AWS CLI prints it. when: an aware datetime, default now."""
    when = when or datetime.datetime.now(datetime.timezone.utc)
    amzdate = when.astimezone(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    pairs = [("Action", action), ("DBUser", user), ("X-Amz-Algorithm", ALGORITHM),
             ("X-Amz-Credential", "/".join([key_id, amzdate[:8], region, service, "aws4_request"])),
             ("X-Amz-Date", amzdate), ("X-Amz-Expires", str(expires)), ("X-Amz-SignedHeaders", "host")]
    if session_token:
        pairs.append(("X-Amz-Security-Token", session_token))
    name = "[%s]" % host if ":" in host else host
    host_port = "%s:%d" % (name, port)
    pairs.append(("X-Amz-Signature", signature(secret, region, amzdate, host_port, pairs, service)))
    return "%s/?%s" % (host_port, "&".join("%s=%s" % (encode(k), encode(v)) for k, v in pairs))


class Token:
    """A token's parts. Raises ValueError, saying what is wrong, unless it has the form of one."""
    REQUIRED = ("Action", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
                "X-Amz-SignedHeaders", "X-Amz-Signature")

    def __init__(self, text):
        head, mark, query = text.partition("?")
        if not mark:
            raise ValueError("no query in the token")
        self.host_port = head[:-1] if head.endswith("/") else head  # the Go SDK leaves the slash out
        self.pairs = []
        for part in query.split("&"):
            name, equals, value = part.partition("=")
            if not equals:
                raise ValueError("a query parameter has no value")
            self.pairs.append((decode(name), decode(value)))
        names = [n for n, _ in self.pairs]
        if len(set(names)) != len(names):
            raise ValueError("a query parameter comes twice")
        values = dict(self.pairs)
        missing = [n for n in self.REQUIRED if n not in values]
        if missing:
            raise ValueError("%s is missing" % missing[0])
        self.action, self.user = values["Action"], values.get("DBUser")  # Aurora DSQL's have no user
        self.algorithm, self.signed_headers = values["X-Amz-Algorithm"], values["X-Amz-SignedHeaders"]
        self.signature, self.session_token = values["X-Amz-Signature"], values.get("X-Amz-Security-Token")
        self.amzdate = values["X-Amz-Date"]
        if not re.fullmatch(r"\d{8}T\d{6}Z", self.amzdate):
            raise ValueError("X-Amz-Date is malformed")
        self.signed_at = datetime.datetime.strptime(self.amzdate, "%Y%m%dT%H%M%SZ").replace(
            tzinfo=datetime.timezone.utc)
        if not re.fullmatch(r"\d{1,6}", values["X-Amz-Expires"]):
            raise ValueError("X-Amz-Expires is malformed")
        self.expires = int(values["X-Amz-Expires"])
        scope = values["X-Amz-Credential"].split("/")
        if len(scope) != 5:
            raise ValueError("X-Amz-Credential is malformed")
        self.key_id, self.date, self.region, self.service, self.terminator = scope

    def signature_with(self, secret):
        """What the signature had to be, were this the secret key."""
        pairs = [(k, v) for k, v in self.pairs if k != "X-Amz-Signature"]
        return signature(secret, self.region, self.amzdate, self.host_port, pairs, self.service)


class SignedRequest:
    """The Authorization header of a request signed in its headers. Raises ValueError unless it has the form of one."""
    FORM = re.compile(ALGORITHM + r" Credential=([^,/]+)/(\d{8})/([^,/]+)/([^,/]+)/aws4_request, ?"
                      r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})")

    def __init__(self, method, target, headers, body):
        """headers: a mapping with names in lower case; target as in the request line."""
        found = self.FORM.fullmatch(headers.get("authorization", ""))
        if not found:
            raise ValueError("no Authorization header of Signature Version 4")
        self.key_id, self.date, self.region, self.service, signed, self.signature = found.groups()
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.names = signed.split(";")
        self.amzdate = headers.get("x-amz-date", "")
        self.session_token = headers.get("x-amz-security-token")
        if not re.fullmatch(r"\d{8}T\d{6}Z", self.amzdate) or self.amzdate[:8] != self.date:
            raise ValueError("X-Amz-Date is missing, malformed, or not of the scope's day")
        self.signed_at = datetime.datetime.strptime(self.amzdate, "%Y%m%dT%H%M%SZ").replace(
            tzinfo=datetime.timezone.utc)
        must = {"host", "x-amz-date"} | ({"x-amz-security-token"} if self.session_token else set())
        must |= {n for n in headers if n in ("content-type", "x-amz-target")}
        if self.names != sorted(set(self.names)) or not must <= set(self.names) or not set(self.names) <= set(headers):
            raise ValueError("SignedHeaders %s do not cover %s" % (self.names, sorted(must)))

    def signature_with(self, secret):
        """What the signature had to be, were this the secret key."""
        path, _, query = self.target.partition("?")
        pairs = sorted(tuple(part.partition("=")[::2]) for part in query.split("&") if part)
        lines = [self.method, path, "&".join("%s=%s" % p for p in pairs)]
        lines += ["%s:%s" % (n, re.sub(r" +", " ", self.headers[n].strip())) for n in self.names]
        lines += ["", ";".join(self.names), hashlib.sha256(self.body).hexdigest()]
        scope = "/".join([self.date, self.region, self.service, "aws4_request"])
        to_sign = "\n".join([ALGORITHM, self.amzdate, scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()])
        return hmac.new(signing_key(secret, self.date, self.region, self.service), to_sign.encode(),
                        hashlib.sha256).hexdigest()
