"""Stamps (-X): found in the source before linking, found in the binary after it. The linker checks neither."""

from __future__ import annotations

import difflib
import mmap
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.formats.gosource import Stampable, Variable, nearest, string_variables
from rearch.steps.compile_errors import StampMissing, UnknownStamp
from rearch.steps.compile_flags import Stamp, read_stamp, stamps_in
from rearch.steps.compile_packages import Package, Program


class Stamps(Struct, frozen=True, kw_only=True):
    """`ours` are those of `stamps:`, which rearch writes for the linker; `theirs` stand in the recipe's ldflags."""

    ours: tuple[Stamp, ...]
    theirs: tuple[Stamp, ...]

    @property
    def all(self) -> tuple[Stamp, ...]:
        return self.ours + self.theirs

    @property
    def outside_main(self) -> bool:
        """Whether one is in another package than main."""
        return any(stamp.package != "main" for stamp in self.all)


def read_stamps(stamps: Mapping[str, str], ldflags: tuple[str, ...]) -> Stamps:
    """The stamps of a recipe; `ldflags` is split into fields. Errors: BadStamp."""
    ours = tuple(read_stamp(variable, text) for variable, text in sorted(stamps.items()))
    return Stamps(ours=ours, theirs=stamps_in(ldflags))


def resolve(stamp: Stamp, all_programs: tuple[Program, ...]) -> Stamp:
    """The stamp under the import path that the linker knows. Errors: UnknownStamp.

    In a GOPATH a vendored package is called `<parent>/vendor/<path>`, in a module just `<path>`; `stamps:` may say
    either.
    """
    if stamp.package == "main":
        return stamp
    linked = frozenset[str]().union(*(program.package.deps for program in all_programs))
    for path in _spellings(stamp.package, linked):
        if path in linked:
            return Stamp(path, stamp.name, stamp.text, stamp.written)
    mains = {program.package.import_path for program in all_programs}
    if stamp.package in mains:
        why = f"{stamp.package} is a program, which the linker calls main"
        raise UnknownStamp(stamp.written, why, (f"main.{stamp.name}",))
    # Vendored ones are compared without the parent's path, which is most of the text.
    plain = {path.rpartition("/vendor/")[2]: path for path in sorted(linked)}
    near = tuple(plain[word] for word in difflib.get_close_matches(stamp.package, sorted(plain), n=2, cutoff=0.6))
    why = f"no binary contains the package {stamp.package}"
    raise UnknownStamp(stamp.written, why, tuple(f"{path}.{stamp.name}" for path in near))


def check_spelling(written: Stamp, known: Stamp) -> None:
    """A stamp in ldflags goes to the linker as it is: another spelling has no effect there. Errors: UnknownStamp."""
    if known.package != written.package:
        why = f"in this layout the package is called {known.package}"
        raise UnknownStamp(written.written, why, (known.variable,))


def _spellings(path: str, linked: frozenset[str]) -> tuple[str, ...]:
    plain = path.rpartition("/vendor/")[2]
    vendored = sorted(item for item in linked if item.endswith(f"/vendor/{plain}"))
    return (path, *vendored, plain)


def check_variable(stamp: Stamp, package: Package) -> None:
    """The package has a variable of that name that -X can set. Errors: UnknownStamp."""
    sources = {str(path.name): path.read_text(encoding="utf-8", errors="replace") for path in package.sources}
    variables = string_variables(sources)
    found = next((item for item in variables if item.name == stamp.name), None)
    if found is not None and found.stampable is not Stampable.NO:
        return
    raise UnknownStamp(stamp.written, _why(stamp, package, found), _near(stamp, variables))


def _why(stamp: Stamp, package: Package, found: Variable | None) -> str:
    if found is None:
        return f"package {package.import_path} has no variable {stamp.name}"
    return f"{stamp.name} ({package.import_path}, {found.file}:{found.line}) cannot be stamped: it is {found.why}"


def _near(stamp: Stamp, variables: tuple[Variable, ...]) -> tuple[str, ...]:
    prefix = stamp.written.rpartition(".")[0]
    return tuple(f"{prefix}.{name}" for name in nearest(stamp.name, variables) if name != stamp.name)


def check_stamped(stamp: Stamp, all_programs: Iterable[Program], binaries: Path) -> tuple[str, ...]:
    """The text of a stamp is in the binaries; the answer names those that hold the package and not the text.

    In such a binary nothing reads the variable, or the linker would have kept it: no harm, unless it is so in all.
    Errors: StampMissing.
    """
    holders = [item for item in all_programs if stamp.package == "main" or stamp.package in item.package.deps]
    names = tuple(item.names[0] for item in holders)
    without = tuple(name for name in names if not holds(binaries / name, stamp.text.encode()))
    if without == names:
        raise StampMissing(names, stamp.written, stamp.text)
    return without


def holds(path: Path, text: bytes) -> bool:
    """Whether a file has these bytes in it; an empty text is everywhere."""
    if not text or path.stat().st_size == 0:
        return not text
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(text) >= 0
