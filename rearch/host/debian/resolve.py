"""Names to identities: source packages with the Go libraries that they build with, and sysroots."""

from __future__ import annotations

from pathlib import Path

from rearch.formats.debian_control import SourceRecord, parse_source_record, parse_stanzas
from rearch.formats.debian_version import DebianVersion
from rearch.host.debian.apt import HostApt
from rearch.host.debian.changelog import packaging_file, packaging_time
from rearch.host.debian.closure import describe, planned
from rearch.host.debian.fetcher import Run
from rearch.host.debian.names import (
    GO_LIBRARY,
    NoDebianPort,
    UnknownDebianPackages,
    UnknownDebianSource,
    checked_name,
    checked_version,
)
from rearch.host.debian.resolve_errors import UnmetBuildDependencies, UnmetDependencies, complaint
from rearch.host.debian.root_fs_resolve import resolve_root_fs
from rearch.host.debian.state import Answer, AptState
from rearch.model.lock import PinnedPackages
from rearch.model.platform import Platform
from rearch.model.recipe import DebianSource
from rearch.model.source import DebianFile, DebianPackage, PinnedDebian

# What every C program is compiled and linked with: headers of the C library and the kernel, and libgcc_s.
_C_LIBRARY = ("libc6-dev",)
# Its links for a merged /usr are what a sysroot has already; nothing is linked against the rest of it.
_NOT_UNPACKED = {"base-files"}
# Everything up to the first answer, without downloading: `-y` keeps apt from asking.
# `-q` and not `-qq`, which would keep back what is unmet.
_DRY = ("-q", "-y", "--print-uris")


class DebianResolver:
    """Resolves names through the host's apt. `run` runs its downloads (Processes.run does)."""

    def __init__(self, apt: HostApt, run: Run | None = None) -> None:
        self._apt = apt
        self._run = run or apt.processes.run

    def resolve(self, source: DebianSource, pinned: PinnedDebian | None) -> PinnedDebian:
        """The exact version, or the newest that apt offers. `pinned` is kept when it still answers the name.

        Errors: UnknownDebianSource (with the versions that there are), UnmetBuildDependencies, AptUnreachable,
        OfflineError, AptMissing, and those of DebianDownloads.get.
        """
        if pinned and pinned.package == source.debian and source.version in (None, pinned.version):
            return pinned
        checked_name(source.debian)
        if source.version is not None:
            checked_version(source.version)
        state = self._apt.state(self._apt.tools.native)
        record = self._record(state, source)
        return PinnedDebian(
            package=record.package,
            version=record.version,
            time=self._time(record),
            files=tuple(_file(record, name) for name in sorted(file.name for file in record.files)),
            build_packages=_go_libraries(state, record),
        )

    def versions(self, package: str) -> tuple[str, ...]:
        """Every version of a source package that apt offers, the newest last. Errors: as resolve."""
        records = self._records(self._apt.state(self._apt.tools.native), DebianSource(debian=checked_name(package)))
        return tuple(sorted({record.version for record in records}, key=DebianVersion))

    def resolve_sysroot(self, packages: tuple[str, ...], platform: Platform) -> tuple[DebianPackage, ...]:
        """These packages for a platform, the C library's, and all that they depend on, sorted by name.

        Errors: NoDebianPort, UnknownDebianPackages, UnmetDependencies, AptUnreachable, OfflineError, AptMissing.
        """
        architecture = platform.arch.debian
        if architecture is None:
            raise NoDebianPort(platform)
        names = tuple(sorted({*map(checked_name, packages), *_C_LIBRARY}))
        state = self._apt.state(architecture)
        updated = state.update(self._apt.say)
        answer = _install(state, names)
        if answer.exit != 0 and not updated and state.update(self._apt.say, force=True):
            answer = _install(state, names)
        if answer.exit != 0:
            raise _sysroot_failure(state, names, answer)
        return describe(state, [item for item in planned(answer.text) if item[0] not in _NOT_UNPACKED])

    def resolve_root_fs(
        self, suite: str, packages: tuple[str, ...], platform: Platform, pinned: PinnedPackages | None = None
    ) -> PinnedPackages:
        """These packages of a release for a platform, and all that they depend on, sorted by name.

        No recommendations, and no Essential package that nothing depends on. Nothing that this host has installed
        counts. `time` is the date of the archive's newest Release file; `pinned` is kept as it is when it has the
        same packages, since a base is what its packages are, whenever the archive was written. The suite is looked
        for in the archives of this host's apt, then in those of the settings.
        Errors: NoDebianPort, UnknownSuite, UnknownDebianPackages, NotForArchitecture, VirtualPackage,
        UnmetDependencies, AptUnreachable, OfflineError, AptMissing, NoArchives.
        """
        return resolve_root_fs(self._apt, suite, packages, platform, pinned)

    def _record(self, state: AptState, source: DebianSource) -> SourceRecord:
        """The newest record that fits. Errors: UnknownDebianSource."""
        return max(self._records(state, source), key=lambda record: DebianVersion(record.version))

    def _records(self, state: AptState, source: DebianSource) -> tuple[SourceRecord, ...]:
        """The records that fit; the lists are fetched again before it is said that there is none."""
        updated = state.update(self._apt.say)
        records = _records(state, source.debian)
        if not _fitting(records, source) and not updated and state.update(self._apt.say, force=True):
            records = _records(state, source.debian)
        fitting = _fitting(records, source)
        if not fitting:
            offered = [record.version for record in records]
            raise UnknownDebianSource(source.debian, source.version, offered, _owner(state, source.debian))
        return fitting

    def _time(self, record: SourceRecord) -> int:
        """The date of the topmost changelog entry, as Debian's own SOURCE_DATE_EPOCH has it."""

        def fetched(name: str) -> Path:
            return self._apt.downloads.get((_file(record, name),), self._run)[0]

        return packaging_time(packaging_file(record), fetched)


def _file(record: SourceRecord, name: str) -> DebianFile:
    listed = next(file for file in record.files if file.name == name)
    return DebianFile(path=f"{record.directory}/{name}", size=listed.size, sha256=listed.sha256)


def _records(state: AptState, package: str) -> tuple[SourceRecord, ...]:
    answer = state.ask("apt-cache", "showsrc", "--only-source", package)
    stanzas = parse_stanzas(answer.text, "apt-cache showsrc")
    return tuple(parse_source_record(stanza, f"apt-cache showsrc {package}") for stanza in stanzas)


def _fitting(records: tuple[SourceRecord, ...], source: DebianSource) -> tuple[SourceRecord, ...]:
    return tuple(record for record in records if source.version in (None, record.version))


def _owner(state: AptState, package: str) -> str | None:
    """The source package that a binary package of this name is built from."""
    stanzas = parse_stanzas(state.ask("apt-cache", "showsrc", package).text, "apt-cache showsrc")
    return next((stanza["package"] for stanza in stanzas if "package" in stanza), None)


def _go_libraries(state: AptState, record: SourceRecord) -> tuple[DebianPackage, ...]:
    """The golang-*-dev packages among all that apt would install to build it.

    apt decides on alternatives, architectures, profiles (nocheck) and versions; compilers, debhelper and C
    libraries are in its answer too, and left out: rearch brings its own compiler.
    """
    answer = state.ask("apt-get", *_DRY, "build-dep", f"{record.package}={record.version}")
    if answer.exit != 0:
        raise UnmetBuildDependencies(record.package, record.version, complaint(answer))
    return describe(state, [item for item in planned(answer.text) if GO_LIBRARY.match(item[0])])


def _install(state: AptState, names: tuple[str, ...]) -> Answer:
    return state.ask("apt-get", *_DRY, "--no-install-recommends", "install", *names)


def _sysroot_failure(
    state: AptState, names: tuple[str, ...], answer: Answer
) -> UnknownDebianPackages | UnmetDependencies:
    known = frozenset(state.ask("apt-cache", "pkgnames").text.split())
    unknown = [name for name in names if name not in known]
    if unknown:
        return UnknownDebianPackages(unknown, state.architecture, sorted(known))
    return UnmetDependencies(names, state.architecture, complaint(answer))
