"""Locked files of Debian archives into the content-addressed cache of downloads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rearch.errors import RearchError, StepError, TemporaryError, VerificationError
from rearch.formats.hashing import copy_hashed, sha256_file
from rearch.formats.held import HeldDownloads
from rearch.formats.urls import OfflineError, masked
from rearch.host.debian.fetcher import AptFetcher, Miss, Missed, Order, Run
from rearch.model.source import DebianFile

# Debian policy 5.6.1 and 5.6.12: what a path in an archive's pool is made of.
_PATH = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9+.~_:%-]*/)*[A-Za-z0-9][A-Za-z0-9+.~_:%-]*\Z")
_SECONDS_PER_MEGABYTE = 4.0
_LEAST_SECONDS = 600.0
_SHOWN = 10

Moved = Callable[[str, int, int, str], None]


class DebianFilesGone(StepError):
    """No archive has these files any more: it keeps only the newest version of a package."""

    def __init__(self, files: Sequence[DebianFile], roots: Sequence[str]) -> None:
        self.files = tuple(files)
        self.roots = tuple(masked(root) for root in roots)
        super().__init__(
            f"{_count(files)} that rearch.lock names {'is' if len(files) == 1 else 'are'} in no archive any more",
            (*_shown(files), *(f"looked in {root}" for root in self.roots)),
            hint="take the newer version: `invoke lock --update`; or name an archive that keeps old versions, as "
            "the root of the distribution's snapshot of that day, under `debian_archives:` in rearch.yaml",
        )


class DebianUnreachable(TemporaryError):
    """Archives that do not answer."""

    def __init__(self, files: Sequence[DebianFile], roots: Sequence[str], said: Sequence[str]) -> None:
        self.files = tuple(files)
        self.roots = tuple(masked(root) for root in roots)
        super().__init__(
            f"{_count(files)} could not be fetched",
            (*_shown(files), *(f"tried {root}" for root in self.roots), *dict.fromkeys(said)),
            hint="try again later, or name another archive under `debian_archives:` in rearch.yaml",
        )


class DebianMismatch(VerificationError):
    """An archive has other bytes under the name of a locked file."""

    def __init__(self, file: DebianFile, said: str) -> None:
        self.file = file
        super().__init__(
            f"{file.path}: the archive's file is not the one in rearch.lock",
            (f"wanted {file.size} bytes, sha256 {file.sha256}", *([said] if said else [])),
            hint="a damaged mirror or proxy, or a lock that was edited: compare with another archive",
        )


class UnfitArchivePath(VerificationError):
    """A path in rearch.lock that is none of an archive's pool."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"not a path of a Debian archive: {path!r}", hint="rearch.lock was edited; run `invoke lock --update`"
        )


def _count(files: Sequence[DebianFile]) -> str:
    return "1 file" if len(files) == 1 else f"{len(files)} files"


def _shown(files: Sequence[DebianFile]) -> list[str]:
    lines = [f"{file.path} ({file.size} bytes, sha256 {file.sha256[:12]}...)" for file in files[:_SHOWN]]
    return lines + ([f"and {len(files) - _SHOWN} more"] if len(files) > _SHOWN else [])


class DebianDownloads:
    """`cache/downloads/<sha256>`, shared with every other kind of download.

    `roots` is asked only when something is missing; offline it is None. A file has its name only when
    its size and sha256 are right, whatever apt thinks of it.
    """

    def __init__(
        self, cache: Path, fetcher: Callable[[], AptFetcher] | None, roots: Callable[[Run], tuple[str, ...]]
    ) -> None:
        self._folder = cache / "downloads"
        self._held = HeldDownloads(self._folder)
        self._fetcher = fetcher
        self._roots = roots

    def get(self, files: Iterable[DebianFile], run: Run, moved: Moved | None = None) -> tuple[Path, ...]:
        """Have these files in the cache, in one go; their places, in the order asked.

        `run` runs apt-helper (with its output in the step's log); `moved(label, done, total, "B")` moves a bar.
        Errors: OfflineError, DebianFilesGone, DebianUnreachable, DebianMismatch, UnfitArchivePath, AptMissing.
        """
        wanted = tuple(files)
        unique = {file.sha256: _checked(file) for file in wanted}
        missing = [file for file in unique.values() if not self._is_there(file)]
        if missing:
            with self._held.locked(file.sha256 for file in missing):
                still = [file for file in missing if not self._is_there(file)]
                self._fetch(still, run, moved or (lambda *_: None))
        return tuple(self._held.place(file.sha256) for file in wanted)

    def _is_there(self, file: DebianFile) -> bool:
        return self._held.find(file.sha256, file.size) is not None

    def _fetch(self, files: list[DebianFile], run: Run, moved: Moved) -> None:
        if not files:
            return
        if self._fetcher is None:
            raise OfflineError(f"{files[0].path}" + _and_more(files), "the archives of this host's apt")
        fetcher, roots = self._fetcher(), self._roots(run)
        total, failures = sum(file.size for file in files), dict[str, list[Missed]]()
        left = files
        for root in roots:
            left = self._from_root(root, left, fetcher, run, failures)
            moved("Debian files", total - sum(file.size for file in left), total, "B")
            if not left:
                return
        raise _failure(left, roots, failures)

    def _from_root(
        self, root: str, files: list[DebianFile], fetcher: AptFetcher, run: Run, failures: dict[str, list[Missed]]
    ) -> list[DebianFile]:
        """What is still missing after one archive was tried."""
        orders = [Order(f"{root}/{file.path}", self._folder / f"{file.sha256}.apt", file.sha256) for file in files]
        for order in orders:
            order.place.unlink(missing_ok=True)
        size = sum(file.size for file in files)
        for missed in fetcher.fetch(orders, run, _LEAST_SECONDS + size / 1e6 * _SECONDS_PER_MEGABYTE):
            failures.setdefault(missed.order.sha256 or "", []).append(missed)
        return [file for file, order in zip(files, orders, strict=True) if not self._accept(file, order, failures)]

    def _accept(self, file: DebianFile, order: Order, failures: dict[str, list[Missed]]) -> bool:
        """Give a file its name if it is the right one: copied first where apt left a link to a local archive."""
        draft = order.place
        if draft.is_symlink() and draft.exists():
            draft = _copied(draft)
        if not draft.is_file():
            return False
        found = sha256_file(draft)
        if draft.stat().st_size == file.size and found == file.sha256:
            self._held.accept(draft, file.sha256, found)
            return True
        draft.unlink()
        failures.setdefault(file.sha256, []).append(Missed(order, Miss.WRONG, "its size or sha256 differs"))
        return False


def _copied(link: Path) -> Path:
    copy = link.with_name(link.name + "-copy")
    with link.open("rb") as source, copy.open("wb") as target:
        copy_hashed(source, target)
    link.unlink()
    return copy


def _checked(file: DebianFile) -> DebianFile:
    if not _PATH.match(file.path) or not re.fullmatch("[0-9a-f]{64}", file.sha256):
        raise UnfitArchivePath(file.path)
    return file


def _and_more(files: Sequence[DebianFile]) -> str:
    return f" (and {len(files) - 1} more Debian files)" if len(files) > 1 else ""


def _failure(files: list[DebianFile], roots: tuple[str, ...], failures: dict[str, list[Missed]]) -> RearchError:
    """One error for all: no answer outranks wrong bytes (another archive may be right), which outrank `gone`."""
    by_miss: dict[Miss, list[DebianFile]] = {miss: [] for miss in Miss}
    for file in files:
        misses = {missed.miss for missed in failures.get(file.sha256, ())} or {Miss.UNREACHABLE}
        worst = next(miss for miss in (Miss.UNREACHABLE, Miss.WRONG, Miss.GONE) if miss in misses)
        by_miss[worst].append(file)
    said = {file.sha256: [missed.said for missed in failures.get(file.sha256, ())] for file in files}
    if by_miss[Miss.WRONG]:
        file = by_miss[Miss.WRONG][0]
        return DebianMismatch(file, "; ".join(dict.fromkeys(said[file.sha256])))
    if by_miss[Miss.UNREACHABLE]:
        unreachable = by_miss[Miss.UNREACHABLE]
        return DebianUnreachable(unreachable, roots, [line for file in unreachable for line in said[file.sha256]][:5])
    return DebianFilesGone(by_miss[Miss.GONE], roots)
