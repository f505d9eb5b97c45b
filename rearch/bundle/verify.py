"""Is a refitted bundle right: nothing foreign is left in it, nothing else changed, its sums say what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from rearch.bundle.chooser import MARK, chooser, platform_of_suffix, suffix
from rearch.bundle.compare import Difference, differences
from rearch.bundle.errors import words_of
from rearch.bundle.scan import Scan
from rearch.bundle.values import APPLY, UPSTREAM, FoundElf
from rearch.errors import UsageError
from rearch.formats.archive_errors import shown
from rearch.formats.elf import match_platform
from rearch.model.platform import Platform
from rearch.model.verified import VerifiedBinary


class WhichPlatform(UsageError):
    """A bundle without a chooser does not say what machine it is for."""

    def __init__(self, bundle: str) -> None:
        self.bundle = bundle
        super().__init__(f"{bundle} is for one kind of machine, and does not say which", hint="name it: `--arch arm64`")


class Judged(Struct, frozen=True, kw_only=True):
    """An ELF file of the refit: the platform that it has to be for (None: it may be any), and what is wrong with it.

    `source`: the verified binary that it is, `original`, `allowed`, or empty where nothing here tells.
    """

    found: FoundElf
    platform: Platform | None
    source: str
    faults: tuple[str, ...] = ()


class Verdict(Struct, frozen=True, kw_only=True):
    """`faults` are lines for people: all that is wrong. `differences` from the original, if one was given."""

    name: str
    programs: tuple[Judged, ...]
    differences: tuple[Difference, ...]
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether it can be handed out."""
        return not self.faults


def verify_scan(
    refitted: Scan,
    *,
    binaries: Sequence[VerifiedBinary],
    platform: Platform | None = None,
    original: Scan | None = None,
    rancher: bool = False,
) -> Verdict:
    """Judge a bundle that was read. `platform`: what a bundle without a chooser is for; `rancher`: it must have sums.

    Errors: WhichPlatform.
    """
    chooses = refitted.apply is not None and MARK.encode() in refitted.apply
    if not chooses and platform is None:
        raise WhichPlatform(refitted.name)
    known = {binary.sha256: str(binary) for binary in binaries}
    old = frozenset(found.sha256 for found in original.elves) if original else frozenset[str]()
    judged = tuple(
        _judged(found, None if chooses else platform, known, old, against=original is not None, chooses=chooses)
        for found in refitted.elves
    )
    changes: tuple[Difference, ...] = ()
    if original is not None:
        changes = differences(original, refitted, chooses=chooses, known=frozenset(known))
    faults = (
        *_layout_faults(refitted, rancher=rancher),
        *(f"{shown(one.found.path)}: {fault}" for one in judged for fault in one.faults),
        *(_chooser_faults(refitted, judged) if chooses else ()),
        *(
            f"{shown(one.path)}: {one.what} was {one.before or 'not there'}, is {one.after or 'not there'}"
            for one in changes
            if not one.expected
        ),
    )
    return Verdict(name=refitted.name, programs=judged, differences=changes, faults=faults)


def _layout_faults(scan: Scan, *, rancher: bool) -> Iterator[str]:
    if scan.root is None and (rancher or scan.sums):
        yield f"{len(scan.roots)} things at its top, where hosts want one folder"
    if rancher and not scan.sums:
        yield "it has no sums, so hosts refuse it"
    yield from scan.faults


def _judged(
    found: FoundElf,
    platform: Platform | None,
    known: Mapping[str, str],
    old: frozenset[str],
    *,
    against: bool,
    chooses: bool,
) -> Judged:
    source = known.get(found.sha256) or ("original" if found.sha256 in old else "")
    if found.allowed:
        return Judged(found=found, platform=None, source=source or "allowed")
    wanted = platform_of_suffix(found.path.rpartition(".")[2]) if chooses else platform
    faults = list(_elf_faults(found, wanted))
    if against and known and not source:
        faults.append("neither a binary that was verified here nor one of the original")
    return Judged(found=found, platform=wanted, source=source, faults=tuple(faults))


def _elf_faults(found: FoundElf, wanted: Platform | None) -> Iterator[str]:
    if wanted is None:
        yield f"{words_of(found)}, and no machine's name behind its own"
    elif found.facts is None:
        yield words_of(found)
    else:
        yield from map(str, match_platform(found.facts, wanted))


def _chooser_faults(scan: Scan, judged: Sequence[Judged]) -> Iterator[str]:
    """The chooser has to be the one that these very programs need."""
    prefix = f"{scan.root}/" if scan.root else ""
    paths = {seen.path for seen in scan.entries}
    if prefix + UPSTREAM not in paths:
        yield f"{prefix}{UPSTREAM} is missing: the chooser has nothing to go on with"
    served: dict[str, set[Platform]] = {}
    for one in judged:
        if one.platform is not None:
            plain = one.found.path.removesuffix(f".{suffix(one.platform)}")
            served.setdefault(plain, set()).add(one.platform)
    for plain in served.keys() & paths:
        yield f"{shown(plain)} is there beside the files for each machine"
    platforms = sorted(set.intersection(*served.values())) if served else []
    if scan.apply != chooser([plain.removeprefix(prefix) for plain in served], platforms):
        yield f"{prefix}{APPLY} is not the chooser that these programs need: refit the original again"
