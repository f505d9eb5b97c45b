"""Whole rearch projects with small Go programs of our own, for tests and measurements.

project = make_go_project(tmp_path / "project", components=("one", "two"))

A component is a module with one program that prints its name, its version and a greeting. The version is a stamp,
the greeting is changed by an edit, and smoke wants to see all three. The programs import nothing, so that a cold
build compiles little of the standard library.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.repositories import Content, Repository, make_repository

TOOLCHAINS = Path(__file__).parents[2] / "toolchains"
GIT_HOST = "https://git.example.org/upstream"
"""Where the recipes of projects with git sources say that the repositories are; `mirrors:` leads elsewhere."""

_STACK = """\
name: {stack}
summary: Programs for tests
platforms: [{platforms}]
defaults:
  build: {{toolchain: {toolchain}}}
"""

_RECIPE = """\
name: {name}
summary: Says good day
version: {version}
source: {source}
edits:
  - file: main.go
    pattern: 'greeting = "hello"'
    replace: 'greeting = "good day"'
    why: Manners
build:
  go:
    binaries: {{{name}: .}}
    stamps: {{main.VERSION: "${{{{ version }}}}"}}
smoke:
  - {{run: [{name}], expect: '{name} ${{{{ version }}}} good day'}}
"""

_MAIN = """\
package main

var VERSION = "dev"

const greeting = "hello"

func main() {{
	println("{name}", VERSION, greeting)
}}
"""


def make_go_project(
    root: Path,
    *,
    components: Iterable[str] = ("hello",),
    toolchain: str = "go-1.27",
    stack: str = "demo",
    version: str = "v1.0.0",
    platforms: tuple[str, ...] = ("linux/arm64",),
    upstreams: Path | None = None,
    settings: str = "",
) -> Path:
    """A project at `root`, which must not exist. Sources lie in the project, at recipes/<stack>/src/<component>.

    With `upstreams` they are git repositories below that folder instead, tagged with the version, which the
    recipes know under GIT_HOST. `settings` are more lines for rearch.yaml.
    """
    folder = root / "recipes" / stack
    folder.mkdir(parents=True)
    write_file(folder / "stack.yaml", _STACK.format(stack=stack, platforms=", ".join(platforms), toolchain=toolchain))
    copy_toolchains(root)
    for name in components:
        if upstreams is None:
            write_files(folder / "src" / name, program_files(name))
            source = f"{{path: src/{name}}}"
        else:
            upstream(upstreams, name, program_files(name), version)
            source = f'{{git: {GIT_HOST}/{name}, ref: "${{{{ version }}}}"}}'
        write_file(folder / f"{name}.yaml", _RECIPE.format(name=name, version=version, source=source))
    mirror = f"mirrors: {{{GIT_HOST}: 'file://{upstreams}'}}\n" if upstreams else ""
    if mirror + settings:
        write_file(root / "rearch.yaml", mirror + settings)
    return root


def copy_toolchains(root: Path) -> None:
    """The toolchain files that ship with rearch."""
    shutil.copytree(TOOLCHAINS, root / "toolchains")


def program_files(name: str) -> dict[str, Content]:
    """The files of a component's source."""
    return {"go.mod": f"module example.org/{name}\n\ngo 1.21\n", "main.go": _MAIN.format(name=name)}


def upstream(folder: Path, name: str, files: Mapping[str, Content], tag: str) -> Repository:
    """The bare repository of a component, made when it is not there."""
    path = folder / name
    return Repository(path) if path.exists() else make_repository(path, files, tag=tag)


def write_file(path: Path, text: str) -> Path:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_files(root: Path, files: Mapping[str, Content]) -> None:
    """Text files below `root`."""
    for name, text in files.items():
        assert isinstance(text, str)
        write_file(root / name, text)


def change(path: Path, old: str, new: str) -> None:
    """Replace the one place where `old` stands."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path}: {old!r} stands there {text.count(old)} times:\n{text}"
    path.write_text(text.replace(old, new))
