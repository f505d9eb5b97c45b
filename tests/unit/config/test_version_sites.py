"""Where versions are said, and which texts move with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.config.project import load_project
from rearch.config.version_sites import VersionHidden, VersionSites, edited_texts, lines_changed, moved, version_sites
from rearch.model.recipe import GitSource
from tests.support.yaml_projects import RECIPE, STACK, write

REF = 'ref: "${{ version }}"'


def sites(root: Path, recipe: str, stack: str = STACK) -> VersionSites:
    write(root, {"recipes/s/a.yaml": recipe, "recipes/s/stack.yaml": stack})
    return version_sites(root, "s", "a")


@pytest.mark.parametrize(
    ("recipe", "version", "around", "edited"),
    [
        (RECIPE, "v1.2.3", ("", ""), {"version: v1.2.3": "version: v9"}),
        (
            RECIPE.replace(REF, 'ref: "release-${{ version }}-x"').replace(": v1.2.3", ": 1.2.3"),
            "1.2.3",
            ("release-", "-x"),
            {"version: 1.2.3": "version: v9"},
        ),
        (
            RECIPE.replace(REF, "ref: v1.2.3"),
            "v1.2.3",
            ("", ""),
            {"version: v1.2.3": "version: v9", "ref: v1.2.3": "ref: v9"},
        ),
        (
            RECIPE.replace(REF, 'ref: "${{ vars.tag }}"') + "vars: {tag: t-7}\n",
            "t-7",
            ("", ""),
            {"tag: t-7": "tag: v9"},
        ),
        (RECIPE.replace(REF, "ref: 0123abc"), "0123abc", ("", ""), {"ref: 0123abc": "ref: v9"}),
    ],
    ids=["version", "around", "twice", "variable", "apart"],
)
def test_git(tmp_path: Path, recipe: str, version: str, around: tuple[str, str], edited: dict[str, str]) -> None:
    found = sites(tmp_path, recipe)
    assert (found.current, (found.before, found.after)) == (version, around)
    wanted = recipe
    for old, new in edited.items():
        wanted = wanted.replace(old, new)
    assert edited_texts(tmp_path, found.edits("v9")) == {"recipes/s/a.yaml": (recipe, wanted)}


def test_a_version_in_the_stack_is_changed_there(tmp_path: Path) -> None:
    stack = STACK + "defaults:\n  vars: {release: v4}  # for all\n"
    recipe = RECIPE.replace("version: v1.2.3", 'version: "${{ vars.release }}"')
    # The version of a recipe cannot use its variables; its ref can.
    recipe = RECIPE.replace(REF, 'ref: "x/${{ vars.release }}"')
    found = sites(tmp_path, recipe, stack)
    texts = edited_texts(tmp_path, found.edits("v5"))
    assert texts == {"recipes/s/stack.yaml": (stack, stack.replace("v4", "v5"))}
    assert str(found.version) == "recipes/s/stack.yaml:5"
    after = load_project(
        tmp_path, stacks=None, platforms=None, texts={"recipes/s/stack.yaml": texts["recipes/s/stack.yaml"][1]}
    )
    source = after.stacks[0].components[0].recipe.source
    assert isinstance(source, GitSource)
    assert source.ref == "x/v5"
    assert (tmp_path / "recipes/s/stack.yaml").read_text() == stack


def test_an_archive_has_its_hash_changed_too(tmp_path: Path) -> None:
    sums = ("a" * 64, "b" * 64)
    source = f"source: {{archive: https://example.org/v1.2.3/a-1.2.3.tar.gz, sha256: {sums[0]}}}"
    recipe = RECIPE.replace('source: {git: https://example.org/a, ref: "${{ version }}"}', source)
    found = sites(tmp_path, recipe)
    after = edited_texts(tmp_path, found.edits("v1.3.0", sums[1]))["recipes/s/a.yaml"][1]
    assert after == recipe.replace("1.2.3", "1.3.0").replace(*sums)


def test_what_no_program_can_tell_is_said_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(VersionHidden) as caught:
        sites(tmp_path, RECIPE.replace(REF, "ref: \"${{ version | replace('.', '_') }}\""))
    assert "recipes/s/a.yaml:4" in caught.value.render()


def test_lines_that_become_one_are_told_and_no_other() -> None:
    before = 'name: a\nversion: "v1.\\\n  2"\nsource: x\nend: y\n'
    after = 'name: a\nversion: "v1.3"\nsource: x\nend: y\n'
    assert list(lines_changed(before, after)) == [
        (2, 'version: "v1.\\', 'version: "v1.3"'),
        (3, '  2"', ""),
    ]
    assert list(lines_changed(before, before)) == []


@pytest.mark.parametrize(
    ("text", "old", "new", "wanted"),
    [
        ("v1.2/a-1.2.tgz", "v1.2", "v1.3", "v1.3/a-1.3.tgz"),
        ("a-11.2-1.2.3-1.2.tgz", "1.2", "2", "a-11.2-1.2.3-2.tgz"),
        ("1.2", "1.2", r"\1", r"\1"),
    ],
)
def test_moved(text: str, old: str, new: str, wanted: str) -> None:
    assert moved(text, old, new) == wanted
