"""TLS for tests: a client whose bytes the test hands over itself, in pieces of any size, and records of its own making; what a
client is told when TLS with the server fails."""
import hashlib
import hmac
import os
import re
import ssl
import struct
import tempfile

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import wire

ALPN = "postgresql"


def context(alpn=ALPN, version=None, cert=None):
    """Trusts everybody. cert: (chain, key) as PEM to show."""
    made = wire.trusting_context()
    if alpn:
        made.set_alpn_protocols([alpn])
    if version:
        made.minimum_version = made.maximum_version = ssl.TLSVersion[version]
    if cert:
        with tempfile.NamedTemporaryFile() as file:
            file.write(cert[0] + cert[1])
            file.flush()
            made.load_cert_chain(file.name)
    return made


def refused(pgiam):
    """A client is told that there is no TLS session with the server: the text, MESSAGE to HINT."""
    fields = pgiam.refusal()
    assert fields["S"] == "FATAL" and fields["C"][:2] == "08", fields
    return " ".join(fields.get(k, "") for k in "MDH")


class Socket:
    """In place of a socket in a wire.Wire. piece: how many bytes go out at a time; 0: as they come."""

    def __init__(self, sock, ctx, piece=0, session=None):
        self.sock, self.piece = sock, piece
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ctx.wrap_bio(self.incoming, self.outgoing, session=session)
        self._do(self.tls.do_handshake)

    def flush(self):
        data = self.outgoing.read()
        step = self.piece or len(data) or 1
        for at in range(0, len(data), step):
            self.sock.sendall(data[at:at + step])

    def _do(self, what, *args):
        while True:
            try:
                result = what(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()

    def sendall(self, data):
        self._do(self.tls.write, data)

    def recv(self, size):
        try:
            return self._do(self.tls.read, size)
        except ssl.SSLZeroReturnError:
            return b""

    def settimeout(self, seconds):
        self.sock.settimeout(seconds)

    def close(self):
        self.sock.close()


def start(w, ctx, **kw):
    """TLS on a wire.Wire from here on."""
    w.sock = Socket(w.sock, ctx, **kw)
    return w


# ---- records of TLS 1.3, made by hand ----

def _expand(secret, label, length, name):
    info = struct.pack("!HB", length, 6 + len(label)) + b"tls13 " + label + b"\0"
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(secret, block + info + bytes([i]), name).digest()
        out, i = out + block, i + 1
    return out[:length]


class Records:
    """Writes records with the client's key. The ssl module's own writing must have ended, after `sent` records."""

    def __init__(self, keylog, cipher, sent):
        bits, name = {"TLS_AES_256_GCM_SHA384": (256, "sha384"), "TLS_AES_128_GCM_SHA256": (128, "sha256")}[cipher]
        with open(keylog, encoding="ascii") as file:
            secret = bytes.fromhex(re.findall(r"^CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)$", file.read(), re.M)[-1])
        assert len(secret) == hashlib.new(name).digest_size
        self.aead = AESGCM(_expand(secret, b"key", bits // 8, name))
        self.iv, self.sequence = _expand(secret, b"iv", 12, name), sent

    def record(self, data, kind=23, padding=0):
        inner = data + bytes([kind]) + bytes(padding)
        head = struct.pack("!BHH", 23, 0x0303, len(inner) + 16)
        nonce = bytes(a ^ b for a, b in zip(self.iv, self.sequence.to_bytes(12, "big")))
        self.sequence += 1
        return head + self.aead.encrypt(nonce, inner, head)


def keylogging(workdir):
    made = context(version="TLSv1_3")
    made.keylog_filename = os.path.join(workdir, "keys")
    return made
