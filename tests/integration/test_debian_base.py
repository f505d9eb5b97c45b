"""Bases of Debian packages: what apt resolves of a release, and the tree that mmdebstrap makes of the same packages."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.formats.hashing import sha256_stream
from rearch.formats.tree import link_text
from rearch.formats.urls import OfflineError
from rearch.host.debian.apt import HostApt
from rearch.host.debian.download import DebianUnreachable
from rearch.host.debian.names import NoDebianPort, UnknownDebianPackages
from rearch.host.debian.resolve import DebianResolver
from rearch.host.debian.resolve_errors import UnmetDependencies, VirtualPackage
from rearch.host.debian.root_fs import DebianRootFs
from rearch.host.debian.root_fs_resolve import NotForArchitecture
from rearch.host.debian.state import AptUnreachable
from rearch.host.debian.suites import UnknownSuite
from rearch.host.process import Processes
from rearch.model.image import Accounts
from rearch.model.lock import PinnedPackages
from rearch.model.platform import Platform, parse_platform
from rearch.model.source import DebianPackage
from rearch.model.step_images import BaseInputs, DebianOrigin
from rearch.oci.layout import read_image
from rearch.steps.base import run_base
from rearch.steps.base_certificates import certificate_files
from rearch.steps.base_tree import tree_entries
from tests.support.debian_archive import SUITE, DebianArchive, host_setup
from tests.support.needs import need_program, unmet
from tests.support.workspace import make_workspace

ARM64 = parse_platform("arm64")


@pytest.fixture(scope="module", autouse=True)
def _apt() -> None:
    need_program("apt-get", "apt")


# --- what apt resolves, of archives made by the test


@dataclass(frozen=True)
class Host:
    """A host whose apt knows one archive, of the suite `stable`."""

    base: Path
    archive: DebianArchive

    def apt(self, *, offline: bool = False, archives: tuple[str, ...] = (), uri: str = "") -> HostApt:
        environ = host_setup(self.base / "etc", uri or f"file:{self.archive.root}")
        return HostApt(self.base / "cache", Processes(), environ, timeout=5, offline=offline, archives=archives)

    def resolve(self, *names: str, suite: str = SUITE, platform: Platform = ARM64) -> PinnedPackages:
        return DebianResolver(self.apt()).resolve_root_fs(suite, names, platform)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    archive = DebianArchive(tmp_path / "archive")
    archive.add_deb("app", {"usr/bin/app": "app"}, arch="arm64", depends="libz (>= 1), helper | other", version="1:2-1")
    archive.add_deb("libz", {"usr/lib/libz.so.1": "z"}, arch="arm64")
    archive.add_deb("helper", {"usr/share/help": "h"}, depends="usrmerge | usr-is-merged")
    archive.add_deb("usrmerge", {"usr/lib/convert": "c"}, depends="perl")
    archive.add_deb("perl", {"usr/bin/perl": "p"}, arch="arm64")
    archive.add_deb("usr-is-merged", {"usr/share/doc/usr-is-merged/copyright": "free"})
    archive.add_deb("broken", {"x": "x"}, depends="nowhere")
    archive.add_deb("microcode", {"x": "x"}, arch="amd64")
    archive.publish()
    return Host(tmp_path, archive)


def test_packages_with_what_they_depend_on_and_the_archives_date(host: Host) -> None:
    found = host.resolve("app")
    assert [(each.name, each.version) for each in found.packages] == [
        ("app", "1:2-1"),
        ("helper", "1.0-1"),
        ("libz", "1.0-1"),
        ("usr-is-merged", "1.0-1"),
    ]
    release = (host.archive.root / f"dists/{SUITE}/Release").read_text()
    date = re.search("^Date: (.*)$", release, re.MULTILINE)
    assert date is not None
    assert found.time == int(parsedate_to_datetime(date[1]).timestamp())


def test_a_merger_that_was_asked_for_is_taken(host: Host) -> None:
    assert {"usrmerge", "perl"} <= {each.name for each in host.resolve("helper", "usrmerge").packages}


def test_the_same_packages_keep_their_entry(host: Host) -> None:
    found = host.resolve("app")
    old = PinnedPackages(packages=found.packages, time=7)
    resolver = DebianResolver(host.apt())
    assert resolver.resolve_root_fs(SUITE, ("app",), ARM64, old) is old
    other = PinnedPackages(packages=found.packages[1:], time=7)
    assert resolver.resolve_root_fs(SUITE, ("app",), ARM64, other) == found


def test_another_release_is_looked_for_in_the_hosts_archives_then_in_the_settings(host: Host) -> None:
    elsewhere = DebianArchive(host.base / "old")
    elsewhere.add_deb("app", {"bin/app": "old"}, arch="arm64", version="0.9-1")
    elsewhere.publish()
    (elsewhere.root / f"dists/{SUITE}").rename(elsewhere.root / "dists/buster")
    apt = host.apt(archives=(f"file:{elsewhere.root}",))
    found = DebianResolver(apt).resolve_root_fs("buster", ("app",), ARM64)
    assert [(each.name, each.version) for each in found.packages] == [("app", "0.9-1")]
    assert [each.version for each in DebianResolver(apt).resolve_root_fs(SUITE, ("libz",), ARM64).packages] == ["1.0-1"]


def test_a_release_that_is_nowhere(host: Host) -> None:
    with pytest.raises(UnknownSuite) as caught:
        host.resolve("app", suite="bookwurm")
    assert caught.value.exit_code is ExitCode.USAGE
    assert any(f"{host.archive.root} bookwurm" in detail for detail in caught.value.details)


def test_archives_that_do_not_answer_are_no_unknown_release(host: Host) -> None:
    apt = host.apt(uri="http://127.0.0.1:9/debian")
    with pytest.raises(AptUnreachable) as caught:
        DebianResolver(apt).resolve_root_fs(SUITE, ("app",), ARM64)
    assert caught.value.exit_code is ExitCode.TEMPORARY


def test_a_package_that_is_nowhere_is_named_with_its_neighbours(host: Host) -> None:
    with pytest.raises(UnknownDebianPackages) as caught:
        host.resolve("app", "libzz")
    assert caught.value.names == ("libzz",)
    assert "libzz: there is libz" in caught.value.details
    assert caught.value.hint == "correct `packages` in the recipe"


def test_a_package_of_another_architecture_alone(host: Host) -> None:
    native = host.apt().tools.native
    if native != "amd64":
        unmet("a host of the architecture that the test's package is for: amd64")
    with pytest.raises(NotForArchitecture) as caught:
        host.resolve("microcode")
    assert caught.value.summary == f"{SUITE} has no microcode for arm64"


def test_a_virtual_package(host: Host) -> None:
    for name in ("mta-a", "mta-b"):
        host.archive.add_deb(name, {f"usr/bin/{name}": "x"}, provides="mta")
    host.archive.publish()
    with pytest.raises(VirtualPackage) as caught:
        host.resolve("mta")
    assert {"mta-a 1.0-1", "mta-b 1.0-1"} <= set(caught.value.details)


def test_dependencies_that_nothing_meets(host: Host) -> None:
    with pytest.raises(UnmetDependencies) as caught:
        host.resolve("broken")
    assert any("nowhere" in detail for detail in caught.value.details)


def test_a_platform_without_a_port_and_no_network(host: Host) -> None:
    with pytest.raises(NoDebianPort):
        host.resolve("app", platform=parse_platform("arm/v6"))
    with pytest.raises(OfflineError):
        DebianResolver(host.apt(offline=True)).resolve_root_fs(SUITE, ("app",), ARM64)


def test_a_base_from_resolving_to_the_layout(host: Host) -> None:
    pinned = host.resolve("app")
    apt = host.apt()
    works = [make_workspace(host.base / name, caches=host.base / "cache") for name in ("one", "two")]
    inputs = BaseInputs(platform=ARM64, origin=_origin(pinned, SUITE))
    first, second = [run_base(inputs, work, NoImages(), DebianRootFs(apt)) for work in works]
    assert first == second
    assert read_image(works[0].files, platform=ARM64).config.platform == ARM64
    assert first.facts["packages"][0] == ["app", "1:2-1", "arm64"]


class NoImages:
    """Nothing is pulled here."""

    def pull(self, *_args: object, **_more: object) -> None:
        raise AssertionError


def _origin(pinned: PinnedPackages, suite: str) -> DebianOrigin:
    return DebianOrigin(
        suite=suite,
        packages=pinned.packages,
        accounts=Accounts(),
        links={},
        directories={},
        ca_certificates=False,
        time=pinned.time,
    )


# --- real packages, with mmdebstrap and update-ca-certificates as the oracles

# What mmdebstrap's tree has beside the packages' files, or differently, and why.
MMDEBSTRAP_ADDS = (
    re.compile(r"etc/apt(/.*)?\Z"),  # the archive that it installed from
    re.compile(r"var/(lib|cache)/apt(/.*)?\Z"),  # apt's state; no apt is in our tree
    re.compile(r"var/lib/dpkg(/.*)?\Z"),  # an empty dpkg database; ours are status.d and info/*.list
    re.compile(r"dev(/.*)?\Z"),  # device nodes, which engines make themselves
    re.compile(r"(etc|var|var/lib|var/cache|var/log|var/log/apt|tmp|etc/fstab|etc/hostname|etc/resolv\.conf)\Z"),
    re.compile(r"(lib32|lib64|libo32|libx32)\Z|usr/(lib32|lib64|libo32|libx32)\Z"),  # links to folders that are empty
)
WE_ADD = (re.compile(r"var/lib/dpkg(/.*)?\Z"), re.compile(r"var(/lib)?\Z"))
REAL = ("base-files", "base-passwd", "libpam-modules", "perl-base", "usr-is-merged")

Described = tuple[str, int, int, int, str]


def _mmdebstrap(packages: tuple[DebianPackage, ...], out: Path) -> dict[str, Described]:
    need_program("mmdebstrap", "mmdebstrap")
    names = ",".join(f"{each.name}={each.version}" for each in packages)
    argv = ["mmdebstrap", "--quiet", "--variant=extract", f"--architectures={ARM64.arch.debian}", f"--include={names}"]
    argv += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "bookworm", str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with tarfile.open(out) as tar:
        return dict(_described(tar))


def _described(tar: tarfile.TarFile) -> Iterator[tuple[str, Described]]:
    """Path -> kind, mode, uid, gid, content's hash or link's target. A hard link is the file that it names."""
    for member in tar:
        path = member.name.removeprefix("./").strip("/")
        origin = tar.getmember(member.linkname) if member.islnk() else member
        if not path or path == ".":
            continue
        if origin.isfile():
            content = tar.extractfile(origin)
            assert content is not None
            yield path, ("file", origin.mode, origin.uid, origin.gid, sha256_stream(content))
        else:
            kind = "folder" if member.isdir() else "link" if member.issym() else "device"
            mode = 0o777 if member.issym() else member.mode
            yield path, (kind, mode, member.uid, member.gid, member.linkname if member.issym() else "")


def _ours(tree: Path, owners: Mapping[str, str]) -> dict[str, Described]:
    found: dict[str, Described] = {}
    for entry in tree_entries(tree, owners, 1 << 33):
        place = tree / entry.path
        if place.is_symlink():
            found[entry.path] = ("link", 0o777, entry.uid, entry.gid, link_text(place))
        elif place.is_dir():
            found[entry.path] = ("folder", entry.mode, entry.uid, entry.gid, "")
        else:
            with place.open("rb") as file:
                found[entry.path] = ("file", entry.mode, entry.uid, entry.gid, sha256_stream(file))
    return found


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[HostApt, PinnedPackages, Path, Mapping[str, str]]:
    """Real packages for arm64, unpacked by us."""
    base = tmp_path_factory.mktemp("real")
    apt = HostApt(base / "cache", Processes(), os.environ)
    tree = base / "tree"
    try:
        pinned = DebianResolver(apt).resolve_root_fs("bookworm", (*REAL, "ca-certificates"), ARM64)
        owners = DebianRootFs(apt).unpack(_origin(pinned, "bookworm"), ARM64, tree, make_workspace(base))
    except (AptUnreachable, DebianUnreachable):
        unmet("a Debian archive that apt can reach")
    return apt, pinned, tree, owners


Real = tuple[HostApt, PinnedPackages, Path, Mapping[str, str]]


def test_the_tree_is_the_one_that_mmdebstrap_extracts(real: Real, tmp_path: Path) -> None:
    _apt, pinned, tree, owners = real
    theirs = _mmdebstrap(pinned.packages, tmp_path / "theirs.tar")
    ours = _ours(tree, owners)
    assert len(ours) > 1000
    assert any(entry[1] & 0o6000 for entry in ours.values())
    more = sorted(path for path in theirs.keys() - ours.keys() if not _matches(path, MMDEBSTRAP_ADDS))
    less = sorted(path for path in ours.keys() - theirs.keys() if not _matches(path, WE_ADD))
    # merged-usr, the hook, registers usr-is-merged in dpkg's database, under the name of one of our records.
    both = {path for path in ours.keys() & theirs.keys() if not _matches(path, WE_ADD[:1])}
    differ = {path: (ours[path], theirs[path]) for path in sorted(both) if ours[path] != theirs[path]}
    assert (more, less, differ) == ([], [], {})


def _matches(path: str, patterns: tuple[re.Pattern[str], ...]) -> bool:
    return any(pattern.match(path) for pattern in patterns)


def test_certificates_are_those_of_update_ca_certificates(real: Real, tmp_path: Path) -> None:
    """The script is run by this host's shell on the foreign package's files, which are text."""
    need_program("openssl", "openssl")
    need_program("update-ca-certificates", "ca-certificates")
    tree, theirs, conf = real[2], tmp_path / "certs", tmp_path / "conf"
    source = tree / "usr/share/ca-certificates"
    theirs.mkdir()
    conf.write_text("".join(sorted(f"{path.relative_to(source)}\n" for path in source.rglob("*.crt"))))
    argv = ["update-ca-certificates", "--etccertsdir", str(theirs), "--certsconf", str(conf), "--certsdir", str(source)]
    argv += ["--localcertsdir", str(tmp_path / "none"), "--hooksdir", str(tmp_path / "none")]
    subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    ours = {path.rpartition("/")[2]: content for path, content in certificate_files(tree)}
    assert ours.keys() == {path.name for path in theirs.iterdir()}
    assert ours["ca-certificates.crt"] == (theirs / "ca-certificates.crt").read_bytes()
    links = {name: content for name, content in ours.items() if isinstance(content, str)}
    found = {name: link_text(theirs / name).removeprefix(str(tree)) for name in links}
    assert links == found
