"""Annotations inside a manifest: a new manifest of the same image, with another digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rearch.oci.join_errors import NoAnnotationsInDockerList
from rearch.oci.types import OCI_MANIFEST, BadDocument


def annotate_manifest(data: bytes, annotations: Mapping[str, str], *, media_type: str, name: str) -> bytes:
    """The manifest with these annotations over its own; the same bytes where that changes nothing.

    All else stays as it is, also fields that rearch does not know; config and layers keep their digests. Attestations
    about the manifest do not hold for the new one (join leaves them out, by the digest). `name` is for messages.
    Errors: NoAnnotationsInDockerList; BadDocument.
    """
    if not annotations:
        return data
    if media_type != OCI_MANIFEST:
        raise NoAnnotationsInDockerList([f"the manifest of {name}"])
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise BadDocument(name, ("it is not JSON",)) from None
    before = document.get("annotations") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(before, dict | None):
        raise BadDocument(name, ("it is no manifest",))
    after = dict(sorted({**(before or {}), **annotations}.items()))
    if after == before:
        return data
    return json.dumps({**document, "annotations": after}, separators=(",", ":"), ensure_ascii=False).encode()
