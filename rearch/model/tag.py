"""What a tag may be called."""

from __future__ import annotations

import re

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
TAG_RULE = "a tag has letters, digits and _ . -, starts with no . or -, and has at most 128 characters"


def is_tag(text: str) -> bool:
    """Whether registries take it (OCI distribution specification 1.1, "Pulling manifests": <reference> as a tag)."""
    return TAG.fullmatch(text) is not None
