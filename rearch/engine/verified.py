"""The verified binaries of output/, as build.json lists them, for those who hand them on: bundles, volumes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from rearch.engine.index import Entry, read_index
from rearch.errors import UsageError, VerificationError
from rearch.model.frozen import FrozenDict
from rearch.model.platform import parse_platform
from rearch.model.verified import VerifiedBinary


class NothingBuilt(UsageError):
    """output/ holds no verified binaries."""

    def __init__(self, output: Path) -> None:
        self.output = output
        super().__init__(f"{output} holds no verified binaries", hint="build first: `rearch build`")


class ChangedSinceVerified(VerificationError):
    """A file of output/ is not the one that was verified."""

    def __init__(self, binary: VerifiedBinary) -> None:
        self.binary = binary
        super().__init__(
            f"{binary.path} is not what was verified",
            (f"its sha256 was {binary.sha256}, of {binary.size} bytes",),
            hint="build again: `rearch build`",
        )


def verified_binaries(output: Path) -> tuple[VerifiedBinary, ...]:
    """Every program of build.json, links followed to what they name. Errors: NothingBuilt."""
    entries = read_index(output / "build.json").binaries
    files = {(str(entry["component"]), str(entry["platform"]), str(entry.get("name"))): entry for entry in entries}
    found = tuple(_each(output, files))
    if not found:
        raise NothingBuilt(output)
    return found


def check_verified(binary: VerifiedBinary) -> None:
    """Hash it, before it is handed on. Errors: ChangedSinceVerified."""
    try:
        with binary.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        digest = ""
    if digest != binary.sha256:
        raise ChangedSinceVerified(binary)


def _each(output: Path, files: dict[tuple[str, str, str], Entry]) -> Iterator[VerifiedBinary]:
    for (component, platform, name), entry in files.items():
        real = files.get((component, platform, entry["link"])) if "link" in entry else entry
        if real is None or not {"sha256", "size"} <= {*real}:
            continue
        yield VerifiedBinary(
            component=component,
            name=name,
            platform=parse_platform(platform),
            path=output.absolute() / str(real["path"]),
            size=int(real["size"]),
            sha256=str(real["sha256"]),
            elf=FrozenDict(real.get("elf") or {}),
        )
