"""stack.yaml's `volumes` and the verified binaries -> what each volume has to hold on a platform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.formats.hashing import sha256_file
from rearch.model.platform import Platform
from rearch.model.stack import Stack
from rearch.model.verified import VerifiedBinary
from rearch.model.volumes import Volume, VolumeFile
from rearch.volumes.errors import NotBuilt
from rearch.volumes.things import Content, File, Folder, Link, Thing, parents

Binaries = Mapping[tuple[str, str, Platform], VerifiedBinary]


class Declared(Struct, frozen=True, kw_only=True):
    """A volume of a stack. `files`: the folder of the stack's own files, absolute."""

    stack: str
    name: str
    volume: Volume
    files: Path


class Wanted(Struct, frozen=True, kw_only=True):
    """The contents, and what was left out of them: `stack/component name`, by volume."""

    contents: tuple[Content, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def declared(stacks: Iterable[Stack], root: Path) -> tuple[Declared, ...]:
    """The volumes of these stacks, in the order of their files. `root`: the project's folder."""
    return tuple(
        Declared(stack=stack.name, name=name, volume=volume, files=root / "recipes" / stack.name / "files")
        for stack in stacks
        for name, volume in stack.volumes.items()
    )


def contents(
    volumes: Iterable[Declared], binaries: Iterable[VerifiedBinary], platform: Platform, mtime: int = 0
) -> Wanted:
    """What these volumes hold on the platform; one that would be empty is left out.

    Errors: NotBuilt, with all that is missing; OSError for a file of the stack that cannot be read.
    """
    known: Binaries = {(each.component, each.name, each.platform): each for each in binaries}
    made: list[Content] = []
    left_out: list[tuple[str, str]] = []
    missing: dict[str, None] = {}
    for each in volumes:
        absent = {path: file for path, file in each.volume.files.items() if _is_absent(each, file, known, platform)}
        missing.update((_name(each, file), None) for file in absent.values() if not file.optional)
        left_out += [(each.name, _name(each, file)) for file in absent.values() if file.optional]
        if all(file.optional for file in absent.values()):
            things = tuple(_things(each, known, platform, frozenset(absent)))
            made += [Content(volume=each.name, platform=platform, things=things, mtime=mtime)] if things else []
    if missing:
        raise NotBuilt(tuple(missing), platform)
    return Wanted(contents=tuple(made), left_out=tuple(left_out))


def _is_absent(volume: Declared, file: VolumeFile, known: Binaries, platform: Platform) -> bool:
    return file.binary is not None and (f"{volume.stack}/{file.maker}", file.binary, platform) not in known


def _name(volume: Declared, file: VolumeFile) -> str:
    return f"{volume.stack}/{file.maker} {file.binary}"


def _things(each: Declared, known: Binaries, platform: Platform, absent: frozenset[str]) -> Iterator[Thing]:
    """Folders first, so that each is there before what it holds; all sorted."""
    volume = each.volume
    files = {path: file for path, file in volume.files.items() if path not in absent}
    named = {**volume.directories}
    implied = {above for path in (*files, *named, *volume.links) for above in parents(path)} - {*named}
    for path in sorted({*named, *implied}):
        if path in implied:
            yield Folder(path=path, implied=True)
        else:
            uid, gid = _numbers(named[path].owner)
            yield Folder(path=path, mode=int(named[path].mode, 8), uid=uid, gid=gid)
    for path in sorted(files):
        yield _file(path, files[path], each, known, platform)
    for path in sorted(volume.links):
        yield Link(path=path, target=volume.links[path])


def _file(path: str, file: VolumeFile, each: Declared, known: Binaries, platform: Platform) -> File:
    uid, gid = _numbers(file.owner)
    if file.binary is not None:
        binary = known[f"{each.stack}/{file.maker}", file.binary, platform]
        source, size, sha256 = binary.path, binary.size, binary.sha256
    else:
        source = each.files / (file.file or "")
        size, sha256 = source.stat().st_size, sha256_file(source)
    return File(
        path=path,
        mode=int(file.mode, 8),
        uid=uid,
        gid=gid,
        source=source,
        size=size,
        sha256=sha256,
        platform=platform,
        program=file.binary is not None,
    )


def _numbers(owner: str) -> tuple[int, int]:
    uid, _, gid = owner.partition(":")
    return int(uid), int(gid)
