"""Debian source packages: fetched by hash through the host's apt, unpacked without dpkg."""

from __future__ import annotations

from pathlib import Path

from rearch.errors import VerificationError
from rearch.formats.debian_control import Dsc, parse_dsc
from rearch.host.debian.apt import HostApt
from rearch.host.debian.gopath import lay_out
from rearch.host.debian.source_tree import unpack_source
from rearch.host.debian.unpack import unpack_packages
from rearch.model.source import DebianFile, PinnedDebian, PinnedSource
from rearch.steps.ports import Workspace


class DscMismatch(VerificationError):
    """The .dsc and rearch.lock do not speak of the same files."""

    def __init__(self, dsc: str, differences: tuple[str, ...]) -> None:
        self.dsc = dsc
        self.differences = differences
        super().__init__(
            f"{dsc} and rearch.lock differ", differences, hint="rearch.lock was edited; run `invoke lock --update`"
        )


class DebianSources:
    """SourceFetcher for PinnedDebian (steps/ports.py)."""

    def __init__(self, apt: HostApt) -> None:
        self._apt = apt

    def fetch(self, source: PinnedSource, work: Workspace) -> None:
        """The patched tree (as `dpkg-source -x` makes it) in `work.files/"source"`, and the golang-*-dev packages
        in `work.files/"gopath"/"src"`.

        Errors: those of DebianDownloads.get; DscMismatch, MalformedControl, WrongPackage, BrokenDeb,
        UnsupportedSource, ArchiveError, PatchFailed and its kind.
        """
        if not isinstance(source, PinnedDebian):
            raise TypeError(f"DebianSources cannot fetch a {type(source).__name__}")
        # One call for everything: what follows finds its files in the cache.
        everything = (*source.files, *(package.file for package in source.build_packages))
        places = self._apt.downloads.get(everything, work.run, work.progress)
        by_name = {_name(file): place for file, place in zip(source.files, places, strict=False)}
        dsc = read_checked_dsc(source, by_name)
        unpack_source(dsc, by_name, work.files / "source", work)
        self._libraries(source, work)

    def _libraries(self, source: PinnedDebian, work: Workspace) -> None:
        if source.build_packages:
            root = work.scratch / "libraries"
            unpack_packages(self._apt, source.build_packages, root, work)
            lay_out(root, work.files / "gopath" / "src", work.limits.archive_entries, work.say)


def _name(file: DebianFile) -> str:
    return file.path.rpartition("/")[2]


def read_checked_dsc(source: PinnedDebian, places: dict[str, Path]) -> Dsc:
    """The .dsc, when it names exactly the locked files, by hash. Errors: DscMismatch, MalformedControl."""
    names = [name for name in places if name.endswith(".dsc")]
    if len(names) != 1:
        raise DscMismatch(source.package, (f"one .dsc is wanted, {len(names)} are locked",))
    name = names[0]
    dsc = parse_dsc(places[name].read_bytes(), name)
    differences = _differences(source, dsc, name)
    if differences:
        raise DscMismatch(name, differences)
    return dsc


def _differences(source: PinnedDebian, dsc: Dsc, name: str) -> tuple[str, ...]:
    locked = {_name(file): (file.size, file.sha256) for file in source.files if _name(file) != name}
    listed = {file.name: (file.size, file.sha256) for file in dsc.files}
    lines = [f"{file}: in one of them alone" for file in sorted(locked.keys() ^ listed.keys())]
    lines += [
        f"{file}: other size or sha256"
        for file in sorted(locked.keys() & listed.keys())
        if locked[file] != listed[file]
    ]
    if (dsc.package, dsc.version) != (source.package, source.version):
        lines.append(f"it is of {dsc.package} {dsc.version}, wanted {source.package} {source.version}")
    return tuple(lines)
