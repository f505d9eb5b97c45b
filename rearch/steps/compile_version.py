"""Whether this Go can compile this source: asked before compiling, so that the answer is a sentence."""

from __future__ import annotations

from pathlib import Path

from rearch.steps.compile_errors import BadRequires, WrongGo
from rearch.steps.compile_tree import go_lines

# The pinned ones of toolchains/, newest first; a unit test compares. Only for naming one that fits.
SHIPPED = {
    "go-1.27": "1.27.3",
    "go-1.26": "1.26.6",
    "go-1.25": "1.25.5",
    "go-1.24": "1.24.11",
    "go-1.23": "1.23.9",
    "go-1.22": "1.22.10",
    "go-1.21": "1.21.13",
}


def check_range(go_version: str, requires: str | None) -> None:
    """The recipe's range (PEP 440 specifiers). Errors: WrongGo, BadRequires."""
    if requires is None or fits(go_version, requires):
        return
    raise WrongGo(go_version, requires, "build.go.requires", fitting(requires))


def check_go_mod(go_version: str, folder: Path) -> str | None:
    """go.mod's `go` line: from 1.21 on a minimum (https://go.dev/ref/mod#go-mod-file-go). Errors: WrongGo.

    The answer is a remark on a newer `toolchain` line, which is a wish and no condition.
    """
    path = folder / "go.mod"
    if not path.is_file():
        return None
    lines = go_lines(path.read_text(encoding="utf-8", errors="replace"))
    if "go" in lines and not fits(go_version, f">={lines['go']}"):
        wanted = f">={lines['go']}"
        raise WrongGo(go_version, wanted, "go.mod", fitting(wanted))
    wish = lines.get("toolchain")
    if wish is not None and not fits(go_version, f">={wish}"):
        return f"go.mod would like Go {wish}; this is {go_version}"
    return None


def fitting(requires: str) -> tuple[str, ...]:
    """Shipped toolchains within a range, newest first."""
    return tuple(name for name, version in SHIPPED.items() if fits(version, requires))


def fits(version: str, requires: str) -> bool:
    """Whether a version of Go is in a range. Errors: BadRequires."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(requires).contains(Version(version), prereleases=True)
    except InvalidSpecifier:
        raise BadRequires(requires) from None
    except InvalidVersion:  # a development version names no release: the compiler decides
        return True
