"""The image smoke step's decisions, with a runner that only says how the worker ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rearch.model.command import Command, Completed
from rearch.model.platform import PLATFORMS, parse_platform
from rearch.model.smoke import Smoke
from rearch.model.step import StepKind
from rearch.model.step_images import ImageSmokeInputs
from rearch.steps.image_smoke import run_image_smoke
from rearch.steps.image_smoke_run import binfmt
from rearch.steps.ports import Emulator, Outcome
from rearch.steps.smoke_errors import EmulatorCrashed, EmulatorGone, SmokeFailed
from tests.support.elves import make_elf
from tests.support.layouts import File, Folder, Link, Thing, make_image
from tests.support.workspace import log_of, make_need, make_workspace

ARM64, AMD64 = parse_platform("arm64"), parse_platform("amd64")
PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:7:8:App:/home/app:/bin/sh\n"
GROUP = b"root:x:0:\nstaff:x:50:app,other\napp:x:8:app\nmail:x:9:other\n"
THINGS: list[Thing] = [
    Folder("usr/bin"),
    Link("bin", "usr/bin"),
    File("usr/bin/tool", make_elf(ARM64)),
    File("usr/bin/run.sh", b"#!/bin/tool -e x\necho\n"),
    File("usr/bin/lost.sh", b"#!/bin/none\n"),
    File("etc/passwd", PASSWD),
    File("etc/group", GROUP),
]
STARTED = {"means": "user namespace", "binfmt": True, "notes": []}


class Bench:
    """An image, and a step whose worker reports and ends as it is told."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.requests: list[dict[str, Any]] = []
        self.commands: list[Command] = []
        self.qemu = base / "qemu-aarch64-static"
        self.qemu.write_bytes(make_elf(AMD64))
        self.emulator = Emulator(name="qemu-aarch64-static -cpu x", argv=(str(self.qemu), "-cpu", "x"))

    def run(
        self,
        *checks: Mapping[str, Any],
        report: Mapping[str, Any] | None = STARTED,
        ended: Completed | None = None,
        emulator: str | None = "qemu-aarch64-static -cpu x",
        things: list[Thing] | None = None,
        **config: Any,
    ) -> Outcome:
        make_image(self.base / "image", ARM64, [THINGS if things is None else things], **config)

        def runner(command: Command) -> Completed:
            self.commands.append(command)
            request, out = map(Path, command.argv[-2:])
            self.requests.append(json.loads(request.read_text()))
            if report is not None:
                out.write_text(json.dumps(report))
            return ended or Completed(exit=0, output="", seconds=0.1)

        need = make_need(self.base / "image", StepKind.IMAGE)
        self.work = replace(make_workspace(self.base, needs={"image": need}), run=runner)
        smokes = tuple(Smoke.model_validate({"run": ["tool"]} | dict(check)) for check in checks or ({},))
        inputs = ImageSmokeInputs(platform=ARM64, checks=smokes, emulator=emulator)
        return run_image_smoke(inputs, self.work, self.emulator if emulator == self.emulator.name else None)

    def fails(self, *checks: Mapping[str, Any], **more: Any) -> SmokeFailed:
        with pytest.raises(SmokeFailed) as caught:
            self.run(*checks, **more)
        return caught.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_request_under_an_emulator(bench: Bench) -> None:
    check = {"run": ["tool", "-v"], "env": {"A": "1", "PATH": "/bin"}, "stdin": "in", "timeout": "5s"}
    outcome = bench.run(check, env=("A=0", "B=2"), working_dir="/work")
    (request,) = bench.requests
    root = Path(request["root"])
    assert request["argv"] == ["/.rearch/qemu-aarch64-static", "-cpu", "x", "-0", "tool", "/usr/bin/tool", "-v"]
    assert (root / ".rearch/qemu-aarch64-static").read_bytes() == bench.qemu.read_bytes()
    assert request["env"] == {"A": "1", "B": "2", "PATH": "/bin", "HOME": "/root"}
    assert (request["cwd"], request["uid"], request["gid"], request["groups"]) == ("/work", 0, 0, [0])
    assert request["binfmt"]["interpreter"] == str(bench.qemu)
    (command,) = bench.commands
    assert (command.stdin, command.timeout, command.env) == (b"in", 5.0, ())
    assert root.is_relative_to(bench.work.scratch)
    assert outcome.facts == {"outcome": "passed", "emulator": bench.emulator.name, "checks": [["tool", "-v"]]}
    assert f"$ printf %s in | chroot {root} env -i " in log_of(bench.work)


def test_natively(bench: Bench) -> None:
    outcome = bench.run({"run": ["/bin/tool", "-v"]}, emulator=None)
    (request,) = bench.requests
    assert (request["argv"], request["argv0"]) == (["/usr/bin/tool", "-v"], "/bin/tool")
    assert request["binfmt"] is None
    assert not Path(request["root"], ".rearch").exists()
    assert request["env"]["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert outcome.note == "1 check passed natively"


def test_a_script_is_started_by_what_its_first_line_names(bench: Bench) -> None:
    bench.run({"run": ["run.sh", "a"]})
    argv = bench.requests[0]["argv"]
    assert argv[3:] == ["-0", "/bin/tool", "/usr/bin/tool", "-e x", "/usr/bin/run.sh", "a"]
    bench.run({"run": ["run.sh", "a"]}, emulator=None)
    assert bench.requests[1]["argv"] == ["/usr/bin/run.sh", "a"]


@pytest.mark.parametrize(
    ("user", "wanted"),
    [
        ("", (0, 0, [0], "/root")),
        ("app", (7, 8, [8, 50], "/home/app")),
        ("7", (7, 8, [8, 50], "/home/app")),
        ("app:staff", (7, 50, [50], "/home/app")),
        ("app:1", (7, 1, [1], "/home/app")),
        ("99", (99, 0, [0], "/")),
        ("99:98", (99, 98, [98], "/")),
    ],
)
def test_who_the_program_is(user: str, wanted: tuple[int, int, list[int], str], bench: Bench) -> None:
    bench.run(user=user, emulator=None)
    (request,) = bench.requests
    assert (request["uid"], request["gid"], request["groups"], request["env"]["HOME"]) == wanted


@pytest.mark.parametrize(
    ("check", "config", "words"),
    [
        ({"run": ["none"]}, {}, "there is no none in any folder of PATH"),
        ({"run": ["/usr/none"]}, {}, "there is no /usr/none in the image"),
        ({"run": ["lost.sh"]}, {}, "/usr/bin/lost.sh is a script for /bin/none, which is not in the image"),
        ({}, {"user": "ghost"}, "the image starts as ghost, and its /etc/passwd has no such user"),
        ({}, {"user": "app:ghosts"}, "the image starts in the group ghosts"),
    ],
)
def test_what_cannot_begin(check: dict[str, Any], config: dict[str, Any], words: str, bench: Bench) -> None:
    error = bench.fails(check, {"run": ["tool"], "exit": "0"}, **config)
    assert words in error.render()
    assert len(bench.requests) == (0 if config else 1)


def test_what_the_kernel_does_not_start(bench: Bench) -> None:
    error = bench.fails(
        report=STARTED | {"error": "No such file or directory"}, ended=Completed(exit=125, output="", seconds=0)
    )
    assert "it cannot be started: No such file or directory" in error.render()


def test_a_host_that_does_not_allow_it(bench: Bench) -> None:
    refused = {"means": "", "binfmt": False, "notes": [], "error": "chroot: Operation not permitted"}
    outcome = bench.run(report=refused, ended=Completed(exit=125, output="", seconds=0))
    assert outcome.facts["outcome"] == "not run"
    assert outcome.note == "not run: this host does not allow it: chroot: Operation not permitted"


def test_without_an_emulator(bench: Bench) -> None:
    assert bench.run(emulator="missing").note.startswith("not run: no qemu-aarch64 on this host")
    with pytest.raises(EmulatorGone):
        bench.run(emulator="qemu-other")
    bench.qemu.write_bytes(make_elf(AMD64, interpreter="/lib64/ld-linux-x86-64.so.2", needed=("libc.so.6",)))
    assert "needs libraries that an image does not have" in bench.run().note
    assert bench.requests == []


def test_a_worker_that_was_ended_has_no_report(bench: Bench) -> None:
    check = {"stop": "true", "expect": "ready"}
    assert bench.run(check, report=None, ended=Completed(exit=-15, output="ready", seconds=1, matched=True)).note
    error = bench.fails(check, report=None, ended=Completed(exit=None, output="", seconds=1))
    assert "still running" in error.render()


def test_children_that_only_the_kernel_could_hand_to_the_emulator(bench: Bench) -> None:
    ended = Completed(exit=126, output="sh: ls: Exec format error\n", seconds=0)
    assert "binfmt_misc" in (bench.fails(ended=ended).hint or "")


def test_a_missing_loader_is_named(bench: Bench) -> None:
    ended = Completed(exit=255, output="qemu: Could not open '/lib/ld-linux-aarch64.so.1': No such file\n", seconds=0)
    assert "/lib/ld-linux-aarch64.so.1 is not in the image" in (bench.fails(ended=ended).hint or "")


def test_a_crash_of_the_emulator_is_tried_again_and_named(bench: Bench) -> None:
    with pytest.raises(EmulatorCrashed) as caught:
        bench.run(ended=Completed(exit=-11, output="", seconds=0))
    assert len(bench.requests) == 3
    assert caught.value.summary.startswith(f"{bench.qemu} crashed while it ran tool")


def test_the_emulators_folder_is_none_of_the_images(bench: Bench) -> None:
    bench.run(things=[*THINGS, File(".rearch", b"the image's own")])
    assert bench.requests[0]["argv"][0] == "/.rearch_/qemu-aarch64-static"


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_how_the_kernel_tells_a_program(platform: Any) -> None:
    handler = binfmt(platform, Emulator(name="q", argv=("/q",)))
    magic, mask = bytes.fromhex(handler["magic"]), bytes.fromhex(handler["mask"])

    def matches(data: bytes) -> bool:
        return all((have & bits) == (want & bits) for have, want, bits in zip(data, magic, mask, strict=False))

    assert len(magic) == len(mask) == 20
    assert matches(make_elf(platform))
    assert matches(make_elf(platform, kind="pie", osabi=3))
    assert not matches(make_elf(platform, kind="object"))
    others = [each for each in PLATFORMS if each.arch.elf_machine != platform.arch.elf_machine]
    assert not any(matches(make_elf(other)) for other in others)
