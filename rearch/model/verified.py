"""A binary that was built here and verified: what bundles and volumes are filled from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from rearch.model.platform import Platform


class VerifiedBinary(Struct, frozen=True, kw_only=True):
    """One program of output/bin. `component` is `stack/name`; `path` absolute, never a link; `size` in bytes;
    `sha256` hexadecimal, of the bytes that were verified; `elf` the facts that verify read (JSON values)."""

    component: str
    name: str
    platform: Platform
    path: Path
    size: int
    sha256: str
    elf: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.component} {self.name} ({self.platform})"
