"""What Rancher's archives have beside their programs: one root folder, and sums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from rearch.bundle.container import Bundle, Writer
from rearch.bundle.content import small
from rearch.bundle.entries import Item, Tree
from rearch.bundle.errors import WrongSums
from rearch.bundle.sums import (
    MAX_SIZE,
    Sums,
    first_sums,
    parse_sums,
    sums_faults,
    sums_of,
    sums_sum_faults,
    sums_sum_of,
)
from rearch.bundle.values import SUMS, SUMS_SUM

# Files that the server puts into an archive when it hands it out, and reads itself.
_OF_THE_SERVER = ("version", "uptodate")


def root_of(tree: Tree, bundle: Bundle) -> str | None:
    """The one folder that holds everything; empty where the bundle is that folder itself; None where there is none."""
    roots = tree.roots()
    if bundle.rootless:
        return ""
    if len(roots) == 1 and not tree.is_file(roots[0]):
        return roots[0]
    return None


class Listing:
    """SHA1SUMS or SHA1SUMSSUM as it was, and the place that is kept for the new one."""

    _read: tuple[str, Sums] | None = None

    def __init__(self, path: str, data: bytes, number: int | None) -> None:
        self.path = path
        self.data = data
        self.number = number

    def sums(self, root: str) -> Sums:
        """Its lines; read once, there may be thousands."""
        if self._read is None or self._read[0] != root:
            self._read = (root, parse_sums(self.data, root))
        return self._read[1]


class Summed:
    """The sha1 of everything that passes, before and after; checks the old sums and writes new ones."""

    def __init__(self, bundle: str) -> None:
        self._bundle = bundle
        self._listings: dict[str, Listing] = {}
        self._before: dict[str, str] = {}
        self._after: dict[str, str] = {}
        self._made: dict[str, tuple[str, ...]] = {}
        self._links: list[tuple[str, str]] = []

    @property
    def listed(self) -> bool:
        """Whether the bundle has sums."""
        return bool(self._listings)

    def saw(self, path: str, sha1: str) -> None:
        """A file of the original."""
        self._before[path] = self._after[path] = sha1

    def link(self, path: str, target: str) -> None:
        """Another name of a file that came before."""
        self._links.append((path, target))

    def settle(self, found: Mapping[str, str]) -> None:
        """All has passed; `found`: path -> sha1 of the files that stay and were hashed beside."""
        self._before |= found
        self._after |= found
        for path, target in self._links:
            self._before[path] = self._before.get(target, "")
            self._after[path] = self._after.get(target, "")

    def made(self, was: str, path: str, sha1: str) -> None:
        """A file of the refit that stands for one of the original."""
        self._after[path] = sha1
        self._made[was] = tuple(dict.fromkeys((*self._made.get(was, ()), path)))

    def gone(self, path: str) -> None:
        """A file of the original that the refit does not have."""
        self._after.pop(path, None)

    def listing(self, item: Item, path: str, writer: Writer | None) -> str:
        """Read a file of sums, and keep its place in what is written; the sha256 of what was read."""
        data = small(self._bundle, path, item.entry.size, item.entry.content, MAX_SIZE)
        number = writer.reserve(item, item.entry.name) if writer is not None else None
        self._listings[path.rpartition("/")[2]] = Listing(path, data, number)
        return hashlib.sha256(data).hexdigest()

    def faults(self, root: str | None) -> tuple[str, ...]:
        """What the bundle's own sums say that is not so. `root` None: of several, that which they lie in is meant."""
        sums, over = self._listings.get(SUMS), self._listings.get(SUMS_SUM)
        if sums is None and over is None:
            return ()
        if sums is None or over is None:
            return (f"{SUMS if sums is None else SUMS_SUM} is missing",)
        root = sums.path.rpartition("/")[0] if root is None else root
        return (
            *sums_faults(sums.sums(root), self._before),
            *sums_sum_faults(over.data, sums.data, root),
        )

    def check(self, root: str) -> None:
        """The same as an error. Errors: WrongSums."""
        if faults := self.faults(root):
            raise WrongSums(self._bundle, faults)

    def write(self, root: str, writer: Writer, like: Item | None) -> None:
        """The sums of the refit, at their old places, or at the end where there were none."""
        sums, over = self._listings.get(SUMS), self._listings.get(SUMS_SUM)
        if sums is not None and over is not None:
            text = sums_of(sums.sums(root), self._after, self._made)
            for listing, data in ((sums, text), (over, sums_sum_of(text, over.data, root))):
                assert listing.number is not None
                writer.fill(listing.number, data)
            return
        assert like is not None, "an archive without files has no programs"
        prefix = f"{root}/" if root else ""
        text = first_sums(self._after, frozenset(prefix + name for name in _OF_THE_SERVER))
        for name, data in ((SUMS, text), (SUMS_SUM, sums_sum_of(text, b"", root))):
            writer.put(like, prefix + name, len(data), (data,), mode=0o644)
