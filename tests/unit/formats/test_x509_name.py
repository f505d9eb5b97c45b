"""The hash of a certificate's subject, against what `openssl x509 -hash` printed for it."""

from __future__ import annotations

import base64

import pytest

from rearch.formats.x509_name import subject_hash

# `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -utf8 -subj
# "/C=DE/O=  Example   Trust  GmbH /OU=ÄRGER Unit+CN=Two Names/CN=Root CA"`: spaces, letters beyond ASCII, a set of two.
CERTIFICATE = b"""\
-----BEGIN CERTIFICATE-----
MIICKzCCAdGgAwIBAgIUXJJV3zo8k3wqUEe+baXiHU0HZWYwCgYIKoZIzj0EAwIw
ajELMAkGA1UEBhMCREUxITAfBgNVBAoMGCAgRXhhbXBsZSAgIFRydXN0ICBHbWJI
IDEmMBAGA1UEAwwJVHdvIE5hbWVzMBIGA1UECwwLw4RSR0VSIFVuaXQxEDAOBgNV
BAMMB1Jvb3QgQ0EwIBcNMjYxMTIyMTkyOTE4WhgPMjEyNjEwMjkxOTI5MThaMGox
CzAJBgNVBAYTAkRFMSEwHwYDVQQKDBggIEV4YW1wbGUgICBUcnVzdCAgR21iSCAx
JjAQBgNVBAMMCVR3byBOYW1lczASBgNVBAsMC8OEUkdFUiBVbml0MRAwDgYDVQQD
DAdSb290IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE27Tf9SB7VpwNCaG9
NqT2NNPIMlMAI8Rx48GJ6dMm4iFgaJZ7Ix3+Wi88ZCIH5ZoBiD958HCJB0E1ZJvi
4PDoIaNTMFEwHQYDVR0OBBYEFPzI87Z3KUU2nHyAeRYTEn6t9A75MB8GA1UdIwQY
MBaAFPzI87Z3KUU2nHyAeRYTEn6t9A75MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSAAwRQIgItXFH8+7rkPiErn+tZ8syX3rRmiEwQP+Da4sFQe/P84CIQCZ
esSkn0oD6E1uhoLozRLYIe5WJink4UVHEEPloZvqgw==
-----END CERTIFICATE-----
"""


def test_the_hash_is_openssl_s() -> None:
    assert subject_hash(CERTIFICATE) == "3a53e063"


def test_words_around_it_do_not_matter() -> None:
    assert subject_hash(b"# Root CA\n" + CERTIFICATE + b"trailer") == "3a53e063"


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der) + b"\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"no certificate",
        _pem(b""),
        _pem(b"\x30\x03\x30\x01"),
        _pem(b"\x30\x02\x30\x00"),
        _pem(b"\x31\x02\x30\x00"),
    ],
)
def test_what_is_no_certificate(pem: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        subject_hash(pem)


def test_a_certificate_that_is_cut_off() -> None:
    der = base64.b64decode(b"".join(CERTIFICATE.splitlines()[1:-1]))
    for size in range(0, 150, 7):
        with pytest.raises(ValueError, match=r"\w"):
            subject_hash(_pem(der[:size]))
