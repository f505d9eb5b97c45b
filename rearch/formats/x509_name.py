"""The hash under which OpenSSL looks for a certificate in a folder: of its subject, in a canonical form.

X509_NAME_hash(3) and OpenSSL's crypto/x509/x_name.c (asn1_string_canon): every value that is text becomes UTF-8 in
lower case (ASCII letters alone), without spaces at the ends, and with one where there were several; the names are
encoded without the SEQUENCE around them; the first four bytes of their SHA-1 are read as a little-endian number.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from rearch.errors import StepError

_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)
_SEQUENCE, _SET, _UTF8, _VERSION = 0x30, 0x31, 0x0C, 0xA0
# What asn1_string_canon converts (ASN1_MASK_CANON), and how its bytes are read.
_TEXTS = {0x0C: "utf-8", 0x1E: "utf-16-be", 0x13: "latin-1", 0x14: "latin-1", 0x16: "latin-1", 0x1A: "latin-1"} | {
    0x1C: "utf-32-be"
}
_SUBJECT = 5


class BadCertificate(StepError):
    """A file that should be a certificate in PEM."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(f"{name} is no certificate: {why}", hint="another version of the package that it is in")


def subject_hash(pem: bytes) -> str:
    """Eight hexadecimal digits, as `openssl x509 -hash` prints them, of the first certificate in a PEM text.

    Errors: ValueError, with what is wrong.
    """
    found = _PEM.search(pem)
    if not found:
        raise ValueError("no BEGIN CERTIFICATE")
    try:
        der = base64.b64decode(found[1], validate=False)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    canonical = b"".join(_canonical_set(content) for _tag, content in _elements(_subject(der)))
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _subject(der: bytes) -> bytes:
    """Certificate > tbsCertificate > [0] version, serialNumber, signature, issuer, validity, subject (RFC 5280)."""
    body = _only(_only(der))
    fields = [content for tag, content in _elements(body) if tag != _VERSION]
    if len(fields) < _SUBJECT:
        raise ValueError("it has no subject")
    return fields[_SUBJECT - 1]


def _only(data: bytes) -> bytes:
    """The content of the SEQUENCE that comes first."""
    tag, content = next(_elements(data), (0, b""))
    if tag != _SEQUENCE:
        raise ValueError("its encoding is not that of a certificate")
    return content


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element (X.690, 8.1: definite lengths alone, as DER wants them)."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1] if at + 1 < len(data) else 0, at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + length > len(data):
            raise ValueError("its encoding is cut off")
        yield tag, data[at : at + length]
        at += length


def _canonical_set(content: bytes) -> bytes:
    """A RelativeDistinguishedName; the members of a SET are sorted by their bytes (X.690, 11.6)."""
    pairs = sorted(_canonical_pair(pair) for _tag, pair in _elements(content))
    return _encoded(_SET, b"".join(pairs))


def _canonical_pair(content: bytes) -> bytes:
    parts = list(_elements(content))
    if len(parts) != 2:
        raise ValueError("a part of its subject is no pair")
    (kind, name), (tag, value) = parts
    encoding = _TEXTS.get(tag)
    if encoding is not None:
        text = value.decode(encoding).strip(" \t\n\v\f\r")
        plain = re.sub(r"[ \t\n\v\f\r]+", " ", text)
        tag, value = _UTF8, re.sub(r"[A-Z]+", lambda found: found[0].lower(), plain).encode()
    return _encoded(_SEQUENCE, _encoded(kind, name) + _encoded(tag, value))


def _encoded(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
