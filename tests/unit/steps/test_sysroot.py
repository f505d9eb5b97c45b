"""The sysroot step: links that stay inside, and the folders that Debian merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.model.platform import parse_platform
from rearch.model.source import DebianFile, DebianPackage
from rearch.model.step import SysrootInputs
from rearch.steps.ports import Workspace
from rearch.steps.sysroot import make_relative, merge_usr, run_sysroot
from tests.support.compiling import write_tree
from tests.support.workspace import make_workspace

FILE = DebianFile(path="pool/x.deb", size=1, sha256="0" * 64)
PACKAGE = DebianPackage(name="libx", version="1-1", architecture="arm64", file=FILE)


class _Packages:
    def unpack(self, packages: tuple[DebianPackage, ...], into: Path, _work: Workspace) -> None:
        assert packages == (PACKAGE,)
        write_tree(into, {"usr/lib/x/libx.so.1": "real"})
        (into / "usr/lib/x/libx.so").symlink_to("/usr/lib/x/libx.so.1")


def test_packages_are_unpacked_and_their_links_stay_inside(tmp_path: Path) -> None:
    work = make_workspace(tmp_path)
    outcome = run_sysroot(SysrootInputs(packages=(PACKAGE,), platform=parse_platform("arm64")), work, _Packages())
    root = work.files / "sysroot"
    assert outcome.facts == {"packages": ["libx=1-1"]}
    assert (root / "usr/lib/x/libx.so").readlink() == Path("libx.so.1")
    assert (root / "lib/x/libx.so").read_text() == "real"


@pytest.mark.parametrize(
    ("path", "target", "relative"),
    [
        ("usr/lib/a", "/lib/a.1", "../../lib/a.1"),
        ("a", "/etc/passwd", "etc/passwd"),
        ("deep/er/a", "/", "../.."),
        ("a", "/../../etc/passwd", "etc/passwd"),
    ],
)
def test_absolute_links_are_meant_from_the_root(tmp_path: Path, path: str, target: str, relative: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).symlink_to(target)
    assert make_relative(tmp_path) == 1
    assert (tmp_path / path).readlink() == Path(relative)


def test_relative_links_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("./b")
    assert make_relative(tmp_path) == 0


def test_folders_that_are_there_are_not_merged(tmp_path: Path) -> None:
    write_tree(tmp_path, {"usr/lib/a": "x", "lib/b": "y"})
    merge_usr(tmp_path)
    assert not (tmp_path / "lib").is_symlink()
