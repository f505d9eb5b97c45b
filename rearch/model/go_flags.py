"""What a recipe may not say to go: variables that rearch sets itself, and linker flags that write elsewhere.

Refused where the YAML is read, so that the problem has a line; the compile step refuses the variables once more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rearch.model.base import Fault, Faults

# Set in every go command or in some of them, or able to change the platform or the programs that are run.
_PROTECTED = frozenset(
    [
        "AR",
        "CC",
        "CGO_ENABLED",
        "CXX",
        "GO111MODULE",
        "GO386",
        "GOAMD64",
        "GOARCH",
        "GOARM",
        "GOARM64",
        "GOBIN",
        "GOCACHE",
        "GOCACHEPROG",
        "GOENV",
        "GOFLAGS",
        "GOHOSTARCH",
        "GOHOSTOS",
        "GOMODCACHE",
        "GOOS",
        "GOPATH",
        "GOPPC64",
        "GOPROXY",
        "GORISCV64",
        "GOROOT",
        "GOSUMDB",
        "GOTMPDIR",
        "GOTOOLCHAIN",
        "GOVCS",
        "GOWORK",
        "HOME",
        "LC_ALL",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "PATH",
        "PKG_CONFIG",
        "SOURCE_DATE_EPOCH",
        "TMPDIR",
    ]
)
_PROTECTED_BEGINNINGS = ("PKG_CONFIG_", "ZIG_")
_INSTEAD = {
    "CC": "use build.go.cgo",
    "CGO_ENABLED": "use build.go.cgo",
    "CXX": "use build.go.cgo",
    "GO111MODULE": "use build.go.layout",
    "GOFLAGS": "use build.go.tags and build.go.ldflags",
    "GOROOT": "use build.toolchain",
    "GOTOOLCHAIN": "use build.toolchain",
}
# Of cmd/link: its output, its profiles, and what it leaves behind of a link by the C compiler.
_WRITES_ELSEWHERE = frozenset(
    [
        "benchmark",
        "benchmarkprofile",
        "blockprofile",
        "capturehostobjs",
        "cpuprofile",
        "memprofile",
        "mutexprofile",
        "o",
        "tmpdir",
        "traceprofile",
    ]
)
_TAKES_ANY_TEXT = frozenset({"X", "extldflags"})
_OPEN_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
_SPACE = " \t\n\r"


def is_protected(name: str) -> bool:
    """Whether `build.go.env` cannot set a variable."""
    return name in _PROTECTED or name.startswith(_PROTECTED_BEGINNINGS)


def instead_of(name: str) -> str:
    """What to do in place of setting a protected variable."""
    return _INSTEAD.get(name, "take it out: every build gets the same")


def own_variable(name: str) -> str:
    """A variable that a recipe can set. Errors: ValueError."""
    if is_protected(name):
        raise ValueError(f"rearch sets it itself; {instead_of(name)}")
    return name


def split_fields(text: str) -> tuple[str, ...] | None:
    """The fields of a flag text as go reads it (cmd/internal/quoted): split at spaces, with quotes, no escapes.

    None where a quote is not closed. A quote inside a field is a letter.
    """
    fields: list[str] = []
    rest = text.lstrip(_SPACE)
    while rest:
        if rest[0] in "'\"":
            end = rest.find(rest[0], 1)
            if end < 0:
                return None
            fields.append(rest[1:end])
            rest = rest[end + 1 :]
        else:
            field = re.split(f"[{_SPACE}]", rest, maxsplit=1)[0]
            fields.append(field)
            rest = rest[len(field) :]
        rest = rest.lstrip(_SPACE)
    return tuple(fields)


def own_linker_flags(texts: Sequence[str]) -> Sequence[str]:
    """Linker flags that a recipe can give, several in a text or one over two texts. Errors: Faults.

    An expression that is still open becomes one word: none of them is a flag.
    """
    faults: list[Fault] = []
    takes_next = False
    for index, text in enumerate(texts):
        fields = split_fields(_OPEN_EXPRESSION.sub("expression", text))
        if fields is None:
            faults.append(Fault((index,), f"a quote is not closed: {text}"))
        for field in fields or ():
            name, equals, _ = _flag(field)
            if not takes_next and name in _WRITES_ELSEWHERE:
                faults.append(Fault((index,), f"-{name} cannot be used: the linker writes only what rearch asks for"))
            takes_next = not takes_next and name in _TAKES_ANY_TEXT and not equals
    if faults:
        raise Faults(*faults)
    return texts


def _flag(field: str) -> tuple[str, str, str]:
    """A flag's name, `=` and value, as Go's package flag reads them: one dash or two. No name for other words."""
    dashed = field.removeprefix("-")
    return dashed.removeprefix("-").partition("=") if dashed != field else ("", "", "")
