"""The stand-in for AWS itself: its own verification of signatures, and that it tells right from wrong. Needs neither
PostgreSQL nor pgiam."""
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

import pytest

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
