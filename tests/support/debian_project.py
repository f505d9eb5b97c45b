"""A project with Debian sources, a base and a sysroot, and the archive that its host's apt knows, which moves on."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import Cli
from tests.support.debian_archive import TIME, DebianArchive, host_setup, quilt_files
from tests.support.go_project import change, make_go_project, program_files
from tests.support.repositories import Content

SOURCES = {"exact": '{debian: tool, version: "1.9-1"}  # not 2.0', "any": "{debian: tool}"}
IMAGE = """\
image:
  repository: exact
  base: {debian: stable, packages: [base-files]}
  files: [{binary: exact, to: /usr/bin/exact}]
"""


@dataclass(frozen=True)
class DebianProject:
    """demo/exact names version 1.9-1 of `tool`, demo/any takes what apt offers."""

    rearch: Cli
    archive: Path

    @property
    def recipe(self) -> Path:
        return self.rearch.project / "recipes/demo/exact.yaml"

    @property
    def lock(self) -> Path:
        return self.rearch.project / "rearch.lock"

    def state(self) -> dict[str, bytes]:
        files = [self.lock, *sorted((self.rearch.project / "recipes").rglob("*.yaml"))]
        return {path.name: path.read_bytes() for path in files if path.is_file()}

    def offers(self, *versions: str, library: str = "1.0-1", zlib: str = "1.0-1", greeting: str = "hello") -> None:
        """From now on apt offers these versions of `tool`, the last with this greeting, and these packages."""
        shutil.rmtree(self.archive, ignore_errors=True)
        made = DebianArchive(self.archive)
        made.add_deb("build-essential", {"usr/share/doc/x": "x"}, arch="amd64")
        made.add_deb("golang-b-dev", {"usr/share/gocode/src/example.org/b/b.go": "package b\n"}, version=library)
        made.add_deb("libc6", {"lib/libc.so.6": "c"}, arch="arm64")
        made.add_deb("libc6-dev", {"usr/include/stdio.h": "h"}, arch="arm64", depends="libc6")
        made.add_deb("libz-dev", {"usr/include/z.h": "h"}, arch="arm64", depends="libc6-dev", version=zlib)
        made.add_deb("base-files", {"etc/x": "x"}, arch="arm64", version=zlib)
        made.add_source("other", "1-1", quilt_files("other", "1-1", {"x": "x"}))
        for version in versions:
            last = version == versions[-1]
            files: dict[str, Content] = {**program_files("tool")}
            files["main.go"] = str(files["main.go"]).replace("hello", greeting if last else "hello")
            made.add_source(
                "tool", version, quilt_files("tool", version, files, time=TIME), Build_Depends="golang-b-dev"
            )
        made.publish()
        for stamp in (self.rearch.cache / "debian").glob("*/updated"):  # as it is some minutes later
            os.utime(stamp, (0, 0))


def make_debian_project(root: Path) -> DebianProject:
    """Locked, when apt offered 1.9-1 and 1.8-1."""
    project = make_go_project(root / "project", components=tuple(SOURCES))
    for name, source in SOURCES.items():
        recipe = project / f"recipes/demo/{name}.yaml"
        change(recipe, f"{{path: src/{name}}}", source)
        change(recipe, "  go:\n", "  go:\n    layout: module\n")
    exact = project / "recipes/demo/exact.yaml"
    change(exact, "    stamps:", "    cgo: {toolchain: gcc-cross, packages: [libz-dev]}\n    stamps:")
    exact.write_text(f"# by hand\n{exact.read_text()}{IMAGE}")
    environ = host_setup(root / "etc", f"file:{root}/archive") | {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    made = DebianProject(Cli(project, root / "cache", environ), root / "archive")
    made.offers("1.8-1", "1.9-1")
    made.rearch.run("lock")
    return made
