"""Dockerfile.dapper: rancher/dapper's description of the build environment, which says what CPUs upstream thinks of.

Conventions (rancher/dapper, README.md, and the files that use it): `# FROM arm=image` names another base for a CPU, and
values are looked up by variables called `<NAME>_<arch>` (`GOLANG_ARCH_arm`, `DOCKER_URL_amd64`).
"""

from __future__ import annotations

import re

from msgspec import Struct

from rearch.model.platform import PLATFORMS, Architecture
from rearch.upkeep.inspect_tree import Fact, SourceTree

_FROM = re.compile(r"^#\s*FROM\s+(.*)$")
_PAIR = re.compile(r"([a-z0-9_]+)=(\S+)")
_KEYED = re.compile(r"\b([A-Z][A-Z_]*)_([a-z0-9]+)=")


class DapperFacts(Struct, frozen=True, kw_only=True):
    """`bases`: CPU -> image. `cpus`: those that variables are keyed by. `x86`: lines that name x86 alone."""

    file: str
    bases: tuple[tuple[str, Fact], ...]
    cpus: tuple[Fact, ...]
    x86: tuple[Fact, ...]


def read_dapper(tree: SourceTree, file: str = "Dockerfile.dapper") -> DapperFacts | None:
    """None where the repository has none."""
    if file not in tree.paths:
        return None
    bases: dict[str, Fact] = {}
    cpus: dict[str, Fact] = {}
    x86: list[Fact] = []
    names = {name for platform in PLATFORMS for name in _spellings(platform.arch)}
    for number, line in enumerate(tree.read(file).splitlines(), 1):
        where = f"{file}:{number}"
        comment = _FROM.match(line)
        for cpu, image in _PAIR.findall(comment[1]) if comment else ():
            bases.setdefault(cpu, Fact(image, where))
        keyed = [cpu for _, cpu in _KEYED.findall(line) if cpu in names]
        for cpu in keyed:
            cpus.setdefault(cpu, Fact(cpu, where))
        if not keyed and not comment and re.search(r"(?:https?://|tar\s)\S*(?:amd64|x86_64)", line):
            x86.append(Fact(line.strip()[:80], where))
    return DapperFacts(file=file, bases=tuple(bases.items()), cpus=tuple(cpus.values()), x86=tuple(x86))


def _spellings(arch: Architecture) -> tuple[str, ...]:
    return (arch.goarch, *arch.uname, *arch.aliases)
