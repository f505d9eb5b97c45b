"""Which package makes which file, and how few runs of `go build` that takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from rearch.steps.compile_errors import BadOutput, BadPackage, NotAProgram
from rearch.steps.compile_tree import Tree


class Package(Struct, frozen=True, kw_only=True):
    """What `go list` says of a package. `output` is what `go build -o folder/` calls its program.

    `sources` are the files that the platform and the tags let in; `deps` the import paths of all that it links.
    """

    import_path: str
    name: str
    folder: Path
    output: str
    sources: tuple[Path, ...]
    deps: frozenset[str]


class Program(Struct, frozen=True, kw_only=True):
    """A main package, and the names that its file gets: mostly one."""

    package: Package
    names: tuple[str, ...]


LISTED = ("ImportPath", "Name", "Dir", "Target", "GoFiles", "CgoFiles")


def read_listing(text: str) -> tuple[Package, ...]:
    """The packages that `go list -json` printed, one JSON object after the other."""
    return tuple(map(_package, _objects(text)))


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value
        while at < len(text) and text[at].isspace():
            at += 1


def _package(listed: Mapping[str, Any]) -> Package:
    folder = Path(listed["Dir"])
    path: str = listed["ImportPath"]
    return Package(
        import_path=path,
        name=listed.get("Name", ""),
        folder=folder,
        output=PurePosixPath(listed.get("Target") or path).name,
        sources=tuple(folder / name for name in (*listed.get("GoFiles", ()), *listed.get("CgoFiles", ()))),
        deps=frozenset(listed.get("Deps", ())),
    )


def package_arguments(binaries: Mapping[str, str], tree: Tree) -> Mapping[str, str]:
    """Output name -> the package as go is asked for it. Errors: BadOutput, BadPackage.

    A package is a folder relative to where go runs (`.`, `cmd/x`, `./cmd/x`) or a whole import path.
    """
    return {name: _argument(name, package, tree) for name, package in binaries.items()}


def is_file_name(name: str) -> bool:
    """Whether a name is one that a binary may have: no path, no flag, nothing unprintable."""
    return name not in ("", ".", "..") and "/" not in name and not name.startswith("-") and name.isprintable()


def _argument(name: str, package: str, tree: Tree) -> str:
    if not is_file_name(name):
        raise BadOutput(name)
    if package.startswith(("-", "/")) or "..." in package or package.endswith(".go") or ".." in package.split("/"):
        raise BadPackage(name, package, "is not one package of the source")
    relative = PurePosixPath(package)
    if tree.layout == "gopath":
        whole = package == tree.import_path or package.startswith(f"{tree.import_path}/")
        return package if whole else str(PurePosixPath(tree.import_path) / relative)
    if package.startswith(".") or (tree.folder / package).is_dir():
        return f"./{relative}"
    return package


def programs(arguments: Mapping[str, str], packages: tuple[Package, ...], tree: Tree) -> tuple[Program, ...]:
    """Group the output names by package. Errors: NotAProgram, BadPackage."""
    names: dict[str, list[str]] = {}
    found: dict[str, Package] = {}
    for name, argument in sorted(arguments.items()):
        package = _named(argument, packages, tree)
        if package is None:
            raise BadPackage(name, argument, "is not among the packages that go found")
        if package.name != "main":
            raise NotAProgram(name, argument, package.name)
        found[package.import_path] = package
        names.setdefault(package.import_path, []).append(name)
    return tuple(Program(package=found[path], names=tuple(names[path])) for path in sorted(names))


def _named(argument: str, packages: tuple[Package, ...], tree: Tree) -> Package | None:
    folder = (tree.folder / argument).resolve() if argument.startswith("./") or argument == "." else None
    for package in packages:
        if package.import_path == argument or (folder is not None and package.folder.resolve() == folder):
            return package
    return None


def batches(all_programs: tuple[Program, ...]) -> tuple[tuple[Program, ...], ...]:
    """Runs of `go build`: one, unless two packages would write a file of the same name."""
    made: list[dict[str, Program]] = []
    for program in all_programs:
        free = next((batch for batch in made if program.package.output not in batch), None)
        if free is None:
            free = {}
            made.append(free)
        free[program.package.output] = program
    return tuple(tuple(batch.values()) for batch in made)
