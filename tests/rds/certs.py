"""Certificates for tests: a CA of RDS's shape (root, a subordinate per region, a server certificate), and every way in
which one can be wrong. Needs python3-cryptography."""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def new_key(kind="rsa"):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def cert_pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def alt_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """A certificate authority; a subordinate one if it has a parent."""

    def __init__(self, name="pgiam test RDS root CA", parent=None, key="rsa"):
        self.key, self.parent = new_key(key), parent
        self.subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "pgiam tests"),
                                  x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = parent or self
        builder = self._builder(self.subject, issuer.subject, self.key, -1, 3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False),
                                        critical=True)
        self.cert = builder.sign(issuer.key, hashes.SHA256())

    @staticmethod
    def _builder(subject, issuer, key, from_days, days):
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now + datetime.timedelta(days=from_days))
                .not_valid_after(now + datetime.timedelta(days=days)))

    def issue(self, names, from_days=-1, days=365, key="rsa", common_name=None, usage=None):
        """(chain as PEM: the certificate and the subordinates, key as PEM) for these DNS names or addresses; with no
        names, only the common name. Negative days: one that has expired."""
        secret = new_key(key)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or names[0][:64])])
        builder = self._builder(subject, self.subject, secret, from_days, days)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([alt_name(n) for n in names]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        chain, issuer = cert_pem(builder.sign(self.key, hashes.SHA256())), self
        while issuer.parent:
            chain += cert_pem(issuer.cert)
            issuer = issuer.parent
        return chain, key_pem(secret)

    @property
    def root(self):
        return self.parent.root if self.parent else self

    def pem(self):
        """The root that a client trusts."""
        return cert_pem(self.root.cert)
