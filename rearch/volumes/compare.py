"""What is to be done to a volume: wanted against found, each with a reason."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Literal, Protocol, assert_never

from msgspec import Struct

from rearch.formats.elf_facts import ElfFacts, describe
from rearch.formats.elf_match import match_platform
from rearch.volumes.errors import InTheWay
from rearch.volumes.things import (
    Content,
    File,
    Folder,
    Found,
    FoundFile,
    FoundFolder,
    FoundLink,
    FoundOther,
    Link,
    Thing,
    parents,
)


class Look(Protocol):
    """Place.look."""

    def __call__(self, path: str, *, brief: bool = False) -> Found | None: ...


class Change(Struct, frozen=True, kw_only=True):
    """`reason` is empty where the thing is as it should be."""

    thing: Thing
    action: Literal["new", "renew", "keep"]
    reason: str = ""


def compare(content: Content, look: Look, *, owners: bool = True) -> tuple[Change, ...]:
    """One change for each thing, in the content's order. With `owners` false, owners do not count.

    The time of a file is no difference: it says nothing about its bytes. Errors: InTheWay, with all that is.
    """
    changes: list[Change] = []
    blocked: list[tuple[str, str, str]] = []
    absent: set[str] = set()
    for thing in content.things:
        found = None if absent.intersection(parents(thing.path)) else look_for(thing, look)
        if found is not None and not _may_stay(thing, found):
            blocked.append((thing.path, kind_of(found), kind_of(thing)))
            absent.add(thing.path)  # what is said of it is enough
            continue
        if found is None and isinstance(thing, Folder):
            absent.add(thing.path)
        changes.append(_change(thing, found, owners=owners))
    if blocked:
        raise InTheWay(content.volume, blocked)
    return tuple(changes)


def missing(content: Content) -> tuple[Change, ...]:
    """The changes for a volume that is not there yet."""
    return tuple(_change(thing, None, owners=True) for thing in content.things)


def look_for(thing: Thing, look: Look) -> Found | None:
    """What is in the thing's place, as far as it matters."""
    return look(thing.path, brief=isinstance(thing, Folder) and thing.implied)


def is_as_wanted(thing: Thing, found: Found | None, *, owners: bool = True) -> bool:
    """Whether nothing is left to do."""
    return found is not None and _may_stay(thing, found) and not difference(thing, found, owners=owners)


def difference(thing: Thing, found: Found, *, owners: bool = True) -> str:
    """What differs, in words; empty: nothing. The kinds are such that the one can be put in the other's place."""
    return "; ".join(_differences(thing, found, owners=owners))


def kind_of(thing: Thing | Found) -> str:
    """In a word."""
    match thing:
        case File() | FoundFile():
            return "file"
        case Folder() | FoundFolder():
            return "folder"
        case Link() | FoundLink():
            return "link"
        case FoundOther():
            return thing.kind
        case _:
            assert_never(thing)


def _change(thing: Thing, found: Found | None, *, owners: bool) -> Change:
    if found is None:
        return Change(thing=thing, action="new", reason="it is not there")
    reason = difference(thing, found, owners=owners)
    return Change(thing=thing, action="renew" if reason else "keep", reason=reason)


def _may_stay(thing: Thing, found: Found) -> bool:
    """Whether what is there is the thing, or may be replaced by it: a folder with files of somebody never is."""
    match thing:
        case Folder():
            return isinstance(found, FoundFolder)
        case File() | Link():
            return isinstance(found, FoundFile | FoundLink)
        case _:
            assert_never(thing)


def _differences(thing: Thing, found: Found, *, owners: bool) -> Iterator[str]:
    match thing, found:
        case (File(), FoundFile()):
            yield from _bytes(thing, found)
            yield from _manners(thing, found, owners=owners)
        case (Folder(), FoundFolder()):
            if not thing.implied:
                yield from _manners(thing, found, owners=owners)
        case (Link(), FoundLink()):
            if thing.target != found.target:
                yield f"it points to {found.target}"
        case _:
            yield f"a {kind_of(found)} is there"


def _bytes(file: File, found: FoundFile) -> Iterator[str]:
    if (file.sha256, file.size) == (found.sha256, found.size):
        return
    wrong = found.elf is not None and match_platform(found.elf, file.platform)
    yield f"what is there is for another platform: {_described(found.elf)}" if wrong else "its content differs"


def _described(elf: ElfFacts | None) -> str:
    return "" if elf is None else describe(elf)


def _manners(thing: File | Folder, found: FoundFile | FoundFolder, *, owners: bool) -> Iterator[str]:
    if stat.S_IMODE(found.mode) != thing.mode:
        yield f"its mode is {stat.S_IMODE(found.mode):04o}"
    if owners and (found.uid, found.gid) != (thing.uid, thing.gid):
        yield f"its owner is {found.uid}:{found.gid}"
