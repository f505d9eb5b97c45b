"""The `volumes:` part of a stack: which of its binaries belong into which named volume of a host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from rearch.model.base import Fault, FileName, Flag, FrozenMap, Model, Name, RelativePath, Says, Text, refuse
from rearch.model.frozen import NOTHING
from rearch.model.image import Mode

# What a fill in progress calls its folder in the volume; no file of a volume can have the name.
STAGING = ".rearch"
# A file comes to its place in a volume as a hard link, and an engine sets the owner of that, too: chown(2) then takes
# these bits off.
_SET_ID = 0o6000


def _volume(value: str) -> str:
    """moby, daemon/names/names.go: RestrictedNameChars."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,127}", value):
        raise ValueError("a volume's name has letters, digits and . _ - behind the first, at least 2 and at most 128")
    return value


def _path(value: str) -> str:
    parts = value.split("/")
    if any(part in ("", ".", "..") for part in parts) or len(value) > 1024 or not value.isprintable():
        raise ValueError("a path inside the volume is wanted, as in bin/agent: no '..', no '.', no / at an end")
    if parts[0] == STAGING:
        raise ValueError(f"{STAGING} is the name of the folder that rearch itself uses while it writes")
    return value


def _target(value: str) -> str:
    if not value or not value.isprintable() or len(value) > 1024:
        raise ValueError("a link's target is wanted: a text that is not empty, without control characters")
    return value


def _owner(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,9}:[0-9]{1,9}", value):
        raise ValueError("an owner in a volume is written in numbers, uid:gid: a volume has no /etc/passwd")
    return value


VolumeName = Annotated[
    str, AfterValidator(_volume), Says("volume's name", "^[A-Za-z0-9][A-Za-z0-9_.-]+$", ("string", "number"))
]
VolumePath = Annotated[str, AfterValidator(_path), Says("path inside the volume")]
LinkTarget = Annotated[str, AfterValidator(_target), Says("link's target")]
Numbers = Annotated[str, AfterValidator(_owner), Says("numbers `uid:gid`", "^[0-9]{1,9}:[0-9]{1,9}$", ("string",))]


class VolumeFile(Model):
    """One file of a volume. Exactly one of `binary` and `file` says what it is."""

    binary: FileName | None = Field(default=None, description="A binary or link of a recipe of the stack.")
    component: Name | None = Field(default=None, description="The recipe; left out: the one called as the binary.")
    file: RelativePath | None = Field(default=None, description="A file below the stack's files/.")
    mode: Mode = Field(default="0755", description="Mode.")
    owner: Numbers = Field(default="0:0", description="Owner.")
    optional: Flag = Field(
        default=False, description="No recipe needs to make it: left out, with a warning, where none has."
    )

    @model_validator(mode="after")
    def _one(self) -> VolumeFile:
        if (self.binary is None) == (self.file is None):
            refuse([Fault((), "one of binary, file is wanted" + (", not both" if self.binary else ""))])
        if self.component is not None and self.binary is None:
            refuse([Fault(("component",), "component goes with binary alone")])
        if self.optional and self.binary is None:
            refuse([Fault(("optional",), "optional goes with binary alone")])
        if int(self.mode, 8) & _SET_ID:
            refuse([Fault(("mode",), "setuid and setgid do not survive: setting the owner takes them off")])
        return self

    @property
    def maker(self) -> str | None:
        """The recipe that makes the binary; None for a file."""
        return self.component or self.binary


class VolumeFolder(Model):
    """A folder of a volume."""

    mode: Mode = Field(default="0755", description="Mode.")
    owner: Numbers = Field(default="0:0", description="Owner.")


class Volume(Model):
    """What a named volume has to hold. Everything else in it is left alone."""

    summary: Text = Field(default="", description="Who reads it, in a line.")
    files: FrozenMap[VolumePath, VolumeFile] = Field(default=NOTHING, description="Path: file.")
    directories: FrozenMap[VolumePath, VolumeFolder] = Field(
        default=NOTHING, description="Path: folder; one that is only on the way to a file needs no line."
    )
    links: FrozenMap[VolumePath, LinkTarget] = Field(
        default=NOTHING, description="Link: target, relative to the link's folder or a path where the volume is used."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Volume:
        if not (self.files or self.directories or self.links):
            needs = (("files",), ("directories",), ("links",))
            refuse([Fault((), "it declares neither files, directories nor links", needs=needs)])
        refuse([*_twice(self), *_below(self)])
        return self


def _declared(volume: Volume) -> Iterator[tuple[str, str]]:
    for key in ("files", "directories", "links"):
        yield from ((key, path) for path in getattr(volume, key))


def _twice(volume: Volume) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for key, path in _declared(volume):
        first = seen.setdefault(path, key)
        if first != key:
            yield Fault((key, path), f"it is declared under {first}, too")


def _below(volume: Volume) -> Iterator[Fault]:
    """Nothing can lie below a file; below a link it would lie somewhere else."""
    leaves = {**dict.fromkeys(volume.files, "a file"), **dict.fromkeys(volume.links, "a link")}
    for key, path in _declared(volume):
        parts = path.split("/")
        for above in ("/".join(parts[:count]) for count in range(1, len(parts))):
            if above in leaves:
                yield Fault((key, path), f"{above} is declared as {leaves[above]}, so nothing can be below it")


Volumes = FrozenMap[VolumeName, Volume]
__all__ = ["STAGING", "Volume", "VolumeFile", "VolumeFolder", "Volumes"]
