"""quilt series beside recipes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rearch.model.stack import PatchFile
from tests.support.yaml_projects import RECIPE, load, problems, said

FOLDER = "recipes/s/patches/a"


def patches(root: Path, series: str, recipe: str = RECIPE, **files: str) -> list[tuple[str, int]]:
    found = load(
        root,
        {
            f"{FOLDER}/series": series,
            f"{FOLDER}/one.patch": "1",
            f"{FOLDER}/sub/two.patch": "2",
            "recipes/s/a.yaml": recipe,
            **files,
        },
    )
    return [(str(patch.path.relative_to(FOLDER)), patch.strip) for patch in found.stacks[0].components[0].patches]


@pytest.mark.parametrize(
    ("series", "result"),
    [
        ("", []),
        ("one.patch\nsub/two.patch\n", [("one.patch", 1), ("sub/two.patch", 1)]),
        ("sub/two.patch\none.patch", [("sub/two.patch", 1), ("one.patch", 1)]),
        ("# first\n\n  one.patch -p0  # why\n#sub/two.patch\n", [("one.patch", 0)]),
        ("one.patch -p 2\r\n./sub/two.patch -pab\r\n", [("one.patch", 2), ("sub/two.patch", 1)]),
    ],
)
def test_read(series: str, result: list[tuple[str, int]], tmp_path: Path) -> None:
    assert patches(tmp_path, series) == result


def test_the_recipe_says_what_holds_without_p(tmp_path: Path) -> None:
    recipe = RECIPE + "patch: {strip: 0}\n"
    assert patches(tmp_path, "one.patch\nsub/two.patch -p1\n", recipe) == [("one.patch", 0), ("sub/two.patch", 1)]


def test_path_and_digest(tmp_path: Path) -> None:
    found = (
        load(tmp_path, {f"{FOLDER}/series": "x\n", f"{FOLDER}/x": b"\xff\x00 bytes"}).stacks[0].components[0].patches
    )
    assert [str(patch.path) for patch in found] == [f"{FOLDER}/x"]
    assert isinstance(found[0], PatchFile)
    assert found[0].digest == hashlib.sha256(b"\xff\x00 bytes").hexdigest()


@pytest.mark.parametrize(
    ("series", "wanted"),
    [
        ("one.patch\noen.patch\n", "2:1: oen.patch cannot be read: No such file or directory; did you mean one.patch?"),
        ("  ../b/x.patch\n", "1:3: ../b/x.patch leads out of recipes/s/patches/a"),
        ("/etc/passwd\n", "1:1: /etc/passwd leads out of recipes/s/patches/a"),
        ("out.patch\n", "1:1: out.patch leads out of the project through a symbolic link"),
        ("sub\n", "1:1: sub is no plain file"),
        ("one.patch\n./one.patch -p0\n", "2:1: ./one.patch stands here twice"),
        ("one.patch -R\n", "1:1: one.patch: a patch cannot be applied in reverse; -p0, -p1, ... and -pab are read"),
        ("one.patch -p99\n", "1:1: one.patch: unknown option -p99; -p0, -p1, ... and -pab are read"),
        ("one.patch two.patch\n", "1:1: one.patch: unknown option two.patch; -p0, -p1, ... and -pab are read"),
        ("a\0b\n", "1:1: a\\x00b no file can have that name"),
    ],
)
def test_wrong(series: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "out.patch").symlink_to("/etc/passwd")
    files: dict[str, str | bytes | None] = {
        f"{FOLDER}/series": series.encode(),
        f"{FOLDER}/one.patch": "1",
        f"{FOLDER}/sub/two.patch": "2",
    }
    (line,) = said(problems(tmp_path, files))
    assert line.startswith(f"{FOLDER}/series:{wanted}")


def test_patches_without_series(tmp_path: Path) -> None:
    assert said(problems(tmp_path, {f"{FOLDER}/one.patch": "1"})) == [
        f"{FOLDER}/series: is missing, so none of the patches beside it is applied; list them in it"
    ]


def test_patches_of_nobody(tmp_path: Path) -> None:
    assert said(problems(tmp_path, {"recipes/s/patches/aa/series": ""})) == [
        "recipes/s/patches/aa: belongs to no recipe of the stack; did you mean a?"
    ]


def test_a_series_that_is_no_text(tmp_path: Path) -> None:
    assert said(problems(tmp_path, {f"{FOLDER}/series": b"x\n\xff\n"})) == [
        f"{FOLDER}/series:2:1: is not UTF-8: byte 0xff"
    ]
