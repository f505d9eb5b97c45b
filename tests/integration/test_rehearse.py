"""`rearch rehearse`: the whole story, with a real engine, a real registry and qemu; and what it leaves: nothing."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rearch.app.rehearse import PREFIX
from rearch.errors import ExitCode
from rearch.host.binfmt import turn
from rearch.host.emulators import binfmt_handler
from rearch.model.platform import parse_platform
from rearch.rehearsal.project import HOSTS
from rearch.rehearsal.story import CURED, LEFT, MACHINE, NATIVE, PROBLEM, REFIT, REFUSED, SERVER, STEPS, VOLUME
from tests.support.cli import ROOT, Cli, processes_of, wait_until
from tests.support.golang import download_cache
from tests.support.needs import need_program, unmet
from tests.support.warm_cache import warm_cache

AMD64, ARM64 = parse_platform("amd64"), parse_platform("arm64")


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A folder of this test's own for temporary files, with a short path: an engine's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        yield Path(folder)


def rehearsing(base: Path, temporary: Path) -> Cli:
    """The command on this checkout, with the shared compilers and Debian packages, and no engine of the machine's."""
    for program, package in (
        ("dockerd", "docker.io"),
        ("docker-registry", "docker-registry"),
        ("update-binfmts", "binfmt-support"),
        ("qemu-aarch64-static", "qemu-user-static"),
    ):
        need_program(program, package)
    if os.geteuid() != 0:
        unmet("root, to start a Docker engine of its own")
    nobody = f"unix://{base}/nobody.sock"
    return Cli(ROOT, shared_cache(), env={"TMPDIR": str(temporary), "DOCKER_HOST": nobody})


def shared_cache() -> Path:
    """One cache for all rehearsals of all test runs: what images start from is made once."""
    cache = download_cache() / "rehearse"
    with (download_cache() / "rehearse.lock").open("a") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        if not cache.exists():
            downloads = download_cache() / "downloads"
            downloads.mkdir(parents=True, exist_ok=True)
            warm_cache(cache)
            (cache / "downloads").symlink_to(downloads)
    return cache


def emulator_for_good() -> str | None:
    """What the kernel knows while nobody has told it something for a while: other tests do that, too."""
    with turn(ARM64):
        return binfmt_handler(ARM64)


def seen(steps: Mapping[str, Mapping[str, Any]], name: str) -> str:
    return "\n".join(steps[name]["seen"])


def test_the_whole_story(tmp_path: Path, short_tmp: Path) -> None:
    rearch = rehearsing(tmp_path, short_tmp)
    known = emulator_for_good()
    done = rearch.run("rehearse", "--json", timeout=600)
    facts = json.loads(done.out)
    steps = {step["step"]: step for step in facts["steps"]}
    assert [*steps] == [*STEPS]
    assert {step["outcome"] for step in steps.values()} == {"ok"}
    assert (facts["held"], facts["kept"]) == (True, [])

    assert "rancher-agent amd64" in seen(steps, NATIVE)
    assert "pyagent/agent: not found" in seen(steps, PROBLEM)
    assert "Invalid ELF image" in seen(steps, PROBLEM)
    assert "rancher-agent" not in seen(steps, PROBLEM)
    assert "bin/agent.aarch64" in seen(steps, REFIT)
    for name, platform in zip(CURED, HOSTS, strict=True):
        assert steps[name]["seen"][-1].startswith(f"rancher-agent {platform.arch.goarch} v")
    assert "4 hosts registered" in seen(steps, SERVER)
    assert "x86_64" in seen(steps, VOLUME)
    assert "does not run linux/arm64" in seen(steps, REFUSED)
    assert steps[LEFT]["seen"] == ["no container, no image, no volume"]

    assert emulator_for_good() == known
    check_nothing_is_left(short_tmp)


def check_nothing_is_left(temporary: Path) -> None:
    assert [path.name for path in temporary.iterdir() if path.name.startswith(PREFIX)] == []
    assert processes_of(str(temporary)) == {}
    assert str(temporary) not in Path("/proc/self/mountinfo").read_text()


def test_one_that_is_stopped_leaves_nothing_either(tmp_path: Path, short_tmp: Path) -> None:
    rearch = rehearsing(tmp_path, short_tmp)
    known = emulator_for_good()
    with rearch.start("rehearse") as run:
        # The build has begun: registry, engine and emulation are there.
        wait_until(lambda: any(short_tmp.glob(f"{PREFIX}*/project/rearch.yaml")), 240.0, "the project is written")
        assert any("dockerd" in line for line in processes_of(str(short_tmp)).values())
        run.send(signal.SIGTERM)
        ran = run.end()
    assert ran.code == ExitCode.INTERRUPTED, str(ran)
    assert emulator_for_good() == known
    check_nothing_is_left(short_tmp)


def test_a_machine_without_anything_is_told_what_to_install(tmp_path: Path) -> None:
    """PATH has nothing but Python: all that is missing is said at once, and nothing is started."""
    empty = tmp_path / "bin"
    empty.mkdir()
    rearch = Cli(ROOT, tmp_path / "cache", env={"PATH": str(empty), "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"})
    done = rearch.run("rehearse", code=ExitCode.FAILED)
    assert f"!! {MACHINE}" in done.out
    for package in ("git", "docker-registry", "docker.io", "qemu-user-static", "binfmt-support"):
        assert package in done.err.partition("apt-get install ")[2]
    assert "0 of" in done.err
    assert f"-- {LEFT}" not in done.out


def test_an_engine_elsewhere_cannot_reach_the_servers_here(tmp_path: Path) -> None:
    rearch = Cli(ROOT, tmp_path / "cache")
    done = rearch.run("rehearse", "--engine", "tcp://pi.example.org:2375", code=ExitCode.USAGE)
    assert "is no engine of this machine" in done.err
