"""Caches of rearch in which only the compiler is there already: no test has to fetch, unpack or warm up Go.

A test gets a cache of its own, with a store of its own. Two things in it are links to what all tests and all their
processes share below REARCH_TEST_CACHE: the result of the toolchain step, and Go's build cache, which is made to be
shared (cmd/go, "Build and test caching").
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from rearch.app.prepare import load, prepare
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.store import FORMAT, Store
from rearch.errors import ExitCode
from rearch.model.step import StepKind, ToolchainInputs
from rearch.planning.keys import keys_of
from rearch.report import silent
from tests.support.cli import Cli
from tests.support.compiling import compiler_caches
from tests.support.go_project import make_go_project
from tests.support.golang import download_cache
from tests.support.needs import unmet


def warm_cache(folder: Path, *toolchains: str) -> Path:
    """A new cache folder with these compilers (default: go-1.27) in its store."""
    folder.mkdir(parents=True)
    for toolchain in toolchains or ("go-1.27",):
        shared, key = _compiler(toolchain)
        _link(folder / FORMAT / key[:2] / key, shared / FORMAT / key[:2] / key)
        _link(folder / "go-build" / key, (shared / "go-build" / key).resolve())
    return folder


def demo(base: Path, *components: str, **options: Any) -> Cli:
    """The command line on a new project of `make_go_project` below `base`, with a warm cache of its own."""
    project = make_go_project(base / "project", components=components or ("hello",), **options)
    return Cli(project, warm_cache(base / "cache"))


def go_root(toolchain: str = "go-1.27") -> Path:
    """The GOROOT of a shared compiler."""
    shared, key = _compiler(toolchain)
    return Store(shared).files(key) / "go"


def go_cache(toolchain: str = "go-1.27") -> Path:
    """The build cache of a shared compiler."""
    shared, key = _compiler(toolchain)
    return (shared / "go-build" / key).resolve()


def cold_cache(folder: Path) -> Path:
    """A new cache folder that has nothing but the wheels, so that no test has to wait for the network twice."""
    shared, _ = _compiler("go-1.27")
    _link(folder / "downloads", (shared / "downloads").resolve())
    return folder


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@lru_cache
def _compiler(toolchain: str) -> tuple[Path, str]:
    """The shared cache, and the key of a toolchain that is in its store."""
    shared = download_cache() / "projects"
    with tempfile.TemporaryDirectory() as name, _locked(shared / f"{toolchain}.lock"):
        project = make_go_project(Path(name) / "project", toolchain=toolchain)
        inputs, key = _toolchain_step(project, shared)
        _share(shared / "go-build" / key, compiler_caches() / "go-build" / f"go-{inputs.version}")
        _share(shared / "downloads", download_cache() / "downloads")
        if not Store(shared).has(key):
            _make(Cli(project, shared), toolchain)
    return shared, key


def _toolchain_step(project: Path, cache: Path) -> tuple[ToolchainInputs, str]:
    request = Request(project=project, environment={"REARCH_CACHE": str(cache)})
    checked = load(request)
    steps = prepare(request, checked, Adapters(request, checked.settings, silent), silent).steps
    step = next(step for step in steps if step.id.kind is StepKind.TOOLCHAIN)
    assert isinstance(step.inputs, ToolchainInputs)
    return step.inputs, keys_of(steps)[step.id]


def _share(path: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        _link(path, target)


def _make(rearch: Cli, toolchain: str) -> None:
    ran = rearch.run("build", "--arch", "arm64", code=None)
    if ran.code == ExitCode.TEMPORARY:
        unmet(f"{toolchain} from the Python package index: {ran.err.strip()[-300:]}")
    if ran.code:
        pytest.fail(f"the shared compiler cannot be made\n{ran}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
