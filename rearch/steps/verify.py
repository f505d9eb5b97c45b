"""The verify step: every binary is read and compared with its platform and with what the recipe says of it.

A result of this step is what lets a binary out of the store. All differences of all binaries make one error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.errors import VerificationError
from rearch.formats.elf import (
    ElfFacts,
    Mismatch,
    describe,
    glibc_order,
    match_platform,
    read_elf,
    unknowns,
)
from rearch.model.platform import Platform
from rearch.model.step import VerifyInputs
from rearch.steps.ports import Outcome, Workspace


class WrongFile(Struct, frozen=True, kw_only=True):
    """One binary and everything that is wrong with it; `facts` is None where it is no ELF file."""

    name: str
    facts: ElfFacts | None
    mismatches: tuple[Mismatch, ...]

    def lines(self) -> Iterator[str]:
        yield f"{self.name}: {describe(self.facts) if self.facts else 'no ELF file'}"
        yield from (f"  {mismatch}" for mismatch in self.mismatches)


class WrongBinary(VerificationError):
    """Binaries that are not what they would be published as."""

    def __init__(self, platform: Platform, files: Sequence[WrongFile]) -> None:
        self.platform = platform
        self.files = tuple(files)
        names = ", ".join(file.name for file in files)
        super().__init__(
            f"not right for {platform}: {names}",
            [line for file in files for line in file.lines()],
            _hint(platform, self.files),
        )


def _hint(platform: Platform, files: tuple[WrongFile, ...]) -> str:
    kinds = {mismatch.what for file in files for mismatch in file.mismatches}
    if "machine" in kinds:
        return "look for GOARCH, GOOS or CC in `build.go.env` and `generate`: something overrides the platform"
    if "link" in kinds:
        return "set `verify.link` to what is wanted, or `build.go.cgo.link`; without cgo a Go program is static"
    if "glibc" in kinds or "library" in kinds:
        return "link static, take the sysroot from an older release, or change `verify.glibc` or `verify.libraries`"
    if kinds & {"processor of the C code", "float ABI"}:
        return f"the C compiler makes code for a newer processor than {platform} has: use a toolchain of kind zig"
    return f"nothing that is not right for {platform} leaves the build: change the recipe's build or verify section"


def run_verify(inputs: VerifyInputs, work: Workspace) -> Outcome:
    """Check every file of the compile's `bin/`. Facts: `binaries`, name -> ElfFacts.to_facts().

    Errors: WrongBinary, with everything that is wrong; BrokenElf.
    """
    folder = work.needs["binaries"].files / "bin"
    read = {name: _read(folder, name) for name in _names(folder, inputs.names)}
    checked = [_check(name, found, inputs) for name, found in read.items()]
    wrong = [file for file in checked if file.mismatches]
    if wrong:
        raise WrongBinary(inputs.platform, wrong)
    facts = {name: found for name, found in read.items() if isinstance(found, ElfFacts)}
    for name, elf in facts.items():
        for line in (describe(elf), *unknowns(elf, inputs.platform)):
            work.say(f"{name}: {line}")
    doubts = sorted({line for elf in facts.values() for line in unknowns(elf, inputs.platform)})
    return Outcome(facts={"binaries": {name: elf.to_facts() for name, elf in facts.items()}}, note="; ".join(doubts))


def _names(folder: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """What was announced, and what lies there besides: everything in bin/ is handed out, so everything is read."""
    present = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return tuple(sorted({*wanted, *present}))


def _read(folder: Path, name: str) -> ElfFacts | Mismatch:
    """The file's facts, or why there are none."""
    path = folder / name
    target = path.resolve()
    if not target.is_relative_to(folder.resolve()):
        return Mismatch("link target", str(target), "a file beside it")
    if not target.is_file():
        return Mismatch("file", "nothing" if not path.is_symlink() else "a link to nothing", "a program")
    found = read_elf(target)
    return found if found is not None else Mismatch("format", _beginning(target), "an ELF program")


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(24)
    return f"a file that begins with {data!r}" if data else "an empty file"


def _check(name: str, found: ElfFacts | Mismatch, inputs: VerifyInputs) -> WrongFile:
    if isinstance(found, Mismatch):
        return WrongFile(name=name, facts=None, mismatches=(found,))
    other = match_platform(found, inputs.platform)
    return WrongFile(name=name, facts=found, mismatches=(*other, *_claims(found, inputs)))


def _claims(facts: ElfFacts, inputs: VerifyInputs) -> Iterator[Mismatch]:
    """What the recipe says of the binaries, whatever the platform."""
    if facts.kind not in ("exec", "pie"):
        yield Mismatch("kind", facts.kind, "a program")
    elif inputs.link != "any" and facts.static != (inputs.link == "static"):
        yield Mismatch("link", _linkage(facts), inputs.link)
    if inputs.go and facts.go is None and facts.go_build_id is None:
        yield Mismatch("language", "no build information of Go", "a Go program")
    if inputs.glibc is not None and facts.glibc is not None and glibc_order(facts.glibc) > glibc_order(inputs.glibc):
        yield Mismatch("glibc", facts.glibc, f"{inputs.glibc} or lower")
    if inputs.libraries is not None:
        for library in facts.needed:
            if library not in inputs.libraries:
                yield Mismatch("library", library, ", ".join(inputs.libraries) or "none")


def _linkage(facts: ElfFacts) -> str:
    if facts.static:
        return "static"
    return f"dynamic ({', '.join((facts.interpreter or 'no interpreter', *facts.needed))})"
