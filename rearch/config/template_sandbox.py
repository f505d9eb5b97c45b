"""Jinja for templates: loops, macros and includes, but no way out of the folders, and no way to fill the memory.

A template is the project's own, and what it is given comes from recipes that others wrote. So it can call nothing
but macros and the methods and filters named here; each loop and call costs, and each text has a longest size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, TemplateNotFound, Undefined, UndefinedError, nodes
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, missing
from jinja2.visitor import NodeTransformer

from rearch.config.sandbox import METHODS
from rearch.config.template_bounds import (
    FILTERS,
    GUARDS,
    WORK,
    concat,
    fail,
    joined,
    number,
    printable,
    remarked,
    replaced,
    short,
    short_range,
)
from rearch.config.template_files import TemplateFolders, TemplateId, UnreadableTemplate

MAPPING_METHODS = frozenset(["items", "keys", "values", "get"])
LOOP_NAMES = frozenset(["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"]) | {
    "cycle",
    "changed",
    "previtem",
    "nextitem",
}
# How many turns of a loop take as long as a call, and as starting another template.
CALL_COSTS = 10
INCLUDE_COSTS = 200


class MissingName(UndefinedError):
    """A name that is not defined; `owner` is what it was looked for in, `missing` for the top."""

    def __init__(self, message: str | None, name: str, owner: Any) -> None:
        super().__init__(message)
        self.name = name
        self.owner = owner


class _Undefined(StrictUndefined):
    """Remembers its name for the message. Jinja's own words are about Python's types."""

    def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None) -> None:
        def told(message: str | None) -> MissingName:
            return MissingName(message, str(name), obj)

        super().__init__(hint, obj, name, told if exc in (None, UndefinedError) else exc)  # type: ignore[arg-type]


class _Guards(NodeTransformer):
    """Loops are counted; `~` goes through a filter that knows how long a text may be."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  (jinja2.visitor names it)
        self.generic_visit(node)
        assert isinstance(node.iter, nodes.Expr)
        node.iter = _filtered(node.iter, "counted", node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "joined", node.lineno)


def _filtered(node: nodes.Expr, name: str, line: int) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=line)


class _Generator(CodeGenerator):
    """Where Jinja lets a program see the whole tree before it is compiled."""

    def visit_Template(self, node: nodes.Template, frame: Any = None) -> None:  # noqa: N802
        _Guards().visit(node)
        super().visit_Template(node, frame)


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """The environment of one project's templates. Templates are named by the text of their TemplateId."""

    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])
    code_generator_class = _Generator

    def __init__(self, folders: TemplateFolders) -> None:
        super().__init__(
            undefined=_Undefined,
            autoescape=False,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=printable,
            loader=_Loader(folders),
            optimized=False,
        )
        self.folders = folders
        self.concat = concat  # type: ignore[method-assign]
        self.globals = {"range": short_range, "namespace": Namespace, "fail": fail}
        self.filters = {**FILTERS, **GUARDS}

    def join_path(self, template: str, parent: str) -> str:
        """What an include or import in `parent` means. It costs, for templates can include themselves."""
        WORK.get().spend(INCLUDE_COSTS)
        try:
            found = self.folders.find(template, TemplateId.parse(parent).origin)
        except UnreadableTemplate as error:
            raise SecurityError(f"{template}: {error}") from None
        if found is None:
            raise TemplateNotFound(template)
        return str(found)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """In a mapping a key comes before a method, so that a variable can be called `items`."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002  (Jinja's signature)
        if isinstance(obj, str):
            return attr in METHODS
        if isinstance(obj, Mapping):
            return attr in MAPPING_METHODS
        if isinstance(obj, LoopContext):
            return attr in LOOP_NAMES
        # Namespaces, modules of macros and the template itself (`self.block()`); nothing else has names of use.
        return type(obj).__module__.startswith("jinja2.") and not attr.startswith("_")

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        kind = "text" if isinstance(obj, str) else "mapping" if isinstance(obj, Mapping) else type(obj).__name__
        words = f"`{attribute}` of a {kind} cannot be used"
        return self.undefined(words, name=attribute, obj=obj, exc=SecurityError)

    def is_safe_callable(self, obj: Any) -> bool:
        if isinstance(obj, Macro | BlockReference | LoopContext) or obj in (short_range, fail, Namespace):
            return True
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str):
            return name in METHODS - {"replace"}
        return isinstance(owner, Mapping | LoopContext) and name in MAPPING_METHODS | LOOP_NAMES

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        WORK.get().spend(CALL_COSTS)
        if isinstance(obj, Undefined):
            str(obj)  # raises, with the name
        if getattr(obj, "__name__", "") == "replace" and isinstance(getattr(obj, "__self__", None), str):
            return remarked(replaced(obj.__self__, *args), obj.__self__, *args)
        if not self.is_safe_callable(obj):
            raise SecurityError("only macros, methods of texts and mappings, range, namespace and fail can be called")
        result = super().call(context, obj, *args, **kwargs)
        return remarked(result, getattr(obj, "__self__", None)) if isinstance(result, str) else result

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, int | float) and isinstance(right, int | float) and operator != "**":
            return number(super().call_binop(context, operator, left, right))
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return joined((left, right))
        if operator == "+" and isinstance(left, list | tuple) and isinstance(right, list | tuple):
            short(len(left) + len(right))
            return [*left, *right]
        raise SecurityError(f"`{operator}` is for numbers alone" if operator != "**" else "`**` is not allowed")


class _Loader(BaseLoader):
    def __init__(self, folders: TemplateFolders) -> None:
        self._folders = folders

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:  # noqa: ARG002
        which = TemplateId.parse(template)
        mark = self._folders.mark(which)
        try:
            text = self._folders.read(which)
        except UnreadableTemplate as error:
            raise SecurityError(f"{self._folders.shown(which)}: {error}") from None
        return text, self._folders.shown(which), lambda: mark is not None and self._folders.mark(which) == mark
