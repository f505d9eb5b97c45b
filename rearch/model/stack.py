"""The stack, and the whole project as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct, field
from pydantic import Field

from rearch.model.base import FileName, FrozenMap, FullText, Model, Name, PlatformName, Text
from rearch.model.bundle import BundleSettings
from rearch.model.frozen import NOTHING
from rearch.model.platform import Platform
from rearch.model.recipe import Recipe
from rearch.model.settings import PublishSettings, Settings
from rearch.model.toolchain import Toolchain
from rearch.model.volumes import Volume, Volumes


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
    bundles: FrozenMap[FileName, BundleSettings] = Field(
        default=NOTHING, description="Archive's name without its ending (`go-agent`): how `bundle` treats it."
    )
    volumes: Volumes = Field(
        default=NOTHING, description="Docker volume: which binaries of the stack `volumes` puts into it."
    )


class PatchFile(Struct, frozen=True, kw_only=True):
    """One line of a quilt series. `path` is relative to the project; `digest` is of its bytes."""

    path: PurePosixPath
    strip: int
    digest: str


class Component(Struct, frozen=True, kw_only=True):
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


class Stack(Struct, frozen=True, kw_only=True):
    """A stack with its components, in the order of its file."""

    name: str
    summary: str
    platforms: tuple[Platform, ...]
    components: tuple[Component, ...]
    publish: PublishSettings = field(default_factory=PublishSettings)
    volumes: Mapping[str, Volume] = NOTHING
    bundles: Mapping[str, BundleSettings] = NOTHING


class Project(Struct, frozen=True, kw_only=True):
    """Everything that the YAML of a project says, checked. `files`: those that were read, relative to the project."""

    settings: Settings
    stacks: tuple[Stack, ...]
    toolchains: Mapping[str, Toolchain]
    files: tuple[str, ...] = ()
