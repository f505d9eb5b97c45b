"""Refit a bundle: its programs replaced by verified ones, in one pass, everything else as it was.

One archive for all hosts (no platform in the plan): each program becomes a file for each machine, `bin/agent.aarch64`;
the original file serves its own machine where nothing was built for that. A chooser stands in front of apply.sh, see
chooser.py. Otherwise every program is replaced by that of the one platform, under its own name.

Sums and the chooser are known only when everything has passed: their places are kept, see packing.py. What was
summed is checked on the way, so that a damaged original is found while its refit is still a file that goes away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rearch.bundle.chooser import chooser, machines, quotable, suffix
from rearch.bundle.container import Bundle, Writer, open_bundle
from rearch.bundle.content import Aside, Digests, is_elf, small, started
from rearch.bundle.cover import cover, is_allowed
from rearch.bundle.entries import Item, Tree
from rearch.bundle.errors import (
    CannotChoose,
    NameTaken,
    NoApplyScript,
    NotBuilt,
    NothingToReplace,
    SeveralRoots,
    Uncovered,
)
from rearch.bundle.hashing import Hasher
from rearch.bundle.layout import Summed, root_of
from rearch.bundle.offer import Offer, program_blocks
from rearch.bundle.values import APPLY, SUMS, SUMS_SUM, UPSTREAM, FoundElf, Put, Refit, RefitPlan
from rearch.bundle.whole import check_target, written_whole
from rearch.formats.archive_entry import EntryKind
from rearch.formats.elf import match_platform
from rearch.model.limits import Limits
from rearch.model.platform import PLATFORMS, Platform

_SCRIPT_LIMIT = 4 << 20


def refit_bundle(
    source: Path, target: Path, plan: RefitPlan, *, limits: Limits, name: str = "", replace: bool = False
) -> Refit:
    """Write the refit of the bundle at `source` (archive or folder) to `target`, which appears whole or not at all.

    `name` is what messages call it (the path's name when left out). A file at `target` is replaced; a folder that
    holds something only with `replace`.
    Errors: BadTarget, NoSuchBundle; ArchiveError and its kind, SeveralRoots, WrongSums; Uncovered, NotBuilt,
    BinaryChanged, NothingToReplace; NoApplyScript, CannotChoose, NameTaken; CannotWrite; OSError where the source
    cannot be read.
    """
    check_target(source, target, replace=replace)
    with (
        open_bundle(source, limits, name) as bundle,
        written_whole(target, folder=bundle.is_folder) as place,
        _closing(bundle.writer(place)) as writer,
    ):
        return _Refitter(bundle, writer, plan, place.parent).run()


@contextmanager
def _closing(writer: Writer) -> Iterator[Writer]:
    try:
        yield writer
    finally:
        writer.close()


class _Refitter:
    """One pass over one bundle."""

    def __init__(self, bundle: Bundle, writer: Writer, plan: RefitPlan, scratch: Path) -> None:
        self._bundle = bundle
        self._writer = writer
        self._plan = plan
        self._scratch = scratch
        self._offer = Offer(plan.binaries)
        self._tree = Tree(bundle.name)
        self._hasher = Hasher()
        self._summed = Summed(bundle.name)
        self._put: list[Put] = []
        self._kept: list[FoundElf] = []
        self._uncovered: list[FoundElf] = []
        self._served: list[tuple[str, frozenset[Platform]]] = []
        self._apply: tuple[int, Item, str] | None = None
        self._last: Item | None = None
        self._entries = 0

    def run(self) -> Refit:
        try:
            for item in self._bundle.items():
                self._entries += 1
                self._entry(item, self._tree.add(item.entry))
        finally:
            found = self._hasher.close()
        self._summed.settle(found)
        return self._finish()

    # --- entries

    def _entry(self, item: Item, path: str) -> None:
        if item.entry.kind is EntryKind.FILE:
            self._last = item
            self._file(item, path)
            return
        if item.entry.kind is EntryKind.HARD_LINK:
            self._hard_link(item, path)
        self._writer.keep(item, ())

    def _hard_link(self, item: Item, path: str) -> None:
        """It has the content of the file that it names, also in the sums."""
        target = "/".join(part for part in item.entry.target.split("/") if part not in ("", "."))
        if self._plan.platform is None and any(put.was == target for put in self._put):
            raise CannotChoose(self._bundle.name, path, f"is another name of {target}, which becomes several files")
        self._summed.link(path, target)

    def _file(self, item: Item, path: str) -> None:
        last = path.rpartition("/")[2] if path.count("/") <= (not self._bundle.rootless) else ""
        if last in (SUMS, SUMS_SUM):
            self._summed.listing(item, path, self._writer)
        elif last == APPLY and self._plan.platform is None and self._apply is None:
            self._apply_script(item, path)
        else:
            self._content(item, path)

    def _content(self, item: Item, path: str) -> None:
        start, data = started(item.entry.content)
        if is_elf(start):
            with Aside(data, self._scratch) as aside:
                self._elf(item, path, aside)
            return
        self._writer.keep(item, self._hasher.through(path, data))

    def _apply_script(self, item: Item, path: str) -> None:
        """The original moves aside; what stands in its place is written at the end."""
        script = small(self._bundle.name, path, item.entry.size, item.entry.content, _SCRIPT_LIMIT)
        beside, entry_name = _beside(path, UPSTREAM), _beside(item.entry.name, UPSTREAM)
        self._apply = (self._writer.reserve(item, item.entry.name), item, path)
        digests = Digests()
        self._writer.put(item, entry_name, len(script), digests.through((script,)))
        self._summed.saw(path, digests.sha1)
        self._summed.made(path, beside, digests.sha1)
        self._note(beside, path, "the archive's own script", digests)

    def _note(self, path: str, was: str, what: str, digests: Digests, platform: Platform | None = None) -> None:
        self._put.append(
            Put(path=path, was=was, what=what, sha256=digests.sha256, size=digests.size, platform=platform)
        )

    # --- programs

    def _elf(self, item: Item, path: str, aside: Aside) -> None:
        self._summed.saw(path, aside.digests.sha1)
        found = self._found(path, item, aside)
        if found.allowed or self._is_right(found):
            self._kept.append(found)
            self._writer.keep(item, aside.blocks())
        elif found.program is None:
            self._uncovered.append(found)
        elif self._plan.platform is None:
            self._for_all(item, found, aside)
        else:
            self._for_one(item, found, self._plan.platform)

    def _found(self, path: str, item: Item, aside: Aside) -> FoundElf:
        facts, broken = aside.facts(path)
        answer = cover(path, facts, self._plan.programs, self._plan.rules)
        return FoundElf(
            path=path,
            size=item.entry.size,
            sha256=aside.digests.sha256,
            facts=facts,
            broken=broken,
            program=answer.program,
            why=answer.why,
            allowed=is_allowed(path, self._plan.rules),
        )

    def _is_right(self, found: FoundElf) -> bool:
        """Whether a bundle for one platform has the right file already, and nothing of ours to put in its place."""
        platform = self._plan.platform
        if platform is None or found.facts is None or match_platform(found.facts, platform):
            return False
        return found.program is None or self._offer.get(found.program, platform) is None

    def _for_one(self, item: Item, found: FoundElf, platform: Platform) -> None:
        assert found.program is not None
        binary = self._offer.get(found.program, platform)
        if binary is None:
            raise NotBuilt(self._bundle.name, found.path, found.program, (platform,))
        digests = Digests()
        self._writer.put(item, item.entry.name, binary.size, digests.through(program_blocks(binary)))
        self._summed.made(found.path, found.path, digests.sha1)
        self._note(found.path, found.path, str(binary), digests, platform)

    def _for_all(self, item: Item, found: FoundElf, aside: Aside) -> None:
        """A file for each platform that there is a program for, the original for its own if nothing else is."""
        assert found.program is not None
        built = self._offer.platforms(found.program)
        own = _own_platform(found)
        if not set(built) - {own}:
            raise NotBuilt(self._bundle.name, found.path, found.program, ())
        if not quotable(found.path):
            raise CannotChoose(self._bundle.name, found.path, "has a name that cannot stand in a script")
        for platform in sorted({*built, *([own] if own else [])}):
            binary = self._offer.get(found.program, platform)
            digests = Digests()
            blocks = digests.through(program_blocks(binary) if binary else aside.blocks())
            name = _beside(item.entry.name, _variant(found.path, platform))
            size = binary.size if binary else item.entry.size
            self._writer.put(item, name, size, blocks)
            path = f"{found.path}.{suffix(platform)}"
            self._summed.made(found.path, path, digests.sha1)
            self._note(path, found.path, str(binary) if binary else "the original", digests, platform)
        self._summed.gone(found.path)
        self._served.append((found.path, frozenset((*built, *([own] if own else ())))))

    # --- the end

    def _finish(self) -> Refit:
        self._tree.finish()
        root = root_of(self._tree, self._bundle)
        if root is None and (self._plan.rancher or self._summed.listed):
            raise SeveralRoots(self._bundle.name, self._tree.roots())
        self._summed.check(root or "")
        if self._uncovered:
            raise Uncovered(self._bundle.name, self._uncovered)
        if not any(put.platform for put in self._put) and not self._kept:
            raise NothingToReplace(self._bundle.name)
        platforms = self._choose(root or "")
        self._names_are_free()
        if self._plan.rancher or self._summed.listed:
            self._summed.write(root or "", self._writer, self._last)
        self._writer.finish()
        return Refit(
            entries=self._entries,
            put=tuple(self._put),
            kept=tuple(self._kept),
            machines=tuple(name for _, names in machines(platforms) for name in names),
            lacking=tuple(sorted({one for _, served in self._served for one in served} - {*platforms})),
            sums=self._plan.rancher or self._summed.listed,
        )

    def _choose(self, root: str) -> Sequence[Platform]:
        """Write the chooser; the platforms that every program has a file for."""
        if self._plan.platform is not None:
            return ()
        wanted = f"{root}/{APPLY}" if root else APPLY
        if not self._served or self._apply is None or self._apply[2] != wanted:
            raise NoApplyScript(self._bundle.name, wanted)
        number, _, path = self._apply
        platforms = sorted(frozenset.intersection(*(served for _, served in self._served)))
        if not platforms:
            raise CannotChoose(self._bundle.name, path, "would find no machine that every program has a file for")
        script = chooser([_inner(name, root) for name, _ in self._served], platforms)
        self._writer.fill(number, script)
        digests = Digests()
        for _ in digests.through((script,)):
            pass
        self._summed.made(path, path, digests.sha1)
        self._note(path, path, "chooser between machines", digests)
        return platforms

    def _names_are_free(self) -> None:
        for put in self._put:
            if put.path != put.was and self._tree.has(put.path):
                raise NameTaken(self._bundle.name, put.path)


def _own_platform(found: FoundElf) -> Platform | None:
    """The platform that an original is for: the first of the table that it is right for."""
    if found.facts is None:
        return None
    return next((platform for platform in PLATFORMS if not match_platform(found.facts, platform)), None)


def _beside(path: str, name: str) -> str:
    """Another name in the same folder."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{name}"


def _variant(path: str, platform: Platform) -> str:
    return f"{path.rpartition('/')[2]}.{suffix(platform)}"


def _inner(path: str, root: str) -> str:
    return path.removeprefix(f"{root}/") if root else path
