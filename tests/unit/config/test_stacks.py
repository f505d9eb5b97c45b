"""Stacks: which recipes, which includes, which components are asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.yaml_projects import RECIPE, STACK, load, problems, said


def recipe(name: str) -> str:
    return RECIPE.replace("name: a", f"name: {name}").replace("{a: .}", f"{{{name}: .}}")


TWO = {
    "recipes/s/b.yaml": recipe("b"),
    "recipes/t/stack.yaml": STACK.replace("name: s", "name: t"),
    "recipes/t/c.yaml": recipe("c"),
}


def ids(root: Path, **options: object) -> list[str]:
    return [component.id for stack in load(root, TWO, **options).stacks for component in stack.components]


def test_all_stacks_and_recipes_are_read(tmp_path: Path) -> None:
    assert ids(tmp_path) == ["s/a", "s/b", "t/c"]


def test_named_stacks_are_read(tmp_path: Path) -> None:
    assert ids(tmp_path, stacks=("t",)) == ["t/c"]
    assert ids(tmp_path, stacks=("t", "s", "t")) == ["t/c", "s/a", "s/b"]


@pytest.mark.parametrize("only", [("b",), ("s/b",), ("b", "s/b")])
def test_only_some_components(only: tuple[str, ...], tmp_path: Path) -> None:
    assert ids(tmp_path, only=only) == ["s/b"]


def test_only_reads_nothing_else(tmp_path: Path) -> None:
    files = {**TWO, "recipes/t/c.yaml": "["}
    assert len(load(tmp_path, files, only=("a",)).stacks) == 1


def test_unknown_names_come_with_the_nearest(tmp_path: Path) -> None:
    assert said(problems(tmp_path, TWO, stacks=("ss",))) == ["there is no stack ss; did you mean s?"]
    long = {"recipes/s/healthcheck.yaml": recipe("healthcheck")}
    assert said(problems(tmp_path, long, only=("healtcheck",))) == [
        "there is no component healtcheck; did you mean healthcheck?"
    ]
    assert said(problems(tmp_path, long, only=("s/healtcheck",))) == [
        "there is no component s/healtcheck; did you mean s/healthcheck?"
    ]


def test_the_stack_gives_order_and_selection(tmp_path: Path) -> None:
    files = {**TWO, "recipes/s/stack.yaml": STACK + "recipes: [b, a]\n", "recipes/s/unused.yaml": "["}
    (stack,) = load(tmp_path, files, stacks=("s",)).stacks
    assert [component.name for component in stack.components] == ["b", "a"]


def test_a_recipe_that_is_listed_wrongly(tmp_path: Path) -> None:
    stack = STACK + "recipes: [a, aa, a]\n"
    assert said(problems(tmp_path, {"recipes/s/stack.yaml": stack})) == [
        "recipes/s/stack.yaml:4:14: recipes[1]: there is no recipe recipes/s/aa.yaml; did you mean a?",
        "recipes/s/stack.yaml:4:18: recipes[2]: a stands here twice",
    ]


@pytest.mark.parametrize("name", ["../t/c", "/etc/passwd", "a/b", ".", "..", "a.yaml/", "A", "a b"])
def test_recipe_names_that_are_paths(name: str, tmp_path: Path) -> None:
    stack = STACK + f"recipes: ['{name}']\n"
    (line,) = said(problems(tmp_path, {**TWO, "recipes/s/stack.yaml": stack}, stacks=("s",)))
    assert line.startswith("recipes/s/stack.yaml:4:11: recipes[0]: ")
    assert "a name has lower-case letters" in line


def test_file_names_that_are_no_names(tmp_path: Path) -> None:
    (line,) = said(problems(tmp_path, {"recipes/s/A B.yaml": RECIPE.replace("name: a", "name: A B")}))
    assert line.startswith("recipes/s/A B.yaml:1:7: name:")


def test_component_names_are_unique(tmp_path: Path) -> None:
    files = {**TWO, "recipes/t/a.yaml": RECIPE}
    assert said(problems(tmp_path, files)) == [
        "recipes/t/a.yaml: the component a is also in recipes/s/a.yaml; rename one of them"
    ]
    assert load(tmp_path, files, stacks=("t",)).stacks


def test_a_stack_is_called_as_its_folder(tmp_path: Path) -> None:
    assert said(problems(tmp_path, {"recipes/s/stack.yaml": STACK.replace("name: s", "name: t")})) == [
        "recipes/s/stack.yaml:1:7: name is t, but the folder is called s; make them the same"
    ]


def test_wrong_stacks(tmp_path: Path) -> None:
    text = "name: s\nplatforms: [arm64, z80]\ncolour: red\ndefaults: []\ninclude: x\n"
    assert said(problems(tmp_path, {"recipes/s/stack.yaml": text})) == [
        "recipes/s/stack.yaml:1:1: summary is missing",
        "recipes/s/stack.yaml:2:20: platforms[1]: z80: no such platform; use one of linux/amd64, linux/arm64, "
        "linux/arm/v7, linux/arm/v6, linux/386, linux/riscv64, linux/ppc64le, linux/s390x",
        "recipes/s/stack.yaml:3:1: unknown key colour; known: bundles, defaults, include, name, platforms, "
        "publish, recipes, summary, volumes",
        "recipes/s/stack.yaml:4:11: defaults: a mapping is wanted, not a list",
        "recipes/s/stack.yaml:5:10: include: a list is wanted, not the text x; write [x]",
    ]


def test_platforms_are_normalised_and_count_once(tmp_path: Path) -> None:
    stack = STACK.replace("[arm64, arm/v7]", "[aarch64, armhf, linux/arm64, 386]")
    found = load(tmp_path, {"recipes/s/stack.yaml": stack}).stacks[0].platforms
    assert [str(platform) for platform in found] == ["linux/arm64", "linux/arm/v7", "linux/386"]


def test_no_stacks(tmp_path: Path) -> None:
    (line,) = said(problems(tmp_path, {"recipes/s/stack.yaml": None, "recipes/s/a.yaml": None}))
    assert line.startswith("there is no recipes/<stack>/stack.yaml in ")


def test_a_folder_without_stack_file(tmp_path: Path) -> None:
    (tmp_path / "recipes/empty").mkdir(parents=True)
    assert said(problems(tmp_path, {"recipes/t/x.yaml": RECIPE})) == [
        "recipes/t/stack.yaml: is missing: a stack begins with its name, a summary and its platforms"
    ]


def test_a_file_that_ends_in_yml(tmp_path: Path) -> None:
    assert said(problems(tmp_path, {"recipes/s/b.yml": RECIPE})) == ["recipes/s/b.yml: is not read; call it b.yaml"]


# Includes


def test_includes_stand_under_the_defaults(tmp_path: Path) -> None:
    files = {
        "recipes/s/stack.yaml": STACK
        + "include: [low.yaml, ../shared/high.yaml]\ndefaults: {build: {go: {ldflags: [defaults]}}}\n",
        "recipes/s/low.yaml": "build: {go: {tags: [low], layout: gopath, directory: low, ldflags: [low]}}\n",
        "recipes/shared/high.yaml": "include: [deep.yaml]\nbuild: {go: {tags: [high]}}\n",
        "recipes/shared/deep.yaml": "build: {go: {tags: [deep], directory: deep}}\n",
    }
    go = load(tmp_path, files, stacks=("s",)).stacks[0].components[0].recipe.build.go
    assert (go.layout, go.directory, go.tags, go.ldflags) == ("gopath", "deep", ("high",), ("defaults",))


def test_an_included_file_counts_once(tmp_path: Path) -> None:
    files: dict[str, str | bytes | None] = {"recipes/s/stack.yaml": STACK + "include: [i0.yaml]\n"}
    for number in range(40):
        files[f"recipes/s/i{number}.yaml"] = f"include: [i{number + 1}.yaml, i{number + 1}.yaml]\n"
    files["recipes/s/i40.yaml"] = "verify: {link: any}\n"
    assert load(tmp_path, files).stacks[0].components[0].recipe.verify.link == "any"


@pytest.mark.parametrize(
    ("include", "words"),
    [
        ("missing.yaml", "include[0]: missing.yaml: there is no file recipes/s/missing.yaml"),
        ("commom.yaml", "there is no file recipes/s/commom.yaml; did you mean common.yaml?"),
        ("/etc/passwd", "include[0]: /etc/passwd leads out of the project"),
        ("../../../x.yaml", "include[0]: ../../../x.yaml leads out of the project"),
        ("out.yaml", "include[0]: out.yaml leads out of the project"),
        ("stack.yaml", "include[0]: stack.yaml includes itself: recipes/s/stack.yaml -> recipes/s/stack.yaml"),
        ("'nul\\0'", "include[0]"),
    ],
)
def test_wrong_includes(include: str, words: str, tmp_path: Path) -> None:
    files = {
        "recipes/s/stack.yaml": STACK + f"include: [{include}]\n",
        "recipes/s/common.yaml": "verify: {link: any}\n",
    }
    files["recipes/s/stack.yaml"] += "recipes: [a]\n"
    (tmp_path / "recipes/s").mkdir(parents=True)
    (tmp_path / "recipes/s/out.yaml").symlink_to("/etc/passwd")
    (problem,) = problems(tmp_path, files)
    assert (problem.file, problem.line, problem.column) == ("recipes/s/stack.yaml", 4, 11)
    assert words in problem.render()


def test_a_circle_of_includes(tmp_path: Path) -> None:
    files = {
        "recipes/s/stack.yaml": STACK + "include: [x.yaml]\n",
        "recipes/s/x.yaml": "include:\n  - y.yaml\n",
        "recipes/s/y.yaml": "include: [x.yaml]\n",
    }
    assert said(problems(tmp_path, files)) == [
        "recipes/s/y.yaml:1:11: include[0]: x.yaml includes itself: "
        "recipes/s/x.yaml -> recipes/s/y.yaml -> recipes/s/x.yaml"
    ]


def test_a_wrong_value_of_an_included_file_is_told_there(tmp_path: Path) -> None:
    files = {"recipes/s/stack.yaml": STACK + "include: [x.yaml]\n", "recipes/s/x.yaml": "verify:\n  link: statik\n"}
    assert said(problems(tmp_path, files)) == [
        "recipes/s/x.yaml:2:9: verify.link: statik is none of static, dynamic, any; did you mean static?"
    ]


# Files that are none


def test_links_out_of_the_project(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "x.yaml").write_text(RECIPE)
    project = tmp_path / "project"
    (project / "recipes/s").mkdir(parents=True)
    (project / "recipes/s/x.yaml").symlink_to(outside / "x.yaml")
    (project / "recipes/t").symlink_to(outside)
    (project / "recipes/s/inside.yaml").symlink_to("a.yaml")
    found = said(problems(project, {"recipes/s/stack.yaml": STACK + "recipes: [a, x]\n"}, stacks=("s", "t")))
    assert found == [
        "recipes/s/x.yaml: leads out of the project through a symbolic link",
        "recipes/t/stack.yaml: is missing: a stack begins with its name, a summary and its platforms",
    ]


def test_a_folder_that_leads_out_of_the_project(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "stack.yaml").write_text(STACK)
    project = tmp_path / "project"
    (project / "recipes").mkdir(parents=True)
    (project / "recipes/t").symlink_to(outside)
    assert said(problems(project, {}, stacks=("t",))) == [
        "recipes/t/stack.yaml: leads out of the project through a symbolic link"
    ]


def test_a_link_inside_the_project_is_followed(tmp_path: Path) -> None:
    (tmp_path / "recipes/s").mkdir(parents=True)
    (tmp_path / "recipes/s/b.yaml").symlink_to("../../shared/b.yaml")
    names = [one.name for one in load(tmp_path, {"shared/b.yaml": recipe("b")}).stacks[0].components]
    assert names == ["a", "b"]


def test_pipes_folders_big_and_foreign_files(tmp_path: Path) -> None:
    folder = tmp_path / "recipes/s"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.yaml").mkdir()
    files: dict[str, str | bytes | None] = {
        "recipes/s/big.yaml": "#" * (1024 * 1024 + 1),
        "recipes/s/latin.yaml": b"name: x\nsummary: \xe9\n",
    }
    assert said(problems(tmp_path, files)) == [
        "recipes/s/big.yaml: is larger than 1024 KiB",
        "recipes/s/latin.yaml:2:10: is not UTF-8: byte 0xe9",
        "recipes/s/pipe.yaml: is no plain file",
    ]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert load(tmp_path, {"recipes/s/a.yaml": b"\xef\xbb\xbf" + RECIPE.encode()}).stacks
