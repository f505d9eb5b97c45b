"""recipes/<stack>/stack.yaml, the files that it includes, and which recipes belong to it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from msgspec import Struct

from rearch.config.adopted import check_adopted
from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.layers import Layer
from rearch.config.overrides import split
from rearch.config.problems import key_path, shown, suggestion
from rearch.config.recipes import Defaults
from rearch.config.translate import Target, validate
from rearch.config.yaml_tree import Data
from rearch.model.platform import Platform, parse_platform
from rearch.model.stack import StackFile

FOLDER = "recipes"
FILE = "stack.yaml"


class ReadStack(Struct, frozen=True, kw_only=True):
    """A stack before its recipes are read. `recipes` are names in the stack's order; each is a file of `folder`.

    `checked` is None when stack.yaml is wrong; its recipes are read all the same, to find their problems too.
    """

    name: str
    folder: str
    checked: StackFile | None
    defaults: Defaults
    recipes: tuple[str, ...]

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """In the order of the file, each once."""
        names = self.checked.platforms if self.checked else ()
        return tuple(dict.fromkeys(map(parse_platform, names)))

    def file(self, recipe: str) -> str:
        """The file of a recipe, relative to the project."""
        return f"{self.folder}/{recipe}.yaml"


def stack_names(files: ProjectFiles) -> tuple[str, ...]:
    """The folders below recipes/ that hold YAML files."""
    names = [name for name, is_folder in files.names(FOLDER) if is_folder]
    return tuple(name for name in names if any(_is_yaml(one) for one, _ in files.names(f"{FOLDER}/{name}")))


def read_stack(files: ProjectFiles, name: str) -> ReadStack | None:
    """A stack's own files; None when there is no stack.yaml to read."""
    folder = f"{FOLDER}/{name}"
    file = f"{folder}/{FILE}"
    listing = [one for one, is_folder in files.names(folder) if not is_folder]
    if FILE not in listing:
        files.plain("is missing: a stack begins with its name, a summary and its platforms", file=file)
        return None
    data = files.yaml(file)
    if data is None:
        return None
    checked = _checked(files, file, data, name)
    included = _Includes(files)
    included.follow(file, data)
    own = data.get("defaults")
    layers = [*included.layers]
    if isinstance(own, dict):
        layers.append(Layer(file=file, prefix=("defaults",), data=own))
    defaults = Defaults.of(tuple(split(files, layer) for layer in layers))
    recipes = _recipes(files, folder, listing, checked, included.seen)
    check_adopted(files, file, data, recipes)
    return ReadStack(name=name, folder=folder, checked=checked, defaults=defaults, recipes=recipes)


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _checked(files: ProjectFiles, file: str, data: Mapping[str, Data], name: str) -> StackFile | None:
    checked, wrongs = validate(StackFile, data)
    for wrong in wrongs:
        path: KeyPath = wrong.path[:-1] if wrong.target is Target.MISSING else wrong.path
        say = files.key if wrong.target is Target.KEY else files.value
        say(file, path, wrong.sentence(), wrong.hint)
    said = data.get("name")
    if isinstance(said, str) and said != name:
        text = f"name is {shown(said)}, but the folder is called {shown(name)}"
        files.value(file, ("name",), text, "make them the same")
    return checked


class _Includes:
    """Follows `include`, depth first: a file stands over those that it includes. Each file counts once."""

    def __init__(self, files: ProjectFiles) -> None:
        self._files = files
        self._open: list[str] = []
        self.layers: list[Layer] = []
        self.seen: set[str] = set()

    def follow(self, file: str, data: Mapping[str, Data]) -> None:
        """Read what `file` includes. `layers` then holds them, the weakest first."""
        names = data.get("include")
        if names is None:
            return
        if not isinstance(names, list):
            if self._open:  # of stack.yaml itself the model tells
                self._files.value(file, ("include",), "include: a list of files is wanted")
            return
        self._open.append(file)
        for index, name in enumerate(names):
            if isinstance(name, str) and name:
                self._include(file, ("include", index), name)
        self._open.pop()

    def _include(self, file: str, path: KeyPath, name: str) -> None:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), name))
        where = f"{key_path(path)}: {shown(name)}"
        if name.startswith("/") or target.startswith("../") or not self._files.inside(target):
            self._files.value(file, path, f"{where} leads out of the project")
        elif target in self._open:
            chain = " -> ".join([*self._open[self._open.index(target) :], target])
            self._files.value(file, path, f"{where} includes itself: {chain}")
        elif not self._files.exists(target):
            near = suggestion(posixpath.basename(target), self._neighbours(target))
            self._files.value(file, path, f"{where}: there is no file {target}", near)
        elif target not in self.seen:
            self._read(target)

    def _neighbours(self, target: str) -> list[str]:
        return [name for name, is_folder in self._files.names(posixpath.dirname(target)) if not is_folder]

    def _read(self, target: str) -> None:
        self.seen.add(target)
        data = self._files.yaml(target)
        if data is None:
            return
        self.follow(target, data)
        keys = {key: value for key, value in data.items() if key != "include"}
        self.layers.append(Layer(file=target, prefix=(), data=keys))


def _recipes(
    files: ProjectFiles, folder: str, listing: list[str], checked: StackFile | None, included: set[str]
) -> tuple[str, ...]:
    """The names that stack.yaml lists, else those of all the other YAML files."""
    others = [name for name in listing if name != FILE and f"{folder}/{name}" not in included]
    for name in others:
        if name.endswith(".yml"):
            files.plain("is not read", f"call it {name.removesuffix('.yml')}.yaml", file=f"{folder}/{shown(name)}")
    present = [name.removesuffix(".yaml") for name in others if name.endswith(".yaml")]
    if checked is None or checked.recipes is None:
        return tuple(present)
    kept = []
    for index, name in enumerate(checked.recipes):
        path = ("recipes", index)
        if name in kept:
            files.value(f"{folder}/{FILE}", path, f"{key_path(path)}: {name} stands here twice")
        elif name not in present:
            text = f"{key_path(path)}: there is no recipe {folder}/{name}.yaml"
            files.value(f"{folder}/{FILE}", path, text, suggestion(name, present))
        else:
            kept.append(name)
    return tuple(kept)
