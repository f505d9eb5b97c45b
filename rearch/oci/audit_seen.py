"""What the scan of one layer saw: facts about files, without a judgement, for they are remembered by the blob's digest.

Which platform the image is for, what later layers hide and what the recipe allows are another image's matter
each time; see audit_judge.py.
"""

from __future__ import annotations

import os
from typing import Literal

from msgspec import Struct

from rearch.formats.elf import ElfFacts
from rearch.formats.printable import printable

# A path of a tar need not be UTF-8, and the remembered form is JSON. A name that is not gets its bytes as escapes and
# this mark, which no name of a tar can hold: two names never become one.
_MARK = "\0"


def known_name(path: str) -> str:
    """A path of a layer (surrogates for bytes that are not UTF-8) as text without surrogates, one for one."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "/".join(_known_part(part) for part in path.split("/"))
    return path


def _known_part(part: str) -> str:
    raw = os.fsencode(part)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace") + _MARK


def shown_path(path: str) -> str:
    """A known name for people."""
    return printable(path.replace(_MARK, ""))


class Place(Struct, frozen=True, kw_only=True):
    """Where something lies: a path of the layer and, inside archives, the names from the outermost to the innermost."""

    path: str
    inside: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "!".join(("/" + shown_path(self.path), *map(shown_path, self.inside)))


class ElfSeen(Struct, frozen=True, kw_only=True):
    """A file with ELF's magic. `facts` is None where `broken` says why it cannot be read.

    `number` says which entry of the layer has it, from 0. `machine` is e_machine, None where the file ends before it.
    `rpath` and `runpath` are DT_RPATH's and DT_RUNPATH's folders, as they are written. `mode` holds the permission bits
    of the layer's entry. `packed`: it is inside of something, and no loader or kernel finds it there (a module as
    .ko.xz, a file of an archive).
    """

    number: int
    place: Place
    mode: int
    size: int
    packed: bool
    machine: int | None
    facts: ElfFacts | None = None
    broken: str = ""
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()


class OtherSeen(Struct, frozen=True, kw_only=True):
    """Something that is no ELF file and that people want to know of: `what` is the words, `kind` the class of it.

    `foreign`: a program for another system. `unread`: an archive that could not be looked into (to its end).
    `limit`: one that would have been, had it not wanted more than an audit gives; so it can hide anything. `behind`: a
    tar with something behind its end that some programs would read on in, and others not.
    """

    number: int
    place: Place
    kind: Literal["foreign", "unread", "limit", "behind"]
    what: str


class ScriptSeen(Struct, frozen=True, kw_only=True):
    """A file that can be executed and begins with `#!`: interpreter and the rest of that line."""

    number: int
    path: str
    interpreter: str
    argument: str


class PackageSeen(Struct, frozen=True, kw_only=True):
    """Files that a package says it brought, relative to the root."""

    package: str
    paths: tuple[str, ...]


class TextSeen(Struct, frozen=True, kw_only=True):
    """A small file that says how the image works: accounts, the loader's configuration."""

    number: int
    path: str
    text: str


class LayerSeen(Struct, frozen=True, kw_only=True):
    """Everything that an audit wants of a layer. `files` counts regular files."""

    files: int
    elves: tuple[ElfSeen, ...]
    others: tuple[OtherSeen, ...]
    scripts: tuple[ScriptSeen, ...]
    packages: tuple[PackageSeen, ...]
    texts: tuple[TextSeen, ...]
