"""Where symbolic links of a tree lead: by their text alone, and by following them inside the tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rearch.formats.archive_errors import LinkEscapes
from rearch.formats.tree import Ignore, Kind, link_text, walk

# As the kernel (MAXSYMLINKS in linux/namei.h).
MAX_HOPS = 40

Parts = tuple[str, ...]


def leads_out(link: Parts, target: str, *, rooted: bool = False) -> bool | None:
    """Whether a link (its path in the tree) to `target` leads out of the tree: yes, no, or None: not by its text alone.

    Absolute targets lead out, unless the tree is a root file system (`rooted`).
    """
    if target.startswith("/") and not rooted:
        return True
    base = () if target.startswith("/") else link[:-1]
    parts = [part for part in target.split("/") if part not in ("", ".")]
    climbs = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    if climbs > len(base):
        return True
    return None if ".." in parts[climbs:] else False


def resolve(root: Path, path: Parts, *, rooted: bool = False) -> Parts | None:
    """Where a path inside a tree really is, all links followed; None when it leads out or in circles.

    What does not exist counts as a folder. In a `rooted` tree absolute links start at the root of the tree.
    """
    # os.path.join: also for names that are not UTF-8
    return follow(path, lambda parts: _target(os.path.join(root, *parts)), rooted=rooted)  # noqa: PTH118


def follow(path: Parts, target_of: Callable[[Parts], str | None], *, rooted: bool = False) -> Parts | None:
    """The same in any tree. `target_of`: the text of the link at a place; None where there is no link."""
    real: list[str] = []
    ahead = list(reversed(path))
    hops = 0
    while ahead:
        part = ahead.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not real:
                return None
            real.pop()
            continue
        target = target_of((*real, part))
        if target is None:
            real.append(part)
            continue
        hops += 1
        if hops > MAX_HOPS or (target.startswith("/") and not rooted):
            return None
        real = [] if target.startswith("/") else real
        ahead += reversed(target.split("/"))
    return tuple(real)


def _target(path: str) -> str | None:
    try:
        return link_text(path)
    except OSError:  # no link, or nothing there
        return None


def check_links(root: Path, name: str, *, ignore: Ignore | None = None) -> None:
    """Whether every symbolic link of a tree that is already there stays inside it. Errors: LinkEscapes.

    The same two rules as for archives (archive_target.py): by the text, else by following it.
    """
    for entry in walk(root, ignore):
        if entry.kind is not Kind.LINK:
            continue
        target, parts = link_text(root / entry.path), tuple(entry.path.split("/"))
        out = leads_out(parts, target)
        if out or (out is None and resolve(root, parts) is None):
            raise LinkEscapes(name, entry.path, target)
