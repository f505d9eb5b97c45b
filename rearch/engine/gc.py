"""Garbage collection of the cache: by age and by quota, never what a live run uses."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rearch.engine.scratch import sweep
from rearch.engine.store import Store
from rearch.formats.tree import remove_tree


class Item(Struct, frozen=True, kw_only=True):
    """Something that can be removed. `used` in seconds since 1970; `size` in bytes on disk; `key` of a result."""

    path: Path
    used: float
    size: int = 0
    key: str | None = None


class Collected(Struct, frozen=True, kw_only=True):
    """What a collection did (or would do)."""

    removed: tuple[Item, ...]
    kept: int
    kept_bytes: int


def collect_garbage(
    store: Store, cache: Path, *, max_age: float | None, quota: int | None, dry_run: bool = False
) -> Collected:
    """Remove what was not used for `max_age` seconds, then the longest unused until `quota` bytes are left.

    Results that a live run declared are kept. Downloads, git mirrors and compiler caches are kept while any run lives.
    """
    store.sweep()
    sweep(cache)
    with store.gate(exclusive=True):
        leased = store.leased()
        items = _sized((*_results(store), *_others(cache, busy=bool(leased))))
        doomed = _choose([item for item in items if item.key not in leased], items, max_age, quota)
        if not dry_run:
            # Out of sight at once, by a rename; the slow part comes when the gate is open again.
            graves = [store.hide(item.path) for item in doomed]
    if not dry_run:
        for grave in graves:
            remove_tree(grave)
    gone = {item.path for item in doomed}
    kept = [item for item in items if item.path not in gone]
    return Collected(removed=tuple(doomed), kept=len(kept), kept_bytes=sum(item.size for item in kept))


def _sized(items: Iterable[Item]) -> list[Item]:
    """The longest unused first. Files that several share (results of image steps link to one blob) count for the one
    that was used last: only when that goes, too, is anything gained."""
    seen: set[tuple[int, int]] = set()
    newest = sorted(items, key=lambda item: (item.used, str(item.path)), reverse=True)
    return [replace(item, size=disk_size(item.path, seen)) for item in newest][::-1]


def _choose(free: list[Item], everything: list[Item], max_age: float | None, quota: int | None) -> list[Item]:
    now = time.time()
    doomed = [item for item in free if max_age is not None and now - item.used > max_age]
    left = sum(item.size for item in everything) - sum(item.size for item in doomed)
    for item in free[len(doomed) :]:
        if quota is None or left <= quota:
            break
        doomed.append(item)
        left -= item.size
    return doomed


def _results(store: Store) -> Iterator[Item]:
    for key in store.all_keys():
        folder = store.folder(key)
        yield Item(path=folder, used=(folder / "result.json").stat().st_mtime, key=key)


def _others(cache: Path, *, busy: bool) -> Iterator[Item]:
    if busy:
        return
    yield from _layers(cache / "layers")
    for name in ("downloads", "git", "go-build", "zig", "debian", "stamps", "yaml", "audit"):
        folder = cache / name
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if not path.name.endswith(".lock") and path.name != "gitconfig":
                    yield Item(path=path, used=_last_use(path))


def _layers(folder: Path) -> Iterator[Item]:
    """Blobs of layers, by the last use of their record: a record without its blob means nothing."""
    if folder.is_dir():
        from rearch.oci.layer_store import LayerStore

        used: dict[Path, float] = {}
        for each in LayerStore(folder).everything():
            used[each.blob] = max(each.used, used.get(each.blob, 0.0))
        for blob in sorted((folder / "blobs").iterdir()):
            yield Item(path=blob, used=used.get(blob, _last_use(blob)))


def _last_use(path: Path) -> float:
    status = path.stat(follow_symlinks=False)
    return max(status.st_mtime, status.st_atime)


def disk_size(path: Path, seen: set[tuple[int, int]] | None = None) -> int:
    """Bytes that a file or folder takes on disk. A file with several names counts once, and not at all if `seen`."""
    seen = set() if seen is None else seen
    total = 0
    for each in (path, *path.rglob("*")) if path.is_dir() and not path.is_symlink() else (path,):
        try:
            status = each.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
    return total
