"""What bundles are talked about in: the plan of a refit, what was found, what was done."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field

from rearch.formats.elf import ElfFacts
from rearch.model.platform import Platform
from rearch.model.verified import VerifiedBinary

SUMS, SUMS_SUM = "SHA1SUMS", "SHA1SUMSSUM"
APPLY, UPSTREAM = "apply.sh", "apply.upstream.sh"


class Program(Struct, frozen=True, kw_only=True, order=True):
    """A program that rearch builds. `component` is `stack/name`; `package`: Go's path of the main package, if known."""

    component: str
    binary: str
    package: str = ""

    def __str__(self) -> str:
        return f"{self.component} {self.binary}"


class Replace(Struct, frozen=True, kw_only=True):
    """ELF files whose path (without the archive's root folder) matches `path` are this program.

    `component` is `stack/name`, or the name alone.
    """

    path: str
    component: str
    binary: str


class Rules(Struct, frozen=True, kw_only=True):
    """What a stack says of a bundle. `allow`: patterns of paths whose ELF files stay as they are."""

    replace: tuple[Replace, ...] = ()
    allow: tuple[str, ...] = ()


class RefitPlan(Struct, frozen=True, kw_only=True):
    """What goes into a bundle.

    `platform` None: one archive for all hosts, with a file for each machine and a chooser in front of apply.sh;
    otherwise a bundle for that platform alone. `rancher`: by its name it is an archive of Rancher's, so that it must
    have one root folder and gets sums even where it has none.
    """

    binaries: tuple[VerifiedBinary, ...]
    programs: tuple[Program, ...]
    rules: Rules = field(default_factory=Rules)
    platform: Platform | None = None
    rancher: bool = False


class FoundElf(Struct, frozen=True, kw_only=True):
    """An ELF file of a bundle. `path` is the whole one, `facts` None for one that is damaged (`broken` says how).

    `size` in bytes, `sha256` hexadecimal. `program`: what covers it, if anything does; `allowed`: a pattern lets it be.
    """

    path: str
    size: int
    sha256: str
    facts: ElfFacts | None
    broken: str = ""
    program: Program | None = None
    why: str = ""
    allowed: bool = False


class Put(Struct, frozen=True, kw_only=True):
    """A file that the refit made. `was` is the path of the file that it stands for, `what` is for people."""

    path: str
    was: str
    what: str
    sha256: str
    size: int
    platform: Platform | None = None


class Refit(Struct, frozen=True, kw_only=True):
    """What a refit did. `kept` are ELF files that stayed; `machines` the names (`uname -m`) that the chooser knows.

    `lacking`: platforms that some of the programs were built for, but not all: hosts of that kind are refused.
    """

    entries: int
    put: tuple[Put, ...]
    kept: tuple[FoundElf, ...] = ()
    machines: tuple[str, ...] = ()
    lacking: tuple[Platform, ...] = ()
    sums: bool = False


class Refitted(Struct, frozen=True, kw_only=True):
    """A refitted bundle: where it is, its sha256 (empty for a folder) and size, and what was done."""

    name: str
    path: Path
    sha256: str
    size: int
    done: Refit
