"""`invoke doctor`: what this host has of what rearch can use, what each is for, and how to get what is missing.

findings = examine(Surroundings(...))
print(show(findings))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct

from rearch.model.platform import PLATFORMS, Platform


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked for.

    `found` is a version, a path, a size; None where it is missing. `needed_for` says what does not work without it.
    `get` is a command or an edit that cures it, empty where nothing has to be done. `blocks`: nothing can be built
    before it is cured.
    """

    name: str
    found: str | None
    needed_for: str
    get: str = ""
    blocks: bool = False

    def to_facts(self) -> dict[str, Any]:
        """JSON values, for `--json`."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class Surroundings(Struct, frozen=True, kw_only=True):
    """Where to look: the environment of the caller, the folders of the project, the platforms of interest."""

    environment: Mapping[str, str]
    cache: Path
    output: Path
    platforms: tuple[Platform, ...] = PLATFORMS

    @property
    def path(self) -> str:
        return self.environment.get("PATH", "")


Check = Callable[[Surroundings], Iterator[Finding]]


def examine(where: Surroundings) -> tuple[Finding, ...]:
    """Look at everything at once. Touches no network but Docker's socket; takes about a second at most."""
    from rearch.host import doctor_docker, doctor_emulation, doctor_space, doctor_tools

    checks: tuple[Check, ...] = (
        doctor_tools.python,
        doctor_tools.compilers,
        doctor_tools.sources,
        doctor_tools.cross_compilers,
        doctor_emulation.emulators,
        doctor_docker.docker,
        doctor_space.space,
    )
    with ThreadPoolExecutor(len(checks)) as pool:
        parts = list(pool.map(lambda check: tuple(check(where)), checks))
    return tuple(finding for part in parts for finding in part)


def show(findings: tuple[Finding, ...]) -> str:
    """Findings as a table for people: a mark, the name, what was found; below it, why and how to get it."""
    width = max((len(finding.name) for finding in findings), default=0)
    return "\n".join(line for finding in findings for line in _lines(finding, width))


def _lines(finding: Finding, width: int) -> Iterator[str]:
    mark = "!!" if finding.blocks else "ok" if finding.found is not None else "--"
    yield f"{mark} {finding.name:<{width}}  {finding.found or 'missing'}"
    if finding.get or finding.found is None:
        yield f"   {'':<{width}}  for {finding.needed_for}"
    if finding.get:
        yield f"   {'':<{width}}  {finding.get}"
