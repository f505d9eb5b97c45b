"""pydantic's errors in plain words, at the path of the YAML, with what would have been right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from rearch.config.files import KeyPath
from rearch.config.problems import key_path, shown, suggestion
from rearch.config.shapes import ChoiceShape, ListShape, MapShape, ModelShape, ScalarShape, Shape, child, homes
from rearch.model.base import Faults

M = TypeVar("M", bound=BaseModel)


class Target(Enum):
    """What a problem is about: the value at the path, its key, or a key that the mapping there lacks."""

    VALUE = "value"
    KEY = "key"
    MISSING = "missing"


class Wrong(Struct, frozen=True, kw_only=True):
    """One error at a path of the data. The full key path stands between `before` and `after` in the sentence."""

    path: KeyPath
    target: Target
    after: str
    before: str = ""
    hint: str | None = None

    def sentence(self, prefix: KeyPath = ()) -> str:
        """The words. `prefix` is where the data stand in their file."""
        path = key_path((*prefix, *self.path))
        return f"{self.before}{path}{self.after}" if path else self.before + self.after.removeprefix(": ")


def validate(model: type[M], data: Mapping[str, Any]) -> tuple[M | None, tuple[Wrong, ...]]:
    """The value, or everything that is wrong with the data."""
    try:
        return model.model_validate(data), ()
    except ValidationError as error:
        found = error.errors(include_url=False)
    wrongs = [wrong for one in found for wrong in _translate(model, one)]
    return None, (*wrongs, *_contradictions(model, data, wrongs))


def _contradictions(model: type[BaseModel], data: Mapping[str, Any], wrongs: Sequence[Wrong]) -> list[Wrong]:
    """What the models say of keys that contradict each other, which they say only when each key is right by itself.

    So the wrong keys are left out, where that is possible, and the rest is looked at once more.
    """
    left_out = [path for path in map(_removable, wrongs) if path]
    rest: Any = data
    for path in left_out:
        rest = _without(rest, path)
    try:
        model.model_validate(rest)
    except ValidationError as error:
        again = error.errors(include_url=False)
        found = [wrong for one in again for wrong in _faults(model, one, left_out)]
        return [wrong for wrong in found if wrong not in wrongs]
    return []


def _faults(model: type[BaseModel], error: Any, left_out: Sequence[KeyPath] = ()) -> list[Wrong]:
    """The contradictions that an error tells of, but not those with a value that was left out."""
    cause = error.get("ctx", {}).get("error")
    if not isinstance(cause, Faults):
        return []
    path, _, _ = _resolve(ModelShape(model), error["loc"])
    return [
        Wrong(path=(*path, *fault.path), target=Target.VALUE, after=f": {fault.text}")
        for fault in cause.faults
        if not any(_touch((*path, *need), other) for need in fault.needs for other in left_out)
    ]


def _touch(one: KeyPath, other: KeyPath) -> bool:
    """Whether one path leads through the other."""
    common = min(len(one), len(other))
    return one[:common] == other[:common]


def _removable(wrong: Wrong) -> KeyPath:
    """The key to leave out: of a missing one the mapping around it, of a list's item the list (the others have
    numbers that must not change). Empty where that would be everything."""
    path = wrong.path[:-1] if wrong.target is Target.MISSING else wrong.path
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def _without(data: Any, path: KeyPath) -> Any:
    """The data without a key."""
    first, *rest = path
    if isinstance(data, dict) and first in data:
        if not rest:
            return {key: value for key, value in data.items() if key != first}
        return {**data, first: _without(data[first], tuple(rest))}
    if isinstance(data, list) and isinstance(first, int) and rest and first < len(data):
        return [_without(item, tuple(rest)) if index == first else item for index, item in enumerate(data)]
    return data


def _translate(model: type[BaseModel], error: Any) -> list[Wrong]:
    path, shape, in_key = _resolve(ModelShape(model), error["loc"])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Faults):
        return _faults(model, error)
    kind = error["type"]
    if kind == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]:
        return []  # pydantic counts the good items alone; what is wrong with the others is told anyway
    if kind == "missing":
        return [Wrong(path=path, target=Target.MISSING, after=" is missing")]
    if kind == "extra_forbidden":
        return [_unknown(model, path, shape)]
    if in_key:
        return [Wrong(path=path, target=Target.KEY, after=f": {cause or error['msg']}")]
    text, hint = _words(kind, error, shape)
    return [Wrong(path=path, target=Target.VALUE, after=f": {text}", hint=hint)]


def _resolve(shape: Shape, loc: tuple[str | int, ...]) -> tuple[KeyPath, Shape | None, bool]:
    """The YAML's path for pydantic's: without the tags of unions and the `[key]` that marks an error in a key.

    The shape is the one at the path, or the mapping around it where the last step is an unknown key.
    """
    path: list[str | int] = []
    here: Shape | None = shape
    steps = list(loc)
    while steps:
        step = steps.pop(0)
        if isinstance(here, ChoiceShape):
            chosen = dict(here.choices).get(str(step))
            here = ModelShape(chosen) if chosen else None
            continue
        path.append(step)
        if isinstance(here, MapShape) and steps == ["[key]"]:
            return tuple(path), here.key, True
        below = child(here, step) if here else None
        if below is None and not steps:
            break
        here = below
    return tuple(path), here, False


def _unknown(model: type[BaseModel], path: KeyPath, around: Shape | None) -> Wrong:
    key = str(path[-1])
    known = tuple(around.model.model_fields) if isinstance(around, ModelShape) else ()
    hint = suggestion(key, known)
    places = sorted({key_path(home) for home in homes(ModelShape(model), key) if home})
    if places and (hint is None or not hint.startswith("did you mean")):
        hint = f"it belongs under {' or '.join(places)}"
    return Wrong(path=path, target=Target.KEY, before="unknown key ", after="", hint=hint)


def _words(kind: str, error: Any, shape: Shape | None) -> tuple[str, str | None]:
    """What is wrong with a value, and a hint."""
    value, context = error.get("input"), error.get("ctx", {})
    cause = context.get("error")
    if value is None and kind != "missing":
        return _empty(shape)
    if kind == "value_error":
        return (f"{cause}" if not isinstance(value, str) else f"{_shown(value)}: {cause}"), None
    if kind in ("string_type", "tuple_type", "mapping_type", "dict_type", "model_type", "model_attributes_type"):
        return f"{_wanted(shape)} is wanted, not {_given(value)}", _example(shape, value)
    if kind == "literal_error":
        values = shape.values if isinstance(shape, ScalarShape) else ()
        return f"{_shown(value)} is none of {', '.join(values)}", _near(value, values)
    return _bounds(kind, value, context) or str(error["msg"]), None


def _bounds(kind: str, value: object, context: Mapping[str, Any]) -> str | None:
    said = {
        "less_than_equal": "{value} is too much: at most {le}",
        "less_than": "{value} is too much: it must be under {lt}",
        "greater_than_equal": "{value} is too little: at least {ge}",
        "greater_than": "{value} is too little: it must be over {gt}",
        "too_short": "at least {min_length} wanted, {actual_length} given",
        "too_long": "at most {max_length} wanted, {actual_length} given",
    }.get(kind)
    plain = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
    return said.format(value=_shown(value), **plain) if said else None


def _empty(shape: Shape | None) -> tuple[str, str | None]:
    if isinstance(shape, ListShape):
        return "no value", "write [] for an empty list, or leave the key out"
    if isinstance(shape, ScalarShape):
        return "no value", 'write "" for an empty text, or leave the key out'
    return "no value", "leave the key out"


def _wanted(shape: Shape | None) -> str:
    match shape:
        case ListShape():
            return "a list"
        case ModelShape() | MapShape() | ChoiceShape():
            return "a mapping"
    return "a text"


def _given(value: object) -> str:
    match value:
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a mapping"
    return f"the text {_shown(value)}"


def _example(shape: Shape | None, value: object) -> str | None:
    if isinstance(shape, ListShape) and isinstance(value, str):
        return f"write [{_shown(value)}]"
    return None


def _shown(value: object) -> str:
    text = shown(f"{value:g}" if isinstance(value, float) else str(value))
    return f'"{text}"' if not text or " " in text else text


def _near(value: object, values: tuple[str, ...]) -> str | None:
    hint = suggestion(str(value), values)
    return hint if hint and hint.startswith("did") else None
