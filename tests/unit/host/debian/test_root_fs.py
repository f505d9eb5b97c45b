"""Several packages in one tree, as dpkg would lay them out; nothing is run, and no apt is needed for cached files."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from rearch.errors import HostileInputError
from rearch.formats.archive_errors import BadHardLink, BadName, DuplicateEntry
from rearch.formats.tree import link_text
from rearch.host.debian.apt import HostApt
from rearch.host.debian.root_fs import DebianRootFs, ForeignPackage
from rearch.host.debian.root_fs_tree import FileConflict
from rearch.host.process import Processes
from rearch.model.image import Accounts
from rearch.model.platform import parse_platform
from rearch.model.source import DebianPackage
from rearch.model.step_images import DebianOrigin
from tests.support.debian_archive import TIME
from tests.support.debian_packages import Shipped, file, folder, hard, link, make_package
from tests.support.workspace import make_workspace

ARM64 = parse_platform("arm64")
LATER = TIME + 1000


class Maker:
    """Packages, and the tree that they make."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.tree = base / "tree"
        self.packages: list[DebianPackage] = []

    def add(
        self, name: str, *entries: Shipped, version: str = "1.0-1", arch: str = "arm64", **fields: str
    ) -> DebianPackage:
        downloads = self.base / "cache" / "downloads"
        made = make_package(downloads, name, *entries, version=version, arch=arch, **fields)
        self.packages.append(made)
        return made

    def unpack(self, suite: str = "bookworm") -> Mapping[str, str]:
        origin = DebianOrigin(
            suite=suite,
            packages=tuple(self.packages),
            accounts=Accounts(),
            links={},
            directories={},
            ca_certificates=False,
            time=LATER,
        )
        apt = HostApt(self.base / "cache", Processes(), {}, offline=True)
        return DebianRootFs(apt).unpack(origin, ARM64, self.tree, make_workspace(self.base))

    def text(self, path: str) -> str:
        return (self.tree / path).read_text()

    def listed(self, name: str) -> list[str]:
        return self.text(f"var/lib/dpkg/info/{name}.list").splitlines()


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def test_a_merged_usr_is_there_before_the_packages(maker: Maker) -> None:
    maker.add("libc6", folder("lib"), file("lib/ld-linux-aarch64.so.1"), folder("lib64"), file("lib64/x"))
    maker.add("new", folder("usr"), folder("usr/bin"), file("usr/bin/tool", mode=0o755))
    maker.unpack()
    links = {path.name: link_text(path) for path in maker.tree.iterdir() if path.is_symlink()}
    assert links == {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}
    assert maker.text("usr/lib/ld-linux-aarch64.so.1") == "lib/ld-linux-aarch64.so.1"
    assert maker.text("usr/lib64/x") == "lib64/x"
    assert "/lib/ld-linux-aarch64.so.1" in maker.listed("libc6")


def test_folders_below_usr_alone_get_their_link_too(maker: Maker) -> None:
    maker.add("libc6", folder("usr"), folder("usr/lib64"), file("usr/lib64/ld64.so.2"))
    maker.unpack()
    assert link_text(maker.tree / "lib64") == "usr/lib64"


def test_the_links_that_base_files_brings_are_the_same(maker: Maker) -> None:
    maker.add("base-files", folder("usr"), folder("usr/lib"), link("lib", "usr/lib"), link("lib64", "usr/lib64"))
    maker.add("libc6", folder("usr"), folder("usr/lib64"), file("usr/lib64/x"))
    maker.unpack("trixie")
    assert link_text(maker.tree / "lib64") == "usr/lib64"
    assert {"/lib", "/lib64"} <= set(maker.listed("base-files"))


def test_an_old_release_is_not_merged(maker: Maker) -> None:
    maker.add("tool", folder("bin"), file("bin/tool"), folder("usr"), folder("usr/bin"), file("usr/bin/tool"))
    maker.unpack("buster")
    assert maker.text("bin/tool") == "bin/tool"
    assert not (maker.tree / "bin").is_symlink()
    assert not (maker.tree / "sbin").exists()


def test_owners_and_modes_that_the_disk_does_not_hold_are_told(maker: Maker) -> None:
    maker.add(
        "tools",
        folder("var"),
        folder("var/spool", mode=0o1777),
        folder("usr"),
        folder("usr/bin"),
        file("usr/bin/mount", mode=0o4755),
        hard("usr/bin/umount", "usr/bin/mount"),
        file("usr/bin/expiry", mode=0o2755, gid=42),
        file("usr/bin/secret", mode=0o111),
        file("usr/bin/plain", mode=0o750),
    )
    owners = maker.unpack()
    assert (
        owners
        == {
            "usr/bin/expiry": "0:42:2755",
            "usr/bin/mount": "0:0:4755",
            "usr/bin/secret": "0:0:0111",
            "usr/bin/umount": "0:0:0644",
            "var/spool": "0:0:1777",
        }
        or owners["usr/bin/umount"] == "0:0:4755"
    )
    assert stat.S_IMODE((maker.tree / "usr/bin/plain").stat().st_mode) == 0o750
    assert (maker.tree / "usr/bin/mount").samefile(maker.tree / "usr/bin/umount")


def test_two_packages_with_one_file_are_refused(maker: Maker) -> None:
    maker.add("a", folder("usr"), folder("usr/bin"), file("usr/bin/x", "a's"))
    maker.add("b", folder("bin"), file("bin/x", "b's"))
    with pytest.raises(FileConflict) as caught:
        maker.unpack()
    assert (caught.value.path, caught.value.packages) == ("usr/bin/x", ("a", "b"))
    assert caught.value.render().startswith(
        "error: /usr/bin/x is in a and in b, and neither replaces the other\nhint: "
    )


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_who_replaces_wins_whatever_the_order(maker: Maker, names: tuple[str, str]) -> None:
    old, new = names
    maker.add(old, folder("usr"), file("usr/x", "old"), file("usr/own"), version="1.0-1")
    maker.add(new, folder("usr"), file("usr/x", "new", mode=0o4755), Replaces=f"other, {old} (<< 2)")
    owners = maker.unpack()
    assert maker.text("usr/x") == "new"
    assert owners == {"usr/x": "0:0:4755"}
    assert maker.listed(old) == ["/.", "/usr", "/usr/own"]
    assert maker.listed(new) == ["/.", "/usr", "/usr/x"]


def test_a_relation_that_does_not_hold_for_the_version_replaces_nothing(maker: Maker) -> None:
    maker.add("a", file("x", "old"), version="2.0-1")
    maker.add("b", file("x", "new"), Replaces="a (<< 2)")
    with pytest.raises(FileConflict):
        maker.unpack()


def test_a_hard_link_to_a_file_that_was_replaced_is_refused(maker: Maker) -> None:
    maker.add("b", file("x", "old"), hard("y", "x"))
    maker.add("a", file("x", "new"), Replaces="b")
    with pytest.raises(FileConflict) as caught:
        maker.unpack()
    assert caught.value.path == "x"


def test_a_shared_folder_keeps_what_the_first_package_says(maker: Maker) -> None:
    maker.add("zz", folder("srv", mode=0o700, uid=3, mtime=TIME - 5), file("srv/z"))
    maker.add("yy", folder("srv"), file("srv/y"), Depends="zz")
    owners = maker.unpack()
    assert owners == {"srv": "3:0:0700"}
    assert (maker.tree / "srv").stat().st_mtime == TIME - 5
    assert {path.name for path in (maker.tree / "srv").iterdir()} == {"y", "z"}


def test_folders_and_links_to_folders_do_not_replace_each_other(maker: Maker) -> None:
    maker.add("base-files", folder("run"), folder("var"), link("var/run", "/run"))
    maker.add("app", folder("var"), folder("var/run"), folder("var/run/app"), folder("opt"), folder("opt/x"))
    maker.add("bpp", folder("opt"), link("opt/x", "y"), Depends="app")
    maker.unpack()
    assert (maker.tree / "run/app").is_dir()
    assert link_text(maker.tree / "var/run") == "/run"
    assert not (maker.tree / "opt/x").is_symlink()


def test_the_records_name_packages_and_paths(maker: Maker) -> None:
    maker.add("app", folder("etc"), file("etc/app.conf"), link("etc/alias", "app.conf"), Multi_Arch="same")
    maker.unpack()
    assert maker.listed("app") == ["/.", "/etc", "/etc/app.conf", "/etc/alias"]
    status = maker.text("var/lib/dpkg/status.d/app")
    assert status.startswith("Package: app\nVersion: 1.0-1\nArchitecture: arm64\nMaintainer: ")
    assert "\nMulti-Arch: same\n" in status
    assert (maker.tree / "var/lib/dpkg/status.d/app").stat().st_mtime == LATER
    assert not (maker.tree / "var/lib/dpkg/status").exists()


def test_nobody_s_folders_have_the_archives_time(maker: Maker) -> None:
    maker.add("app", file("deep/down/x"))
    maker.unpack()
    assert {(maker.tree / path).stat().st_mtime for path in ("deep", "deep/down", "usr", "usr/bin", ".")} == {LATER}
    assert (maker.tree / "bin").lstat().st_mtime == LATER
    assert (maker.tree / "deep/down/x").stat().st_mtime == TIME


def test_a_package_of_another_architecture(maker: Maker) -> None:
    maker.add("doc", arch="all")
    maker.add("app", arch="amd64")
    with pytest.raises(ForeignPackage) as caught:
        maker.unpack()
    assert "app 1.0-1 is for amd64" in caught.value.details
    assert len(caught.value.packages) == 1


def test_nothing_is_written_outside(maker: Maker, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    maker.add("hostile", link("var", str(outside)), folder("usr"), link("usr/lib64", str(outside)), file("lib64/x"))
    maker.unpack()
    assert list(outside.iterdir()) == []
    # An absolute link means the image's own root.
    assert (maker.tree / str(outside).lstrip("/") / "lib/dpkg/status.d/hostile").is_file()


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ((file("../evil"),), BadName),
        ((link("out", "../../../../../../../../tmp"), file("out/x")), HostileInputError),
        ((hard("y", "etc/passwd"),), BadHardLink),
        ((file("x"), file("x")), DuplicateEntry),
        ((file("var/lib/dpkg/info/hostile.list"),), DuplicateEntry),
    ],
)
def test_hostile_packages(maker: Maker, entries: tuple[Shipped, ...], error: type[Exception]) -> None:
    maker.add("hostile", *entries)
    with pytest.raises(error):
        maker.unpack()
