"""Completion in real shells, at a real terminal: tasks, flags, tasks of two words, for `rearch` and for `invoke`."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import ROOT, SCRIPTS, clean_environment
from tests.support.needs import need_program
from tests.support.shells import Terminal, shell

STARTS = {"bash": ("bash", "--norc", "-i"), "zsh": ("zsh", "-f", "-i"), "fish": ("fish", "--no-config", "-i")}
# As docs/completion.md says it.
LOADS = {
    "bash": "source <({program} --print-completion-script bash)",
    "zsh": "autoload -Uz compinit && compinit -u -D && source <({program} --print-completion-script zsh)",
    "fish": "{program} --print-completion-script fish | source",
}
LINES = {
    "setu": "setup",
    "setup sys": "setup systemd",
    "build --keep": "build --keep-going",
    "place che": "place check",
    "bundle scan --al": "bundle scan --allow",
    "bundle.ver": "bundle.verify",
    "build --arch s39": "build --arch s390x",
    "build --arch arm64,s39": "build --arch arm64,s390x",
    "build --only network-m": "build --only network-manager",
}
INVOKE = {"dev.ch": "dev.check", "bundle scan --al": "bundle scan --allow"}


def complete(*words: str) -> list[str]:
    argv = (str(SCRIPTS / "rearch"), "--complete", "--", *words)
    done = subprocess.run(argv, env=clean_environment(), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture(params=STARTS)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Terminal]]:
    name = request.param
    need_program(name, name)
    home = tmp_path / "home"
    home.mkdir()
    more = {"HOME": str(home), "TERM": "xterm", "PS1": "$ ", "INPUTRC": "/dev/null"}
    environment = clean_environment(**more) | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    with shell(STARTS[name], ROOT, environment) as found:
        yield name, found


@pytest.mark.parametrize("program", ["rearch", "invoke"])
def test_a_shell_completes_tasks_and_flags(terminal: tuple[str, Terminal], program: str) -> None:
    name, screen = terminal
    screen.run(LOADS[name].format(program=program))
    for typed, wanted in LINES.items() if program == "rearch" else INVOKE.items():
        assert screen.completed(f"{program} {typed}") == f"{program} {wanted}"


# invoke's script for fish completes no files; docs/completion.md says so.
@pytest.mark.parametrize("terminal", ["bash", "zsh"], indirect=True)
def test_a_file_is_completed_where_no_task_fits(terminal: tuple[str, Terminal], tmp_path: Path) -> None:
    name, screen = terminal
    (tmp_path / "agent-of-old.tar.gz").touch()
    screen.run(LOADS[name].format(program="rearch"))
    found = screen.completed(f"rearch bundle scan {tmp_path}/agent-of")
    assert found == f"rearch bundle scan {tmp_path}/agent-of-old.tar.gz"


def test_flags_are_those_of_the_task_of_two_words() -> None:
    check = complete("rearch", "place", "check", "--")
    assert {"--file", "--hosts", "--json", "--offline"} <= set(check)
    assert "--out" not in check, "this is of `place` itself"
    assert complete("rearch", "place.check", "--") == check
    assert complete("/somewhere/bin/rearch", "place", "check", "--") == check
    assert complete("rearch", "--project", "/x", "place", "check", "--") == check


def test_values_are_offered_where_they_have_names(tmp_path: Path) -> None:
    assert {"arm64", "arm/v7"} <= set(complete("rearch", "build", "--arch"))
    assert "linux/arm64" in complete("rearch", "build", "--platform", "linux/")
    (tmp_path / "recipes" / "mine").mkdir(parents=True)
    for name in ("stack", "one", "two"):
        (tmp_path / "recipes" / "mine" / f"{name}.yaml").touch()
    project = ("rearch", "--project", str(tmp_path))
    assert complete(*project, "build", "--stack", "m") == ["mine"]
    assert complete(*project, "build", "--only") == ["one", "two"]
    assert complete(*project, "bump", "o") == complete(*project, "patch", "start", "o") == ["one", "two"]
    assert "systemd" in complete("rearch", "setup", "sys")
    assert "--out" in complete("rearch", "setup", "systemd", "--"), "the kind is whole"
    assert complete(*project, "build", "--only", "one,") == ["one,two"]
    assert "--jobs" in complete(*project, "build", "--only", "one", "--"), "the value is whole"
    assert "--jobs" in complete(*project, "build", "--only", "one,two", "--"), "so is the list"


def test_second_words_are_offered() -> None:
    assert complete("rearch", "bundle", "s") == ["refit", "scan", "verify"]
    assert {"scan", "bundle.scan"} <= set(complete("rearch", "bundle"))
    assert {"build", "bundle.scan", "setup"} <= set(complete("rearch"))


def test_before_a_task_the_flags_are_the_programs_own() -> None:
    assert "--project" in complete("rearch", "--")
    assert "--stack" not in complete("rearch", "--")


def test_half_a_quoted_word_is_left_to_the_shell() -> None:
    assert complete("rearch", "publish", "--to", "'oci:a") == []


def test_a_completion_is_quick() -> None:
    complete("rearch")  # byte code is there
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(3):
        complete("rearch", "build", "--")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent / 3 < 1.0, f"{spent / 3:.2f} s of CPU for one completion"
