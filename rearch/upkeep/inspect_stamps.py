"""What upstream's build files hand to `go build`: version stamps (-X), build tags, names of programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from rearch.formats.gosource import Stampable, string_variables
from rearch.upkeep.inspect_go import GoTree, Program
from rearch.upkeep.inspect_layout import Layout
from rearch.upkeep.inspect_tree import SourceTree, below, is_vendored

_STAMP = re.compile(r"-X[ =]+[\"'\\]*([^\s\"'=\\]+?)\.([A-Za-z_]\w*)(?:=|[ ]+)[\\\"']*([^\"'\s\\]*)")
_OUTPUT = re.compile(r"\bgo\s+(?:build|install)\b(?P<rest>[^\n;|&]*)")
_NAME = re.compile(r"\s-o[ =]+[\"']?([^\s\"']+)")
_TAGS = re.compile(r"\s-tags[ =]+(?:\"([^\"$]*)\"|'([^'$]*)'|([^\s\"'$]+))")
_FILES = re.compile(
    r"(?:^|/)(?:Makefile|GNUmakefile|.*\.mk|\.goreleaser\.ya?ml|Dockerfile[^/]*|[^/]*\.sh)$"
    r"|^(?:scripts|hack|script|build|ci)/[^/]+$"
)
_COMMIT = re.compile(r"commit|sha\b|sha1|_sha|revision|\brev\b|gitrev|head", re.IGNORECASE)
_VERSION = re.compile(r"version|tag|describe|release", re.IGNORECASE)
_DATE = re.compile(r"date|time", re.IGNORECASE)


class Stamp(Struct, frozen=True, kw_only=True):
    """One variable. `text` is what the recipe writes; `why_not` says why it cannot be one (empty: it can)."""

    variable: str
    text: str
    where: str
    why_not: str = ""


class BuildLines(Struct, frozen=True, kw_only=True):
    """`names`: package's folder -> output name. `tags`: those of -tags, with the place of the line."""

    stamps: tuple[Stamp, ...]
    names: Mapping[str, str]
    tags: tuple[tuple[str, str], ...]


def read_build_lines(tree: SourceTree, go: GoTree, layout: Layout, programs: tuple[Program, ...]) -> BuildLines:
    """Look through Makefile, scripts/, Dockerfiles and .goreleaser.yml; continuation lines are joined."""
    stamps: dict[str, Stamp] = {}
    names: dict[str, str] = {}
    tags: dict[str, str] = {}
    for where, line in _lines(tree):
        for found in _STAMP.finditer(line):
            stamp = _stamp(found, where, go, layout, programs)
            stamps.setdefault(stamp.variable, stamp)
        for found in _OUTPUT.finditer(line):
            names = dict(_named(found["rest"], layout, programs)) | names
            for words in _TAGS.findall(found["rest"]):
                tags = {word: where for word in re.split(r"[\s,]+", "".join(words)) if word} | tags
    return BuildLines(stamps=tuple(stamps.values()), names=names, tags=tuple(sorted(tags.items())))


def _lines(tree: SourceTree) -> Iterator[tuple[str, str]]:
    for path in sorted(tree.paths):
        if not _FILES.search(path) or is_vendored(path) or path.endswith(".go"):
            continue
        start, joined = 0, ""
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            start = start or number
            joined += " " + line.removesuffix("\\").strip()
            if not line.endswith("\\"):
                if not joined.strip().startswith("#"):
                    yield f"{path}:{start}", joined
                start, joined = 0, ""


def _stamp(found: re.Match[str], where: str, go: GoTree, layout: Layout, programs: tuple[Program, ...]) -> Stamp:
    package = _package(found[1], go, layout)
    variable, text = f"{package}.{found[2]}", _text(found[2], found[3])
    folders = [program.folder for program in programs] if package == "main" else _folders(package, go, layout)
    if not folders:
        return Stamp(variable=variable, text=text, where=where, why_not=f"there is no package {package} here")
    for folder in folders:
        sources = {file.path: go.text(file.path) for file in go.files(folder)}
        known = next((one for one in string_variables(sources) if one.name == found[2]), None)
        if known is None:
            return Stamp(variable=variable, text=text, where=where, why_not=f"{folder} has no variable {found[2]}")
        if known.stampable is Stampable.NO:
            return Stamp(variable=variable, text=text, where=where, why_not=f"{found[2]} is {known.why}")
    return Stamp(variable=variable, text=text, where=where, why_not="" if text else f"what is {found[3]}?")


def _package(written: str, go: GoTree, layout: Layout) -> str:
    """`${PKG}/version` -> the folder that is called so. A variable alone in a build file cannot be known."""
    if "$" not in written:
        return written
    rest = re.sub(r"^.*[)}]|^\$\w+", "", written).strip("/")
    for folder in go.own_folders:
        relative = folder if layout.directory == "." else folder.removeprefix(f"{layout.directory}/")
        if rest and (relative == rest or relative.endswith(f"/{rest}")):
            return f"{layout.import_path.value}/{relative}"
    return written


def _folders(package: str, go: GoTree, layout: Layout) -> list[str]:
    root = layout.import_path.value
    inside = package.removeprefix(root).strip("/") if package == root or package.startswith(f"{root}/") else None
    if inside is not None:
        folder = below(layout.directory, inside) if inside else layout.directory
        return [folder] if go.has(folder) else []
    vendored = [f"vendor/{package}", f"Godeps/_workspace/src/{package}"]
    return [folder for folder in vendored if go.has(folder)]


def _text(name: str, value: str) -> str:
    """What a recipe writes for it: the value's own words decide, then the variable's. Empty: not to be known."""
    for words in (value, name):
        if _COMMIT.search(words):
            return "${{ commit }}"
        if _DATE.search(words):
            return "${{ date }}"
        if _VERSION.search(words):
            return "${{ version }}"
    return value if value and not re.search(r"[$`({]", value) else ""


def _named(rest: str, layout: Layout, programs: tuple[Program, ...]) -> Iterator[tuple[str, str]]:
    """`go build -o bin/agent ./cmd/x`: the package is the last word; without one, the folder that go runs in."""
    name = _NAME.search(rest)
    file = PurePosixPath(name[1]).name if name else ""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", file) or file.endswith(".exe"):
        return
    last = (rest.split() or ["."])[-1].strip("\"'").removeprefix("./").rstrip("/") or "."
    root = layout.import_path.value
    folder = last.removeprefix(f"{root}/") if last.startswith(f"{root}/") else last
    known = {program.folder for program in programs}
    if folder == root or (folder not in known and folder.endswith((".go", file))):
        folder = "."
    if folder in known:
        yield folder, file
    elif name and name[1].endswith(last) and "." in known:
        yield ".", file
