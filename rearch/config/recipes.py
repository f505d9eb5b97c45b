"""One recipe: its file over its stack's defaults, rendered, checked, and again for platforms that differ."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.layers import Layer, at, deepest, merge, merged, origin
from rearch.config.overrides import Parts, split
from rearch.config.problems import shown
from rearch.config.rendering import Located, Rendered, render_recipe, tell
from rearch.config.translate import Target, Wrong, validate
from rearch.config.yaml_tree import Data
from rearch.model.platform import Platform
from rearch.model.recipe import Recipe


class Defaults(Struct, frozen=True, kw_only=True):
    """What a stack says for all its recipes: the parts of its files, the later over the earlier, and their sum."""

    parts: tuple[Parts, ...] = ()
    base: Mapping[str, Data]

    @classmethod
    def of(cls, parts: tuple[Parts, ...]) -> Defaults:
        return cls(parts=parts, base=merged([part.base for part in parts]))


class Variant(Struct, frozen=True, kw_only=True):
    """A recipe with the layers that it was merged from. `recipe` is None when something is wrong with it.

    Then the later checks look at the data all the same, so that all problems come in one run.
    """

    recipe: Recipe | None
    layers: tuple[Layer, ...]
    rendered: Rendered

    def text(self, path: KeyPath) -> str | None:
        """The text at a path; None where there is none, or one with a wrong expression."""
        value = at(self.rendered.data, path)
        return value if isinstance(value, str) and not self.rendered.covers(self.rendered.before(path)) else None

    def wrong(self, files: ProjectFiles, path: KeyPath, text: str, hint: str | None = None) -> None:
        """A problem with the value at a path of the recipe."""
        before = self.rendered.before(path)
        layer = origin(self.layers, before) or self.layers[-1]
        files.value(layer.file, (*layer.prefix, *before), text, hint)


class ReadRecipe(Struct, frozen=True, kw_only=True):
    """A recipe as it is everywhere (`common`), and where it differs."""

    file: str
    name: str
    common: Variant
    overrides: Mapping[Platform, Variant]

    @property
    def variants(self) -> tuple[Variant, ...]:
        return (self.common, *self.overrides.values())


def read_recipe(files: ProjectFiles, *, stack: str, name: str, file: str, defaults: Defaults) -> ReadRecipe | None:
    """The recipe of a file; None when there is nothing to look at. What is wrong is among the problems."""
    data = files.yaml(file)
    if data is None:
        return None
    own = split(files, Layer(file=file, prefix=(), data=data))
    attempt = _Attempt(files, stack, name, own.base)
    layers = (*(part.base for part in defaults.parts), own.base)
    base = merge(dict(defaults.base), dict(own.base.data))
    common = attempt.variant(layers, base)
    overrides: dict[Platform, Variant] = {}
    for platform in dict.fromkeys(key for part in (*defaults.parts, own) for key in part.overrides):
        over = tuple(part.overrides[platform] for part in (*defaults.parts, own) if platform in part.overrides)
        overrides[platform] = attempt.variant((*layers, *over), merge(base, merged(over)))
    said = common.text(("name",))
    if said is not None and said != name:
        text = f"name is {shown(said)}, but the file is called {shown(name)}.yaml"
        common.wrong(files, ("name",), text, "make them the same")
    return ReadRecipe(file=file, name=name, common=common, overrides=overrides)


class _Attempt:
    """Checks the merged forms of one recipe, and tells each problem once, though overrides repeat the base's."""

    def __init__(self, files: ProjectFiles, stack: str, name: str, own: Layer) -> None:
        self._files = files
        self._stack = stack
        self._name = name
        self._own = own
        self._told: set[tuple[KeyPath, str]] = set()

    def variant(self, layers: tuple[Layer, ...], data: Data) -> Variant:
        rendered = render_recipe(data if isinstance(data, dict) else {}, name=self._name, stack=self._stack)
        for located in rendered.faults:
            self._tell_fault(layers, located)
        recipe, wrongs = validate(Recipe, rendered.data)
        for wrong in wrongs:
            self._tell_wrong(layers, wrong, rendered)
        return Variant(recipe=None if rendered.faults else recipe, layers=layers, rendered=rendered)

    def _tell_fault(self, layers: tuple[Layer, ...], located: Located) -> None:
        if (located.path, located.fault.text) not in self._told:
            self._told.add((located.path, located.fault.text))
            tell(self._files, layers, located)

    def _tell_wrong(self, layers: tuple[Layer, ...], wrong: Wrong, rendered: Rendered) -> None:
        path = rendered.before(wrong.path)
        if rendered.covers(path, in_key=wrong.target is Target.KEY) or (path, wrong.after) in self._told:
            return
        self._told.add((path, wrong.after))
        if wrong.target is Target.MISSING:
            self._tell_missing(layers, wrong, path)
            return
        layer = origin(layers, path) or self._own
        say = self._files.key if wrong.target is Target.KEY else self._files.value
        say(layer.file, (*layer.prefix, *path), wrong.sentence(layer.prefix), wrong.hint)

    def _tell_missing(self, layers: tuple[Layer, ...], wrong: Wrong, path: KeyPath) -> None:
        """At the mapping that should have the key: in the recipe or its override, never in shared defaults."""
        layer = origin(layers, path[:-1])
        if layer is None or layer.file != self._own.file:
            layer = self._own
        there = (*layer.prefix, *deepest(layer, path[:-1]))
        self._files.value(layer.file, there, wrong.sentence(layer.prefix), wrong.hint)
