"""Files of the store -> output/: hard links, copies across file systems; what is there already is not touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from rearch.formats.tree import remove_tree
from rearch.model.step import Artifact


def put(source: Path, target: Path, artifact: Artifact) -> bool:
    """Link (or copy) one file under its final name; False when it is there."""
    if artifact.target is not None:
        if target.is_symlink() and os.readlink(target) == artifact.target:  # noqa: PTH115 - the text, unresolved
            return False
        remove_tree(target)
        target.symlink_to(artifact.target)
        return True
    if _same(source, target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.new")
    try:
        _link(source, beside)
        if target.is_dir() and not target.is_symlink():
            remove_tree(target)  # a rename replaces files alone
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return True


def remove_others(folder: Path, wanted: Collection[str]) -> None:
    """Remove everything of a folder whose name is not among these."""
    for stranger in folder.iterdir():
        if stranger.name not in wanted:
            remove_tree(stranger)


def _link(source: Path, beside: Path) -> None:
    remove_tree(beside)  # what a killed run left
    try:
        os.link(source, beside)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, beside)


def _same(source: Path, target: Path) -> bool:
    try:
        there, ours = target.stat(follow_symlinks=False), source.stat()
    except FileNotFoundError:
        return False
    if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
        return True
    return (there.st_size, there.st_mtime_ns, there.st_mode) == (ours.st_size, ours.st_mtime_ns, ours.st_mode)
