"""How much hostile input may cost: what `limits:` of the settings says, for those who read no YAML."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """Sizes in bytes. `archive_ratio` is unpacked size over packed size."""

    archive_bytes: int = 8 * 1024**3
    archive_entries: int = 500_000
    archive_ratio: int = 200
    download_bytes: int = 8 * 1024**3
    log_bytes: int = 256 * 1024**2
