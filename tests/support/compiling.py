"""Compile steps for tests: a source as the patch step leaves it, a real Go, and inputs with defaults.

tree = Bench(tmp_path)
outcome = tree.compile({"main.go": SOURCE}, binaries={"tool": "."})
tree.binary("tool")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rearch.model.platform import parse_platform
from rearch.model.step import CompileInputs, StepKind
from rearch.steps.compile import run_compile
from rearch.steps.ports import Need, Outcome, Workspace
from tests.support.golang import VERSION, download_cache, go_compiler
from tests.support.workspace import make_need, make_workspace

PLACE = "example.org/tool"
INPUTS = CompileInputs(
    platform=parse_platform("arm64"),
    go_version=VERSION,
    requires=None,
    place=PLACE,
    layout=None,
    directory=".",
    binaries={"tool": "."},
    links={},
    tags=(),
    ldflags=(),
    stamps={},
    strip=True,
    env={},
    cgo_kind=None,
    cgo_link=None,
    source_date_epoch=1500000000,
)


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    """Files with their folders below `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def source_need(base: Path, files: Mapping[str, str], place: str = PLACE) -> Need:
    """A patch step's result: these files at gopath/src/<place>."""
    write_tree(base / "gopath" / "src" / place, files)
    return make_need(base, StepKind.PATCH)


def go_need(base: Path) -> Need:
    """A toolchain step's result: a link to a real Go. Its key names the build cache that all tests share."""
    base.mkdir(parents=True, exist_ok=True)
    (base / "go").symlink_to(go_compiler().root)
    return make_need(base, StepKind.TOOLCHAIN, key=f"go-{VERSION}")


def compiler_caches() -> Path:
    """Where build caches of tests stay between runs."""
    return download_cache() / "compile"


def cold_caches(factory: pytest.TempPathFactory) -> Path:
    """Build caches of this test run, which began with nothing: its processes share them, as the standard library takes
    long to compile."""
    base = factory.getbasetemp()
    return (base.parent if base.name.startswith("popen-") else base) / "cold-caches"


@dataclass
class Bench:
    """One compile after the other below `base`; `work` is the last one's workspace."""

    base: Path
    needs: dict[str, Need] = field(default_factory=dict)
    caches: Path = field(default_factory=compiler_caches)
    work: Workspace | None = None

    def compile(self, files: Mapping[str, str] | Need, **changes: Any) -> Outcome:
        """Compile with INPUTS and these changes."""
        number = len(tuple(self.base.glob("source-*")))
        inputs = replace(INPUTS, **changes)
        if not isinstance(files, Need):
            files = source_need(self.base / f"source-{number}", files, inputs.place)
        needs = {"source": files, "go": go_need(self.base / f"go-{number}"), **self.needs}
        self.work = make_workspace(self.base, needs=needs, caches=self.caches)
        return run_compile(inputs, self.work)

    def binary(self, name: str) -> Path:
        """A binary of the last compile."""
        assert self.work is not None
        return self.work.files / "bin" / name
