"""golang-*-dev packages as a GOPATH: usr/share/gocode, with every link replaced by what it points to.

Debian's packages offer some libraries under two import paths by a link to a folder (as golang-goprotobuf or
golang-github-coreos-go-systemd do). Go walks no such link (go/build, cmd/go `...` patterns), and a
patched tree must not reach another one through it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rearch.errors import HostileInputError
from rearch.formats.archive_links import Parts, resolve
from rearch.formats.clone import link_file

GOCODE: Parts = ("usr", "share", "gocode", "src")


class TooManyLinked(HostileInputError):
    """Links to folders that hold links to folders: more files than `limits.archive_entries` once they are followed."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        super().__init__(
            f"the links in golang-*-dev packages lead to more than {allowed} files",
            hint="if they are to be trusted, raise `limits: {archive_entries: ...}` in rearch.yaml",
        )


def lay_out(root: Path, into: Path, limit: int, say: Callable[[str], None]) -> None:
    """Make `into` (a GOPATH's src) from an unpacked root; files are hard links. What leads nowhere is said.

    Errors: TooManyLinked.
    """
    into.mkdir(parents=True, exist_ok=True)
    if (root / Path(*GOCODE)).is_dir():
        _Layout(root, limit, say).folder(GOCODE, into, ())


class _Layout:
    def __init__(self, root: Path, limit: int, say: Callable[[str], None]) -> None:
        self._root = root
        self._left = self._limit = limit
        self._say = say

    def folder(self, real: Parts, into: Path, trail: tuple[Parts, ...]) -> None:
        """Copy the folder `real` (no link in its path); `trail` are the real folders that we are in."""
        trail = (*trail, real)
        with os.scandir(self._root.joinpath(*real)) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            self._left -= 1
            if self._left < 0:
                raise TooManyLinked(self._limit)
            path, place = (*real, entry.name), into / entry.name
            if entry.is_symlink():
                self._link(path, place, trail)
            elif entry.is_dir():
                place.mkdir()
                self.folder(path, place, trail)
            else:
                link_file(Path(entry.path), place)

    def _link(self, path: Parts, place: Path, trail: tuple[Parts, ...]) -> None:
        real = resolve(self._root, path, rooted=True)
        origin = self._root.joinpath(*real or ())
        if real is None or not origin.exists():
            self._say(f"{'/'.join(path)}: left out, a link that leads nowhere")
        elif not origin.is_dir():
            link_file(origin, place)
        elif real in trail:
            self._say(f"{'/'.join(path)}: left out, a link to a folder that it is in")
        else:
            place.mkdir()
            self.folder(real, place, trail)
