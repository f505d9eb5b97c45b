"""Debian source packages under the contract of SourceFetcher: a native package in an archive over file:."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from rearch.host.debian.apt import HostApt
from rearch.host.process import Processes
from rearch.host.sources.debian import DebianSources
from rearch.model.source import PinnedDebian, PinnedSource
from rearch.steps.ports import SourceFetcher
from tests.support.debian_archive import TIME, DebianArchive, host_setup, packed, tar_of
from tests.support.repositories import Content


@dataclass(frozen=True)
class DebianKind:
    """A source package, without Go libraries; the host's apt is set up in base/upstream too."""

    name: str = "debian"
    uses_cache: bool = True
    over_http: bool = False

    def publish(self, base: Path, files: Mapping[str, Content], address: str) -> PinnedSource:  # noqa: ARG002
        archive = DebianArchive(base / "upstream/archive")
        tar = {"project_1.0.tar.gz": packed(tar_of(files, "project/"), "gz")}
        listed = archive.add_source("project", "1.0", tar, kind="3.0 (native)")
        archive.publish()
        host_setup(base / "upstream/etc", f"file:{archive.root}")
        return PinnedDebian(package="project", version="1.0", time=TIME, files=listed, build_packages=())

    def wrong(self, source: PinnedSource) -> PinnedSource:
        assert isinstance(source, PinnedDebian)
        return replace(source, files=tuple(replace(file, sha256="0123456789abcdef" * 4) for file in source.files))

    def fetcher(self, base: Path, *, offline: bool = False) -> SourceFetcher:
        environ = {"APT_CONFIG": str(base / "upstream/etc/apt.conf"), "HOME": str(base / "upstream")}
        return DebianSources(HostApt(base / "cache", Processes(), environ, timeout=10, offline=offline))
