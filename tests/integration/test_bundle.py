"""Bundles as a host and a user meet them: sha1sum -c, the chooser under dash and bash, the command line."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from rearch.bundle.refit import refit_bundle
from rearch.bundle.values import RefitPlan
from rearch.model.limits import Limits
from rearch.model.platform import parse_platform
from tests.support.bundles import (
    AGENT,
    APPLY,
    PROGRAMS,
    ROOT,
    elf,
    plain_elf,
    rancher_files,
    rancher_tar,
    verified,
)
from tests.support.cli import Cli
from tests.support.needs import need_program

SHELLS = ("dash", "bash")
MACHINES = {
    "x86_64": plain_elf("amd64"),
    "aarch64": elf("arm64"),
    "armv7l": elf("arm/v7"),
    "armv8l": elf("arm/v7"),
}
# Upstream's script for host-api: it copies the program alone.
HOST_API_APPLY = b"""#!/bin/bash
set -e
cd $(dirname $0)
mkdir -p ${CATTLE_HOME}/bin
cp bin/host-api ${CATTLE_HOME}/bin/host-api
"""


def unpacked(base: Path, path: str = AGENT, apply: bytes = APPLY) -> Path:
    """What config.sh does with a refitted archive: unpack, check both sums there. The root folder."""
    program = PROGRAMS[0] if path.endswith("agent") else PROGRAMS[1]
    source = rancher_tar(base / "go-agent.tar.gz", rancher_files(path, apply=apply), sums_first=True)
    binaries = tuple(verified(base, name, program) for name in ("arm64", "arm/v7"))
    plan = RefitPlan(binaries=binaries, programs=PROGRAMS, rancher=True)
    refit_bundle(source, base / "out.tar.gz", plan, limits=Limits())
    (base / "download").mkdir()
    subprocess.run([need_program("tar", "tar"), "-xzf", base / "out.tar.gz", "-C", base / "download"], check=True)
    for name in ("SHA1SUMS", "SHA1SUMSSUM"):
        program_path = need_program("sha1sum", "coreutils")
        subprocess.run(
            [program_path, "-c", "--strict", f"{ROOT}/{name}"], cwd=base / "download", check=True, capture_output=True
        )
    return base / "download" / ROOT


def on_machine(
    base: Path, machine: str, *argv: str | Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command where `uname -m` says something else."""
    fake = base / f"bin-{machine}"
    fake.mkdir(exist_ok=True)
    (fake / "uname").write_text(f"#!/bin/sh\necho {machine}\n")
    (fake / "uname").chmod(0o755)
    home = base / "cattle"
    home.mkdir(exist_ok=True)
    environment = {"PATH": f"{fake}:{os.environ['PATH']}", "CATTLE_HOME": str(home)}
    return subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("machine", MACHINES)
def test_each_machine_gets_its_own_agent(tmp_path: Path, machine: str, shell: str) -> None:
    need_program(shell, shell)
    root = unpacked(tmp_path)
    done = on_machine(tmp_path, machine, shell, root / "apply.sh", "a", "b c")
    assert (done.returncode, done.stdout) == (0, "applied with a b c\n"), done.stderr
    applied = tmp_path / "cattle" / "pyagent"
    assert (applied / "agent").read_bytes() == MACHINES[machine]
    assert (applied / "agent").stat().st_mode & 0o777 == 0o755
    # What was copied is upstream's own, and can be started from where it lies now, by a cattle that moved it.
    assert (applied / "apply.sh").read_bytes() == APPLY
    (applied / "agent").write_text("mine")
    started = on_machine(tmp_path, machine, applied / "apply.sh", "start")
    assert (started.returncode, started.stdout) == (0, "started: mine\n")


def test_applying_twice_and_from_its_own_folder(tmp_path: Path) -> None:
    """config.sh runs apply.sh again, in debug mode, when it failed; some run it by a bare name."""
    root = unpacked(tmp_path)
    for argv in (("sh", "apply.sh"), ("sh", "-x", "apply.sh"), ("./apply.sh",)):
        done = on_machine(tmp_path, "aarch64", *argv, cwd=root)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "cattle/pyagent/agent").read_bytes() == elf("arm64")
    assert not list(root.rglob("*.new"))


def test_a_chooser_that_was_killed_can_be_run_again(tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    (root / "bin/agent.new").write_bytes(b"half")
    (root / "bin/agent").write_bytes(plain_elf("amd64"))
    assert on_machine(tmp_path, "armv7l", "sh", root / "apply.sh").returncode == 0
    assert (tmp_path / "cattle/pyagent/agent").read_bytes() == elf("arm/v7")


def test_host_api(tmp_path: Path) -> None:
    need_program("bash", "bash")
    root = unpacked(tmp_path, "bin/host-api", HOST_API_APPLY)
    done = on_machine(tmp_path, "aarch64", root / "apply.sh")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cattle/bin/host-api").read_bytes() == elf("arm64", "github.com/rancher/host-api")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_machine_without_files_is_told(tmp_path: Path, shell: str) -> None:
    root = unpacked(tmp_path)
    done = on_machine(tmp_path, "riscv64", shell, root / "apply.sh")
    assert done.returncode == 1
    assert "nothing for a machine of kind riscv64; it has files for: x86_64" in done.stderr
    assert not (tmp_path / "cattle/pyagent").exists()
    (root / "bin/agent.aarch64").unlink()
    done = on_machine(tmp_path, "aarch64", shell, root / "apply.sh")
    assert (done.returncode, "bin/agent.aarch64 is missing" in done.stderr) == (1, True)


def make_output(project: Path, *platforms: str) -> None:
    """A project with programs in output/, as `build` leaves them."""
    (project / "recipes").mkdir(parents=True)
    rows = []
    for name in platforms:
        binary = verified(project, name)
        rows.append(
            {
                "component": binary.component,
                "name": binary.name,
                "platform": str(parse_platform(name)),
                "path": str(binary.path.relative_to(project / "output")),
                "size": binary.size,
                "sha256": binary.sha256,
                "elf": {"go": {"path": "github.com/rancher/agent"}},
            }
        )
    (project / "output" / "build.json").write_text(json.dumps({"binaries": rows, "images": []}))


def test_the_command_line(tmp_path: Path) -> None:
    project = tmp_path / "project"
    make_output(project, "arm64", "arm/v7")
    rearch = Cli(project, tmp_path / "cache")
    source = str(rancher_tar(tmp_path / "go-agent.tar.gz"))
    found = json.loads(rearch.run("bundle", "scan", source, "--json", code=0).out)
    assert [(one["architecture"], one["covered_by"]["binary"]) for one in found["elves"]] == [("x86_64", "agent")]

    done = json.loads(rearch.run("bundle", "refit", source, "--json", code=0).out)
    target = project / "output/bundles/go-agent.tar.gz"
    assert done["path"] == str(target)
    assert done["machines"] == ["x86_64", "armv7l", "armv8l", "aarch64"]
    again = rearch.run("bundle", "refit", source, code=0)
    assert again.out.splitlines() == [str(target)]

    verdict = json.loads(rearch.run("bundle", "verify", str(target), "--against", source, "--json", code=0).out)
    assert verdict["right"] is True
    wrong = rearch.run("bundle", "verify", source, "--arch", "arm64", code=3)
    assert "machine: found x86_64" in wrong.out

    one = rearch.run("bundle", "refit", source, "--arch", "arm64", "--out", str(tmp_path / "one.tar.gz"), code=0)
    assert one.out.splitlines() == [str(tmp_path / "one.tar.gz")]
    rearch.run("bundle", "verify", str(tmp_path / "one.tar.gz"), "--arch", "aarch64", "--against", source, code=0)


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    project = tmp_path / "project"
    make_output(project, "arm64")
    rearch = Cli(project, tmp_path / "cache")
    other = str(rancher_tar(tmp_path / "tools.tar.gz"))
    assert "for which architecture" in rearch.run("bundle", "refit", other, code=2).err
    assert "no such archive" in rearch.run("bundle", "scan", str(tmp_path / "nothing"), code=2).err
    assert "which item" in rearch.run("bundle", "scan", "--from", "http://127.0.0.1:1/v1", code=2).err
    for words in (("bundle", "scan", "--help"), ("--help", "bundle", "scan"), ("bundle.scan", "-h")):
        assert "List the programs of a bundle" in rearch.run(*words, code=0).out
    assert "`--help bundle.refit`" in rearch.run("bundle", "refit", "--al-hosts", code=2).err
    uncovered = str(rancher_tar(tmp_path / "go-agent.tar.gz", rancher_files() | {"x": plain_elf("amd64")}))
    refused = rearch.run("bundle", "refit", uncovered, code=3)
    assert "that nothing built here covers" in refused.err
    assert not (project / "output/bundles/go-agent.tar.gz").exists()
    rearch.run("bundle", "refit", uncovered, "--allow", "x", code=0)
