"""What go build left: looked at, and given its names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rearch.steps.compile_errors import BadOutput, UnexpectedOutputs
from rearch.steps.compile_packages import Program, is_file_name


def take_outputs(batch: tuple[Program, ...], out: Path, binaries: Path) -> None:
    """Move what one go build made to its names. Errors: UnexpectedOutputs."""
    wanted, found = {program.package.output for program in batch}, {path.name for path in out.iterdir()}
    if wanted != found:
        raise UnexpectedOutputs(sorted(wanted - found), sorted(found - wanted))
    for program in batch:
        made = out / program.package.output
        made.chmod(0o755)
        first = binaries / program.names[0]
        made.rename(first)
        for name in program.names[1:]:
            (binaries / name).hardlink_to(first)


def add_links(links: Mapping[str, str], binaries: Path) -> None:
    """Symbolic links beside the binaries. Errors: BadOutput."""
    for name, target in sorted(links.items()):
        for word in (name, target):
            if not is_file_name(word):
                raise BadOutput(word)
        (binaries / name).symlink_to(target)


def libraries_of(binaries: Path) -> list[str]:
    """Shared libraries (DT_NEEDED) of all files in a folder, sorted."""
    from rearch.formats.elf import read_elf

    found: set[str] = set()
    for path in sorted(binaries.iterdir()):
        elf = None if path.is_symlink() else read_elf(path)
        found.update(elf.needed if elf else ())
    return sorted(found)
