"""Reads documents as far as they can be read: what is wrong above is told, and hides nothing of what is below."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import Struct

from rearch.model.typed import Undecodable, typed
from rearch.oci.layout_blobs import DOCUMENT_LIMIT, blob_path
from rearch.oci.types import BadDocument, Descriptor, Index, read_document
from rearch.oci.validate_faults import Finding, finding

M = TypeVar("M", bound=Struct)

_NO_LAYOUT = "so this is no OCI image layout"


class Read(Struct, Generic[M], frozen=True, kw_only=True):
    """What became of a document. `document` is None where it is not valid, `raw` (its JSON) empty where that is none;
    bytes of another size or digest than they should have are read all the same."""

    findings: tuple[Finding, ...]
    document: M | None = None
    raw: dict[str, Any]


def marker_findings(layout: Path) -> Iterator[Finding]:
    """The file oci-layout (image-layout.md, "oci-layout file")."""
    data = _file(layout / "oci-layout")
    if isinstance(data, Finding):
        yield Finding(text=f"{data.text}, {_NO_LAYOUT}")
        return
    version = _json(data).get("imageLayoutVersion")
    if not isinstance(version, str) or not version.startswith("1."):
        yield Finding(text=f"it says version {version!r}; 1.0.0 is wanted, {_NO_LAYOUT}")


def read_index_json(layout: Path) -> Read[Index]:
    """The layout's index.json."""
    data = _file(layout / "index.json")
    if isinstance(data, Finding):
        return Read(findings=(Finding(text=f"{data.text}, {_NO_LAYOUT}"),), raw={})
    return _read(Index, data, ())


def read_blob_document(kind: type[M], layout: Path, descriptor: Descriptor) -> Read[M]:
    """The document behind a descriptor."""
    data = _file(blob_path(layout, descriptor.digest))
    if isinstance(data, Finding):
        return Read(findings=(data,), raw={})
    wrong = []
    if len(data) != descriptor.size:
        wrong.append(f"it has {len(data)} bytes, and should have {descriptor.size}")
    if (digest := hashlib.sha256(data).hexdigest()) != descriptor.hex:
        wrong.append(f"its digest is sha256:{digest}")
    damage = (Finding(text=f"the blob is damaged: {', and '.join(wrong)}"),) if wrong else ()
    return _read(kind, data, damage)


def descriptors_in(raw: dict[str, Any], key: str) -> Iterator[Descriptor]:
    """What a document that is not valid names under a key, as far as that is valid itself."""
    value = raw.get(key)
    for each in value if isinstance(value, list) else [value]:
        try:
            yield typed(each, Descriptor)
        except Undecodable:
            continue  # the document's own fault has told of it


def _read(kind: type[M], data: bytes, findings: tuple[Finding, ...]) -> Read[M]:
    try:
        return Read(findings=findings, document=read_document(kind, data, "document"), raw=_json(data))
    except BadDocument as error:
        return Read(findings=(*findings, finding(error)), raw=_json(data))


def _json(data: bytes) -> dict[str, Any]:
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _file(path: Path) -> bytes | Finding:
    """All of a small file. Errors: OSError, but for one that is not there."""
    name = f"the blob sha256:{path.name}" if path.parent.name == "sha256" else path.name
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read(DOCUMENT_LIMIT + 1)
    except (FileNotFoundError, IsADirectoryError):
        return Finding(text=f"{name} is missing")
    if len(data) > DOCUMENT_LIMIT:
        return Finding(text=f"{name} has more than {DOCUMENT_LIMIT} bytes, too many for a document")
    return data
