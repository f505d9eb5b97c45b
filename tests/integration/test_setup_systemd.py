"""The units of `setup systemd` under a live systemd: written, put in place as it says, run with their sandbox on."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rearch.config.setup_templates import setup_files
from rearch.engine.store import FORMAT
from rearch.errors import ExitCode
from rearch.model.setup import SetupFacts, SetupKind, TimeOfDay
from tests.support.image_project import add_image
from tests.support.needs import need_program
from tests.support.nightly import tags_of
from tests.support.registry import Server, run_registry
from tests.support.systemd import Machine, booted
from tests.support.warm_cache import demo

PROJECT, UNIT = "/srv/stack", "rearch-nightly.service"


@dataclass
class Night:
    """A machine on which the unit is to run, and the registry that it publishes to."""

    machine: Machine
    registry: Server
    rearch: str = ""
    project: str = PROJECT

    def setup(self, *words: str) -> str:
        """`setup systemd`, and then what it says is left to do, word by word."""
        done = self.machine.run(self.rearch, "--project", self.project, "setup", "systemd", *words)
        _, _, steps = done.stderr.partition("next:\n")
        for step in steps.splitlines():
            self.machine.run("sh", "-ec", step.strip())
        return done.stderr

    def run(self, result: str = "success") -> dict[str, str]:
        """Start it and wait for its end; what systemd has to say of it."""
        self.machine.run("systemctl", "start", UNIT, code=None)
        told = self.machine.run("systemctl", "show", UNIT).stdout
        facts = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        assert facts["Result"] == result, self.log()
        return facts

    def log(self) -> str:
        return self.machine.path("/var/log/night").read_text()


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    need_program("systemd-analyze", "systemd")
    need_program("qemu-aarch64-static", "qemu-user-static")
    base = tmp_path / "made"
    rearch = demo(base, "ash")
    add_image(rearch.project, "ash")
    (tmp_path / "machine").mkdir()
    with run_registry(tmp_path / "registry") as server, booted(tmp_path / "machine") as machine:
        shutil.copytree(rearch.project, machine.path(PROJECT), symlinks=True)
        _keep_compiler(rearch.cache, machine)
        # What it says, without a journal; and other tests do not have to wait for it.
        drop_in = machine.path(f"/etc/systemd/system/{UNIT}.d/log.conf")
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text(
            "[Service]\nNice=0\nStandardOutput=append:/var/log/night\nStandardError=append:/var/log/night\n"
        )
        yield Night(machine, server)


def _keep_compiler(cache: Path, machine: Machine) -> None:
    """Go is there already: a unit has no settings of pip's, and the tests' cache is not for other users."""
    place = machine.path("/var/cache/rearch")
    subprocess.run(("cp", "-rL", cache / FORMAT, _made(place) / FORMAT), check=True)


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_a_night_goes_through(night: Night) -> None:
    """As a user made for it, with homes hidden and a /tmp of its own: compiled, checked under qemu in namespaces, sent.
    The same into a folder outside of the project. Then a night with nothing new.
    """
    night.rearch = night.machine.install_rearch("/opt/rearch")
    told = night.setup("--user", "builder", "--to", f"{night.registry.host}/team", "--to", "oci:/srv/images")
    assert "systemd-analyze verify" not in told
    timer = night.machine.run("systemctl", "list-timers", "--no-legend").stdout
    assert "rearch-nightly.timer" in timer
    night.machine.run("chown", "-R", "builder:builder", PROJECT)
    facts = night.run()
    assert facts["ExecMainStatus"] == "0"
    assert (facts["ProtectSystem"], facts["ProtectHome"], facts["PrivateTmp"]) == ("strict", "yes", "yes")
    assert not facts.get("CapabilityBoundingSet")
    assert "image-smoke demo/ash linux/arm64" in night.log()
    tags = tags_of(night.registry, "team/ash")
    assert len(tags) == 2
    assert len(set(tags.values())) == 1
    assert night.machine.path("/srv/images/ash/index.json").is_file()
    owner = night.machine.run("stat", "-c", "%U", f"{PROJECT}/rearch.lock", "/var/cache/rearch").stdout
    assert owner.split() == ["builder"] * 2

    before = len(night.registry.requests())
    night.run()
    asked = {line.split()[0] for line in night.registry.requests()[before:]}
    assert asked == {"HEAD"}, "nothing new, nothing sent"


def test_an_exit_code_that_may_pass_is_tried_again(night: Night) -> None:
    """75 comes back after a while; 1 stays failed until somebody looks."""
    program = night.machine.path("/usr/local/bin/ends")
    program.write_text('#!/bin/sh\nread code </run/code\nexit "$code"\n')
    program.chmod(0o755)
    night.rearch = night.machine.install_rearch("/opt/rearch")
    night.setup("--user", "builder")
    drop_in = night.machine.path(f"/etc/systemd/system/{UNIT}.d/log.conf")
    drop_in.write_text("[Service]\nExecStart=\nExecStart=/usr/local/bin/ends\nRestartSec=1h\n")
    night.machine.run("systemctl", "daemon-reload")
    for code, state in (
        (ExitCode.TEMPORARY, "auto-restart"),
        (ExitCode.FAILED, "failed"),
        (ExitCode.PARTIAL, "failed"),
    ):
        night.machine.path("/run/code").write_text(f"{int(code)}\n")
        night.machine.run("systemctl", "start", "--no-block", UNIT)
        assert night.machine.settled(UNIT, "SubState") == state
        night.machine.run("systemctl", "stop", UNIT)
        night.machine.run("systemctl", "reset-failed", UNIT, code=None)


def test_a_program_in_a_home_folder_is_read_and_no_more(night: Night) -> None:
    """The project's owner is the user, and both the project and the program are at home."""
    night.machine.run("useradd", "--create-home", "--user-group", "ada")
    night.rearch = night.machine.install_rearch("/home/ada/venv")
    night.project = "/home/ada/stack"
    night.machine.run("cp", "-a", PROJECT, night.project)
    night.machine.run("chown", "-R", "ada:ada", "/home/ada")
    night.setup("--no-publish", "--stack", "demo")
    facts = night.run()
    assert (facts["User"], facts["ProtectHome"]) == ("ada", "read-only")
    assert "not published; nothing failed" in night.log()


@pytest.mark.parametrize(("buildah", "privileges", "exposure"), [(False, "1", 3.6), (True, "0", 8.0)])
def test_what_the_sandbox_leaves(tmp_path: Path, buildah: bool, privileges: str, exposure: float) -> None:
    """Whether a set-user-id program can help, as buildah's newuidmap must; and systemd's own sum of what is open."""
    analyze = need_program("systemd-analyze", "systemd")
    facts = SetupFacts(
        name="x",
        program=("/bin/cat", "/proc/self/status"),
        project="/srv",
        arguments=(),
        at=TimeOfDay(2, 30),
        user="daemon",
        mail="root",
        install=".",
        buildah=buildah,
        homes=False,
    )
    service = setup_files(SetupKind.SYSTEMD, facts, "/x")[0]
    file = tmp_path / service.path
    text, count = re.subn(r"^ExecStart=.*$", "ExecStart=/bin/cat /proc/self/status", service.text, flags=re.MULTILINE)
    assert count == 1
    file.write_text(text)
    argv = (analyze, "security", "--offline=true", f"--threshold={exposure * 10:.0f}", "--no-pager", str(file))
    judged = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout[-300:]
    (tmp_path / "machine").mkdir()
    with booted(tmp_path / "machine") as machine:
        machine.path("/etc/systemd/system/x.service").write_text(f"{text}StandardOutput=truncate:/var/log/x\n")
        machine.run("systemctl", "start", "x")
        status = dict(
            line.split(":\t", 1) for line in machine.path("/var/log/x").read_text().splitlines() if ":\t" in line
        )
    assert status["NoNewPrivs"] == privileges
