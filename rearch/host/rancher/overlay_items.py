"""Archives that an overlay hands out: checked when they change, and copied with the version that the server says."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from rearch.formats.hashing import blocks
from rearch.host.rancher.archive import Content, read_content
from rearch.host.rancher.repack import with_version
from rearch.model.limits import Limits

# Copies kept at once, those used last: an overlay that runs for months sees a new refit every night.
_COPIES = 16


class Offered(Struct, frozen=True, kw_only=True):
    """An archive as it lies on the disk now; `stamp` tells whether it is still that file (inode, size, time)."""

    item: str
    path: Path
    content: Content
    sha256: str
    size: int
    stamp: tuple[int, int, int]


class Offers:
    """Archives by item. Its methods read and write files: call them in a thread. `scratch` is for the copies."""

    def __init__(self, archives: Mapping[str, Path], scratch: Path, limits: Limits) -> None:
        self._archives = dict(archives)
        self._scratch = scratch
        self._limits = limits
        self._lock = threading.Lock()
        self._known: dict[str, Offered] = {}
        self._made: OrderedDict[Path, None] = OrderedDict()

    @property
    def items(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted(self._archives))

    def current(self, item: str) -> Offered:
        """The archive; read again when a new refit has taken its place. Errors: those of read_content."""
        path = self._archives[item]
        with self._lock:
            known = self._known.get(item)
            if known is None or known.stamp != _stamp(path):
                known = self._known[item] = self._read(item, path)
            return known

    def file(self, item: str, version: str | None) -> Path:
        """What to send: a file that never changes under its name. `version`: what the server's own archive says.

        Where the server's has none, ours is handed out as it is.
        """
        offered = self.current(item)
        named = hashlib.sha256(f"{offered.sha256} {version}".encode()).hexdigest()
        target = self._scratch / named
        with self._lock:
            if target not in self._made:
                self._make(offered, target, version)
            self._made[target] = None
            self._made.move_to_end(target)
            while len(self._made) > _COPIES:
                self._made.popitem(last=False)[0].unlink(missing_ok=True)
        return target

    def _make(self, offered: Offered, target: Path, version: str | None) -> None:
        if version is None or version == offered.content.version:
            # No hard link: the archive is somebody else's, who may change it in its place.
            beside = target.with_suffix(".new")
            shutil.copyfile(offered.path, beside)
            beside.replace(target)
        else:
            with_version(offered.path, target, offered.content, version)

    def _read(self, item: str, path: Path) -> Offered:
        stamp = _stamp(path)
        content = read_content(path, f"{item} ({path})", self._limits)
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for data in blocks(file):
                digest.update(data)
        return Offered(item=item, path=path, content=content, sha256=digest.hexdigest(), size=stamp[1], stamp=stamp)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
