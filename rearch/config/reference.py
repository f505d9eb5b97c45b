"""docs/reference.md: every key of every format, from the models that check them."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill
from typing import Any, assert_never, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rearch.config.examples import EXAMPLES
from rearch.config.expressions import KNOWN_NAMES, OPEN_NAMES
from rearch.config.problems import key_path
from rearch.config.sandbox import FILTERS, METHODS
from rearch.config.settings import has_variable, variable
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
from rearch.model.platform import PLATFORMS
from rearch.model.publish import ManifestSpec
from rearch.model.recipe import Recipe
from rearch.model.settings import Settings
from rearch.model.stack import StackFile
from rearch.model.toolchain import Toolchain

_FORMATS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("Recipe", "recipes/&lt;stack&gt;/&lt;name&gt;.yaml", Recipe),
    ("Stack", "recipes/&lt;stack&gt;/stack.yaml", StackFile),
    ("Toolchain", "toolchains/&lt;name&gt;.yaml", Toolchain),
    ("Settings", "rearch.yaml", Settings),
    ("Manifest spec", "the file of `invoke manifest --spec`", ManifestSpec),
    ("Application", "the file of `invoke place`", Application),
    ("Hosts", "the file of `invoke place --hosts`", HostsFile),
)

_HEAD = """\
# Reference of the YAML files

<!-- Written by `invoke schema` from the models in rearch/model; do not edit. -->

Every scalar is text: `1.10` stays `1.10`, `386` stays `386`, `no` stays `no`. A key without a value, `~` and
`null` mean that there is none. Unknown keys, keys that stand twice, tags, merge keys (`<<`) and second documents
are errors; anchors and aliases can be used. All problems are told at once, as `file:line:column: text`.

JSON schemas of these files are in `schema/`; a first line such as
`# yaml-language-server: $schema=../../schema/recipe.json` lets editors complete and check while you type.
"""

_MERGING = """\
## How a recipe is put together

From weakest to strongest: the files that `include` names (a later one over an earlier one), the stack's `defaults`, the
recipe, and for single platforms what stands under `platforms`. Mappings are merged key by key; a list or a text
replaces the one below it. A key without a value takes away an optional one, as in `cgo: ~`.

`patches/<component>/series` beside the recipe lists patches as quilt does: a path below that folder, `-pN` where it is
not -p1 (or `patch.strip`), `#` for comments.
"""

_SETTINGS = """\
A setting comes from a flag, else the environment, else `rearch.yaml`, else its default. In a variable, a list is
written `a,b` and a mapping `key=value key=value`; an empty variable is one that is not set.
"""


def render_reference() -> str:
    """The page, ending with a line feed."""
    parts = [_HEAD]
    for title, file, model in _FORMATS:
        parts += _format(title, file, model)
        if model is Recipe:
            parts += [_MERGING, _expressions(), _platforms()]
    return "\n".join(parts).rstrip() + "\n"


def _format(title: str, file: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"## {title}: {file}\n"
    yield f"{_sentence(model)}\n"
    yield f"```yaml\n{EXAMPLES[model.__name__]}```\n"
    if model is Settings:
        yield _SETTINGS
    yield _table(model, (), settings=model is Settings)
    yield from _sections(title, model)


def _sections(title: str, model: type[BaseModel]) -> Iterator[str]:
    """A section for every mapping; of one that was described before (and what is in it) no more than where."""
    described: dict[type[BaseModel], tuple[str, ...]] = {}
    repeated: list[tuple[str, ...]] = []
    for path, below, label in _nested(ModelShape(model), ()):
        first = described.setdefault(below, path)
        if first == path:
            yield f"### {title}: `{key_path(path)}`{label}\n"
            yield f"{_sentence(below)}\n"
            yield _table(below, path, settings=model is Settings and not label)
        elif not any(path[: len(other)] == other for other in repeated):
            repeated.append(path)
            yield f"### {title}: `{key_path(path)}`{label.partition(' with')[0]}\n"
            yield f"As `{key_path(first)}`.\n"


def _sentence(model: type[BaseModel]) -> str:
    return _cell(" ".join((model.__doc__ or "").split()))


def _nested(shape: Shape, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[BaseModel], str]]:
    """Every mapping with known keys inside a shape: its path, its model, and the key that tells it from others."""
    match shape:
        case ModelShape(model):
            for name, field in model.model_fields.items():
                below = _shape(field)
                yield from _here(below, (*path, name))
        case ListShape(item):
            yield from _nested(item, path)
        case ChoiceShape(choices):
            for _, model in choices:
                yield from _nested(ModelShape(model), path)


def _here(shape: Shape, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[BaseModel], str]]:
    inner = shape.item if isinstance(shape, ListShape) else shape.value if isinstance(shape, MapShape) else shape
    each = ", each" if inner is not shape else ""
    match inner:
        case ModelShape(model):
            yield path, model, each
        case ChoiceShape(choices):
            for tag, model in choices:
                yield path, model, f"{each} with `{tag}`"
    yield from _nested(inner, path)


def _shape(field: FieldInfo) -> Shape:
    return shape_of(field.annotation, tuple(field.metadata))


def _table(model: type[BaseModel], path: tuple[str, ...], *, settings: bool) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = str(field.description)
        shape = _shape(field)
        if settings and not isinstance(shape, ModelShape):
            meaning += f" `{variable((*path, name))}`" if has_variable(shape) else " Only in rearch.yaml."
        cells = (f"`{name}`", _words(_shape(field)) + _bounds(field), _default(field), meaning)
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    """Text for a table: outside of backquotes a `<` would begin HTML, anywhere a `|` would end the cell."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts))


def _words(shape: Shape) -> str:
    match shape:
        case ModelShape():
            words = "mapping, below"
        case ChoiceShape(choices):
            words = f"mapping with one of {', '.join(f'`{tag}`' for tag, _ in choices)}, below"
        case MapShape(ScalarShape("text"), AnyShape()):
            words = "keys of a recipe"
        case MapShape(key, value):
            words = f"mapping: {_words(key)} to {_words(value)}"
        case ListShape(item):
            words = f"list: {_words(item)}"
        case ScalarShape(said, values):
            words = " or ".join(f"`{value}`" for value in values) if values else said
        case AnyShape():
            words = "keys of a recipe"
        case _:
            assert_never(shape)
    return words


def _bounds(field: FieldInfo) -> str:
    said = {"ge": "at least {}", "gt": "over {}", "le": "at most {}", "lt": "under {}", "min_length": "at least {}"}
    found = [
        words.format(getattr(note, name))
        for note in field.metadata
        for name, words in said.items()
        if getattr(note, name, None) is not None
    ]
    return f", {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value: Any = field.default
    if field.default_factory is not None or value is None or value in ((), "") or value == {}:
        return "" if type(None) not in get_args(field.annotation) else "none"
    if isinstance(value, bool):
        return f"`{'true' if value else 'false'}`"
    return f"`{_number(value)}`"


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}s"
    if isinstance(value, int) and value >= 1024**2 and value % 1024**2 == 0:
        return f"{value // 1024**3}G" if value % 1024**3 == 0 else f"{value // 1024**2}M"
    return str(value)


def _expressions() -> str:
    known = [f"| `{name}` | {text} | everywhere, but not in `name` |" for name, text in KNOWN_NAMES.items()]
    later = [
        f"| `{name}` | {text} | under `build`, `verify`, `smoke` and `image` |" for name, text in OPEN_NAMES.items()
    ]
    methods = fill(f"There are these methods: {', '.join(f'`{name}`' for name in sorted(METHODS))}.", 120)
    filters = f"And these filters: {', '.join(f'`{name}`' for name in sorted(FILTERS))}."
    return f"""\
## Expressions: `${{{{ name }}}}`

In the texts and keys of recipes and of a stack's defaults. Write quotes around a text that has one, and `$${{{{` for
the text `${{{{` itself. An unknown name is an error at its place.

| name | text | where |
|---|---|---|
{chr(10).join(known + later)}

`version` can use `name` and `stack`; a variable can use those, `version` and the variables before it.
With a name that is known everywhere one can compute: `version[1:]`, `version.split('.')[0]`,
`name | upper`, `vars.a ~ '-' ~ vars.b`, `'x' if version == '1.2' else 'y'`.
{methods}
{filters}

Names that can stand only under `build`, `verify`, `smoke` and `image` are filled in later: nothing can be computed with
them.
In a regular expression (`edits`, `smoke`) the text that comes in is part of the expression: a `.` in it matches
any character.
"""


def _platforms() -> str:
    rows = [
        f"| `{platform}` | {', '.join(f'`{name}`' for name in platform.arch.aliases) or ''} |" for platform in PLATFORMS
    ]
    return "## Platforms\n\n| platform | also read |\n|---|---|\n" + "\n".join(rows) + "\n"
