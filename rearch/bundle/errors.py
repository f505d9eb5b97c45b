"""What keeps a bundle from being refitted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rearch.bundle.values import FoundElf, Program
from rearch.errors import HostileInputError, StepError, UsageError, VerificationError
from rearch.formats.archive_errors import shown
from rearch.formats.elf import Mismatch, describe
from rearch.model.platform import Platform
from rearch.model.verified import VerifiedBinary


class Uncovered(VerificationError):
    """ELF files that no recipe makes, and that no pattern lets be."""

    def __init__(self, bundle: str, found: Sequence[FoundElf]) -> None:
        self.bundle = bundle
        self.found = tuple(found)
        super().__init__(
            f"{bundle}: {len(found)} ELF file{'s' * (len(found) != 1)} that nothing built here covers",
            [f"{shown(one.path)}: {words_of(one)}{f' ({one.why})' if one.why else ''}" for one in found],
            "write a recipe for it, or name its program or its path in the stack: "
            "`bundles: {NAME: {replace: [{path, component, binary}], allow: [PATH]}}`",
        )


class NotBuilt(VerificationError):
    """The program is known, and was not built for the platform."""

    def __init__(self, bundle: str, path: str, program: Program, platforms: Sequence[Platform]) -> None:
        self.bundle = bundle
        self.path = path
        self.program = program
        self.platforms = tuple(platforms)
        wanted = ",".join(platform.arch_name for platform in platforms)
        super().__init__(
            f"{bundle}: {shown(path)} is {program}, which is not built for {wanted or 'any platform'}",
            hint=f"`rearch build --only {program.component}{f' --arch {wanted}' if wanted else ''}`",
        )


class BinaryChanged(VerificationError):
    """A file of output/ is not the one that was verified."""

    def __init__(self, binary: VerifiedBinary, mismatches: Sequence[Mismatch] = ()) -> None:
        self.binary = binary
        self.mismatches = tuple(mismatches)
        super().__init__(
            f"{binary.path} is not what was verified: {binary}",
            [str(mismatch) for mismatch in mismatches] or [f"its sha256 was {binary.sha256}, of {binary.size} bytes"],
            "build again: `rearch build`",
        )


class SeveralRoots(HostileInputError):
    """An archive of Rancher's has exactly one folder at its top: the hosts' config.sh moves that one."""

    def __init__(self, bundle: str, roots: Sequence[str]) -> None:
        self.bundle = bundle
        self.roots = tuple(roots)
        super().__init__(
            f"{bundle} has {len(roots)} root folders" if roots else f"{bundle} has no root folder",
            [shown(root) for root in roots[:10]],
            "hosts refuse it: pack it again with one folder that holds everything",
        )


class WrongSums(VerificationError):
    """SHA1SUMS or SHA1SUMSSUM does not say what is there. `faults` are lines for people."""

    def __init__(self, bundle: str, faults: Sequence[str]) -> None:
        self.bundle = bundle
        self.faults = tuple(faults)
        more = [f"and {len(faults) - 20} more"] if len(faults) > 20 else []
        super().__init__(
            f"{bundle}: its sums are wrong",
            [*faults[:20], *more],
            "it was damaged or changed after it was packed: fetch it again",
        )


class NoApplyScript(UsageError):
    """One archive for all hosts needs an apply.sh to stand in front of."""

    def __init__(self, bundle: str, apply: str) -> None:
        self.bundle = bundle
        super().__init__(
            f"{bundle} has no {shown(apply)}, so nothing in it can choose between machines",
            hint="make a bundle for each architecture: `--arch arm64`",
        )


class NothingToReplace(VerificationError):
    """No ELF file in it: whatever it is, it is not what was meant."""

    def __init__(self, bundle: str) -> None:
        self.bundle = bundle
        super().__init__(
            f"{bundle} holds no program that could be replaced",
            hint=f"see what is in it: `rearch bundle scan {bundle}`",
        )


class CannotChoose(VerificationError):
    """The archive holds something that would not survive the chooser."""

    def __init__(self, bundle: str, path: str, why: str) -> None:
        self.bundle = bundle
        self.path = path
        super().__init__(
            f"{bundle}: {shown(path)} {why}", hint="make a bundle for each architecture instead: `--arch arm64`"
        )


class NameTaken(VerificationError):
    """The refit would make a file that the bundle has already."""

    def __init__(self, bundle: str, path: str) -> None:
        self.bundle = bundle
        self.path = path
        super().__init__(
            f"{bundle} has {shown(path)} already",
            hint="it was refitted before: take the original",
        )


class NoSuchBundle(UsageError):
    """Neither a file nor a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: no such archive or folder")


class BadTarget(UsageError):
    """The result would be written over the original, into it, or over a folder that holds something."""

    def __init__(self, target: Path, why: str) -> None:
        self.target = target
        super().__init__(f"{target} {why}", hint="name another place: --out PATH")


class TooLarge(StepError):
    """An entry that has to be in memory and is larger than that may be."""

    def __init__(self, bundle: str, path: str, size: int, allowed: int) -> None:
        self.bundle = bundle
        self.path = path
        self.size = size
        super().__init__(f"{bundle}: {shown(path)} has {size} bytes; {allowed} is the limit for such a file")


def words_of(found: FoundElf) -> str:
    """The file in a line: as `describe` has it, or how it is broken."""
    return describe(found.facts) if found.facts else f"a broken ELF file: {found.broken}"
