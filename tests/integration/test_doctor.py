"""doctor, on this host and on hosts that lack things."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from rearch.host import doctor_space
from rearch.host.doctor import Finding, Surroundings, examine, show
from rearch.model.platform import PLATFORMS, parse_platform


def look(tmp_path: Path, path: str) -> dict[str, Finding]:
    where = Surroundings(
        environment={"PATH": path, "HOME": str(tmp_path)}, cache=tmp_path / "cache", output=tmp_path / "output"
    )
    return {finding.name: finding for finding in examine(where)}


def program(folder: Path, name: str, script: str = "echo 1.0") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_this_host(tmp_path: Path) -> None:
    started = time.monotonic()
    found = look(tmp_path, os.environ["PATH"])
    assert time.monotonic() - started < 10  # 0.8 s on an idle machine
    assert found["Python"].found
    assert found["git"].found
    assert "git version" in (found["git"].found or "")
    assert {f"run {platform}" for platform in PLATFORMS} <= found.keys()
    assert any(finding.found == "natively" for name, finding in found.items() if name.startswith("run "))
    assert not any(finding.blocks for finding in found.values())


def test_a_host_with_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = look(tmp_path, str(tmp_path / "empty"))
    for name, cure in {
        "git": "apt-get install git",
        "docker": "apt-get install docker.io",
        "gcc for arm64": "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        "gcc for 386": "apt-get install gcc-i686-linux-gnu libc6-dev-i386-cross",
        "run linux/s390x": "apt-get install qemu-user-static",
    }.items():
        assert found[name].found is None, name
        assert found[name].get == cure
        assert found[name].needed_for
        assert not found[name].blocks
    assert "gcc for arm/v6" not in found
    assert "docker engine" not in found


def test_programs_that_answer_fail_or_hang(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    program(folder, "git", "echo git version 9.9")
    program(folder, "docker", 'case "$1" in --version) echo Docker version 99;; version) exit 1;; *) sleep 60;; esac')
    program(folder, "qemu-s390x-static", "echo 'qemu-s390x version 7.2.22 (Debian)'")
    program(folder, "aarch64-linux-gnu-gcc")
    found = look(tmp_path, f"{folder}:/usr/bin:/bin")
    assert found["git"].found == "git version 9.9"
    assert found["docker"].found == "Docker version 99"
    assert found["docker engine"].found is None
    assert "DOCKER_HOST" in found["docker engine"].get
    assert found["docker buildx"].found is None
    assert found["run linux/s390x"].found == "qemu-s390x-static 7.2.22"
    assert found["gcc for arm64"].found == str(folder / "aarch64-linux-gnu-gcc")


def test_without_pip_and_go_nothing_can_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    folder = tmp_path / "bin"
    folder.mkdir()
    assert look(tmp_path, str(folder))["pip"].blocks
    program(folder, "go", "echo go version go1.27.3 linux/amd64")
    assert not look(tmp_path, str(folder))["pip"].blocks
    program(folder, "pip3")
    assert look(tmp_path, str(folder))["pip"].found == str(folder / "pip3")


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_space, "TOO_LITTLE", 1 << 62)
    monkeypatch.setattr(doctor_space, "ENOUGH", 1 << 62)
    found = look(tmp_path, "/usr/bin:/bin")
    assert found["cache"].blocks
    assert found["output"].blocks
    assert "invoke gc" in found["cache"].get


def test_a_cache_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    found = look(tmp_path, "/usr/bin:/bin")
    assert found["cache"].blocks
    assert "REARCH_CACHE" in found["cache"].get


def test_the_size_of_the_cache_counts_hard_links_once(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "store" / "a"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(os.urandom(3_000_000))
    os.link(folder / "file", folder / "again")
    (folder / "loop").symlink_to(folder)
    assert (look(tmp_path, "")["cache size"].found or "").startswith("3.0 MB")


def test_what_is_shown() -> None:
    findings = (
        Finding(name="git", found="2.39", needed_for="git sources"),
        Finding(name="zig", found=None, needed_for="cgo"),
        Finding(name="docker", found=None, needed_for="images", get="apt-get install docker.io"),
        Finding(name="cache", found=None, needed_for="results", get="make room", blocks=True),
    )
    assert show(findings) == "\n".join(
        (
            "ok git     2.39",
            "-- zig     missing",
            "           for cgo",
            "-- docker  missing",
            "           for images",
            "           apt-get install docker.io",
            "!! cache   missing",
            "           for results",
            "           make room",
        )
    )
    assert json.loads(json.dumps([finding.to_facts() for finding in findings]))[3]["blocks"] is True


def test_only_the_platforms_of_interest(tmp_path: Path) -> None:
    arm64 = parse_platform("arm64")
    where = Surroundings(environment={}, cache=tmp_path, output=tmp_path, platforms=(arm64,))
    names = {finding.name for finding in examine(where) if finding.name.startswith(("run ", "gcc "))}
    assert names == {"run linux/arm64", "gcc for arm64"}
