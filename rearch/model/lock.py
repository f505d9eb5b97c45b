"""rearch.lock as a value: every name resolved to an identity.

A name says what was asked for (URL and ref, package and version, packages and platform); an entry
says what that is, and who needs it. The file's form is in engine/lockfile.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rearch.errors import UsageError
from rearch.model.base import FrozenDict
from rearch.model.platform import Platform
from rearch.model.recipe import DebianSource, GitSource
from rearch.model.source import DebianPackage, PinnedDebian, PinnedGit


@dataclass(frozen=True, slots=True)
class GitName:
    """A ref of a repository."""

    source: GitSource

    def __str__(self) -> str:
        return f"git {self.source.git} {self.source.ref}"


@dataclass(frozen=True, slots=True)
class DebianName:
    """A Debian source package, of an exact version or of whichever apt offers."""

    source: DebianSource

    def __str__(self) -> str:
        return f"debian {self.source.debian}" + (f" {self.source.version}" if self.source.version else "")


@dataclass(frozen=True, slots=True)
class SysrootName:
    """Debian packages of a foreign architecture, with all that they depend on."""

    platform: Platform
    packages: tuple[str, ...]

    def __str__(self) -> str:
        return f"sysroot {self.platform} {' '.join(sorted(self.packages))}"


@dataclass(frozen=True, slots=True)
class BaseName:
    """An image of a registry, on all platforms that it has."""

    reference: str

    def __str__(self) -> str:
        return f"base {self.reference}"


@dataclass(frozen=True, slots=True)
class PackagesName:
    """Debian packages of one release for one platform, with all that they depend on: what a base is unpacked from."""

    suite: str
    platform: Platform
    packages: tuple[str, ...]

    def __str__(self) -> str:
        return f"packages {self.suite} {self.platform} {' '.join(sorted(self.packages))}"


Name = GitName | DebianName | SysrootName | BaseName | PackagesName


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysroot:
    """What a SysrootName is: packages sorted by name."""

    packages: tuple[DebianPackage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedBase:
    """What a BaseName is: `digest` of the index (or of the only manifest), and of the manifest of each platform."""

    reference: str
    digest: str
    platforms: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedPackages:
    """What a PackagesName is: packages sorted by name; `time` is the date of the archive's Release file that
    they were chosen from, seconds since 1970."""

    packages: tuple[DebianPackage, ...]
    time: int


Identity = PinnedGit | PinnedDebian | Sysroot | PinnedBase | PinnedPackages


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An identity, with the components (`stack/name`, sorted) that need it."""

    identity: Identity
    needed_by: tuple[str, ...]


class NotLocked(UsageError):
    """`--locked` (or a plan without the network) met names that rearch.lock does not hold."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(names))
        super().__init__(
            f"rearch.lock has no entry for {len(self.names)} name{'s' if len(self.names) != 1 else ''}",
            self.names,
            "`invoke lock` resolves them; then commit rearch.lock",
        )


@dataclass(frozen=True, slots=True)
class Lock:
    """All entries, by the text of their name."""

    entries: Mapping[str, Entry] = FrozenDict()

    def get(self, name: Name) -> Identity | None:
        """The identity of a name, or None when it was never resolved."""
        entry = self.entries.get(str(name))
        return entry.identity if entry else None

    def merge(self, found: Mapping[str, Entry]) -> Lock:
        """With these entries added or replaced; who needs an entry is joined."""
        merged = dict(self.entries)
        for name, entry in found.items():
            before = merged.get(name)
            needed_by = {*entry.needed_by, *(before.needed_by if before else ())}
            merged[name] = replace(entry, needed_by=tuple(sorted(needed_by)))
        return Lock(FrozenDict(merged))

    def keep(self, names: Mapping[str, tuple[str, ...]]) -> Lock:
        """Only these names, needed by exactly these components."""
        kept = {
            name: replace(entry, needed_by=tuple(sorted(names[name])))
            for name, entry in self.entries.items()
            if name in names
        }
        return Lock(FrozenDict(kept))
