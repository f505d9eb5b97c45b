"""A refitted bundle beside its original: every difference, and whether a refit makes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from rearch.bundle.chooser import platform_of_suffix
from rearch.bundle.scan import Scan, Seen
from rearch.bundle.values import APPLY, SUMS, SUMS_SUM, UPSTREAM


class Difference(Struct, frozen=True, kw_only=True):
    """`what` (content, mode, owner, time, kind, link, order, missing, added, machines) differs at `path`.

    `before` and `after` are for people; `expected`: a refit makes it.
    """

    path: str
    what: str
    before: str
    after: str
    expected: bool


def differences(original: Scan, refitted: Scan, *, chooses: bool, known: frozenset[str]) -> tuple[Difference, ...]:
    """All of them. `chooses`: one archive for all hosts; `known`: sha256 of programs that were verified here.

    A program may become another one only if that is known; any, where nothing is. The root folder keeps its name.
    """
    return tuple(_Comparison(original, refitted, chooses, known).each())


class _Comparison:
    def __init__(self, original: Scan, refitted: Scan, chooses: bool, known: frozenset[str]) -> None:
        self._before = {seen.path: seen for seen in original.entries}
        self._after = {seen.path: seen for seen in refitted.entries}
        self._elves = {found.path: found for found in original.elves}
        self._root = original.root
        self._ordered = not original.is_folder
        self._had_sums = original.sums
        self._chooses = chooses
        self._known = known

    def each(self) -> Iterator[Difference]:
        stands_for = dict(self._stands_for())
        made: dict[str, list[Seen]] = {}
        for path, was in stands_for.items():
            made.setdefault(was, []).append(self._after[path])
        for path, before in self._before.items():
            if path not in made:
                yield Difference(path=path, what="missing", before=before.kind.value, after="", expected=False)
            for after in made.get(path, ()):
                yield from self._pair(before, after)
        for path, after in self._after.items():
            if path not in stands_for:
                sums = not self._had_sums and path in (self._at_root(SUMS), self._at_root(SUMS_SUM))
                yield Difference(path=path, what="added", before="", after=after.kind.value, expected=sums)
        if self._ordered:
            yield from self._order(stands_for)

    def _stands_for(self) -> Iterator[tuple[str, str]]:
        """Each path of the refit that comes from one of the original, in the refit's order."""
        for path in self._after:
            plain, _, suffix = path.rpartition(".")
            if path in self._before:
                yield path, path
            elif self._chooses and plain in self._elves and platform_of_suffix(suffix):
                yield path, plain
            elif self._chooses and path == self._at_root(UPSTREAM) and self._at_root(APPLY) in self._before:
                yield path, self._at_root(APPLY)

    def _at_root(self, name: str) -> str:
        return f"{self._root}/{name}" if self._root else name

    def _pair(self, before: Seen, after: Seen) -> Iterator[Difference]:
        for what, old, new in _facts(before, after):
            if old != new:
                yield Difference(path=after.path, what=what, before=old, after=new, expected=False)
        if before.path != after.path and after.path != self._at_root(UPSTREAM):
            machine = after.path.rpartition(".")[2]
            yield Difference(path=after.path, what="machines", before=before.path, after=machine, expected=True)
        if before.sha256 != after.sha256:
            yield Difference(
                path=after.path,
                what="content",
                before=before.sha256[:12],
                after=after.sha256[:12],
                expected=self._may_change(before, after),
            )

    def _may_change(self, before: Seen, after: Seen) -> bool:
        if before.path in self._elves:
            return not self._known or after.sha256 in self._known
        apply = self._at_root(APPLY)
        if before.path == apply:  # that it is the chooser is checked by itself; its own script is kept as it is
            return self._chooses and after.path == apply
        return before.path in (self._at_root(SUMS), self._at_root(SUMS_SUM))

    def _order(self, stands_for: Mapping[str, str]) -> Iterator[Difference]:
        """The first entry that stands elsewhere. Files for several machines stand where their original stood."""
        now = list(dict.fromkeys(stands_for.values()))
        then = [path for path in self._before if path in set(now)]
        for old, new in zip(then, now, strict=True):
            if old != new:
                yield Difference(path=new, what="order", before=old, after=new, expected=False)
                return


def _facts(before: Seen, after: Seen) -> Iterator[tuple[str, str, str]]:
    yield "kind", before.kind.value, after.kind.value
    yield "mode", f"{before.mode:04o}", f"{after.mode:04o}"
    yield "owner", f"{before.uid}:{before.gid}", f"{after.uid}:{after.gid}"
    yield "time", str(before.mtime), str(after.mtime)
    yield "link", before.target, after.target
