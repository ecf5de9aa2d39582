"""A DPoP proof (RFC 9449) signed with ES256 (RFC 7518), verified with nothing but integers."""
import base64
import hashlib
import json

# P-256, FIPS 186-5
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def add(a, b):
    """Of two points; None is the one at infinity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(n, point):
    result = None
    while n:
        if n & 1:
            result = add(result, point)
        point, n = add(point, point), n >> 1
    return result


def signed_by(point, text, signature):
    """ECDSA with SHA-256; signature: r and s, 32 bytes each."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < N or not 0 < s < N:
        return False
    w, z = pow(s, -1, N), int.from_bytes(hashlib.sha256(text).digest(), "big")
    sum_ = add(times(z * w % N, G), times(r * w % N, point))
    return sum_ is not None and sum_[0] % N == r


def decode(text):
    if "=" in text:
        raise ValueError("padding")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)


def thumbprint(jwk):
    """RFC 7638: names a key."""
    text = json.dumps({k: jwk[k] for k in ("crv", "kty", "x", "y")}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def verify(proof, method, url, now, window_sec=300):
    """(the key's thumbprint, the proof's number), or ValueError."""
    parts = proof.split(".")
    if len(parts) != 3:
        raise ValueError("not three parts")
    header, claims, signature = json.loads(decode(parts[0])), json.loads(decode(parts[1])), decode(parts[2])
    jwk = header.get("jwk", {})
    if (header.get("typ"), header.get("alg"), jwk.get("kty"), jwk.get("crv")) != ("dpop+jwt", "ES256", "EC", "P-256"):
        raise ValueError("not ES256 of P-256")
    if "d" in jwk:
        raise ValueError("the private key, told to everybody")
    coordinates = [decode(jwk[k]) for k in "xy"]
    point = tuple(int.from_bytes(c, "big") for c in coordinates)
    if any(len(c) != 32 for c in coordinates) or (point[1]**2 - point[0]**3 + 3 * point[0] - B) % P:
        raise ValueError("not on the curve")
    if not signed_by(point, ("%s.%s" % (parts[0], parts[1])).encode(), signature):
        raise ValueError("wrong signature")
    if claims.get("htm") != method or claims.get("htu") != url:
        raise ValueError("for %s %s" % (claims.get("htm"), claims.get("htu")))
    if abs(claims.get("iat", 0) - now) > window_sec or not claims.get("jti"):
        raise ValueError("when, and what number")
    return thumbprint(jwk), claims["jti"]
