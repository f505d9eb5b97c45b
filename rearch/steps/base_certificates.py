"""/etc/ssl/certs as update-ca-certificates(8) would have made it, without running it.

The script of the package ca-certificates, `add`: for each certificate a link `NAME.pem`, and its text at the end of
ca-certificates.crt, with a newline where it lacks one. Which ones: all of the package's, in the order of their names,
as its postinst writes /etc/ca-certificates.conf on a new system.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rearch.errors import StepError
from rearch.formats.tree import Kind, walk
from rearch.formats.x509_name import BadCertificate, subject_hash
from rearch.steps.base_tree import file_inside, inside

SOURCE = "usr/share/ca-certificates"
PLACE = "/etc/ssl/certs"


class NoCertificates(StepError):
    """`ca_certificates` without the package that has them."""

    def __init__(self) -> None:
        super().__init__(
            f"there are no certificates in /{SOURCE}", hint="add ca-certificates to `base.packages` in the recipe"
        )


def certificate_files(root: Path) -> Iterator[tuple[str, bytes | str]]:
    """Path and content of the bundle, path and target of the links. Errors: NoCertificates, BadCertificate.

    Links called after the hash of the subject (`openssl rehash`) are how OpenSSL, and so Python, finds a certificate:
    its default is the folder, not the bundle.
    """
    texts = dict(_certificates(root))
    if not texts:
        raise NoCertificates
    bundle = bytearray()
    taken: dict[str, int] = {}
    for name, text in texts.items():
        bundle += text if text.endswith(b"\n") else text + b"\n"
        link = f"{_link_name(name)}.pem"
        yield f"{PLACE}/{link}", f"/{SOURCE}/{name}"
        hashed = _hash(text, name)
        yield f"{PLACE}/{hashed}.{taken.setdefault(hashed, 0)}", link
        taken[hashed] += 1
    yield f"{PLACE}/ca-certificates.crt", bytes(bundle)


def _certificates(root: Path) -> Iterator[tuple[str, bytes]]:
    """Name below SOURCE and content, in the order of the names' bytes."""
    folder = root / inside(root, SOURCE)
    if not folder.is_dir():
        return
    found = (entry.path for entry in walk(folder) if entry.kind is not Kind.FOLDER and entry.path.endswith(".crt"))
    for name in sorted(found, key=os.fsencode):
        file = file_inside(root, f"{SOURCE}/{name}")
        if file is not None:
            yield name, file.read_bytes()


def _link_name(name: str) -> str:
    """`basename CERT .crt | sed -e 's/ /_/g' -e 's/[()]/=/g' -e 's/,/_/g'`"""
    plain = name.rpartition("/")[2].removesuffix(".crt")
    return plain.translate(str.maketrans(" ,()", "__=="))


def _hash(text: bytes, name: str) -> str:
    try:
        return subject_hash(text)
    except ValueError as error:
        raise BadCertificate(f"{SOURCE}/{name}", str(error)) from None
