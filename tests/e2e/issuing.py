# SPDX-License-Identifier: Apache-2.0
"""How the stand-ins of CAs sign: a real small CA (authority.py) that looks at requests as one does, and errs as it is told.

The folder has root.pem, inter.pem and inter.key. "issue" of FOLDER/control says what of a certificate is other than was
asked for: keys of authority.py, and `stranger` (another public key), `chain` (none, reversed), `behind` (text).
"""
import base64

import authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

EKU = {oid: word for word, oid in authority.PURPOSES.items()}


def load_pem(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def read_request(folder, text):
    """The request, or None with a violation: its signature, its kind of key, its extensions."""
    try:
        request = x509.load_pem_x509_csr(text)
    except ValueError as error:
        folder.violation(f"a request that is none: {error}")
        return None
    key = request.public_key()
    is_strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048) or isinstance(key, ec.EllipticCurvePublicKey)
    words = [e.oid._name for e in request.extensions]
    if not request.is_signature_valid or not is_strong or not isinstance(
            request.signature_hash_algorithm, (hashes.SHA256, hashes.SHA384)):
        folder.violation("a request that is not signed by its own strong key")
        return None
    if sorted(words) != ["extendedKeyUsage", "keyUsage", "subjectAltName"]:
        folder.violation(f"extensions of a request: {words}")
        return None
    return request


def names_of(request):
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {"dns": names.get_values_for_type(x509.DNSName), "uri": names.get_values_for_type(x509.UniformResourceIdentifier),
            "ip": [str(a) for a in names.get_values_for_type(x509.IPAddress)]}


def sign(folder, request, purposes, seconds):
    """The certificate and those above it, in PEM, as the control wants them."""
    wrong = folder.load("control").get("issue", {})
    common = request.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    said = {"cn": common[0].value if common else None, **names_of(request), "purposes": purposes, "from": -3600, "to": seconds,
            "usage": ["digital_signature", "key_encipherment"], **wrong}
    signer = serialization.load_pem_private_key((folder / "inter.key").read_bytes(), None)
    public = authority.make_key("ec-p256").public_key() if wrong.get("stranger") else request.public_key()
    leaf = authority.pem(authority.make(said, public, (load_pem(folder / "inter.pem"), signer))).decode()
    above = [(folder / f"{n}.pem").read_text() for n in ("inter", "root")]
    above = {"none": [], "reversed": above[::-1], "root": above[1:]}.get(wrong.get("chain"), above)
    return leaf.rstrip() + wrong.get("behind", ""), [a.rstrip() for a in above]


def pca_purposes(template):
    return {"EndEntityServerAuthCertificate": ["server"], "EndEntityClientAuthCertificate": ["client"],
            "EndEntityCertificate": ["server", "client"]}.get(template.split("/")[1] if template.startswith(
                "arn:aws:acm-pca:::template/") else None)


class Pca:
    """IssueCertificate and GetCertificate of one CA."""

    def __init__(self, folder):
        self.folder, self.issued, self.tokens = folder, {}, {}

    def issue(self, request, now):
        ca = self.folder.load("data").get("pca", "")
        known = {"CertificateAuthorityArn", "Csr", "SigningAlgorithm", "TemplateArn", "Validity", "IdempotencyToken"}
        if set(request) != known or not 0 < len(request["IdempotencyToken"]) <= 36:
            return 400, self.folder.violation(f"members of a request: {sorted(request)}")
        if request["CertificateAuthorityArn"] != ca:
            return 400, "ResourceNotFoundException"
        if request["SigningAlgorithm"] not in ("SHA256WITHECDSA", "SHA384WITHECDSA"):
            return 400, "InvalidArgsException"
        purposes = pca_purposes(request["TemplateArn"])
        if not purposes:
            return 400, "InvalidArgsException"
        found = read_request(self.folder, base64.b64decode(request["Csr"], validate=True))
        if found is None:
            return 400, "MalformedCSRException"
        kind, value = request["Validity"]["Type"], request["Validity"]["Value"]
        seconds = value * 86400 if kind == "DAYS" else value - now if kind == "ABSOLUTE" else 0
        arn = self.tokens.setdefault(request["IdempotencyToken"], f"{ca}/certificate/{len(self.tokens):032x}")
        if arn not in self.issued:
            self.issued[arn] = [*sign(self.folder, found, purposes, seconds), self.folder.load("control").get("pending", 1)]
        return 200, {"CertificateArn": arn}

    def get(self, request):
        if set(request) != {"CertificateAuthorityArn", "CertificateArn"} or request["CertificateArn"] not in self.issued:
            return 400, self.folder.violation("a certificate that was not issued")
        held = self.issued[request["CertificateArn"]]
        held[2] -= 1
        if held[2] >= 0:
            return 400, "RequestInProgressException"
        chain = {"CertificateChain": "\n".join(held[1])} if held[1] else {}
        return 200, {"Certificate": held[0], **chain}


def vault_sign(folder, body, role):
    """What Vault's pki/sign/ROLE answers: status, and data or the words of an error."""
    known = {"csr", "common_name", "exclude_cn_from_sans", "alt_names", "ip_sans", "uri_sans", "ttl", "format"}
    if not set(body) <= known or body.get("format") != "pem" or body.get("exclude_cn_from_sans") is not True:
        return 400, folder.violation(f"members of a request: {sorted(body)}")
    found = read_request(folder, body["csr"].encode())
    if found is None:
        return 400, "certificate request could not be parsed"
    names = names_of(found)
    for key, kind in (("alt_names", "dns"), ("ip_sans", "ip"), ("uri_sans", "uri")):
        if body.get(key, "") != ",".join(names[kind]):
            return 400, folder.violation(f"{key} is not what the request has")
    leaf, above = sign(folder, found, role.get("purposes", ["server"]), int(body["ttl"].removesuffix("s")))
    return 200, {"certificate": leaf, "issuing_ca": above[0] if above else "", "ca_chain": above, "expiration": 1, "serial_number": "0"}
