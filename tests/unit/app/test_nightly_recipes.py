"""What a night tries again: its digest is another one as soon as anything of the project's own that it reads is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.app.nightly_recipes import recipes_digest
from rearch.app.prepare import load
from rearch.app.request import Request
from tests.support.go_project import make_go_project, write_file

IMAGE = "image: {repository: one, files: [{file: one.conf, to: /etc/one.conf}]}\n"


def project(base: Path) -> Path:
    root = make_go_project(base / "project", components=("one", "two"))
    recipe = root / "recipes/demo/one.yaml"
    recipe.write_text(recipe.read_text() + IMAGE)
    write_file(root / "recipes/demo/files/one.conf", "a = 1\n")
    write_file(
        root / "recipes/other/stack.yaml", (root / "recipes/demo/stack.yaml").read_text().replace("demo", "other")
    )
    return root


def digest(root: Path, *, stacks: tuple[str, ...] | None = None) -> str:
    request = Request(project=root, stacks=stacks)
    return recipes_digest(request, load(request), ("demo/one",))


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("recipes/demo/one.yaml", True),
        ("recipes/demo/stack.yaml", True),
        ("recipes/demo/files/one.conf", True),
        ("templates/base.j2", True),
        ("toolchains/go-1.27.yaml", True),
        ("recipes/demo/two.yaml", False),
        ("recipes/other/stack.yaml", False),
        ("rearch.lock", False),
    ],
)
def test_what_is_tried_again(tmp_path: Path, name: str, again: bool) -> None:
    root = project(tmp_path)
    before = digest(root)
    path = root / name
    write_file(path, (path.read_text() if path.exists() else "") + "# edited\n")
    assert (digest(root) != before) == again


def test_a_night_of_one_stack_says_the_same(tmp_path: Path) -> None:
    root = project(tmp_path)
    assert digest(root, stacks=("demo",)) == digest(root)
