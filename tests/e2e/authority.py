# SPDX-License-Identifier: Apache-2.0
"""A small CA, good or bad as it is told: certificates by what is said of each, with python3-cryptography.

As a program: reads a JSON list of certificates, and writes NAME.pem and NAME.key of each into the folder that it is
given. What is not said of one is as a good CA would have it. As a module: the stand-in for ACM PCA signs with it.
"""
import datetime
import ipaddress
import json
import os
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CURVES = {"ec-p256": ec.SECP256R1, "ec-p384": ec.SECP384R1, "ec-p521": ec.SECP521R1, "ec-k1": ec.SECP256K1}
PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH,
            "code": ExtendedKeyUsageOID.CODE_SIGNING, "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
          "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")


def make_key(kind):
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))


def key_pem(key, form="PKCS8", password=None):
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), how)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def names(said):
    found = [x509.DNSName(n) for n in said.get("dns", [])]
    found += [x509.IPAddress(ipaddress.ip_address(n)) for n in said.get("ip", [])]
    found += [x509.UniformResourceIdentifier(n) for n in said.get("uri", [])]
    return found + [x509.RFC822Name(n) for n in said.get("email", [])]


def usage(words):
    return x509.KeyUsage(**{word: word in words for word in USAGES})


def make(said, public, issuer=None):
    """A certificate for a public key; `issuer` is (certificate, key), or the key alone of one that signs itself."""
    signer_certificate, signer = issuer if isinstance(issuer, tuple) else (None, issuer)
    is_ca = said.get("ca", False)
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, said["cn"])] if said.get("cn") else [])
    builder = x509.CertificateBuilder().subject_name(subject).public_key(public)
    builder = builder.issuer_name(signer_certificate.subject if signer_certificate else subject)
    builder = builder.serial_number(said.get("serial", int.from_bytes(os.urandom(16), "big") >> 1))
    builder = builder.not_valid_before(now + datetime.timedelta(seconds=said.get("from", -60)))
    builder = builder.not_valid_after(now + datetime.timedelta(seconds=said.get("to", 86400)))
    if said.get("constraints", True):
        builder = builder.add_extension(x509.BasicConstraints(is_ca, said.get("path")), critical=True)
    words = said.get("usage", ["key_cert_sign", "crl_sign"] if is_ca else ["digital_signature"])
    if words is not None:
        builder = builder.add_extension(usage(words), critical=True)
    if said.get("purposes"):
        builder = builder.add_extension(x509.ExtendedKeyUsage([PURPOSES[p] for p in said["purposes"]]), critical=False)
    if names(said):
        builder = builder.add_extension(x509.SubjectAlternativeName(names(said)), critical=not said.get("cn"))
    if said.get("permitted"):
        builder = builder.add_extension(
            x509.NameConstraints([x509.DNSName(n) for n in said["permitted"]], None), critical=True)
    signer_public = signer.public_key()
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_public), critical=False)
    is_edwards = isinstance(signer, ed25519.Ed25519PrivateKey)
    return builder.sign(signer, None if is_edwards else getattr(hashes, said.get("hash", "SHA256"))())


def main():
    folder = pathlib.Path(sys.argv[1])
    made = {}
    for said in json.load(sys.stdin):
        key = made[said["same-key"]][1] if "same-key" in said else make_key(said.get("key", "ec-p256"))
        issuer = made[said["issuer"]] if "issuer" in said else key
        made[said["name"]] = make(said, key.public_key(), issuer), key
        (folder / f"{said['name']}.pem").write_bytes(pem(made[said["name"]][0]))
        (folder / f"{said['name']}.key").write_bytes(key_pem(key, said.get("form", "PKCS8"),
                                                             said.get("password", "").encode()))


if __name__ == "__main__":
    main()
