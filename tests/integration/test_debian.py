"""Debian sources and packages through the real apt, from archives made by the test."""

from __future__ import annotations

import http.server
import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode
from rearch.formats.urls import OfflineError
from rearch.host.debian.apt import HostApt, NoArchives
from rearch.host.debian.download import DebianFilesGone, DebianMismatch, DebianUnreachable
from rearch.host.debian.fetcher import BATCH
from rearch.host.debian.names import NoDebianPort, UnknownDebianPackages, UnknownDebianSource
from rearch.host.debian.resolve import DebianResolver
from rearch.host.debian.resolve_errors import UnmetBuildDependencies
from rearch.host.debian.state import AptUnreachable
from rearch.host.debian.tools import AptMissing
from rearch.host.debian.unpack import DebianPackages, WrongPackage
from rearch.host.process import Processes
from rearch.host.sources.debian import DebianSources, DscMismatch
from rearch.model.command import Command, Completed
from rearch.model.platform import parse_platform
from rearch.model.recipe import DebianSource
from rearch.model.source import DebianFile, DebianPackage, PinnedDebian
from tests.support.debian_archive import TIME, DebianArchive, host_setup, quilt_files
from tests.support.needs import need_program, unmet
from tests.support.repositories import Content, Executable, Link
from tests.support.workspace import log_of, make_workspace

PATCH = "--- a/main.go\n+++ b/main.go\n@@ -1,3 +1,3 @@\n package main\n \n-// upstream\n+// debian\n"
UPSTREAM: dict[str, Content] = {
    "main.go": "package main\n\n// upstream\n",
    "run": Executable("#!/bin/sh\n"),
    "debian/old": "upstream's",
}
DEBIAN: dict[str, Content] = {
    "patches/series": "# first\none.patch -p1\n",
    "patches/one.patch": PATCH,
    "rules": Executable("#!make\n"),
}
BUILD_DEPENDS = "debhelper, golang-none-dev | golang-b-dev (>= 1.0), golang-test-dev <!nocheck>, golang-any"


@pytest.fixture(scope="module", autouse=True)
def _apt() -> None:
    need_program("apt-get", "apt")


@dataclass(frozen=True)
class Host:
    """A host whose apt knows one archive."""

    base: Path
    archive: DebianArchive
    uri: str

    def apt(self, *, offline: bool = False, cache: str = "cache", archives: tuple[str, ...] = ()) -> HostApt:
        environ = host_setup(self.base / "etc", self.uri)
        return HostApt(
            self.base / cache, Processes(), environ, timeout=5, offline=offline, archives=archives, say=self._say
        )

    def _say(self, line: str) -> None:
        with (self.base / "said").open("a") as file:
            file.write(line + "\n")

    def said(self) -> str:
        return (self.base / "said").read_text()

    def resolve(self, version: str | None = None, name: str = "plugins") -> PinnedDebian:
        return DebianResolver(self.apt()).resolve(DebianSource(debian=name, version=version), None)


def fill(archive: DebianArchive) -> None:
    archive.add_deb("build-essential", {"usr/share/doc/x": "x"}, arch="amd64")
    archive.add_deb("debhelper", {"usr/bin/dh": "dh"})
    archive.add_deb("golang-any", {"usr/bin/go": "go"}, arch="amd64")
    library = {"usr/share/gocode/src/example.org/b/b.go": "package b\n", "usr/share/doc/b/copyright": "free"}
    archive.add_deb("golang-b-dev", library, version="1:1.2-1", depends="golang-c-dev, debhelper")
    alias: dict[str, Content] = {
        "usr/share/gocode/src/example.org/c/c.go": "package c\n",
        "usr/share/gocode/src/old.org/c": Link("../example.org/c"),
    }
    archive.add_deb("golang-c-dev", alias)
    archive.add_deb("golang-test-dev", {"usr/share/gocode/src/t/t.go": "package t\n"})
    for version, time in (("1.9-1", TIME), ("1.10-1", TIME + 60)):
        files = quilt_files("plugins", version, UPSTREAM, debian=DEBIAN, components={"extra": {"x": "y"}}, time=time)
        archive.add_source("plugins", version, files, Build_Depends=BUILD_DEPENDS)
    archive.publish()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    archive = DebianArchive(tmp_path / "archive")
    fill(archive)
    return Host(tmp_path, archive, f"file:{tmp_path}/archive")


def test_the_newest_version_with_the_go_libraries_that_it_builds_with(host: Host) -> None:
    found = host.resolve()
    assert found.version == "1.10-1"
    assert found.time == TIME + 60
    assert [(item.name, item.version) for item in found.build_packages] == [
        ("golang-b-dev", "1:1.2-1"),
        ("golang-c-dev", "1.0-1"),
    ]
    assert sorted(file.path.rpartition("/")[2] for file in found.files) == [
        "plugins_1.10-1.debian.tar.xz",
        "plugins_1.10-1.dsc",
        "plugins_1.10.orig-extra.tar.gz",
        "plugins_1.10.orig.tar.gz",
    ]


def test_an_exact_version_and_what_is_pinned_already(host: Host) -> None:
    old = host.resolve("1.9-1")
    assert (old.version, old.time) == ("1.9-1", TIME)
    unreachable = Host(host.base / "other", host.archive, "http://127.0.0.1:9/")
    resolver = DebianResolver(unreachable.apt())
    assert resolver.resolve(DebianSource(debian="plugins"), old) is old
    assert resolver.resolve(DebianSource(debian="plugins", version="1.9-1"), old) is old


def test_an_unknown_version_is_looked_for_once_more_and_then_refused_with_those_that_there_are(host: Host) -> None:
    with pytest.raises(UnknownDebianSource) as caught:
        host.resolve("2.0-1")
    assert caught.value.offered == ("1.10-1", "1.9-1")
    assert "apt offers version 1.10-1" in caught.value.details
    assert "lock --update" in str(caught.value.hint)
    host.archive.add_source("plugins", "2.0-1", quilt_files("plugins", "2.0-1", UPSTREAM, debian=DEBIAN))
    host.archive.publish()
    assert host.resolve("2.0-1").build_packages == ()


def test_an_unknown_name_says_which_source_has_the_binary_package(host: Host) -> None:
    with pytest.raises(UnknownDebianSource) as caught:
        host.resolve(name="plugins-bin")
    assert "debian: plugins" in str(caught.value.hint)
    assert caught.value.exit_code is ExitCode.USAGE
    with pytest.raises(UnknownDebianSource, match="no source package nothing-at-all"):
        host.resolve(name="nothing-at-all")


def test_what_cannot_be_built_with_is_said_in_apts_words(host: Host) -> None:
    files = quilt_files("broken", "1-1", UPSTREAM)
    host.archive.add_source("broken", "1-1", files, Build_Depends="golang-missing-dev")
    host.archive.publish()
    with pytest.raises(UnmetBuildDependencies) as caught:
        host.resolve(name="broken")
    assert "golang-missing-dev" in caught.value.render()


def test_the_tree_is_patched_and_the_libraries_are_a_gopath_without_links(host: Host) -> None:
    work = make_workspace(host.base / "work")
    DebianSources(host.apt()).fetch(host.resolve(), work)
    source, libraries = work.files / "source", work.files / "gopath/src"
    assert (source / "main.go").read_text() == "package main\n\n// debian\n"
    assert (source / "run").stat().st_mode & 0o777 == 0o755
    assert (source / "extra/x").read_text() == "y"
    assert not (source / "debian/old").exists()
    assert (source / "debian/rules").is_file()
    assert (libraries / "example.org/b/b.go").is_file()
    assert (libraries / "old.org/c/c.go").read_text() == "package c\n"
    assert not any(path.is_symlink() for path in libraries.rglob("*"))
    assert "patch one.patch: changed main.go" in log_of(work)
    assert sorted(path.name for path in work.files.iterdir()) == ["gopath", "source"]


def test_a_lock_is_enough_without_lists_and_a_cache_without_archives(host: Host) -> None:
    pinned = host.resolve()
    shutil.rmtree(host.archive.root / "dists")
    DebianSources(host.apt(cache="empty")).fetch(pinned, make_workspace(host.base / "first"))
    shutil.rmtree(host.archive.root)
    work = make_workspace(host.base / "second")
    DebianSources(host.apt(cache="empty", offline=True)).fetch(pinned, work)
    assert (work.files / "source/main.go").is_file()


def test_offline_says_what_is_missing(host: Host) -> None:
    pinned = host.resolve()
    with pytest.raises(OfflineError) as caught:
        DebianSources(host.apt(cache="empty", offline=True)).fetch(pinned, make_workspace(host.base))
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert "pool/main/p/plugins/" in caught.value.summary
    with pytest.raises(OfflineError, match="list of Debian packages"):
        DebianResolver(host.apt(cache="empty", offline=True)).resolve(DebianSource(debian="plugins"), None)
    offline = DebianResolver(host.apt(offline=True)).resolve(DebianSource(debian="plugins"), None)
    assert offline == pinned


def test_a_file_that_the_archive_dropped_has_a_hint_and_another_archive_may_have_it(host: Host) -> None:
    pinned = host.resolve()
    shutil.move(host.archive.root / "pool", host.base / "snapshot/pool")
    apt = host.apt(cache="empty")
    with pytest.raises(DebianFilesGone) as caught:
        DebianSources(apt).fetch(pinned, make_workspace(host.base))
    assert "lock --update" in str(caught.value.hint)
    assert len(caught.value.files) == 6
    more = host.apt(cache="empty", archives=(f"copy:{host.base}/snapshot/",))
    DebianSources(more).fetch(pinned, make_workspace(host.base))


def test_a_host_without_archives_can_still_use_those_of_the_settings(host: Host) -> None:
    pinned = host.resolve()
    bare = host.apt(cache="empty")
    (host.base / "etc/sources.list.d/test.sources").write_text("")
    with pytest.raises(NoArchives) as caught:
        DebianSources(bare).fetch(pinned, make_workspace(host.base))
    assert caught.value.exit_code is ExitCode.USAGE
    apt = host.apt(cache="empty", archives=(host.uri,))
    (host.base / "etc/sources.list.d/test.sources").write_text("")
    DebianSources(apt).fetch(pinned, make_workspace(host.base))


def test_a_host_without_apt_says_what_to_use_instead(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = host.resolve()
    monkeypatch.setattr("rearch.host.debian.tools.HELPER", host.base / "none")
    with pytest.raises(AptMissing) as caught:
        DebianSources(host.apt(cache="empty")).fetch(pinned, make_workspace(host.base))
    assert caught.value.exit_code is ExitCode.USAGE
    assert "use an archive or git source" in str(caught.value.hint)


def test_other_bytes_under_a_locked_name_are_never_used(host: Host) -> None:
    pinned = host.resolve()
    path = host.archive.root / pinned.build_packages[0].file.path
    path.write_bytes(bytes(path.stat().st_size))
    apt = host.apt(cache="empty")
    with pytest.raises(DebianMismatch) as caught:
        DebianSources(apt).fetch(pinned, make_workspace(host.base))
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert "golang-b-dev" in caught.value.summary
    assert not (host.base / "empty/downloads" / pinned.build_packages[0].file.sha256).exists()


def test_a_cache_that_rotted_is_fetched_anew(host: Host) -> None:
    pinned = host.resolve()
    DebianSources(host.apt()).fetch(pinned, make_workspace(host.base))
    cached = host.base / "cache/downloads" / pinned.files[0].sha256
    cached.write_bytes(bytes(cached.stat().st_size))
    DebianSources(host.apt()).fetch(pinned, make_workspace(host.base))
    assert cached.read_bytes() == (host.archive.root / pinned.files[0].path).read_bytes()


def test_archives_that_do_not_answer_are_temporary(host: Host) -> None:
    pinned = host.resolve()
    silent = Host(host.base / "silent", host.archive, "http://127.0.0.1:9/debian")
    with pytest.raises(DebianUnreachable) as caught:
        DebianSources(silent.apt()).fetch(pinned, make_workspace(host.base))
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert "http://127.0.0.1:9/debian" in caught.value.render()
    assert "plugins_1.10-1.dsc" in caught.value.render()
    with pytest.raises(AptUnreachable) as refused:
        silent.resolve()
    assert "http://127.0.0.1:9/debian stable" in refused.value.render()


def test_lists_that_are_merely_old_are_used_and_that_is_said(host: Host) -> None:
    pinned = host.resolve()
    (stamp,) = (host.base / "cache/debian").glob("*/updated")
    os.utime(stamp, (0, 0))
    (host.archive.root / "dists").rename(host.base / "away")
    assert host.resolve() == pinned
    assert "apt: E: " in host.said() or "apt: W: " in host.said()


def test_a_dsc_that_is_not_of_these_files_is_refused(host: Host) -> None:
    pinned, other = host.resolve(), host.resolve("1.9-1")
    mixed = replace(pinned, files=(*other.files[:1], *pinned.files[1:]))
    with pytest.raises(DscMismatch) as caught:
        DebianSources(host.apt()).fetch(mixed, make_workspace(host.base))
    assert caught.value.differences


def test_a_package_that_is_not_what_the_lock_says_is_refused(host: Host) -> None:
    pinned = host.resolve()
    renamed = replace(pinned.build_packages[0], version="9")
    with pytest.raises(WrongPackage, match="golang-b-dev"):
        DebianSources(host.apt()).fetch(replace(pinned, build_packages=(renamed,)), make_workspace(host.base))


def _sysroot_packages(archive: DebianArchive) -> None:
    triplet = "aarch64-linux-gnu"
    archive.add_deb("libc6", {f"lib/{triplet}/libc.so.6": "c", f"lib/{triplet}/libz.so.1": "z"}, arch="arm64")
    archive.add_deb("base-files", {"lib": Link("usr/lib")}, arch="arm64")
    archive.add_deb(
        "libc6-dev", {"usr/include/stdio.h": "h"}, arch="arm64", depends="libc6, linux-libc-dev, base-files"
    )
    archive.add_deb("linux-libc-dev", {"usr/include/linux/x.h": "h"}, arch="arm64")
    links: dict[str, Content] = {
        f"usr/lib/{triplet}/libz.so": Link(f"/lib/{triplet}/libz.so.1"),
        f"lib/{triplet}/libother.so": Link("libz.so.1"),
    }
    archive.add_deb("libz-dev", links, arch="arm64", depends="libc6-dev")
    archive.publish()


def test_a_sysroot_of_a_foreign_architecture(host: Host) -> None:
    _sysroot_packages(host.archive)
    apt = host.apt()
    packages = DebianResolver(apt).resolve_sysroot(("libz-dev",), parse_platform("arm64"))
    assert [item.name for item in packages] == ["libc6", "libc6-dev", "libz-dev", "linux-libc-dev"]
    assert {item.architecture for item in packages} == {"arm64"}
    work = make_workspace(host.base)
    root = work.files / "sysroot"
    DebianPackages(apt).unpack(packages, root, work)
    library = root / "usr/lib/aarch64-linux-gnu"
    assert (root / "lib").readlink() == Path("usr/lib")
    assert (library / "libz.so").readlink() == Path("../../../lib/aarch64-linux-gnu/libz.so.1")
    assert (library / "libz.so").read_text() == (library / "libother.so").read_text() == "z"
    assert (root / "usr/include/linux/x.h").is_file()


def test_a_sysroot_that_cannot_be(host: Host) -> None:
    _sysroot_packages(host.archive)
    resolver = DebianResolver(host.apt())
    with pytest.raises(UnknownDebianPackages) as caught:
        resolver.resolve_sysroot(("libzz-dev",), parse_platform("arm64"))
    assert "libz-dev" in caught.value.render()
    with pytest.raises(NoDebianPort):
        resolver.resolve_sysroot((), parse_platform("arm/v6"))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[DebianArchive, str]]:
    archive = DebianArchive(tmp_path / "served")
    archive.root.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=archive.root)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield archive, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_many_files_come_in_few_calls_over_http_and_through_a_mirror_list(
    tmp_path: Path, served: tuple[DebianArchive, str]
) -> None:
    archive, uri = served
    files = [archive.add_deb(f"golang-x{number}-dev", {}).file for number in range(BATCH + 5)]
    mirrors = tmp_path / "mirrors.list"
    mirrors.write_text(f"# mirrors\nhttp://127.0.0.1:9/nobody\tpriority:1\n{uri}/\tpriority:2\n")
    calls: list[Command] = []

    def run(command: Command) -> Completed:
        calls.append(command)
        return Processes().run(command)

    host = Host(tmp_path, archive, f"mirror+file:{mirrors}")
    places = host.apt().downloads.get(files, run)
    assert [place.name for place in places] == [file.sha256 for file in files]
    assert len(calls) == 4
    assert host.apt().downloads.get(files, run) == places
    assert len(calls) == 4


def test_two_at_once_fetch_once(host: Host) -> None:
    pinned = host.resolve()
    files: list[DebianFile] = [*pinned.files, *(item.file for item in pinned.build_packages)]
    calls: list[Command] = []

    def run(command: Command) -> Completed:
        calls.append(command)
        return Processes().run(command)

    # Made before the threads start: each writes the host's apt configuration anew, which another would read half.
    runs = [host.apt(cache="shared").downloads for _number in range(4)]
    with ThreadPoolExecutor(len(runs)) as pool:
        places = set(pool.map(lambda downloads: downloads.get(files, run), runs, timeout=60))
    assert len(places) == 1
    assert len(calls) == 1
    assert all((host.base / "shared/downloads" / file.sha256).is_file() for file in files)


def _as_nobody(base: Path, answer: multiprocessing.Queue[str]) -> None:
    """In a forked process, since the interpreter may be where only root can read it."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    apt = HostApt(base / "cache", Processes(), {"APT_CONFIG": f"{base}/etc/apt.conf", "HOME": str(base)})
    found = DebianResolver(apt).resolve(DebianSource(debian="plugins"), None)
    apt.downloads.get(found.files, apt.processes.run)
    answer.put(f"{os.geteuid()} {found.version}")


def _open_way(folder: Path) -> None:
    """Let others through to a folder of pytest's, which makes them private; how deep it lies depends on xdist."""
    for each in (folder, *folder.parents):
        if each.name.startswith(("pytest-", "popen-", "test_")):
            each.chmod(0o755)


def test_without_root(host: Host, tmp_path: Path) -> None:
    """Resolve and fetch as a user that owns nothing but the cache folder."""
    if os.geteuid() != 0:
        unmet("root, to become somebody who is not (all other tests here ran without it)")
    _open_way(tmp_path)
    base = tmp_path / "mine"
    base.mkdir()
    host_setup(base / "etc", host.uri)
    os.chown(base, 65534, 65534)
    context = multiprocessing.get_context("fork")
    answer: multiprocessing.Queue[str] = context.Queue()
    child = context.Process(target=_as_nobody, args=(base, answer))
    child.start()
    child.join(timeout=60)
    assert child.exitcode == 0
    assert answer.get(timeout=5) == "65534 1.10-1"
    assert {path.owner() for path in (base / "cache").rglob("*")} == {"nobody"}


def test_a_package_is_a_package(host: Host) -> None:
    package: DebianPackage = host.resolve().build_packages[0]
    assert package.architecture == "all"
    assert package.file.path == "pool/main/g/golang-b-dev/golang-b-dev_1.2-1_all.deb"
