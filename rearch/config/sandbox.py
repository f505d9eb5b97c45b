"""Expressions that are more than a name: `version[1:]`, `version.split('.')[0]`, `name | upper`.

A small part of Jinja, sandboxed: no statements, no loops, no globals; the methods and filters below and
nothing else. Recipes come from others, so an expression also cannot make a text that fills the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from jinja2 import StrictUndefined, TemplateError, Undefined, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rearch.config.expressions import ExpressionFault, Scope, look_up
from rearch.config.problems import shown, suggestion

METHODS = frozenset(
    [
        "endswith",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "startswith",
        "strip",
        "title",
        "upper",
    ]
)
LONGEST_TEXT = 4096


def _joined(values: Any, between: str = "") -> str:
    return between.join([str(value) for value in values])


FILTERS: Mapping[str, Callable[..., Any]] = {
    "lower": lambda text: str(text).lower(),
    "upper": lambda text: str(text).upper(),
    "trim": lambda text: str(text).strip(),
    "replace": lambda text, old, new: str(text).replace(str(old), str(new)),
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "join": _joined,
    "int": lambda text: int(str(text)[:40]),
}
# What an expression can do wrong at run time: types, indexes, arithmetic, names, depth.
_FAULTS = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    SyntaxError,
)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["*", "**", "%"])

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002  (Jinja's signature)
        if isinstance(obj, SimpleNamespace):
            return attr in vars(obj)
        return isinstance(obj, str) and attr in METHODS

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        hint = f"a text has the methods {', '.join(sorted(METHODS))}"
        return self.undefined(f"{attribute} is not allowed; {hint}", name=attribute, obj=obj, exc=SecurityError)

    def is_safe_callable(self, obj: Any) -> bool:
        return isinstance(getattr(obj, "__self__", None), str) and obj.__name__ in METHODS

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        if isinstance(obj, Undefined) or not self.is_safe_callable(obj):
            raise SecurityError(f"only methods of texts can be called: {', '.join(sorted(METHODS))}")
        _bounded(obj.__self__, *args, *kwargs.values())
        return _bounded(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or not (isinstance(left, int) and isinstance(right, int)):
            raise SecurityError(f"`{operator}` is only for numbers" if operator != "**" else "`**` is not allowed")
        return super().call_binop(context, operator, left, right)


def _bounded(value: Any, *more: Any) -> Any:
    for item in (value, *more):
        parts = item if isinstance(item, list | tuple) else (item,)
        if sum(len(part) for part in parts if isinstance(part, str)) > LONGEST_TEXT:
            raise SecurityError(f"a text of more than {LONGEST_TEXT} characters")
    return value


def _filter(inner: Callable[..., Any]) -> Callable[..., Any]:
    def bounded(value: Any, *args: Any) -> Any:
        _bounded(value, *args)
        return _bounded(inner(value, *args))

    return bounded


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, variable_start_string="${{", autoescape=False)
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update({name: _filter(inner) for name, inner in FILTERS.items()})
    return environment


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> tuple[TemplateExpression, tuple[tuple[str, str | None], ...]]:
    """The program, and the names that it reads (for `vars.x` with the x)."""
    environment = _environment()
    tree = Parser(environment, expression, state="variable").parse_expression()
    found = [tree, *tree.find_all(nodes.Expr)]
    for node in found:
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            text = f"there is no filter {shown(node.name)}"
            raise ExpressionFault(text, suggestion(node.name, FILTERS), word=node.name)
    members = {id(node.node): node.attr for node in found if isinstance(node, nodes.Getattr)}
    names = [(node.name, members.get(id(node))) for node in found if isinstance(node, nodes.Name)]
    return environment.compile_expression(expression, undefined_to_none=False), tuple(dict.fromkeys(names))


def evaluate(expression: str, scope: Scope) -> str:
    """The text that an expression gives. Errors: ExpressionFault."""
    try:
        program, names = _compiled(expression)
        for name, attribute in names:
            _check(name, attribute, scope)
        value = program(**scope.values, vars=SimpleNamespace(**scope.variables))
        return _text(value)
    except _FAULTS as error:
        words = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ExpressionFault(f"`{shown(expression)}` cannot be computed: {shown(words, 200)}") from None


def _check(name: str, attribute: str | None, scope: Scope) -> None:
    """That a name is defined, and known now."""
    if name in scope.open_names:
        text = f"{name} is known only later, so nothing can be computed with it"
        raise ExpressionFault(text, f"write `${{{{ {name} }}}}` alone", word=name)
    look_up(name, attribute if name == "vars" else None, scope)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return _bounded(str(value))  # type: ignore[no-any-return]
    if isinstance(value, StrictUndefined):
        return str(value)  # raises, with the name
    raise TypeError(f"it gives a {type(value).__name__}, not a text")
