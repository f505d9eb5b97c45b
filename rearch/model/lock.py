"""rearch.lock as a value: every name resolved to an identity.

A name says what was asked for (URL and ref, package and version, packages and platform); an entry
says what that is, and who needs it. The file's form is in engine/lockfile.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.platform import Platform
from rearch.model.recipe import DebianSource, GitSource
from rearch.model.source import DebianPackage, PinnedDebian, PinnedGit


class GitName(Struct, frozen=True):
    """A ref of a repository."""

    source: GitSource

    def __str__(self) -> str:
        return f"git {self.source.git} {self.source.ref}"


class DebianName(Struct, frozen=True):
    """A Debian source package, of an exact version or of whichever apt offers."""

    source: DebianSource

    def __str__(self) -> str:
        return f"debian {self.source.debian}" + (f" {self.source.version}" if self.source.version else "")


class SysrootName(Struct, frozen=True):
    """Debian packages of a foreign architecture, with all that they depend on."""

    platform: Platform
    packages: tuple[str, ...]

    def __str__(self) -> str:
        return f"sysroot {self.platform} {' '.join(sorted(self.packages))}"


class BaseName(Struct, frozen=True):
    """An image of a registry, on all platforms that it has."""

    reference: str

    def __str__(self) -> str:
        return f"base {self.reference}"


class PackagesName(Struct, frozen=True):
    """Debian packages of one release for one platform, with all that they depend on: what a base is unpacked from."""

    suite: str
    platform: Platform
    packages: tuple[str, ...]

    def __str__(self) -> str:
        return f"packages {self.suite} {self.platform} {' '.join(sorted(self.packages))}"


Name = GitName | DebianName | SysrootName | BaseName | PackagesName


class Sysroot(Struct, frozen=True, kw_only=True):
    """What a SysrootName is: packages sorted by name."""

    packages: tuple[DebianPackage, ...]


class PinnedBase(Struct, frozen=True, kw_only=True):
    """What a BaseName is: `digest` of the index (or of the only manifest), and of the manifest of each platform."""

    reference: str
    digest: str
    platforms: Mapping[str, str]


class PinnedPackages(Struct, frozen=True, kw_only=True):
    """What a PackagesName is: packages sorted by name; `time` is the date of the archive's Release file that
    they were chosen from, seconds since 1970."""

    packages: tuple[DebianPackage, ...]
    time: int


Identity = PinnedGit | PinnedDebian | Sysroot | PinnedBase | PinnedPackages


class Entry(Struct, frozen=True, kw_only=True):
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


class Lock(Struct, frozen=True):
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
