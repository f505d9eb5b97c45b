"""`volumes:` of stack.yaml: what it says, and the place of what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.yaml_projects import STACK, load, problems, said

GOOD = """\
volumes:
  tools:
    files: {bin/a: {binary: a, mode: '755'}, readme: {file: readme, owner: '1:2'}, b: {binary: b, optional: true}}
    directories: {conf: {mode: '0711'}}
    links: {current: bin}
"""
FIRST = STACK.count("\n") + 1  # the line of `volumes:`


def found(root: Path, volumes: str) -> list[str]:
    """What is wrong, with lines counted from `volumes:`, which is 0."""
    lines = []
    for line in said(problems(root, {"recipes/s/stack.yaml": STACK + volumes})):
        file, number, rest = line.split(":", 2)
        assert file == "recipes/s/stack.yaml"
        lines.append(f"{int(number) - FIRST}:{rest}")
    return lines


def test_volumes(tmp_path: Path) -> None:
    files = {"recipes/s/stack.yaml": STACK + GOOD, "recipes/s/files/readme": "x"}
    volume = load(tmp_path, files).stacks[0].volumes["tools"]
    assert volume.files["bin/a"].mode == "0755"
    assert volume.files["bin/a"].owner == "0:0"
    assert volume.files["readme"].owner == "1:2"
    assert volume.directories["conf"].mode == "0711"
    assert volume.links == {"current": "bin"}


def test_a_stack_needs_none(tmp_path: Path) -> None:
    assert load(tmp_path, {}).stacks[0].volumes == {}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("{binary: aa}", "there is no recipe recipes/s/aa.yaml"),
        ("{binary: x, component: a}", "x is none of a"),
        ("{file: nothing}", "there is no file recipes/s/files/nothing"),
        ("{mode: '0755'}", "one of binary, file is wanted"),
        ("{binary: a, file: a}", "one of binary, file is wanted, not both"),
        ("{file: a, component: a}", "component goes with binary alone"),
        ("{file: a, optional: true}", "optional goes with binary alone"),
        ("{binary: a, owner: root:root}", "an owner in a volume is written in numbers"),
        ("{binary: a, mode: rwx}", "a mode has three or four octal digits"),
        ("{binary: a, mode: '4755'}", "setuid and setgid do not survive"),
        ("{binary: a, mode: '2711'}", "setuid and setgid do not survive"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, file: str, text: str) -> None:
    (line,) = found(tmp_path, f"volumes:\n  tools:\n    files:\n      bin/a: {file}\n")
    assert line.startswith("3:")
    assert text in line


@pytest.mark.parametrize("path", ["/bin/a", "../a", "a/../b", "a//b", "a/", "./a", ".rearch", ".rearch/a", '"a\\tb"'])
def test_a_path_that_leads_elsewhere(tmp_path: Path, path: str) -> None:
    lines = found(tmp_path, f"volumes:\n  tools:\n    files:\n      {path}: {{binary: a}}\n")
    assert len(lines) == 1
    assert "a path inside the volume" in lines[0] or "the folder that rearch itself uses" in lines[0]


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        ("{}", "neither files, directories nor links"),
        ("{files: {a: {binary: a}}, links: {a: b}}", "it is declared under files, too"),
        ("{files: {a: {binary: a}, a/b: {binary: a}}}", "a is declared as a file, so nothing can be below it"),
        ("{links: {a: b}, directories: {a/b: {}}}", "a is declared as a link, so nothing can be below it"),
        ("{links: {a: ''}}", "a link's target is wanted"),
    ],
)
def test_what_contradicts_itself(tmp_path: Path, volume: str, text: str) -> None:
    lines = found(tmp_path, f"volumes:\n  tools: {volume}\n")
    assert len(lines) == 1
    assert text in lines[0]


@pytest.mark.parametrize("name", ["a/b", "-x", "x", '"a b"', ".hidden"])
def test_a_name_that_no_engine_takes(tmp_path: Path, name: str) -> None:
    (line,) = found(tmp_path, f"volumes:\n  {name}: {{files: {{a: {{binary: a}}}}}}\n")
    assert "a volume's name has letters, digits" in line
