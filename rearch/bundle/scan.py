"""Read a bundle: every entry with its digest, every ELF file with what it is and which program would cover it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from rearch.bundle.container import Bundle, open_bundle
from rearch.bundle.content import Aside, Digests, is_elf, started
from rearch.bundle.cover import cover, is_allowed
from rearch.bundle.entries import Item, Tree
from rearch.bundle.layout import Summed, root_of
from rearch.bundle.mentions import Mention, is_script, mentions
from rearch.bundle.values import APPLY, SUMS, SUMS_SUM, FoundElf, Program, Rules
from rearch.formats.archive_entry import EntryKind
from rearch.model.limits import Limits


class Seen(Struct, frozen=True, kw_only=True):
    """An entry. `sha256` of a file's content, empty for others; a hard link has its `target`."""

    path: str
    kind: EntryKind
    mode: int
    mtime: int
    size: int = 0
    uid: int | None = None
    gid: int | None = None
    target: str = ""
    sha256: str = ""


class Scan(Struct, frozen=True, kw_only=True):
    """What a bundle is. `root`: its one root folder, empty for a folder that is one, None where there is none.

    `sums`: whether it has them; `faults`: what they say that is not so. `apply`: the content of its apply.sh.
    """

    name: str
    entries: tuple[Seen, ...]
    elves: tuple[FoundElf, ...]
    mentions: tuple[Mention, ...]
    roots: tuple[str, ...]
    root: str | None
    sums: bool
    faults: tuple[str, ...]
    apply: bytes | None = None
    is_folder: bool = False


def scan_bundle(
    path: Path, *, limits: Limits, programs: Sequence[Program] = (), rules: Rules | None = None, name: str = ""
) -> Scan:
    """Read the bundle at a path, once. Nothing is unpacked.

    Errors: NoSuchBundle; ArchiveError and its kind, TooLarge; OSError where it cannot be read.
    """
    with open_bundle(path, limits, name) as bundle:
        return _Scanner(bundle, tuple(programs), rules or Rules()).run()


class _Scanner:
    def __init__(self, bundle: Bundle, programs: tuple[Program, ...], rules: Rules) -> None:
        self._bundle = bundle
        self._programs = programs
        self._rules = rules
        self._tree = Tree(bundle.name)
        self._summed = Summed(bundle.name)
        self._entries: list[Seen] = []
        self._elves: list[FoundElf] = []
        self._mentions: list[Mention] = []
        self._apply: bytes | None = None

    def run(self) -> Scan:
        for item in self._bundle.items():
            path = self._tree.add(item.entry)
            sha256 = self._file(item, path) if item.entry.kind is EntryKind.FILE else ""
            if item.entry.kind is EntryKind.HARD_LINK:
                target = "/".join(part for part in item.entry.target.split("/") if part not in ("", "."))
                self._summed.link(path, target)
            self._entries.append(_seen(item, path, sha256))
        self._tree.finish()
        self._summed.settle({})
        root = root_of(self._tree, self._bundle)
        return Scan(
            name=self._bundle.name,
            entries=tuple(self._entries),
            elves=tuple(self._elves),
            mentions=tuple(self._mentions),
            roots=self._tree.roots(),
            root=root,
            sums=self._summed.listed,
            faults=self._summed.faults(root),
            apply=self._apply,
            is_folder=self._bundle.is_folder,
        )

    def _file(self, item: Item, path: str) -> str:
        last = path.rpartition("/")[2] if path.count("/") <= (not self._bundle.rootless) else ""
        if last in (SUMS, SUMS_SUM):
            return self._summed.listing(item, path, None)
        start, data = started(item.entry.content)
        if is_elf(start):
            return self._elf(item, path, Aside(data, None))
        digests = Digests()
        if is_script(path, start, item.entry.size):
            text = b"".join(digests.through(data))
            self._mentions += mentions(path, text)
            self._apply = text if last == APPLY else self._apply
        else:
            for _ in digests.through(data):
                pass
        self._summed.saw(path, digests.sha1)
        return digests.sha256

    def _elf(self, item: Item, path: str, content: Aside) -> str:
        with content as aside:
            facts, broken = aside.facts(path)
        answer = cover(path, facts, self._programs, self._rules)
        self._elves.append(
            FoundElf(
                path=path,
                size=item.entry.size,
                sha256=aside.digests.sha256,
                facts=facts,
                broken=broken,
                program=answer.program,
                why=answer.why,
                allowed=is_allowed(path, self._rules),
            )
        )
        self._summed.saw(path, aside.digests.sha1)
        return aside.digests.sha256


def _seen(item: Item, path: str, sha256: str) -> Seen:
    entry = item.entry
    return Seen(
        path=path,
        kind=entry.kind,
        mode=entry.mode,
        mtime=entry.mtime,
        size=entry.size,
        uid=entry.uid,
        gid=entry.gid,
        target=entry.target,
        sha256=sha256,
    )
