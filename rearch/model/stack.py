"""The stack and the project's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pydantic import Field

from rearch.model.base import NOTHING, Count, Flag, FrozenMap, FullText, Model, Name, PlatformName, Size, Span, Text
from rearch.model.platform import Platform
from rearch.model.recipe import Recipe
from rearch.model.toolchain import Toolchain


class PublishSettings(Model):
    """Where `publish` sends a stack's images when no --to is given; each flag wins over its key here."""

    to: tuple[FullText, ...] = Field(
        default=(), description="Places: `registry/prefix`, or `oci:FOLDER` relative to the project."
    )
    tags: tuple[FullText, ...] = Field(
        default=(), description="Tags, with `${{ version }}`, `${{ date }}`, ... in them; left out: each image's own."
    )
    per_arch: Flag = Field(default=False, description="Also a tag for each platform: NAME_arm64, NAME_arm.")
    merge: Flag = Field(default=False, description="Keep platforms of a live index that the build does not have.")
    channel: Text = Field(default="", description="What `${{ channel }}` stands for.")


class StackFile(Model):
    """recipes/<stack>/stack.yaml: which recipes belong together, and for which platforms."""

    name: Name = Field(description="Name of the stack; the folder is called the same.")
    summary: FullText = Field(description="What it is, in a line.")
    platforms: tuple[PlatformName, ...] = Field(min_length=1, description="Platforms built when none is asked for.")
    include: tuple[FullText, ...] = Field(
        default=(),
        description="YAML files inside the project, relative to this one, with keys as under `defaults`. "
        "A later file wins over an earlier one, `defaults` over all; a file can include others.",
    )
    defaults: FrozenMap[Text, Any] = Field(
        default=NOTHING, description="Recipe keys for every recipe of the stack; a recipe's own win, map by map."
    )
    recipes: tuple[Name, ...] | None = Field(default=None, description="Left out: every other *.yaml of the folder.")
    publish: PublishSettings = Field(
        default_factory=PublishSettings, description="Where `publish` sends the images of the stack."
    )


class Limits(Model):
    """How much hostile input may cost."""

    archive_bytes: Size = Field(default=8 * 1024**3, description="Unpacked size of one archive.")
    archive_entries: Count = Field(default=500_000, description="Entries of one archive.")
    archive_ratio: Count = Field(default=200, description="Unpacked size over packed size.")
    download_bytes: Size = Field(default=8 * 1024**3, description="Size of one download.")
    log_bytes: Size = Field(default=256 * 1024**2, description="Size of one step's log.")


class GoSettings(Model):
    """Where Go modules come from."""

    proxy: Text = Field(default="", description="GOPROXY; empty: the environment's, else Go's own.")
    sumdb: Text = Field(default="", description="GOSUMDB; empty: the environment's, else Go's own.")


class RegistrySettings(Model):
    """How to reach one registry. Who logs in is in Docker's own config.json."""

    plain_http: Flag | None = Field(default=None, description="HTTP instead of HTTPS; left out: for localhost alone.")
    insecure: Flag = Field(default=False, description="Take any certificate.")


class Settings(Model):
    """rearch.yaml: settings of the project. Every one can be set as REARCH_<NAME> too."""

    stacks: tuple[Name, ...] | None = Field(default=None, description="Stacks built when none is named; left out: all.")
    output: FullText = Field(default="output", description="Folder for results, relative to the project.")
    cache: Text = Field(default="", description="Cache folder; empty: rearch/ in the user's cache folder.")
    jobs: Count = Field(default=0, le=1024, description="Steps at once; 0: the number of usable CPUs.")
    mirrors: FrozenMap[Text, Text] = Field(
        default=NOTHING,
        description="Beginning of a URL or of an image's reference (`docker.io/`): what to put in its place, the "
        "longest first.",
    )
    offline: Flag = Field(default=False, description="Touch no network; what is not cached is an error.")
    timeout: Span = Field(default=30.0, gt=0, description="Longest wait for a server to answer or to go on.")
    step_timeout: Span = Field(default=7200.0, gt=0, description="Longest run of one command of a step.")
    debian_archives: tuple[Text, ...] = Field(
        default=(), description="More roots of Debian archives to look for locked files in, after the host's own."
    )
    builders: FrozenMap[PlatformName, Text] = Field(
        default=NOTHING, description="Platform: Docker engine that builds for it (`ssh://pi4`); else the environment's."
    )
    registries: FrozenMap[Text, RegistrySettings] = Field(
        default=NOTHING,
        description="Host, with its port: how to talk to it. localhost is plain HTTP unless it says otherwise here.",
    )
    go: GoSettings = Field(default_factory=GoSettings, description="Go modules.")
    limits: Limits = Field(default_factory=Limits, description="Against archive and log bombs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchFile:
    """One line of a quilt series. `path` is relative to the project; `digest` is of its bytes."""

    path: PurePosixPath
    strip: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A recipe in its stack, with what lies beside it.

    `recipes` holds one recipe for each platform that was asked for: the same object where no
    override applies. `folder` is the stack's folder, relative to the project. A component that was not `asked`
    for is built because another's image takes its binaries; it makes no image itself.
    """

    stack: str
    name: str
    folder: PurePosixPath
    recipes: Mapping[Platform, Recipe]
    patches: tuple[PatchFile, ...] = ()
    asked: bool = True

    @property
    def id(self) -> str:
        """`stack/name`, as it is written on the command line and in reports."""
        return f"{self.stack}/{self.name}"

    @property
    def recipe(self) -> Recipe:
        """The recipe for what is the same on every platform: source, patches, edits."""
        return next(iter(self.recipes.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack with its components, in the order of its file."""

    name: str
    summary: str
    platforms: tuple[Platform, ...]
    components: tuple[Component, ...]
    publish: PublishSettings = field(default_factory=PublishSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything that the YAML of a project says, checked. `files`: those that were read, relative to the project."""

    settings: Settings
    stacks: tuple[Stack, ...]
    toolchains: Mapping[str, Toolchain]
    files: tuple[str, ...] = ()
