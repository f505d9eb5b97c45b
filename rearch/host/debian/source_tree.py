"""A Debian source package becomes a tree, as `dpkg-source -x` makes it (dpkg-source(1), "SOURCE PACKAGE FORMATS").

3.0 (quilt): the orig tar, further orig-NAME tars as folders, the debian folder, and its series of patches.
3.0 (native) and 1.0 native: one tar. 1.0: the orig tar and a .diff.gz. The vendor's own series
(`debian/patches/ubuntu.series`) are not looked at: which one counts would depend on the host.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from rearch.errors import HostileInputError, StepError
from rearch.formats.archive import extract
from rearch.formats.archive_links import check_links
from rearch.formats.debian_control import Dsc
from rearch.formats.tree import remove_tree
from rearch.steps.ports import Workspace

_TAR = r"\.tar\.[a-z0-9]+\Z"
_ORIG = re.compile(r"[^_]+_.*\.orig" + _TAR)
_COMPONENT = re.compile(r"[^_]+_.*\.orig-([A-Za-z0-9][A-Za-z0-9-]*)" + _TAR)
_DEBIAN = re.compile(r"[^_]+_.*\.debian" + _TAR)
_DIFF = re.compile(r"[^_]+_.*\.diff\.gz\Z")
_ANY_TAR = re.compile(r"[^_]+_.*" + _TAR)


class UnsupportedSource(StepError):
    """A source package of another format, or with files that its format does not know."""

    def __init__(self, dsc: Dsc, why: str) -> None:
        self.package = dsc.package
        self.format = dsc.format
        super().__init__(
            f"{dsc.package} {dsc.version}: {why}",
            (f"Format: {dsc.format}", *(file.name for file in dsc.files)),
            hint="3.0 (quilt), 3.0 (native) and 1.0 are read; use an archive or git source for others",
        )


class MissingPatch(StepError):
    """debian/patches/series names a file that is not there."""

    def __init__(self, package: str, name: str) -> None:
        self.package = package
        self.name = name
        super().__init__(f"{package}: debian/patches/series names {name!r}, which is no file beside it")


class DiffTooLarge(HostileInputError):
    """A .diff.gz that unpacks to more than patches ever have."""

    def __init__(self, name: str, allowed: int) -> None:
        self.name = name
        self.allowed = allowed
        super().__init__(f"{name} unpacks to more than {allowed} bytes")


class BrokenDiff(StepError):
    """A .diff.gz that cannot be unpacked."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(f"{name} cannot be unpacked ({why})")


# The diff of a package of format 1.0 is held in memory; the largest in Debian's history are around 50 MB.
_DIFF_LIMIT = 256 << 20


def unpack_source(dsc: Dsc, places: Mapping[str, Path], into: Path, work: Workspace) -> None:
    """Make the tree in `into`, which is not there yet. `places` has the files of the .dsc by name.

    Errors: UnsupportedSource, MissingPatch, DiffTooLarge, BrokenDiff, ArchiveError, LinkEscapes, PatchFailed and its
    kind.
    """
    names = tuple(file.name for file in dsc.files if not file.name.endswith(".asc"))
    match dsc.format:
        case "3.0 (quilt)":
            _unpack_quilt(dsc, names, places, into, work)
        case "3.0 (native)":
            _unpack_tree(_one(dsc, names, _ANY_TAR), places, into, work)
        case "1.0":
            _unpack_old(dsc, names, places, into, work)
        case _:
            raise UnsupportedSource(dsc, "this format of source packages is not supported")
    check_links(into, dsc.package)


def _unpack_quilt(dsc: Dsc, names: tuple[str, ...], places: Mapping[str, Path], into: Path, work: Workspace) -> None:
    _unpack_tree(_one(dsc, names, _ORIG), places, into, work)
    for name in sorted(names):
        component = _COMPONENT.match(name)
        if component:
            remove_tree(into / component[1])
            _unpack_tree(name, places, into / component[1], work)
    debian = _one(dsc, names, _DEBIAN)
    folder = work.scratch / f"unpacked-{debian}"
    extract(places[debian], folder, limits=work.limits, name=debian)
    if [path.name for path in folder.iterdir()] != ["debian"]:
        raise UnsupportedSource(dsc, f"{debian} holds more or less than the folder debian")
    remove_tree(into / "debian")
    (folder / "debian").rename(into / "debian")
    # The series is read through these links.
    check_links(into, dsc.package)
    _apply(dsc, into, work)


def _unpack_old(dsc: Dsc, names: tuple[str, ...], places: Mapping[str, Path], into: Path, work: Workspace) -> None:
    diffs = [name for name in names if _DIFF.match(name)]
    if not diffs:
        _unpack_tree(_one(dsc, names, _ANY_TAR), places, into, work)
        return
    from rearch.formats.patch import apply_series

    _unpack_tree(_one(dsc, names, _ORIG), places, into, work)
    check_links(into, dsc.package)
    diff = _one(dsc, names, _DIFF)
    apply_series(into, [(diff, _read_diff(places[diff], diff), 1)], 0, work.say)
    if (into / "debian/rules").is_file():
        (into / "debian/rules").chmod(0o755)


def _read_diff(path: Path, name: str) -> bytes:
    try:
        with gzip.open(path) as stream:
            data = stream.read(_DIFF_LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BrokenDiff(name, str(error)) from None
    if len(data) > _DIFF_LIMIT:
        raise DiffTooLarge(name, _DIFF_LIMIT)
    return data


def _one(dsc: Dsc, names: tuple[str, ...], pattern: re.Pattern[str]) -> str:
    found = [name for name in names if pattern.match(name)]
    if len(found) != 1:
        raise UnsupportedSource(dsc, f"{len(found)} of its files are called {pattern.pattern}; one is wanted")
    return found[0]


def _unpack_tree(name: str, places: Mapping[str, Path], into: Path, work: Workspace) -> None:
    """Unpack a tar; if all it holds is one folder, whatever its name, that folder is the tree."""
    folder = work.scratch / f"unpacked-{name}"
    extract(places[name], folder, limits=work.limits, name=name)
    inside = list(folder.iterdir())
    single = inside[0] if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink() else folder
    single.rename(into)


def _apply(dsc: Dsc, root: Path, work: Workspace) -> None:
    from rearch.formats.patch import apply_series

    folder = root / "debian/patches"
    series = folder / "series"
    if not series.is_file():
        return
    text = series.read_text(encoding="utf-8", errors="replace")
    patches = [(name, _patch(dsc, folder, name), 1) for name in series_names(text)]
    apply_series(root, patches, 0, work.say)


def series_names(text: str) -> Iterator[str]:
    """The patches of a debian/patches/series. Options behind a name do not count: dpkg-source takes -p1 always."""
    for line in text.splitlines():
        words = re.sub(r"(?:^|\s)#.*", "", line).split()
        if words:
            yield words[0]


def _patch(dsc: Dsc, folder: Path, name: str) -> bytes:
    path = folder / name
    if ".." in Path(name).parts or name.startswith("/") or not path.is_file():
        raise MissingPatch(dsc.package, name)
    return path.read_bytes()
