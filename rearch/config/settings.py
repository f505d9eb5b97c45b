"""The settings of a run: a flag, else the environment, else rearch.yaml, else the default."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from pydantic import BaseModel

from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.problems import ConfigProblems, key_path, shown, suggestion
from rearch.config.shapes import ListShape, MapShape, ModelShape, ScalarShape, Shape, fields
from rearch.config.translate import Target, Wrong, validate
from rearch.config.yaml_tree import Data
from rearch.model.settings import Settings

FILE = "rearch.yaml"
PREFIX = "REARCH_"
# Read elsewhere: where the project is, a login for a registry (app/registries.py), keys for a Rancher server
# (app/rancher_source.py), addresses of messages (host/notify.py), and what only tests look at.
NOT_SETTINGS = re.compile(
    r"REARCH_(PROJECT|LOGIN_(?:REGISTRY|USER|PASSWORD)|RANCHER_(?:ACCESS|SECRET)_KEY|NOTIFY_[A-Z0-9_]+"
    r"|SNAPSHOTS|TEST_.*|BENCH_.*|CI_.*)"
)
_YES_NO = {"1": "true", "yes": "true", "on": "true", "0": "false", "no": "false", "off": "false"}


class Origin(Struct, frozen=True, kw_only=True):
    """One setting as it is used: its dotted name, its value in words, and who said so (`REARCH_JOBS`, `default`)."""

    name: str
    value: str
    origin: str


class _Given(Struct, frozen=True):
    """A value that was given outside rearch.yaml; `label` is the flag or the variable."""

    value: Data
    label: str


def variable(path: KeyPath) -> str:
    """The environment variable of a setting: `REARCH_LIMITS_ARCHIVE_BYTES`."""
    return PREFIX + "_".join(map(str, path)).upper()


def has_variable(shape: Shape) -> bool:
    """Whether a variable has a spelling for such a setting: not for a mapping whose values are mappings."""
    return not isinstance(shape, MapShape) or isinstance(shape.value, ScalarShape)


def leaves(model: type[BaseModel] = Settings, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Shape]]:
    """Every single setting, with its path and shape."""
    for name, shape in fields(model):
        if isinstance(shape, ModelShape):
            yield from leaves(shape.model, (*path, name))
        else:
            yield (*path, name), shape


def settings_origins(
    root: Path, *, environment: Mapping[str, str], flags: Mapping[str, object]
) -> tuple[Settings, tuple[Origin, ...]]:
    """The settings, and where each comes from. Errors: ConfigProblems."""
    files = ProjectFiles(root)
    settings, origins = read_settings(files, environment, flags)
    if settings is None or files.problems:
        raise ConfigProblems(files.problems)
    return settings, origins


def read_settings(
    files: ProjectFiles, environment: Mapping[str, str], flags: Mapping[str, object]
) -> tuple[Settings | None, tuple[Origin, ...]]:
    """The settings, None where one of them is wrong. `flags` are by dotted name; None is a flag that was not given."""
    data: Mapping[str, Data] | None = files.yaml(FILE, empty=True) if files.exists(FILE) else {}
    given = {**_from_environment(files, environment), **_from_flags(flags)}
    whole = dict(data or {})
    for path, one in given.items():
        whole = _with(whole, path, one.value)
    settings, wrongs = validate(Settings, whole)
    for wrong in wrongs:
        _tell(files, wrong, given)
    if settings is None or data is None:
        return None, ()
    return settings, tuple(_origin(files, settings, data, path, given.get(path)) for path, _ in leaves())


def _from_environment(files: ProjectFiles, environment: Mapping[str, str]) -> dict[KeyPath, _Given]:
    """An empty variable is one that is not set. An unknown one is a misspelt one."""
    known = {variable(path): (path, shape) for path, shape in leaves()}
    found: dict[KeyPath, _Given] = {}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or not environment[name].strip() or NOT_SETTINGS.fullmatch(name):
            continue
        if name in known and not has_variable(known[name][1]):
            files.plain(
                f"{name} cannot be a variable", f"write {key_path(known[name][0])} in {FILE}", file="environment"
            )
        elif name in known:
            path, shape = known[name]
            found[path] = _Given(_parsed(environment[name].strip(), shape), name)
        else:
            files.plain(f"unknown setting {shown(name)}", suggestion(name, known), file="environment")
    return found


def _parsed(text: str, shape: Shape) -> Data:
    """A list is `a, b` or `a b`; a mapping `key=value key=value`; a flag may also be 1 or 0."""
    match shape:
        case ListShape():
            return [word for word in re.split(r"[,\s]+", text) if word]
        case MapShape():
            pairs = (word.partition("=") for word in text.split())
            return {key: value if equals else None for key, equals, value in pairs}
        case ScalarShape(words="true or false"):
            return _YES_NO.get(text.lower(), text)
    return text


def _from_flags(flags: Mapping[str, object]) -> dict[KeyPath, _Given]:
    known = dict(leaves())
    found: dict[KeyPath, _Given] = {}
    for name, value in flags.items():
        path: KeyPath = tuple(name.split("."))
        if path not in known:
            raise KeyError(f"no setting is called {name}")  # a bug: whoever defines flags knows the settings
        if value is not None:
            found[path] = _Given(_plain(value, known[path]), f"--{name.replace('_', '-').replace('.', '-')}")
    return found


def _plain(value: object, shape: Shape) -> Data:
    """A flag's value in the form that YAML would have given it."""
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return [str(item) for item in value]
        case Mapping():
            return {str(key): str(item) for key, item in value.items()}
    return _parsed(str(value), shape)


def _with(data: Mapping[str, Data], path: KeyPath, value: Data) -> dict[str, Data]:
    first, *rest = path
    if not rest:
        return {**data, str(first): value}
    below = data.get(str(first))
    return {**data, str(first): _with(below if isinstance(below, dict) else {}, tuple(rest), value)}


def _tell(files: ProjectFiles, wrong: Wrong, given: Mapping[KeyPath, _Given]) -> None:
    one = next((given[path] for path in given if wrong.path[: len(path)] == path), None)
    if one:
        files.plain(wrong.sentence(), wrong.hint, file=one.label)
        return
    say = files.key if wrong.target is Target.KEY else files.value
    say(FILE, wrong.path, wrong.sentence(), wrong.hint)


def _origin(
    files: ProjectFiles, settings: Settings, data: Mapping[str, Data], path: KeyPath, given: _Given | None
) -> Origin:
    value: object = settings
    for step in path:
        value = getattr(value, str(step))
    where = given.label if given else "default"
    if not given and data:
        spot, depth = files.spot(FILE, path)
        if depth == len(path) and spot.key:
            where = f"{FILE}:{spot.key.line}:{spot.key.column}"
    return Origin(name=key_path(path), value=_in_words(value), origin=where)


def _in_words(value: object) -> str:
    """One line, without the passwords that URLs may carry."""
    match value:
        case bool():
            text = "true" if value else "false"
        case tuple():
            text = ", ".join(map(str, value))
        case Mapping():
            text = ", ".join(f"{key} -> {item}" for key, item in value.items())
        case None:
            text = ""
        case _:
            text = str(value)
    return shown(text, 500)
