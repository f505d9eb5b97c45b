"""JSON schemas (draft 2020-12) for editors, from the same models that check the files.

They are looser than rearch in three ways: a text may look like a number (`version: 1.10`); an expression
may stand for any text of a recipe; and of a recipe's keys only `name` is required, because the stack's
defaults may bring the others. Written from the models' shapes, so that a new pydantic changes nothing here.
"""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rearch.config.overrides import MAY_DIFFER
from rearch.config.shapes import (
    AnyShape,
    ChoiceShape,
    ListShape,
    MapShape,
    ModelShape,
    ScalarShape,
    Shape,
    shape_of,
)
from rearch.model.application import Application, HostsFile
from rearch.model.publish import ManifestSpec
from rearch.model.recipe import Recipe
from rearch.model.settings import Settings
from rearch.model.stack import StackFile
from rearch.model.toolchain import Toolchain

DRAFT = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION = r"\$\{\{"
Schema = dict[str, Any]

_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def render_schemas() -> dict[str, str]:
    """File name below schema/ -> its text, sorted and ending with a line feed."""
    part = _Writer(expressions=True, partial=True)
    recipe = part.root(Recipe, "A recipe of rearch")
    recipe["required"] = ["name"]
    defaults = part.root(Recipe, "Recipe keys that a stack includes")
    defaults["properties"]["include"] = _Writer().field(StackFile, "include", StackFile.model_fields["include"])
    schemas = {
        "recipe.json": recipe,
        "defaults.json": defaults,
        "stack.json": _Writer().root(StackFile, "A stack of rearch"),
        "toolchain.json": _Writer().root(Toolchain, "A toolchain of rearch"),
        "settings.json": _Writer().root(Settings, "Settings of a project of rearch"),
        "manifest-spec.json": _Writer().root(ManifestSpec, "A spec of `invoke manifest`, as manifest-tool has them"),
        "application.json": _Writer().root(Application, "An application that `rearch place` places"),
        "hosts.json": _Writer().root(HostsFile, "The hosts of an environment, for `rearch place`"),
    }
    return {name: json.dumps(schema, indent=2, sort_keys=True) + "\n" for name, schema in sorted(schemas.items())}


class _Writer:
    """One way of writing: `expressions` may stand for texts, and nothing is required (`partial`)."""

    def __init__(self, *, expressions: bool = False, partial: bool = False) -> None:
        self._expressions = expressions
        self._partial = partial
        self._defs: dict[str, Schema] = {}

    def root(self, model: type[BaseModel], title: str) -> Schema:
        schema = self._object(model)
        return {"$schema": DRAFT, "title": title, **schema, "$defs": dict(self._defs)}

    def field(self, model: type[BaseModel], name: str, field: FieldInfo) -> Schema:
        """The schema of one key."""
        if (model, name) == (Recipe, "platforms"):
            schema: Schema = {"type": "object", "additionalProperties": self._override()}
        elif (model, name) == (StackFile, "defaults"):
            schema = self._defaults()
        else:
            schema = self.shape(shape_of(field.annotation, tuple(field.metadata)))
        schema = {**schema, **self._limits(field, schema)}
        if type(None) in get_args(field.annotation):
            schema = _nullable(schema)
        if not field.is_required() and field.default_factory is None and field.default not in (None, (), {}):
            schema["default"] = field.default
        return {**schema, "description": str(field.description)}

    def shape(self, shape: Shape) -> Schema:
        """The schema of a value."""
        match shape:
            case ModelShape(model):
                return self._reference(model)
            case ChoiceShape(choices):
                return {"anyOf": [self._reference(model) for _, model in choices]}
            case MapShape(key, value):
                names = {"pattern": self._pattern(key.pattern)} if isinstance(key, ScalarShape) and key.pattern else {}
                below = {"type": "object", "additionalProperties": self.shape(value)}
                return {**below, "propertyNames": names} if names else below
            case ListShape(item):
                whole = _Writer(expressions=self._expressions)
                schema = {"type": "array", "items": whole.shape(item)}
                self._defs.update(whole._defs)
                return schema
            case ScalarShape():
                return self._scalar(shape)
            case AnyShape():
                return {}

    def _scalar(self, shape: ScalarShape) -> Schema:
        if shape.values:
            words = list(shape.values)
            if not self._expressions:
                return {"enum": words}
            return {"anyOf": [{"enum": words}, {"type": "string", "pattern": EXPRESSION}]}
        schema: Schema = {"type": list(shape.types)}
        if shape.pattern:
            schema["pattern"] = self._pattern(shape.pattern)
        return schema

    def _pattern(self, pattern: str) -> str:
        return f"{pattern}|{EXPRESSION}" if self._expressions else pattern

    def _object(self, model: type[BaseModel]) -> Schema:
        properties = {name: self.field(model, name, field) for name, field in model.model_fields.items()}
        schema: Schema = {
            "type": "object",
            "description": (model.__doc__ or "").strip(),
            "properties": properties,
            "additionalProperties": False,
        }
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        if required and not self._partial:
            schema["required"] = required
        return schema

    def _reference(self, model: type[BaseModel]) -> Schema:
        name = model.__name__ + ("Part" if self._partial else "")
        if name not in self._defs:
            self._defs[name] = {}
            self._defs[name] = self._object(model)
        return {"$ref": f"#/$defs/{name}"}

    def _override(self) -> Schema:
        properties = {name: self.field(Recipe, name, Recipe.model_fields[name]) for name in MAY_DIFFER}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def _defaults(self) -> Schema:
        part = _Writer(expressions=True, partial=True)
        schema = part._object(Recipe)
        self._defs.update(part._defs)
        return schema

    def _limits(self, field: FieldInfo, schema: Schema) -> Schema:
        """Bounds of a number, least length of a list or a mapping."""
        found: Schema = {}
        for note in field.metadata:
            for name, key in _LIMITS.items():
                if getattr(note, name, None) is not None:
                    found[key] = getattr(note, name)
            if getattr(note, "min_length", None):
                found["minItems" if schema.get("type") == "array" else "minProperties"] = note.min_length
        return found


def _nullable(schema: Schema) -> Schema:
    """The key may also be there without a value."""
    if isinstance(schema.get("type"), list):
        return {**schema, "type": [*schema["type"], "null"]}
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}
