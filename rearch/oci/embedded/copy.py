"""COPY, and ADD of what is no archive: Dockerfile reference, "COPY", "Destination" and "Source"."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from msgspec import Struct

from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.embedded.changes import Changes
from rearch.oci.embedded.sources import Found
from rearch.oci.embedded.tree import Node, Tree, join
from rearch.oci.ignore import IgnoreRules


class Target(Struct, frozen=True):
    """Where to: `path` from the root, without a slash before it; `folder`: it was written with a slash behind it."""

    path: str
    folder: bool


def find_target(text: str, workdir: str) -> Target:
    """The target of a COPY, relative to the WORKDIR."""
    folder = text.endswith(("/", "/.")) or text in (".", "..")
    path = posixpath.normpath(posixpath.join("/", workdir, text)).strip("/")
    return Target(path, folder)


def check_target(target: Target, sources: Sequence[Found], tree: Tree, number: int) -> None:
    """Several sources want a folder. `number`: how many sources were written. Errors: Trouble."""
    place = tree.get(tree.place(target.path) or "")
    if target.folder or (number == 1 and place is not None and place.folder):
        return
    if number > 1:
        raise Trouble(f"with several sources the target has to be a folder: write /{target.path}/")
    if len(sources) > 1:
        names = ", ".join(found.path for found in sources[:3])
        raise Trouble(f"{len(sources)} sources match ({names}, ...): the target has to be a folder: /{target.path}/")


def check_link(target: Target, tree: Tree) -> None:
    """`--link` knows nothing of the tree below, and would put a folder over a link to one. Errors: Trouble."""
    place = tree.place(target.path) or ""
    if place != target.path:
        raise Trouble(f"--link follows no links, and /{target.path} is /{place} in the image", f"write /{place}")


def copy_one(source: Tree, found: Found, target: Target, changes: Changes, left_out: IgnoreRules) -> None:
    """Copy a file, or what is in a folder. Errors: Trouble."""
    node = source.get(found.path)
    assert node is not None
    place = changes.tree.place(target.path) or ""
    if node.folder:
        _folder(source, found.path, place, changes, left_out)
    elif not left_out.ignored(found.name):
        copy_file(node, found.name, Target(place, target.folder), changes)


def copy_file(node: Node, name: str, target: Target, changes: Changes) -> None:
    """Copy a file to a target whose links were followed."""
    there = changes.tree.get(target.path)
    if target.folder or (there is not None and there.folder):
        changes.folders(target.path) if target.path else None
        changes.put(join(target.path, name), node)
        return
    if above := posixpath.dirname(target.path):
        changes.folders(above)
    changes.put(target.path, node)


def _folder(source: Tree, folder: str, place: str, changes: Changes, left_out: IgnoreRules) -> None:
    """The folder itself gives neither mode nor owner, those in it do: as BuildKit."""
    if place:
        changes.folders(place)
    kept = [(path, node) for path, node in source.below(folder) if not left_out.ignored(path)]
    for path, node in kept:
        above = posixpath.dirname(path)
        if above and changes.tree.get(join(place, above)) is None:
            changes.folders(join(place, above))
        changes.put(join(place, path), node)
