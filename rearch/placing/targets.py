"""The four kinds of environment that Rancher 1.x has, and what is written for one."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from rearch.errors import UsageError
from rearch.model.application import ARCH_LABEL
from rearch.model.document import Document
from rearch.model.platform import PLATFORMS, Platform


class Target(Enum):
    """Who places the containers."""

    CATTLE = "cattle"
    SWARM = "swarm"
    KUBERNETES = "kubernetes"
    MARATHON = "marathon"


class UnknownTarget(UsageError):
    """A word that names no kind of environment."""

    def __init__(self, word: str) -> None:
        self.word = word
        known = ", ".join(target.value for target in Target)
        super().__init__(f"--for {word!r} is no kind of environment", hint=f"use {known}, or leave --for out for all")


class PlacedFile(Struct, frozen=True, kw_only=True):
    """One file: YAML where the name says so (several documents are possible), else JSON with one document.

    `comments` stand before the first document; JSON has no place for them, so `Placed.notes` has them all.
    """

    name: str
    documents: tuple[Document, ...]
    comments: tuple[str, ...] = ()


class Placed(Struct, frozen=True, kw_only=True):
    """What one kind of environment is given. `notes`: what it cannot be told, and what somebody has to do, in words.

    `labels`: a shell script that labels the hosts.
    """

    target: Target
    files: tuple[PlacedFile, ...]
    notes: tuple[str, ...]
    labels: str


def target_of(word: str) -> Target:
    """Errors: UnknownTarget."""
    try:
        return Target(word.strip().lower())
    except ValueError:
        raise UnknownTarget(word) from None


def machine(platform: Platform) -> str:
    """What `uname -m` says on such a host; where there are several words, the one that labels use here."""
    return platform.arch.uname[0]


def machines(platforms: tuple[Platform, ...]) -> tuple[str, ...]:
    """Everything that `uname -m` may say on hosts of these platforms, sorted."""
    return tuple(sorted({name for platform in platforms for name in platform.arch.uname}))


def other_machines(platforms: tuple[Platform, ...]) -> tuple[str, ...]:
    """Everything else that `uname -m` may say, of what rearch knows."""
    return tuple(name for name in machines(PLATFORMS) if name not in machines(platforms))


def arch_labels(platform: Platform, wanted: tuple[tuple[Platform, ...], ...] = ()) -> dict[str, str]:
    """The labels that tell a host's architecture where nobody else does: neither Rancher 1.6 nor Mesos has one.

    `wanted`: the sets of several platforms that services ask for. With Cattle a rule is one value of one label, all
    rules hold together, and "none of the others" would admit hosts without the label: so each set has a label.
    """
    sets = {several_label(platforms): "yes" for platforms in wanted if len(platforms) > 1 and platform in platforms}
    return {ARCH_LABEL: machine(platform), **dict(sorted(sets.items()))}


def several_label(platforms: tuple[Platform, ...]) -> str:
    """The label of hosts that have one of these: `arch.aarch64-armv7l`."""
    return f"{ARCH_LABEL}.{'-'.join(sorted(machine(platform) for platform in platforms))}"
