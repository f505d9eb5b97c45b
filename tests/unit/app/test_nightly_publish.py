"""Which stacks do not say where their images go."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.app.nightly_publish import homeless
from rearch.model.stack import Project
from rearch.publishing.errors import NoTarget
from tests.support.yaml_projects import RECIPE, STACK, load

TO = "publish: {to: [registry.example.org/team]}\n"
IMAGE = "image: {repository: a, files: [{binary: a, to: /a}], entrypoint: [/a]}\n"


def _project(root: Path, *, own: str = "", other: str = "", images: bool = True, only: tuple[str, ...] = ()) -> Project:
    """A stack `s` with the component a, and a stack `t` with b. `only`: components that are asked for."""
    image = IMAGE if images else ""
    files = {
        "recipes/s/stack.yaml": STACK + own,
        "recipes/s/a.yaml": RECIPE + image,
        "recipes/t/stack.yaml": STACK.replace("name: s", "name: t") + other,
        "recipes/t/b.yaml": RECIPE.replace("name: a", "name: b") + image.replace("repository: a", "repository: b"),
    }
    return load(root, files, **({"only": only} if only else {}))


def test_a_stack_that_does_not_say_it_is_named_with_its_components(tmp_path: Path) -> None:
    assert homeless(_project(tmp_path, own=TO)) == {"t": ("t/b",)}


def test_where_no_image_has_a_place_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoTarget) as caught:
        homeless(_project(tmp_path))
    assert caught.value.stacks == ("s", "t")


def test_nothing_is_wanted_of_stacks_that_have_no_image_to_publish(tmp_path: Path) -> None:
    assert homeless(_project(tmp_path / "places", own=TO, other=TO)) == {}
    assert homeless(_project(tmp_path / "programs", images=False)) == {}
    assert homeless(_project(tmp_path / "asked", own=TO, only=("s/a",))) == {}
