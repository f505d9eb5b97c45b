"""The models as shapes: what may stand at a place. One walk for messages, the schema and the reference page."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Struct
from pydantic import BaseModel, Tag

from rearch.model.base import Says


class ModelShape(Struct, frozen=True):
    """A mapping with known keys."""

    model: type[BaseModel]


class ChoiceShape(Struct, frozen=True):
    """One of several mappings, told apart by the key that only it has."""

    choices: tuple[tuple[str, type[BaseModel]], ...]


class MapShape(Struct, frozen=True):
    """A mapping with free keys."""

    key: Shape
    value: Shape


class ListShape(Struct, frozen=True):
    """A list."""

    item: Shape


class ScalarShape(Struct, frozen=True):
    """A text, described in words; `values` are the only ones, where there are such."""

    words: str
    values: tuple[str, ...] = ()
    pattern: str | None = None
    types: tuple[str, ...] = ("string",)


class AnyShape(Struct, frozen=True):
    """Anything: keys of another format, checked where they are used."""


Shape = ModelShape | ChoiceShape | MapShape | ListShape | ScalarShape | AnyShape


def shape_of(annotation: Any, metadata: tuple[Any, ...] = ()) -> Shape:
    """The shape of a field's annotation. A kind of annotation that no format uses yet is a bug."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return shape_of(inner, (*metadata, *more))
    for note in metadata:
        if isinstance(note, Says):
            return ScalarShape(note.words, pattern=note.pattern, types=note.types)
    if annotation is Any:
        return AnyShape()
    if origin is Literal:
        return ScalarShape("one of", values=get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return ModelShape(annotation)
    return _container(annotation, origin)


def _container(annotation: Any, origin: Any) -> Shape:
    if origin in (Union, types.UnionType):
        return _union([one for one in get_args(annotation) if one is not type(None)])
    if origin is tuple:
        return ListShape(shape_of(get_args(annotation)[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = get_args(annotation)
        return MapShape(shape_of(key), shape_of(value))
    raise TypeError(f"no shape for {annotation!r}")


def _union(members: list[Any]) -> Shape:
    if len(members) == 1:
        return shape_of(members[0])
    return ChoiceShape(tuple(_choice(member) for member in members))


def _choice(member: Any) -> tuple[str, type[BaseModel]]:
    model, *notes = get_args(member)
    tag = next(note.tag for note in notes if isinstance(note, Tag))
    return tag, model


def fields(model: type[BaseModel]) -> Iterator[tuple[str, Shape]]:
    """The keys of a model, with their shapes, in the order of its declaration."""
    for name, field in model.model_fields.items():
        yield name, shape_of(field.annotation, tuple(field.metadata))


def child(shape: Shape, step: str | int) -> Shape | None:
    """The shape below a key or an index; None for an unknown key."""
    match shape:
        case ModelShape(model):
            return dict(fields(model)).get(str(step))
        case MapShape(_, value):
            return value
        case ListShape(item):
            return item
    return None


def homes(shape: Shape, key: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a key is known, below a shape: for telling the user that it stands at the wrong place."""
    match shape:
        case ModelShape(model):
            for name, below in fields(model):
                if name == key:
                    yield path
                yield from homes(below, key, (*path, name))
        case ListShape(item) | MapShape(_, item):
            yield from homes(item, key, path)
        case ChoiceShape(choices):
            for _, model in choices:
                yield from homes(ModelShape(model), key, path)
