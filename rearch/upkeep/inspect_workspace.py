"""Go's workspaces (https://go.dev/ref/mod#workspaces): which modules a go.work joins, and what one of them needs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from msgspec import Struct

from rearch.upkeep.inspect_go import GoTree
from rearch.upkeep.inspect_tree import SourceTree, below

_USE = re.compile(r"^[ \t]*use[ \t]*(?:\(([^)]*)\)|(\S+))", re.MULTILINE)
_MODULE = re.compile(r"^[ \t]*module[ \t]+\"?([^\s\"]+)", re.MULTILINE)
_REPLACED = re.compile(r"^[ \t]*(?:replace[ \t]+)?(\S+)(?:[ \t]+v\S+)?[ \t]+=>", re.MULTILINE)


class Joined(Struct, frozen=True, kw_only=True):
    """A module of the workspace that another one imports by `path`. `required`: its go.mod says so, too."""

    path: str
    folder: str
    required: bool


class Workspace(Struct, frozen=True, kw_only=True):
    """A go.work. `members` are (module path, folder). `vendored`: `go work vendor` was run beside it."""

    file: str
    folder: str
    members: tuple[tuple[str, str], ...]
    vendored: bool


def find_workspace(tree: SourceTree) -> Workspace | None:
    """The go.work nearest to the root; None where there is none, or where it names no module of this tree."""
    files = sorted(
        (path for path in tree.paths if path == "go.work" or path.endswith("/go.work")),
        key=lambda path: (path.count("/"), path),
    )
    for file in files:
        folder = posixpath.dirname(file) or "."
        members = tuple(_members(tree, tree.read(file), folder))
        if members:
            first = tree.read(below(folder, "vendor/modules.txt")).partition("\n")[0]
            return Workspace(file=file, folder=folder, members=members, vendored=first.startswith("## workspace"))
    return None


def _members(tree: SourceTree, text: str, folder: str) -> Iterator[tuple[str, str]]:
    plain = re.sub(r"//[^\n]*", "", text)
    for block, one in _USE.findall(plain):
        for word in (block or one).split():
            place = posixpath.normpath(posixpath.join(folder, word.strip('"`')))
            found = _MODULE.search(tree.read(below(place, "go.mod")))
            if found:
                yield found[1], place


def joined(tree: SourceTree, go: GoTree, workspace: Workspace, directory: str) -> tuple[Joined, ...]:
    """The members that the module in `directory` needs, itself or by another member, and does not replace itself."""
    text = tree.read(below(directory, "go.mod"))
    required = set(re.findall(r"^\s*(?:require\s+)?(\S+)\s+v\S+", text, re.MULTILINE))
    replaced = set(_REPLACED.findall(text))
    found: dict[str, Joined] = {}
    queue = [directory]
    while queue:
        imports = _imports(go, workspace, queue.pop())
        for path, folder in workspace.members:
            if folder != directory and path not in found and (path in required or _imported(path, imports)):
                found[path] = Joined(path=path, folder=folder, required=path in required)
                queue.append(folder)
    return tuple(found[path] for path, _ in workspace.members if path in found and path not in replaced)


def _imports(go: GoTree, workspace: Workspace, member: str) -> set[str]:
    """What the packages of a member import. One inside another's folder is a module of its own."""
    inner = [folder for _, folder in workspace.members if folder != member and _within(folder, member)]
    folders = [
        one for one in go.own_folders if _within(one, member) and not any(_within(one, other) for other in inner)
    ]
    return {path for folder in folders for file in go.files(folder) for path in file.imports}


def _within(folder: str, root: str) -> bool:
    return root in (".", folder) or folder.startswith(f"{root}/")


def _imported(path: str, imports: set[str]) -> bool:
    return any(one == path or one.startswith(f"{path}/") for one in imports)
