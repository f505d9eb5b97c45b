"""A package as it is unpacked: its control file, what it replaces, and the order among several."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.formats.deb import parse_control, read_control_text
from rearch.formats.debian_control import Stanza
from rearch.formats.debian_version import DebianVersion
from rearch.host.debian.unpack import check_package
from rearch.model.source import DebianPackage

# Debian policy 7.1: `name[:arch] [(op version)] [[arch ...]] [<profile>]`.
_RELATION = re.compile(r"([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^\s)]+)\s*\))?")
# It has the links of a merged /usr and the folders that everybody shares, so it gives them their modes
# (debootstrap unpacks it first, too).
_FIRST = "base-files"


class Relation(Struct, frozen=True):
    """One name of a relationship field, with the versions that it holds for (`operator` empty: all)."""

    name: str
    operator: str = ""
    version: str = ""

    def holds(self, name: str, version: str) -> bool:
        """Whether a package is meant."""
        return name == self.name and _compares(DebianVersion(version), self.operator, DebianVersion(self.version))


def _compares(mine: DebianVersion, operator: str, other: DebianVersion) -> bool:
    match operator:
        case "<<":
            return mine < other
        case "<=":
            return mine <= other
        case "=":
            return mine == other
        case ">=":
            return mine >= other
        case ">>":
            return mine > other
    return True


def parse_relations(text: str) -> tuple[Relation, ...]:
    """All names of a relationship field (Debian policy 7.1), alternatives too. What is no relation is left out."""
    found = (_RELATION.match(word.strip()) for word in re.split(r"[,|]", text))
    return tuple(Relation(match[1], match[2] or "", match[3] or "") for match in found if match)


class UnpackedPackage(Struct, frozen=True, kw_only=True):
    """A package and its control file: `text` as it stands there, `control` read."""

    package: DebianPackage
    place: Path
    text: str
    control: Stanza

    @property
    def name(self) -> str:
        return self.package.name

    def replaces(self, other: DebianPackage) -> bool:
        """Whether it may take over files of the other one (Debian policy 7.6.1)."""
        relations = parse_relations(self.control.get("replaces", ""))
        return any(relation.holds(other.name, other.version) for relation in relations)


def read_package_file(package: DebianPackage, place: Path) -> UnpackedPackage:
    """Errors: WrongPackage, BrokenDeb, MalformedControl."""
    name = package.file.path.rpartition("/")[2]
    text = read_control_text(place)
    control = parse_control(text, name)
    check_package(package, control)
    return UnpackedPackage(package=package, place=place, text=text, control=control)


def unpack_order(packages: Sequence[UnpackedPackage]) -> tuple[UnpackedPackage, ...]:
    """base-files, then each package after those that it (pre-)depends on; by name where that leaves a choice.

    Circles are cut where they close, as dpkg has to do it.
    """
    by_name = {package.name: package for package in sorted(packages, key=lambda package: package.name)}
    providers = _providers(by_name)
    ordered = [name for name in (_FIRST,) if name in by_name]
    for start in by_name:
        ordered += _after_needs(start, by_name, providers, done=set(ordered))
    return tuple(by_name[name] for name in ordered)


def _after_needs(
    start: str, by_name: Mapping[str, UnpackedPackage], providers: Mapping[str, tuple[str, ...]], *, done: set[str]
) -> Iterator[str]:
    """`start` and what it needs, without those that are done: the deepest first, each once."""
    stack: list[tuple[str, Iterator[str]]] = []
    following: str | None = start if start not in done else None
    while stack or following is not None:
        if following is not None:
            done.add(following)
            stack.append((following, _needs(by_name[following], providers)))
        name, needs = stack[-1]
        following = next((need for need in needs if need not in done), None)
        if following is None:
            stack.pop()
            yield name


def _providers(by_name: Mapping[str, UnpackedPackage]) -> Mapping[str, tuple[str, ...]]:
    """Name -> the packages that are called so or provide it."""
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in by_name}
    for name, package in by_name.items():
        for relation in parse_relations(package.control.get("provides", "")):
            found[relation.name] = (*found.get(relation.name, ()), name)
    return found


def _needs(package: UnpackedPackage, providers: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for field in ("pre-depends", "depends"):
        for name in sorted({relation.name for relation in parse_relations(package.control.get(field, ""))}):
            yield from providers.get(name, ())
