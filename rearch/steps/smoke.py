"""The smoke step: a binary is started, natively or under qemu-user, and has to answer as the recipe says.

Programs that compile and panic at start are common enough (an old library, a newer check in the standard
library), and nothing but a start finds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rearch.model.command import Command, Completed
from rearch.model.platform import Platform
from rearch.model.smoke import Smoke
from rearch.model.step import SmokeInputs
from rearch.steps.ports import Emulator, Outcome, Workspace
from rearch.steps.smoke_errors import EmulatorCrashed, EmulatorGone, Failure, SmokeFailed
from rearch.steps.smoke_run import TRIES, Trial, emulator_fault, smoke_command

MISSING = "missing"
PASSED, NOT_RUN = "passed", "not run"


def run_smoke(inputs: SmokeInputs, work: Workspace, emulator: Emulator | None) -> Outcome:
    """Start every check's binary. Facts: `outcome` (`passed` or `not run`), `emulator`, `checks` (the argv's).

    Errors: SmokeFailed with every check that failed; EmulatorCrashed; EmulatorGone when the plan knew one.
    """
    if inputs.emulator == MISSING:
        return not_run(no_emulator(inputs.platform), MISSING, work)
    if inputs.emulator is not None and emulator is None:
        raise EmulatorGone(inputs.emulator)
    used = emulator if inputs.emulator is not None else None
    trials = tuple(_prepare(check, inputs, work, used, number) for number, check in enumerate(inputs.checks, 1))
    failures = tuple(failure for trial in trials if (failure := attempt(trial, work, work.run, _hint)) is not None)
    if failures:
        raise SmokeFailed(inputs.platform, len(trials), failures)
    return passed(inputs.checks, inputs.emulator)


def no_emulator(platform: Platform) -> str:
    """Why nothing of a foreign platform can be started."""
    return f"no qemu-{platform.arch.qemu} on this host (apt-get install qemu-user-static)"


def not_run(why: str, emulator: str | None, work: Workspace) -> Outcome:
    """The outcome of checks that could not be made here."""
    note = f"{NOT_RUN}: {why}"
    work.say(note)
    return Outcome(facts={"outcome": NOT_RUN, "emulator": emulator, "checks": []}, note=note)


def passed(checks: Sequence[Smoke], emulator: str | None) -> Outcome:
    """The outcome of checks that were all met."""
    count = len(checks)
    how = f"under {emulator}" if emulator else "natively"
    return Outcome(
        facts={"outcome": PASSED, "emulator": emulator, "checks": [list(check.run) for check in checks]},
        note=f"{count} check{'s' if count != 1 else ''} passed {how}",
    )


def _prepare(check: Smoke, inputs: SmokeInputs, work: Workspace, emulator: Emulator | None, number: int) -> Trial:
    sysroot = work.needs.get("sysroot")
    cwd = work.scratch / f"smoke-{number}"
    cwd.mkdir()
    binary = work.needs["binaries"].files / "bin" / check.run[0]
    root = sysroot.files / "sysroot" if sysroot else None
    command = smoke_command(check, binary, cwd, inputs.platform, emulator=emulator, sysroot=root)
    return Trial(check=check, binary=binary, command=command, emulator=emulator)


def attempt(
    trial: Trial,
    work: Workspace,
    run: Callable[[Command], Completed],
    hint: Callable[[Trial, Completed], str | None],
) -> Failure | None:
    """One check; None when it is met. A crash of qemu itself is tried again: it is known to come and go.

    `hint` says what is known about such an end. Errors: EmulatorCrashed, and those of `run`.
    """
    for number in range(1, TRIES + 1):
        work.say(f"$ {trial.line}")
        done = run(trial.command)
        fault = emulator_fault(done) if trial.emulator else None
        if fault is None:
            reasons = tuple(_reasons(trial.check, done))
            return Failure(trial=trial, completed=done, reasons=reasons, hint=hint(trial, done)) if reasons else None
        work.say(f"{trial.emulated_by} itself failed ({fault}), try {number} of {TRIES}")
    raise EmulatorCrashed(trial, done, fault or "")


def _reasons(check: Smoke, done: Completed) -> Iterator[str]:
    """Everything in which the run was not as wanted."""
    if check.stop and done.matched:
        return
    if done.exit is None:
        yield f"it was still running after {check.timeout:g} s" + (" and had not printed it" if check.stop else "")
    elif check.stop:
        yield f"it ended by itself ({_exit(done.exit)}) before it printed what was waited for"
    elif done.exit != check.exit:
        yield f"{_exit(done.exit)}, wanted exit code {check.exit}"
    if check.expect is not None and not re.search(check.expect, done.output, re.MULTILINE):
        yield f"its output does not match {check.expect!r}"


def _exit(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


_LOADER = re.compile(r"Could not open '(?P<loader>/[^']{1,300})'")
_TARGET_ILL = re.compile(r"uncaught target signal 4\b")


def _hint(trial: Trial, done: Completed) -> str | None:
    """What is known about such an end, from the likeliest to the most general."""
    loader = missing_loader(trial, done)
    if loader:
        return f"it is dynamic and {loader} is not there: name its libraries in `build.go.cgo.packages`"
    return known_end(trial, done)


def missing_loader(trial: Trial, done: Completed) -> str | None:
    """The loader that qemu did not find."""
    found = _LOADER.search(done.output) if trial.emulator else None
    return found["loader"] if found else None


def known_end(trial: Trial, done: Completed) -> str | None:
    """What is known about such an end, wherever the program was started."""
    from rearch.planning.fixes.explain import explain

    if trial.emulator and _TARGET_ILL.search(done.output):
        return f"an instruction that {trial.emulator.name} lacks: it was compiled for a newer processor"
    known = explain(done.output, _go_version(trial.binary))
    if known:
        return "; ".join(hint.text for hint in known)
    if done.exit is None and not trial.check.stop:
        return "a program that keeps running needs `stop: true` and `expect` with what it prints when it is ready"
    return None


def _go_version(binary: Path) -> str:
    """Of a Go program, as in 1.27.3; empty for anything else, also what cannot be read."""
    from rearch.formats.elf import BrokenElf, read_elf

    try:
        facts = read_elf(binary)
    except BrokenElf:
        return ""
    return facts.go.version.removeprefix("go").partition(" ")[0] if facts and facts.go else ""
