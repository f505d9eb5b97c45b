"""Names and versions of Debian packages, as YAML scalars."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from rearch.model.base import Says


def _debian_name(value: str) -> str:
    """Debian policy 5.6.1; a name that starts with `-` would be an option of apt."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", value):
        raise ValueError("a Debian package's name has lower-case letters, digits and + - .")
    return value


def _debian_version(value: str) -> str:
    """Debian policy 5.6.12."""
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+:~-]*", value):
        raise ValueError("a Debian version has letters, digits and . + : ~ -")
    return value


DebianName = Annotated[str, AfterValidator(_debian_name), Says("Debian package", "^[a-z0-9][a-z0-9+.-]+$")]
DebianVersion = Annotated[str, AfterValidator(_debian_version), Says("Debian version")]
