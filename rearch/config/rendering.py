"""The expressions of a whole recipe: which names each of its parts may use, and where a wrong one stands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from rearch.config.expressions import MARK, OPEN_NAMES, ExpressionFault, Scope, render
from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.layers import Layer, origin
from rearch.config.yaml_tree import Data, span_at

WAITING_KEYS = frozenset({"build", "verify", "smoke", "image"})
_OPEN = frozenset(OPEN_NAMES)


class Located(Struct, frozen=True, kw_only=True):
    """A fault in the text (or the key) at a path of the merged data, as it was before rendering."""

    path: KeyPath
    in_key: bool
    fault: ExpressionFault


class Rendered(Struct):
    """The data without expressions. `renamed` has the old key for the path of each key that changed."""

    data: dict[str, Data]
    faults: list[Located] = field(default_factory=list)
    renamed: dict[KeyPath, str] = field(default_factory=dict)

    def before(self, path: KeyPath) -> KeyPath:
        """The path before rendering."""
        if not self.renamed:
            return path
        return tuple(self.renamed.get(path[: index + 1], step) for index, step in enumerate(path))

    def after(self, path: KeyPath) -> KeyPath:
        """The path after rendering."""
        done: KeyPath = ()
        for step in path:
            names = (new[-1] for new, old in self.renamed.items() if old == step and new[:-1] == done)
            done = (*done, next(names, step))
        return done

    def covers(self, path: KeyPath, *, in_key: bool = False) -> bool:
        """Whether an expression on the path was wrong, so that what was made of it (or of the key) means nothing."""
        return any(path[: len(one.path)] == one.path and (one.in_key or not in_key) for one in self.faults)


def render_recipe(data: Mapping[str, Data], *, name: str, stack: str) -> Rendered:
    """A recipe's merged data with every expression replaced that can be replaced now."""
    result = Rendered(dict(data))
    scope = Scope(values={"name": name, "stack": stack}, variables={}, open_names=_OPEN, may_wait=False)
    if "version" in data:
        result.data["version"] = _walk(data["version"], ("version",), scope, result)
    scope = _with_version(result.data, scope)
    scope = _with_variables(data, scope, result)
    waiting = replace(scope, may_wait=True)
    for key, value in data.items():
        if key == "name":
            _plain_name(value, result)
        elif key not in ("version", "vars") and _marked(value):
            result.data[key] = _walk(value, (key,), waiting if key in WAITING_KEYS else scope, result)
    return result


def _marked(data: Data) -> bool:
    """Whether an expression is somewhere inside. Most parts have none, and repr() looks faster than a walk would."""
    return MARK in repr(data)


def _with_version(data: Mapping[str, Data], scope: Scope) -> Scope:
    """Of a debian source without a version it is known after locking. A version that is missing is told elsewhere."""
    version, source = data.get("version"), data.get("source")
    if isinstance(version, str):
        return replace(scope, values={**scope.values, "version": version})
    if isinstance(source, dict) and "debian" in source:
        return replace(scope, open_names=scope.open_names | {"version"})
    return replace(scope, values={**scope.values, "version": "0"})


def _with_variables(data: Mapping[str, Data], scope: Scope, result: Rendered) -> Scope:
    """Each variable may use the ones before it."""
    variables = data.get("vars")
    known: dict[str, str] = {}
    if not isinstance(variables, dict):
        return scope
    for name, value in variables.items():
        text = _walk(value, ("vars", name), replace(scope, variables=dict(known)), result)
        if isinstance(text, str):
            known[name] = text
    result.data["vars"] = {**variables, **known}
    return replace(scope, variables=known)


def _plain_name(name: Data, result: Rendered) -> None:
    if isinstance(name, str) and MARK in name:
        fault = ExpressionFault("an expression cannot stand here: the name is what the file is called")
        result.faults.append(Located(path=("name",), in_key=False, fault=fault))


def _walk(data: Data, path: KeyPath, scope: Scope, result: Rendered) -> Data:
    if isinstance(data, str):
        return _text(data, path, scope, result) if MARK in data else data
    if isinstance(data, list):
        return [_walk(item, (*path, index), scope, result) for index, item in enumerate(data)]
    if isinstance(data, dict):
        return _mapping(data, path, scope, result)
    return data


def _text(text: str, path: KeyPath, scope: Scope, result: Rendered, *, in_key: bool = False) -> str:
    whole, faults = render(text, scope)
    result.faults += [Located(path=path, in_key=in_key, fault=fault) for fault in faults]
    return text if faults else whole


def _mapping(data: Mapping[str, Data], path: KeyPath, scope: Scope, result: Rendered) -> dict[str, Data]:
    """Keys can hold expressions too, but none that are known only later: outputs have to be known by name."""
    done: dict[str, Data] = {}
    for key, value in data.items():
        below = (*path, key)
        name = key
        if MARK in key:
            name = _text(key, below, replace(scope, may_wait=False), result, in_key=True)
        if name in done:
            fault = ExpressionFault(f"the key {name!r} stands here twice")
            result.faults.append(Located(path=below, in_key=True, fault=fault))
        if name != key:
            result.renamed[(*result.after(path), name)] = key
        done[name] = _walk(value, below, scope, result)
    return done


def tell(files: ProjectFiles, layers: Sequence[Layer], located: Located) -> None:
    """Report a fault at the very name inside the text that is wrong."""
    layer = origin(layers, located.path) or layers[-1]
    path = (*layer.prefix, *located.path)
    spot, _ = files.spot(layer.file, path)
    span = spot.key if located.in_key and spot.key else spot.value
    text = files.text(layer.file)
    fault = located.fault
    at = span.start - 1
    for _ in range(fault.mark + 1):
        at = text.find(MARK, at + 1, span.end)
        if at < 0:  # written with escapes, so the text in the file looks different
            files.at(layer.file, span, fault.text, fault.hint)
            return
    word = re.compile(rf"(?<![\w.]){re.escape(fault.word)}(?!\w)").search(text, at, span.end)
    start = word.start() if word and fault.word != MARK else at
    place = replace(span_at(text, start), end=start + len(fault.word))
    files.at(layer.file, place, fault.text, fault.hint)
