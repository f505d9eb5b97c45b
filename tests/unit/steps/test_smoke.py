"""The smoke step's decisions, with a runner that only says how a command ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode
from rearch.model.command import Command, Completed
from rearch.model.platform import parse_platform
from rearch.model.smoke import Smoke
from rearch.model.step import SmokeInputs, StepKind
from rearch.steps.ports import Emulator, Workspace
from rearch.steps.smoke import run_smoke
from rearch.steps.smoke_errors import EmulatorCrashed, EmulatorGone, SmokeFailed
from rearch.steps.smoke_run import emulator_fault
from tests.support.elves import go_blob, make_elf
from tests.support.workspace import log_of, make_need, make_workspace

ARM64 = parse_platform("arm64")
QEMU = Emulator(name="qemu-aarch64-static", argv=("/usr/bin/qemu-aarch64-static",))
UNCAUGHT = "qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n"


def ended(code: int | None = 0, output: str = "", *, matched: bool = False) -> Completed:
    return Completed(exit=code, output=output, seconds=0.1, matched=matched)


class Bench:
    """A binary, and a step whose commands end as they are told, in order."""

    def __init__(self, base: Path) -> None:
        self.files = base / "compiled"
        (self.files / "bin").mkdir(parents=True)
        (self.files / "bin/tool").write_bytes(make_elf(ARM64, go=go_blob("go1.27.3")))
        self.base = base
        self.commands: list[Command] = []
        self.needs = {"binaries": make_need(self.files, StepKind.COMPILE)}

    def run(self, ends: list[Completed], *checks: dict[str, Any], emulator: str | None = QEMU.name) -> Any:
        waiting: Iterator[Completed] = iter(ends)

        def runner(command: Command) -> Completed:
            self.commands.append(command)
            return next(waiting)

        self.work: Workspace = replace(make_workspace(self.base, needs=self.needs), run=runner)
        smokes = tuple(Smoke.model_validate({"run": ["tool"]} | check) for check in checks or ({},))
        inputs = SmokeInputs(platform=ARM64, checks=smokes, emulator=emulator)
        return run_smoke(inputs, self.work, QEMU if emulator == QEMU.name else None)

    def fails(self, ends: list[Completed], *checks: dict[str, Any]) -> SmokeFailed:
        with pytest.raises(SmokeFailed) as caught:
            self.run(ends, *checks)
        assert caught.value.exit_code is ExitCode.FAILED
        return caught.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_command(bench: Bench) -> None:
    check = {"run": ["tool", "--version"], "env": {"B": "2", "A": "1"}, "stdin": "text", "timeout": "5s"}
    outcome = bench.run([ended(0)], check)
    (command,) = bench.commands
    assert command.argv == ("/usr/bin/qemu-aarch64-static", str(bench.files / "bin/tool"), "--version")
    assert command.env == (("A", "1"), ("B", "2"))
    assert (command.stdin, command.timeout, command.until) == (b"text", 5.0, None)
    assert command.cwd.is_relative_to(bench.work.scratch)
    assert list(command.cwd.iterdir()) == []
    assert outcome.facts == {"outcome": "passed", "emulator": QEMU.name, "checks": [["tool", "--version"]]}
    assert outcome.note == "1 check passed under qemu-aarch64-static"


def test_the_line_in_the_log_can_be_copied(bench: Bench) -> None:
    bench.run([ended(0)], {"run": ["tool", "a b"], "env": {"A": "x y"}, "stdin": "it's"})
    expected = f"printf %s 'it'\"'\"'s' | env -i 'A=x y' /usr/bin/qemu-aarch64-static {bench.files}/bin/tool 'a b'"
    assert f"$ {expected}\n" in log_of(bench.work)


def test_natively(bench: Bench) -> None:
    outcome = bench.run([ended(0)], emulator=None)
    assert bench.commands[0].argv == (str(bench.files / "bin/tool"),)
    assert outcome.note == "1 check passed natively"


def test_the_sysroot_under_qemu_and_natively(bench: Bench, tmp_path: Path) -> None:
    bench.needs["sysroot"] = make_need(tmp_path / "root", StepKind.SYSROOT)
    root = str(tmp_path / "root/sysroot")
    bench.run([ended(0)])
    assert bench.commands[-1].argv[:3] == (*QEMU.argv, "-L", root)
    loader = ARM64.arch.glibc_loader
    (bench.files / "bin/tool").write_bytes(make_elf(ARM64, interpreter=loader, needed=("libc.so.6",)))
    bench.run([ended(0)], emulator=None)
    assert bench.commands[-1].argv[:2] == (root + loader, "--library-path")
    assert f"{root}/usr/lib/aarch64-linux-gnu" in bench.commands[-1].argv[2]
    (bench.files / "bin/tool").write_bytes(make_elf(ARM64))
    bench.run([ended(0)], emulator=None)
    assert bench.commands[-1].argv == (str(bench.files / "bin/tool"),)


def test_without_an_emulator_nothing_is_run_and_that_is_said(bench: Bench) -> None:
    outcome = bench.run([], emulator="missing")
    assert outcome.facts["outcome"] == "not run"
    assert outcome.note == "not run: no qemu-aarch64 on this host (apt-get install qemu-user-static)"
    assert bench.commands == []
    assert outcome.note in log_of(bench.work)


def test_an_emulator_that_went_away(bench: Bench) -> None:
    with pytest.raises(EmulatorGone, match="qemu-other was there when the plan was made"):
        bench.run([], emulator="qemu-other")


def test_the_wanted_exit_code_need_not_be_0(bench: Bench) -> None:
    assert bench.run([ended(3)], {"exit": "3"}).facts["outcome"] == "passed"
    assert "exit code 0, wanted exit code 3" in bench.fails([ended(0)], {"exit": "3"}).render()


def test_expect_is_searched_line_by_line(bench: Bench) -> None:
    assert bench.run([ended(0, "a\nversion 1.2\n")], {"expect": r"^version 1\.2$"}).facts["outcome"] == "passed"
    error = bench.fails([ended(0, "version 2\n")], {"expect": r"^version 1"})
    assert "its output does not match '^version 1'" in error.render()
    assert "| version 2" in error.render()


def test_every_failure_is_reported_at_once(bench: Bench) -> None:
    ends = [ended(1, "first\n"), ended(0, "fine"), ended(None, "")]
    error = bench.fails(ends, {"run": ["tool", "a"], "expect": "x"}, {}, {"run": ["tool", "c"], "timeout": "2s"})
    text = error.render()
    assert error.summary == "tool on linux/arm64: 2 of 3 smoke checks failed"
    assert "tool a: exit code 1, wanted exit code 0; its output does not match 'x'" in text
    assert "tool c: it was still running after 2 s" in text
    assert "(it printed nothing)" in text
    assert "needs `stop: true`" in text
    assert f"$ env -i /usr/bin/qemu-aarch64-static {bench.files}/bin/tool a" in text


def test_only_the_end_of_a_long_output_is_shown(bench: Bench) -> None:
    text = bench.fails([ended(1, "".join(f"line {number}\n" for number in range(100)))]).render()
    assert "... 80 lines before are in the log" in text
    assert "| line 99" in text
    assert "| line 79" not in text


def test_a_server_is_stopped_when_it_is_ready(bench: Bench) -> None:
    check = {"stop": "true", "expect": "listening"}
    assert bench.run([ended(-15, "listening", matched=True)], check).facts["outcome"] == "passed"
    assert bench.commands[0].until == "listening"
    late = bench.fails([ended(None, "starting")], check).render()
    assert "still running after 30 s and had not printed it" in late
    ended_early = bench.fails([ended(0, "bye")], check).render()
    assert "it ended by itself (exit code 0) before it printed what was waited for" in ended_early


def test_a_known_ill_is_named(bench: Bench) -> None:
    panic = "panic: encoding alphabet includes duplicate symbols\n"
    assert "fixes: [codec-base64]" in (bench.fails([ended(2, panic)]).hint or "")


def test_a_missing_loader_is_named(bench: Bench) -> None:
    text = "qemu-aarch64-static: Could not open '/lib/ld-linux-aarch64.so.1': No such file or directory\n"
    assert "/lib/ld-linux-aarch64.so.1 is not there" in (bench.fails([ended(255, text)]).hint or "")


def test_an_instruction_that_the_processor_lacks_is_named(bench: Bench) -> None:
    text = "qemu: uncaught target signal 4 (Illegal instruction) - core dumped\n"
    error = bench.fails([ended(-4, text)])
    assert "killed by signal 4" in error.render()
    assert "newer processor" in (error.hint or "")


def test_a_crash_of_qemu_itself_is_tried_again(bench: Bench) -> None:
    assert bench.run([ended(-11), ended(-11), ended(0)]).facts["outcome"] == "passed"
    assert "try 2 of 3" in log_of(bench.work)
    with pytest.raises(EmulatorCrashed) as caught:
        bench.run([ended(-11)] * 3)
    assert "crashed while it ran tool: killed by signal 11" in caught.value.render()


def test_a_crash_of_the_program_is_not_tried_again(bench: Bench) -> None:
    bench.fails([ended(-11, UNCAUGHT)])
    assert len(bench.commands) == 1
    with pytest.raises(SmokeFailed):
        bench.run([ended(-11)], emulator=None)


@pytest.mark.parametrize(
    ("done", "fault"),
    [
        (ended(0), None),
        (ended(2, "panic: x"), None),
        (ended(None), None),
        (ended(-11, UNCAUGHT), None),
        (ended(-15, "ready", matched=True), None),
        (ended(-9), "killed by signal 9"),
        (ended(-6, "qemu-arm-static: ../tcg/tcg.c:1: f: Assertion `x' failed.\n"), "qemu-arm-static: ../tcg"),
        (ended(-11, "QEMU internal SIGSEGV {code=MAPERR, addr=0x20}\n"), "QEMU internal SIGSEGV"),
        (ended(1, "qemu-arm: Unable to reserve 0x80000000 bytes\n"), "qemu-arm: Unable to reserve"),
        (ended(-6, "**\nERROR:../accel/tcg/cpu-exec.c:954: code should not be reached\n"), "ERROR:../accel"),
        (ended(0, "a line with qemu-arm: fatal: in it that the program printed"), None),
    ],
)
def test_whose_fault_it_was(done: Completed, fault: str | None) -> None:
    found = emulator_fault(done)
    assert (found is None) if fault is None else (found or "").startswith(fault)
