"""What the sources of a COPY name: paths of a tree, wildcards resolved, links followed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from msgspec import Struct

from rearch.oci.dockerfile.errors import Trouble, nearest
from rearch.oci.embedded.context import Context
from rearch.oci.embedded.glob import compiled, has_wildcard
from rearch.oci.embedded.tree import Tree, join

# So many names are compared with one that is not there.
_COMPARED = 20_000


class Found(Struct, frozen=True):
    """A source: its real `path` in the tree, and the `name` that it has in a folder it is copied into."""

    path: str
    name: str


def find_sources(tree: Tree, text: str) -> tuple[Found, ...]:
    """What one source names; nothing only for a wildcard that matches nothing.

    A source that is a link is what it leads to, as with BuildKit. Errors: Trouble for what is not there (with the
    nearest name), and for what leads out of the tree.
    """
    path = _inside(text, tree)
    if has_wildcard(text):
        return tuple(_matches(tree, path))
    real = tree.find(path)
    if real is None:
        raise _missing(tree, text, path)
    return (Found(real, posixpath.basename(path)),)


def _inside(text: str, tree: Tree) -> str:
    path = posixpath.normpath(text.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        hint = "put the file into the context: `image.files` of the recipe names what is in it"
        raise Trouble(f"{text} is outside of {tree.name}", hint)
    return "" if path == "." else path


def _matches(tree: Tree, path: str) -> Iterator[Found]:
    parts = path.split("/")
    fixed = next(at for at, part in enumerate(parts) if has_wildcard(part))
    folder = tree.find("/".join(parts[:fixed]))
    pattern = compiled("/".join(parts[fixed:]))
    if folder is None:
        return
    for below, _node in tree.below(folder):
        if pattern.match(below):
            real = tree.find(join(folder, below))
            if real is None:
                raise Trouble(f"{join(folder, below)} is a link to nothing in {tree.name}")
            yield Found(real, posixpath.basename(below))


def _missing(tree: Tree, text: str, path: str) -> Trouble:
    if isinstance(tree, Context) and tree.left_out(path):
        return Trouble(f"{text} is left out of the context by .dockerignore", f"add a line !{path} to it")
    node = tree.get(path)
    if node is not None:
        return Trouble(f"{text} is a link to {node.entry.target}, which is not in {tree.name}")
    near = _nearest(tree, path)
    return Trouble(f"{text} is not in {tree.name}" + (f"; is {near!r} meant?" if near else ""))


def _nearest(tree: Tree, path: str) -> str | None:
    """The path that is most like this one; first of all one with the same name elsewhere."""
    name = posixpath.basename(path)
    paths = [known for known, _ in zip(sorted(tree.nodes), range(_COMPARED), strict=False)]
    same = [known for known in paths if posixpath.basename(known) == name]
    return nearest(path, same) or (same[0] if same else nearest(path, paths))
