"""How a repository lies: module or GOPATH, its import path, what vendored its dependencies, its version of Go."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Literal

from msgspec import Struct

from rearch.upkeep.inspect_go import GoTree
from rearch.upkeep.inspect_tree import Fact, SourceTree, below, folder_of, is_vendored
from rearch.upkeep.inspect_workspace import Joined, Workspace, find_workspace, joined

_MODULE = re.compile(r"^[ \t]*module[ \t]+\"?([^\s\"]+)", re.MULTILINE)
_GO = re.compile(r"^[ \t]*go[ \t]+([0-9]+(?:\.[0-9]+)*)", re.MULTILINE)
_PATH = r"[A-Za-z0-9.-]+\.[A-Za-z]{2,}(?:/[A-Za-z0-9._~-]+)+"
# Who wrote vendor/, and where such a file says the import path, if it does.
_MANIFESTS = (
    ("vendor/modules.txt", "go mod vendor", None),
    ("Godeps/Godeps.json", "godep", rf"\"ImportPath\":\s*\"({_PATH})\""),
    ("vendor/vendor.json", "govendor", rf"\"rootPath\":\s*\"({_PATH})\""),
    ("glide.yaml", "glide", rf"^package:\s*({_PATH})"),
    ("Gopkg.toml", "dep", None),
    ("trash.conf", "trash", rf"^({_PATH})\s*(?:#.*)?$"),
    ("trash.yml", "trash", rf"^(?:import|package):\s*({_PATH})"),
    ("vendor.conf", "trash or vndr", rf"^({_PATH})\s*(?:#.*)?$"),
    ("vendor/manifest", "gvt", None),
)
# Build files that lay a checkout into a GOPATH.
_PLACES = ("Dockerfile.dapper", "Dockerfile", ".travis.yml", "Makefile", "scripts/build")
_PLACED = re.compile(rf"(?:/go/src/|GOPATH\}}?/src/|go_import_path:\s*)({_PATH})")
_VERSIONS = (
    (".travis.yml", r"^\s*(?:go:|-)\s*[\"']?([0-9]+\.[0-9]+(?:\.[0-9]+)?)(?:\.x)?[\"']?\s*$"),
    (".go-version", r"^\s*(?:go)?([0-9]+\.[0-9]+(?:\.[0-9]+)?)\s*$"),
    ("Dockerfile.dapper", r"(?:golang:|\bgo|GO_?(?:LANG)?_?VERSION[= ]\"?)([0-9]+\.[0-9]+(?:\.[0-9]+)?)"),
    ("Dockerfile", r"(?:golang:|\bgo|GO_?(?:LANG)?_?VERSION[= ]\"?)([0-9]+\.[0-9]+(?:\.[0-9]+)?)"),
    (".drone.yml", r"golang:([0-9]+\.[0-9]+(?:\.[0-9]+)?)"),
)


class Layout(Struct, frozen=True, kw_only=True):
    """`directory` holds the go.mod. `import_path` is the module's path, or the place in a GOPATH.

    `go`: the version that upstream names; `vendor`: which tool wrote vendor/; None where there is nothing of it.
    `others`: folders with a go.mod of their own, which are no part of this build. `workspace`: the go.work, of which
    the build knows only one that is vendored; `joined` are its modules that this one needs otherwise.
    """

    kind: Literal["module", "gopath"]
    directory: str
    import_path: Fact
    go: Fact | None
    vendor: Fact | None
    needs_network: bool
    others: tuple[str, ...] = ()
    workspace: Workspace | None = None
    joined: tuple[Joined, ...] = ()

    @property
    def is_workspace(self) -> bool:
        """Whether all modules of the go.work are compiled together."""
        return self.workspace is not None and self.workspace.vendored


def find_layout(tree: SourceTree, go: GoTree, address: str) -> Layout:
    """`address` is the repository's URL without its scheme: the import path where nothing says another."""
    folders = [folder_of(path) for path in tree.paths if _is_module(path)]
    modules = sorted(folders, key=lambda one: (one.count("/"), one))
    workspace = find_workspace(tree)
    if workspace is not None and workspace.vendored:
        return _vendored_workspace(tree, workspace, modules, address)
    directory = "." if "." in modules else _only_with_programs(go, modules)
    if directory is None:
        return _gopath(tree, go, address)
    file = below(directory, "go.mod")
    text = tree.read(file)
    found, version = _MODULE.search(text), _GO.search(text)
    path = found[1] if found else address
    vendored = below(directory, "vendor/modules.txt") in tree.paths
    needed = joined(tree, go, workspace, directory) if workspace is not None and not vendored else ()
    return Layout(
        kind="module",
        directory=directory,
        import_path=Fact(path, f"{file}:{_line(text, found)}"),
        go=Fact(version[1], f"{file}:{_line(text, version)}") if version else None,
        vendor=Fact("go mod vendor", below(directory, "vendor/modules.txt")) if vendored else None,
        needs_network=not vendored and re.search(r"^\s*require\b", text, re.MULTILINE) is not None,
        others=tuple(one for one in modules if one not in (directory, *(member.folder for member in needed))),
        workspace=workspace,
        joined=needed,
    )


def _vendored_workspace(tree: SourceTree, workspace: Workspace, modules: list[str], address: str) -> Layout:
    """`go work vendor` was run: one build for all its modules, from the folder of the go.work."""
    text = tree.read(workspace.file)
    version = _GO.search(text)
    inside = [folder for _, folder in workspace.members]
    own = next((path for path, folder in workspace.members if folder == workspace.folder), address)
    return Layout(
        kind="module",
        directory=workspace.folder,
        import_path=Fact(own, workspace.file),
        go=Fact(version[1], f"{workspace.file}:{_line(text, version)}") if version else None,
        vendor=Fact("go work vendor", below(workspace.folder, "vendor/modules.txt")),
        needs_network=False,
        others=tuple(one for one in modules if one not in inside),
        workspace=workspace,
    )


def _is_module(path: str) -> bool:
    return (path == "go.mod" or path.endswith("/go.mod")) and not is_vendored(path) and "testdata/" not in path


def _only_with_programs(go: GoTree, modules: list[str]) -> str | None:
    """The module that holds the programs, where the root is none."""
    programs = [program.folder for program in go.programs() if not program.aside]
    holders = [one for one in modules if any(f"{folder}/".startswith(f"{one}/") for folder in programs)]
    return holders[0] if holders else None


def _gopath(tree: SourceTree, go: GoTree, address: str) -> Layout:
    tool = next((Fact(name, file) for file, name, _ in _MANIFESTS if file in tree.paths), None)
    has_code = any(is_vendored(path) for path in tree.paths)
    return Layout(
        kind="gopath",
        directory=".",
        import_path=_import_path(tree, go, address),
        go=_version(tree),
        vendor=tool or (Fact("somebody", "vendor/") if has_code else None),
        needs_network=False,
    )


def _import_path(tree: SourceTree, go: GoTree, address: str) -> Fact:
    said = next(chain(_import_comments(go), _manifest_paths(tree), _placed(tree)), None)
    return said or _self_imports(go, address) or Fact(address, "the URL")


def _import_comments(go: GoTree) -> Iterator[Fact]:
    """`package main // import "path"`: go itself insists on it (cmd/go, "Import path checking")."""
    for folder in go.own_folders:
        for file in go.files(folder):
            if file.canonical and (folder == "." or file.canonical.endswith(f"/{folder}")):
                path = file.canonical.removesuffix("" if folder == "." else f"/{folder}")
                yield Fact(path, f"the import comment of {file.path}")


def _manifest_paths(tree: SourceTree) -> Iterator[Fact]:
    """What a tool for dependencies was told. Of trash.conf and vendor.conf only the first line with one word is it."""
    for file, _, pattern in _MANIFESTS:
        text = tree.read(file) if pattern and file in tree.paths else ""
        found = re.search(pattern, text, re.MULTILINE) if pattern and text else None
        if found:
            yield Fact(found[1], f"{file}:{_line(text, found)}")


def _placed(tree: SourceTree) -> Iterator[Fact]:
    for file in _PLACES:
        text = tree.read(file) if file in tree.paths else ""
        found = _PLACED.search(text)
        if found:
            yield Fact("/".join(found[1].rstrip("/.").split("/")[:3]), f"{file}:{_line(text, found)}")


def _self_imports(go: GoTree, address: str) -> Fact | None:
    """Imports that end in a folder of the repository say what stands before it; most say the same."""
    name = address.rpartition("/")[2]
    folders = [folder for folder in go.own_folders if folder != "."]
    votes: Counter[str] = Counter()
    for own in go.own_folders:
        for imported in {one for file in go.files(own) for one in file.imports if "." in one.split("/")[0]}:
            longest = max((one for one in folders if imported.endswith(f"/{one}")), key=len, default=None)
            root = imported.removesuffix(f"/{longest}") if longest else ""
            if root.count("/") >= 1 and (root.rpartition("/")[2] == name or root == address):
                votes[root] += 1
    if not votes:
        return None
    path, count = max(sorted(votes.items()), key=lambda item: item[1])
    return Fact(path, f"{count} imports of its own packages")


def _version(tree: SourceTree) -> Fact | None:
    for file, pattern in _VERSIONS:
        text = tree.read(file) if file in tree.paths else ""
        found = [one for one in re.finditer(pattern, text, re.MULTILINE) if one[1].startswith("1.")]
        if found:
            newest = max(found, key=lambda one: tuple(map(int, one[1].split("."))))
            return Fact(newest[1], f"{file}:{_line(text, newest)}")
    return None


def _line(text: str, found: re.Match[str] | None) -> int:
    return text.count("\n", 0, found.start(1)) + 1 if found else 1
