"""Relations between packages and the order in which they are unpacked."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.host.debian.root_fs_package import Relation, parse_relations, unpack_order
from rearch.host.debian.unpack import WrongPackage
from rearch.model.source import DebianPackage
from tests.support.debian_packages import make_package, read_made


def test_relations_of_a_field() -> None:
    found = parse_relations("a (<< 1.0~), b:any (= 2:3-1) | c [amd64] <!nocheck>,\n d")
    assert found == (Relation("a", "<<", "1.0~"), Relation("b", "=", "2:3-1"), Relation("c"), Relation("d"))
    assert parse_relations("") == ()


@pytest.mark.parametrize(
    ("operator", "below", "same", "above"),
    [
        ("<<", True, False, False),
        ("<=", True, True, False),
        ("=", False, True, False),
        (">=", False, True, True),
        (">>", False, False, True),
        ("", True, True, True),
    ],
)
def test_versions_that_a_relation_holds_for(operator: str, below: bool, same: bool, above: bool) -> None:
    relation = Relation("a", operator, "1.10")
    assert [relation.holds("a", version) for version in ("1.9", "1.10", "1.10.1")] == [below, same, above]
    assert not relation.holds("b", "1.10")


def order(folder: Path, *packages: DebianPackage) -> list[str]:
    return [package.name for package in unpack_order([read_made(folder, package) for package in packages])]


def test_what_is_needed_comes_first_and_base_files_before_all(tmp_path: Path) -> None:
    packages = (
        make_package(tmp_path, "app", Depends="shell, libz (>= 1)"),
        make_package(tmp_path, "base-files", Pre_Depends="shell"),
        make_package(tmp_path, "dash", Provides="shell", Depends="libc6"),
        make_package(tmp_path, "libc6"),
        make_package(tmp_path, "libz", Pre_Depends="libc6"),
    )
    wanted = ["base-files", "libc6", "libz", "dash", "app"]
    assert order(tmp_path, *packages) == wanted
    assert order(tmp_path, *reversed(packages)) == wanted


def test_circles_are_cut(tmp_path: Path) -> None:
    packages = (make_package(tmp_path, "libc6", Depends="libgcc"), make_package(tmp_path, "libgcc", Depends="libc6"))
    assert order(tmp_path, *packages) == ["libgcc", "libc6"]


def test_another_package_under_a_locked_name(tmp_path: Path) -> None:
    package = make_package(tmp_path, "other", version="2.0-1")
    wanted = DebianPackage(name="app", version="2.0-1", architecture="arm64", file=package.file)
    with pytest.raises(WrongPackage) as caught:
        read_made(tmp_path, wanted)
    assert caught.value.found == ("other", "2.0-1", "arm64")
