"""What every YAML format shares: frozen, closed models, and scalars that are text.

The loader (rearch/config) hands over every YAML scalar as text, so `1.10`, `386` and `no` keep
their spelling. A field that is a number or a flag says so with `Count` or `Flag`, which read exactly
one spelling each. Field descriptions are the reference page and the JSON schema's help texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from msgspec import Struct
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.platform import parse_platform

K = TypeVar("K")
V = TypeVar("V")

Path = tuple[str | int, ...]


class Model(BaseModel):
    """A value read from YAML. Unknown keys are refused; nothing can be changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, defer_build=True)


class Says(Struct, frozen=True):
    """What a kind of scalar is, for the reference page, the schema and messages.

    `pattern` is a regular expression for the schema: editors check it, rearch itself uses the validator.
    `types` are JSON's types for what an editor may take the scalar for: it sees a number in `version: 1.10`.
    """

    words: str
    pattern: str | None = None
    types: tuple[str, ...] = ("string", "number", "boolean")


class Fault(Struct, frozen=True):
    """One thing that is wrong inside a model: `path` is relative to the model that raises it.

    `needs` are the paths of the values that contradict each other. Where one of them is wrong by itself, the
    contradiction means nothing.
    """

    path: Path
    text: str
    needs: tuple[Path, ...] = ()


class Faults(ValueError):
    """Values that contradict each other, each with the place that the user has to look at."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.text for fault in faults))


def refuse(faults: list[Fault]) -> None:
    """Raise all of them together, if there are any."""
    if faults:
        raise Faults(*faults)


def kind_of(*keys: str) -> Callable[[Any], str | None]:
    """For a union whose members are told apart by a key that each of them alone has: which one a value is of."""

    def kind(value: Any) -> str | None:
        return next((key for key in keys if (isinstance(value, Mapping) and key in value) or hasattr(value, key)), None)

    return kind


def _flag(value: object) -> object:
    if value in ("true", True):
        return True
    if value in ("false", False):
        return False
    raise ValueError("neither true nor false")


def _count(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,18}", value):
        raise ValueError("not a whole number")
    return int(value) if isinstance(value, str) else value


_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def parse_size(value: object) -> int:
    """`20G` -> bytes; units of 1024. Errors: ValueError."""
    if isinstance(value, int):
        return value
    found = re.fullmatch(r"([0-9]{1,15})\s*([kmgt]?)(?:i?b)?", str(value).strip().lower())
    if not found:
        raise ValueError("not a size; write it as 512M or 20G")
    return int(found[1]) * _UNITS[found[2]]


_SPANS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_span(value: object) -> float:
    """`5m` -> seconds. Errors: ValueError."""
    if isinstance(value, int | float):
        return float(value)
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(ms|s|m|h|d)?", str(value).strip())
    if not found:
        raise ValueError("not a time; write it as 30s, 5m or 14d")
    return float(found[1]) * _SPANS[found[2] or "s"]


def _full(value: str) -> str:
    if not value.strip():
        raise ValueError("it cannot be empty")
    if "\0" in value:
        raise ValueError("a NUL character cannot be part of it")
    return value


def plain_name(value: str) -> str:
    """The name of a stack, a component or a toolchain. Errors: ValueError."""
    if not re.fullmatch(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", value) or len(value) > 64:
        raise ValueError("a name has lower-case letters, digits and single . _ - between them, at most 64")
    return value


def _file_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,126}", value):
        raise ValueError("a file name has letters, digits and . _ + -, starts with a letter or digit, and is no path")
    return value


def _relative(value: str) -> str:
    parts = value.split("/")
    if not value or value.startswith("/") or ".." in parts or "\0" in value or "\\" in value:
        raise ValueError("a relative path without '..' is wanted")
    return value


def _package(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._~][A-Za-z0-9._~+/-]{0,254}", value) or ".." in value.split("/"):
        raise ValueError("a Go package is wanted, as in `.` or `./cmd/agent`: no spaces, no '..', no leading - or /")
    return value


def _platform(value: str) -> str:
    try:
        return str(parse_platform(value))
    except UsageError as error:
        raise ValueError(f"no such platform; {error.hint}") from None


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("a variable's name has letters, digits and _, and starts with no digit")
    return value


_BOUND = r"(?:[<>]=?|[=!~]=)\s*[0-9]+(?:\.[0-9]+)*(?:\.\*|(?:rc|beta)[0-9]+)?"


def _versions(value: str) -> str:
    if not re.fullmatch(rf"\s*(?:\*|{_BOUND}(?:\s*,\s*{_BOUND})*)\s*", value):
        raise ValueError("not a range of versions; write it as `>=1.9, <1.25`")
    return value


Flag = Annotated[bool, BeforeValidator(_flag), Says("true or false", "^(true|false)$", ("boolean", "string"))]
Count = Annotated[int, BeforeValidator(_count), Says("whole number", "^[0-9]{1,18}$", ("integer", "string"))]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    Says("size (`512M`, `20G`)", "^[0-9]+ *[kKmMgGtT]?([iI]?[bB])?$", ("integer", "string")),
]
Span = Annotated[
    float,
    BeforeValidator(parse_span),
    Says("time (`30s`, `5m`, `14d`)", r"^[0-9]+(\.[0-9]+)? *(ms|[smhd])?$", ("number", "string")),
]
Text = Annotated[str, Says("text")]
FullText = Annotated[str, AfterValidator(_full), Says("text, not empty")]
Name = Annotated[str, AfterValidator(plain_name), Says("name", "^[a-z0-9]+([._-][a-z0-9]+)*$")]
FileName = Annotated[str, AfterValidator(_file_name), Says("file name", "^[A-Za-z0-9_][A-Za-z0-9._+-]*$")]
RelativePath = Annotated[str, AfterValidator(_relative), Says("relative path")]
Package = Annotated[str, AfterValidator(_package), Says("Go package", "^[A-Za-z0-9._~][A-Za-z0-9._~+/-]*$")]
PlatformName = Annotated[str, AfterValidator(_platform), Says("platform (`arm64`, `linux/arm/v7`, ...)")]
Variable = Annotated[str, AfterValidator(_variable), Says("variable", "^[A-Za-z_][A-Za-z0-9_]*$")]
Versions = Annotated[str, AfterValidator(_versions), Says("range of versions (`>=1.9, <1.25`)")]
FrozenMap = Annotated[Mapping[K, V], AfterValidator(FrozenDict)]
