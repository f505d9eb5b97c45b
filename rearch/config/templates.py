"""Dockerfiles from Jinja templates: the project's own, then those that ship with rearch.

docs/images.md says what a template is given. The text is made from the template and these values alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rearch.config.problems import suggestion
from rearch.config.template_errors import BadTemplate, NoTemplate, Place
from rearch.config.template_files import (
    FOLDER,
    PROJECT,
    SUFFIX,
    TemplateFolders,
    TemplateId,
    UnreadableTemplate,
    template_folders,
)

if TYPE_CHECKING:
    from jinja2 import TemplateSyntaxError

    from rearch.config.template_sandbox import TemplateEnvironment


class Rendered(Struct, frozen=True, kw_only=True):
    """A Dockerfile. `path` is what messages call the template: `templates/x.Dockerfile.j2`, with `rearch:` before it
    where it is not the project's own."""

    path: str
    text: str


def render_template(project: Path, name: str, values: Mapping[str, Any]) -> Rendered:
    """Render `templates/<name>.Dockerfile.j2`.

    `values`: texts, numbers, None, and lists and mappings of them. Errors: NoTemplate, BadTemplate (UsageError).
    """
    folders = template_folders(project)
    which = _find(folders, name)
    try:
        folders.read(which)
    except UnreadableTemplate as error:
        raise BadTemplate([Place(folders.shown(which), 0)], str(error)) from None
    return Rendered(path=folders.shown(which), text=_render(folders, which, values))


def _find(folders: TemplateFolders, name: str) -> TemplateId:
    try:
        found = folders.find(name + SUFFIX)
    except UnreadableTemplate:
        found = None
    if found is None or "/" in name:
        raise NoTemplate(name, folders.names(), FOLDER)
    return found


@lru_cache(maxsize=4)
def _environment(folders: TemplateFolders) -> TemplateEnvironment:
    """Compiled templates are kept, and compiled again when their file changes."""
    from rearch.config.template_sandbox import TemplateEnvironment

    return TemplateEnvironment(folders)


def _render(folders: TemplateFolders, which: TemplateId, values: Mapping[str, Any]) -> str:
    from jinja2 import TemplateError, TemplateSyntaxError

    from rearch.config.template_bounds import WORK, Work, prepared

    environment = _environment(folders)
    given = prepared(values)
    token = WORK.set(Work())
    try:
        return environment.concat(environment.get_template(str(which)).generate(given))
    except TemplateSyntaxError as error:
        raise BadTemplate([_syntax_place(folders, error)], error.message or "it is no Jinja template") from None
    # What a template can do wrong at run time: types, indexes, arithmetic, names, depth.
    except (
        TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        places = tuple(_places(folders, error)) or (Place(folders.shown(which), 0),)
        text, hint = _words(folders, which, error, (*_visible(error), *environment.globals))
        raise BadTemplate(places, text, hint) from None
    finally:
        WORK.reset(token)


def _syntax_place(folders: TemplateFolders, error: TemplateSyntaxError) -> Place:
    which = TemplateId.parse(error.name or "")
    return _place(folders, folders.shown(which), error.lineno)


def _places(folders: TemplateFolders, error: BaseException) -> Iterator[Place]:
    """The lines of templates on the way to the error; of a deep recursion its two ends."""
    found = [(trace.tb_frame.f_code.co_filename, trace.tb_lineno) for trace in _template_frames(error)]
    kept = dict.fromkeys(found if len(found) < 10 else [*found[:4], *found[-4:]])
    for name, line in kept:
        yield _place(folders, name, line)


def _template_frames(error: BaseException) -> Iterator[TracebackType]:
    """Jinja has put the templates' own lines and names in the place of the code that it made of them."""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.endswith(".j2") and f"{FOLDER}/" in name:
            yield trace
        trace = trace.tb_next


def _visible(error: BaseException) -> tuple[str, ...]:
    """The names that could have been used where it went wrong: a macro does not see what the template sees."""
    frames = tuple(_template_frames(error))
    return tuple(name for name in frames[-1].tb_frame.f_locals if not name.startswith("_")) if frames else ()


def _place(folders: TemplateFolders, shown: str, line: int) -> Place:
    name = shown.partition(f"{FOLDER}/")[2]
    origin = PROJECT if shown.startswith(f"{FOLDER}/") else shown.partition(":")[0]
    try:
        lines = folders.read(TemplateId(origin, name)).split("\n")
    except UnreadableTemplate:
        lines = []
    return Place(shown, line, lines[line - 1] if 0 < line <= len(lines) else "")


def _words(
    folders: TemplateFolders, which: TemplateId, error: BaseException, known: tuple[str, ...]
) -> tuple[str, str | None]:
    from jinja2 import TemplateNotFound
    from jinja2.utils import missing

    from rearch.config.template_sandbox import MissingName

    match error:
        case MissingName() if error.owner is missing:
            name = error.name
            plain = "does not export" not in str(error)
            return (f"{name} is not defined" if plain else f"it has no {name} to import"), suggestion(name, known)
        case MissingName():
            return f"there is no {error.name} here", suggestion(error.name, _members(error.owner))
        case TemplateNotFound():
            name = str(error.name)
            return f"there is no {FOLDER}/{name}", suggestion(name, folders.parts(which))
        case RecursionError():
            return "macros or includes are nested too deeply", "a macro or a template may use itself"
    return str(error) or type(error).__name__, None


def _members(owner: Any) -> tuple[str, ...]:
    names = owner if isinstance(owner, Mapping) else getattr(owner, "__dict__", ())
    return tuple(name for name in map(str, names) if not name.startswith("_"))
