"""What there is to put into a bundle: verified binaries, read once more on their way in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from rearch.bundle.errors import BinaryChanged
from rearch.bundle.values import Program
from rearch.formats.elf import match_platform, read_elf
from rearch.formats.hashing import blocks
from rearch.model.platform import Platform
from rearch.model.verified import VerifiedBinary


class Offer:
    """Verified binaries by program and platform."""

    def __init__(self, binaries: Sequence[VerifiedBinary]) -> None:
        self._found = {(binary.component, binary.name, binary.platform): binary for binary in binaries}

    def get(self, program: Program, platform: Platform) -> VerifiedBinary | None:
        """The binary; None where it was not built."""
        return self._found.get((program.component, program.binary, platform))

    def platforms(self, program: Program) -> tuple[Platform, ...]:
        """For which it was built, sorted."""
        return tuple(
            sorted(
                platform
                for component, name, platform in self._found
                if (component, name) == (program.component, program.binary)
            )
        )


def program_blocks(binary: VerifiedBinary) -> Iterator[bytes]:
    """Its bytes, which are those that were verified, and for its platform. Errors: BinaryChanged.

    The digest is of the very bytes that are handed on: nobody can exchange the file in between.
    """
    digest, size = hashlib.sha256(), 0
    try:
        facts = read_elf(binary.path)
        if facts is None or (wrong := match_platform(facts, binary.platform)):
            raise BinaryChanged(binary, wrong if facts is not None else ())
        with binary.path.open("rb", buffering=0) as file:
            for block in blocks(file):
                digest.update(block)
                size += len(block)
                if size > binary.size:
                    raise BinaryChanged(binary)
                yield block
    except FileNotFoundError:
        raise BinaryChanged(binary) from None
    if digest.hexdigest() != binary.sha256 or size != binary.size:
        raise BinaryChanged(binary)
