"""What reads and writes the containers of bundles: one protocol, three implementations (tar, zip, folder)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from rearch.bundle.entries import Item
from rearch.bundle.errors import NoSuchBundle
from rearch.model.limits import Limits


class Writer(Protocol):
    """Writes a bundle of the same kind. Content is read to its end, whatever becomes of it."""

    def keep(self, item: Item, blocks: Iterable[bytes]) -> None:
        """The entry as it was; `blocks` are its own content. Errors: CannotWrite."""

    def put(self, item: Item, name: str, size: int, blocks: Iterable[bytes], *, mode: int | None = None) -> None:
        """A file like `item`'s, with other content, perhaps another name and mode. Errors: CannotWrite."""

    def reserve(self, item: Item, name: str) -> int:
        """Keep the place of a file like `item`'s whose content comes later; a number for `fill`."""

    def fill(self, number: int, data: bytes) -> None:
        """The content for a kept place."""

    def finish(self) -> None:
        """Write all that waits; to be called when the reader is at its end. Errors: CannotWrite."""

    def close(self) -> None:
        """Let go of what is held, after `finish` or an error."""


class Bundle(Protocol):
    """A bundle that is there. `name` is what messages call it, `is_folder` whether a refit of it is a folder.

    `rootless`: a folder that is what an archive has as its root folder.
    """

    name: str
    is_folder: bool
    rootless: bool

    def items(self) -> Iterator[Item]:
        """The entries in their order, unchecked; the content of each is read before the next is asked for.

        Errors: ArchiveError and its kind; OSError where the file cannot be read.
        """

    def writer(self, target: Path) -> Writer:
        """A writer for the same kind of container. `target`: an empty folder, or a file that is there and empty."""


def open_bundle(path: Path, limits: Limits, name: str = "") -> AbstractContextManager[Bundle]:
    """The bundle at a path. Its first bytes say what it is. Errors: NoSuchBundle, UnknownFormat; OSError."""
    label = name or path.name
    if path.is_dir():
        from rearch.bundle.folder import FolderBundle

        return FolderBundle(path, label, limits)
    if not path.is_file():
        raise NoSuchBundle(path)
    with path.open("rb") as file:
        start = file.read(4)
    if start in (b"PK\x03\x04", b"PK\x05\x06"):
        from rearch.bundle.zip import ZipBundle

        return ZipBundle(path, label, limits)
    from rearch.bundle.tar import TarBundle

    return TarBundle(path, label, limits)
