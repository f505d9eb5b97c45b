"""rearch.lock as a value: every name resolved to an identity.

A name says what was asked for (URL and ref, package and version, packages and platform); an entry
says what that is, and who needs it. The file's form is in engine/lockfile.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import UsageError
from rearch.model.frozen import NOTHING, FrozenDict
from rearch.model.platform import Platform
from rearch.model.recipe import ArchiveSource, DebianSource, GitSource
from rearch.model.source import DebianPackage, PinnedArchive, PinnedDebian, PinnedGit


class GitName(Struct, frozen=True):
    """A ref of a repository, with or without its submodules."""

    source: GitSource

    def __str__(self) -> str:
        more = " with submodules" if self.source.submodules else ""
        return f"git {self.source.git} {self.source.ref}{more}"


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


class PinnedTool(Struct, frozen=True, kw_only=True):
    """What a ToolName is: a file of `sha256`, which is a wheel of `package` (in pip's index) or stands at `url`; the
    other of the two is empty."""

    version: str
    sha256: str
    package: str = ""
    url: str = ""


class ArchiveName(Struct, frozen=True):
    """A file to download. Its recipe says its hash, so there is nothing to resolve."""

    source: ArchiveSource

    def __str__(self) -> str:
        return f"archive {self.source.archive}"

    @property
    def stated(self) -> PinnedArchive:
        """What the recipe says that it is."""
        return PinnedArchive(url=self.source.archive, sha256=self.source.sha256, strip=self.source.strip)


class ToolName(Struct, frozen=True):
    """A compiler for one kind of build host. Its toolchain's file says its hash, so there is nothing to resolve."""

    toolchain: str
    host: Platform
    stated: PinnedTool

    def __str__(self) -> str:
        return f"toolchain {self.toolchain} {self.host}"


StatedName = ArchiveName | ToolName
Name = GitName | DebianName | SysrootName | BaseName | PackagesName | StatedName


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


Identity = PinnedGit | PinnedDebian | Sysroot | PinnedBase | PinnedPackages | PinnedArchive | PinnedTool


class Entry(Struct, frozen=True, kw_only=True):
    """An identity, with the components (`stack/name`, sorted) that need it."""

    identity: Identity
    needed_by: tuple[str, ...]


class NotLocked(UsageError):
    """`--locked` (or a plan without the network) met names that rearch.lock does not hold.

    `names` have no entry; `changed`: name -> what its entry says otherwise than the YAML.
    """

    def __init__(self, names: Iterable[str], changed: Mapping[str, str] = NOTHING) -> None:
        self.names = tuple(sorted(names))
        self.changed = FrozenDict(sorted(changed.items()))
        said = []
        if self.names:
            said.append(f"has no entry for {_counted(self.names)}")
        if self.changed:
            said.append(f"says something else than the YAML of {_counted(self.changed)}")
        super().__init__(
            f"rearch.lock {' and '.join(said)}",
            (*self.names, *(f"{name}: {why}" for name, why in self.changed.items())),
            "`invoke lock` resolves them; then commit rearch.lock",
        )


def _counted(names: Collection[str]) -> str:
    return f"{len(names)} name{'s' if len(names) != 1 else ''}"


def difference(locked: Identity, name: Name) -> str:
    """What an entry says otherwise than the YAML; empty where it answers the name."""
    wanted = _IDENTITIES[type(name)]
    if not isinstance(locked, wanted):
        return f"it is locked as {_WORDS[type(locked)]}, and the YAML wants {_WORDS[wanted]}"
    wrong = [(field, getattr(locked, field), value) for field, value in _fixed(name) if getattr(locked, field) != value]
    texts = [f"{field} {_short(found)}, in the YAML {_short(value)}" for field, found, value in wrong]
    return f"locked with {'; '.join(texts)}" if texts else ""


def _fixed(name: Name) -> Iterable[tuple[str, object]]:
    """The fields of an identity that YAML says: those of a lock that was merged by hand can be of another name."""
    match name:
        case GitName(source):
            return ("url", source.git), ("ref", source.ref), ("submodules", source.submodules)
        case DebianName(source):
            return ("package", source.debian), *([("version", source.version)] if source.version else [])
        case BaseName(reference):
            return (("reference", reference),)
        case ArchiveName() | ToolName():
            return ((field, getattr(name.stated, field)) for field in name.stated.__struct_fields__)
        case SysrootName() | PackagesName():
            return ()
    assert_never(name)


def _short(value: object) -> str:
    text = str(value)
    return (text[:12] if len(text) == 64 else text) or "(none)"


_IDENTITIES: Mapping[type[Name], type[Identity]] = {
    GitName: PinnedGit,
    DebianName: PinnedDebian,
    SysrootName: Sysroot,
    BaseName: PinnedBase,
    PackagesName: PinnedPackages,
    ArchiveName: PinnedArchive,
    ToolName: PinnedTool,
}
_WORDS: Mapping[type[Identity], str] = {
    PinnedGit: "a git commit",
    PinnedDebian: "a Debian source",
    Sysroot: "a sysroot",
    PinnedBase: "a base",
    PinnedPackages: "Debian packages",
    PinnedArchive: "an archive",
    PinnedTool: "a toolchain",
}


class Lock(Struct, frozen=True):
    """All entries, by the text of their name."""

    entries: Mapping[str, Entry] = FrozenDict()

    def get(self, name: Name) -> Identity | None:
        """The identity of a name, or None when it was never resolved."""
        entry = self.entries.get(str(name))
        return entry.identity if entry else None

    def holds(self, name: Name) -> bool:
        """Whether there is an entry that answers the name: of a stated one, with just what YAML says now."""
        return self.fault(name) == ""

    def fault(self, name: Name) -> str | None:
        """Why the entry of a name does not answer it; empty when it does, None where there is no entry."""
        found = self.get(name)
        return None if found is None else difference(found, name)

    def merge(self, found: Mapping[str, Entry]) -> Lock:
        """With these entries added or replaced; who needs an entry is joined."""
        merged = dict(self.entries)
        for name, entry in found.items():
            before = merged.get(name)
            needed_by = {*entry.needed_by, *(before.needed_by if before else ())}
            merged[name] = replace(entry, needed_by=tuple(sorted(needed_by)))
        return Lock(FrozenDict(merged))

    def needed(self, names: Mapping[str, tuple[str, ...]]) -> Lock:
        """These names needed by exactly these components; the others as they are."""
        return Lock(FrozenDict({**self.entries, **self.keep(names).entries}))

    def keep(self, names: Mapping[str, tuple[str, ...]]) -> Lock:
        """Only these names, needed by exactly these components."""
        kept = {
            name: replace(entry, needed_by=tuple(sorted(names[name])))
            for name, entry in self.entries.items()
            if name in names
        }
        return Lock(FrozenDict(kept))
