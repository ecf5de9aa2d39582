"""What a client that knows a password answers to an authentication request: PostgreSQL's md5 exchange and SCRAM-SHA-256, the
latter with any words of the test's own around the proof."""
import base64
import hashlib
import hmac
import struct

BINDING = "p=tls-server-end-point,,"


def _mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def md5_digits(password, user, salt):
    """The 32 digits behind `md5`."""
    kept = hashlib.md5((password + user).encode()).hexdigest()
    return hashlib.md5(kept.encode() + salt).hexdigest()


def scram_proof(password, bare, server_first, without_proof):
    """The proof over these messages, in base64; bare: the client's first without its gs2 header."""
    said = dict(p.split("=", 1) for p in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"]))
    key = _mac(salted, b"Client Key")
    signature = _mac(hashlib.sha256(key).digest(), ",".join([bare, server_first, without_proof]).encode())
    return base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()


def fill(template, request, password, user, bare, certificate):
    """A template with the {md5} digits in it, or the whole nonce {r}, what binds to the certificate {b} in base64 and the
    proof {p}. request: the body of the server's last authentication request."""
    code, = struct.unpack_from("!I", request)
    if code == 5:
        return template.replace("{md5}", md5_digits(password, user, request[4:]))
    if code != 11:
        return template  # it was refused: there is nothing to prove
    server_first = request[4:].decode()
    nonce = dict(p.split("=", 1) for p in server_first.split(","))["r"]
    bound = base64.b64encode(BINDING.encode() + hashlib.sha256(certificate or b"").digest()).decode()
    text = template.replace("{r}", nonce).replace("{b}", bound)
    return text.replace("{p}", scram_proof(password, bare, server_first, text.split(",p=")[0]))
