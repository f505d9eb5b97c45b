"""The shipped way on this host's real archives: third-party Go code, and a foreign C library."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rearch.host.debian.apt import HostApt
from rearch.host.debian.download import DebianUnreachable
from rearch.host.debian.resolve import DebianResolver
from rearch.host.debian.state import AptUnreachable
from rearch.host.debian.unpack import DebianPackages
from rearch.host.process import Processes
from rearch.host.sources.debian import DebianSources
from rearch.model.platform import parse_platform
from rearch.model.recipe import DebianSource
from tests.support.needs import need_program, unmet
from tests.support.workspace import make_workspace


@pytest.fixture(scope="module")
def apt(tmp_path_factory: pytest.TempPathFactory) -> HostApt:
    """The host's own apt, with an empty cache."""
    need_program("apt-get", "apt")
    made = HostApt(tmp_path_factory.mktemp("cache"), Processes(), os.environ)
    try:
        made.state(made.tools.native).update(lambda _line: None)
    except AptUnreachable:
        unmet("a Debian or Ubuntu archive that apt can reach")
    return made


def test_the_cni_plugins_with_their_libraries(apt: HostApt, tmp_path: Path) -> None:
    pinned = DebianResolver(apt).resolve(DebianSource(debian="golang-github-containernetworking-plugins"), None)
    names = {package.name for package in pinned.build_packages}
    assert {"golang-github-appc-cni-dev", "golang-github-vishvananda-netlink-dev", "golang-golang-x-sys-dev"} <= names
    assert not names & {"golang-go", "debhelper", "libc6"}
    # Older than the first CNI plugins, or newer than the archive, is no date of a changelog.
    assert pinned.time > 1_400_000_000
    work = make_workspace(tmp_path)
    DebianSources(apt).fetch(pinned, work)
    assert (work.files / "source/plugins/main/bridge/bridge.go").is_file()
    assert (work.files / "gopath/src/github.com/vishvananda/netlink/netlink.go").is_file()
    assert (work.files / "gopath/src/golang.org/x/sys/unix").is_dir()
    assert not any(path.is_symlink() for path in (work.files / "gopath").rglob("*"))


def test_a_sysroot_for_another_architecture(apt: HostApt, tmp_path: Path) -> None:
    platform = parse_platform("arm/v7" if apt.tools.native == "arm64" else "arm64")
    packages = DebianResolver(apt).resolve_sysroot(("libseccomp-dev",), platform)
    assert {"libc6", "libc6-dev", "libgcc-s1", "libseccomp-dev", "libseccomp2", "linux-libc-dev"} <= {
        package.name for package in packages
    }
    work = make_workspace(tmp_path)
    root = work.files / "sysroot"
    try:
        DebianPackages(apt).unpack(packages, root, work)
    except DebianUnreachable:
        unmet("a Debian or Ubuntu archive that apt can reach")
    library = root / "usr/lib" / platform.arch.triplet
    assert (library / "libseccomp.so").resolve().is_relative_to(root)
    assert (library / "libseccomp.so").read_bytes()[:4] == b"\x7fELF"
    assert (root / platform.arch.glibc_loader.lstrip("/")).resolve().is_relative_to(root)
    assert (root / "usr/include/stdio.h").is_file()
