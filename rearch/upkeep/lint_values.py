"""What the rules of `rearch check` look at, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.layers import origin
from rearch.config.recipes import ReadRecipe, Variant
from rearch.config.stacks import ReadStack
from rearch.model.lock import Lock
from rearch.model.platform import Platform
from rearch.model.stack import Component
from rearch.planning.names import Wanted


class Severity(StrEnum):
    """ERROR: the build is not what it says, or cannot be. WARNING: somebody should look."""

    ERROR = "error"
    WARNING = "warning"


class Place(Struct, frozen=True):
    """`line` and `column` count from 1; 0: the whole file. `file` is relative to the project."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Finding(Struct, frozen=True, kw_only=True):
    """`text` says what, `hint` what to do; why is the rule's."""

    rule: str
    place: Place
    text: str
    hint: str


class LintStack(Struct, frozen=True, kw_only=True):
    """A stack with its recipes. `platforms` are its own, whatever was asked for."""

    read: ReadStack
    recipes: tuple[ReadRecipe, ...]
    components: tuple[Component, ...]

    @property
    def name(self) -> str:
        return self.read.name

    @property
    def platforms(self) -> tuple[Platform, ...]:
        return self.read.platforms

    @property
    def file(self) -> str:
        return f"{self.read.folder}/stack.yaml"


class Template(Struct, frozen=True):
    """One of the project's own: `name` as recipes say it (a macro file keeps its whole name)."""

    name: str
    file: str
    text: str


class World(Struct, frozen=True, kw_only=True):
    """A project that loads. `wanted`: all names that have to be in the lock. `toolchains`: their files.

    `whole`: no stack was left out, so what nobody uses is unused.
    """

    files: ProjectFiles
    stacks: tuple[LintStack, ...]
    lock: Lock
    wanted: tuple[Wanted, ...]
    toolchains: tuple[str, ...]
    templates: tuple[Template, ...]
    whole: bool

    @property
    def recipes(self) -> Iterator[ReadRecipe]:
        for stack in self.stacks:
            yield from stack.recipes

    def at(self, variant: Variant, path: KeyPath) -> Place:
        """Where the value at a path of a recipe stands, be it in the recipe, its override or the stack's defaults."""
        before = variant.rendered.before(path)
        while before and origin(variant.layers, before) is None:
            before = before[:-1]
        layer = origin(variant.layers, before) if before else None
        return (
            self.spot(variant.layers[-1].file, ()) if layer is None else self.spot(layer.file, (*layer.prefix, *before))
        )

    def spot(self, file: str, path: Sequence[str | int]) -> Place:
        """The key at a path of a file; of a list's item the item."""
        if not path:
            return Place(file, 1, 1)
        spot, _ = self.files.spot(file, path)
        span = spot.key or spot.value
        return Place(file, span.line, span.column)
