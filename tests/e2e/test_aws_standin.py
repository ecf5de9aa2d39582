"""The stand-in for AWS itself: its own verification of signatures, and that it tells right from wrong. Needs neither
PostgreSQL nor pgiam."""
import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

import dpop
import sigv4
from standin import VECTORS


@pytest.mark.parametrize("v", VECTORS["signed_requests"], ids=lambda v: v["name"])
def test_vector(v):
    headers = dict(v["signed_headers"], authorization=v["expected_authorization"])
    request = sigv4.SignedRequest(v["method"], v["path"], headers, v["body"].encode())
    assert request.signature_with(v["credentials"]["secret_access_key"]) == request.signature
    assert request.signature_with("another") != request.signature
    request.body += b" "
    assert request.signature_with(v["credentials"]["secret_access_key"]) != request.signature


def call(url, method="GET", data=None, headers=None, context=None):
    rq = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(rq, timeout=5) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def test_imds_wants_a_token(aws):
    base = aws.url + "/latest/meta-data/iam/security-credentials/"
    assert call(base)[0] == 401
    assert call(aws.url + "/latest/api/token", "PUT", b"")[0] == 400
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    assert call(aws.url + "/latest/api/token", "PUT", b"", dict(ttl, **{"X-Forwarded-For": "10.0.0.1"}))[0] == 403
    status, token = call(aws.url + "/latest/api/token", "PUT", b"", ttl)
    assert status == 200
    have = {"X-aws-ec2-metadata-token": token.decode()}
    status, role = call(base, headers=have)
    assert json.loads(call(base + role.decode().strip(), headers=have)[1])["AccessKeyId"] in aws.keys
    aws.offset_sec = 61
    assert call(base, headers=have)[0] == 401


def test_sts_refuses_what_is_not_signed(aws):
    context = ssl.create_default_context(cafile=aws.ca_path)
    form = urllib.parse.urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"}).encode()
    status, body = call(aws.tls_url + "/", "POST", form, context=context)
    assert status == 403 and b"<Code>IncompleteSignature</Code>" in body
    status, body = call(aws.tls_url + "/", "POST", form, {"Accept": "application/json"}, context)
    assert status == 403 and json.loads(body)["Error"]["Code"] == "IncompleteSignature"


def test_faults(aws):
    url = aws.url + "/v1/credentials"
    aws.fault("container", status=503, body="busy", headers={"Retry-After": "7"})
    aws.fault("container", code="ThrottlingException", status=400)
    assert call(url) == (503, b"busy")
    assert json.loads(call(url)[1])["code"] == "ThrottlingException"
    assert json.loads(call(url)[1])["AccessKeyId"].startswith("ASIA")
    assert len(aws.asked("container")) == 3


def proof(private, header=None, claims=None, now=1000):
    """A DPoP proof made without pgiam."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    numbers = private.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": part(numbers.x.to_bytes(32, "big")).decode(),
           "y": part(numbers.y.to_bytes(32, "big")).decode()}
    parts = [dict({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}, **header or {}),
             dict({"htm": "POST", "htu": "https://a/v1/token", "iat": now, "jti": "1"}, **claims or {})]
    text = b".".join(part(json.dumps(p).encode()) for p in parts)
    r, s = utils.decode_dss_signature(private.sign(text, ec.ECDSA(hashes.SHA256())))
    return (text + b"." + part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()


def test_proofs_of_possession():
    private, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    right = proof(private)
    key, number = dpop.verify(right, "POST", "https://a/v1/token", 1000)
    assert number == "1" and key != dpop.verify(proof(other), "POST", "https://a/v1/token", 1000)[0]
    head, claims, signature = right.split(".")
    for wrong in ("", head, right + ".", "%s.%s.%s" % (head, claims, proof(other).split(".")[2]),
                  "%s.%s.%s" % (head, proof(private, claims={"jti": "2"}).split(".")[1], signature),
                  "%s.%s.%s" % (proof(other).split(".")[0], claims, signature),
                  right[:-4], proof(private, {"alg": "none"}), proof(private, {"typ": "JWT"}),
                  proof(private, {"jwk": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}}),
                  proof(private, claims={"htm": "GET"}), proof(private, claims={"htu": "https://b/v1/token"}),
                  proof(private, claims={"jti": ""}), proof(private, now=1301), proof(private, now=699)):
        with pytest.raises(ValueError):
            dpop.verify(wrong, "POST", "https://a/v1/token", 1000)
