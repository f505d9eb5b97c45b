"""Words at the terminal that are half a task, of a group or misspelt: what there is, with the nearest name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from tests.support.cli import SCRIPTS, Cli, clean_environment

APPLICATION = 'name: a\nservices:\n  w: {image: registry.example.org/x:1, on: {"team/disk": ssd}}\n'
HOSTS = 'hosts:\n  pi: {arch: arm64, labels: {"team/disk": ssd}}\n'


@pytest.fixture
def rearch(tmp_path: Path) -> Cli:
    """Not in a project."""
    (tmp_path / "somewhere").mkdir()
    return Cli(tmp_path / "somewhere", tmp_path / "cache")


@pytest.mark.parametrize("words", [("bundle", "--help"), ("bundle", "-h"), ("--help", "bundle")])
def test_help_of_a_group_is_an_answer(rearch: Cli, words: tuple[str, ...]) -> None:
    done = rearch.run(*words)
    assert [line.split("  ")[1] for line in done.out.splitlines() if line.startswith("  ")] == [
        "bundle scan",
        "bundle refit",
        "bundle verify",
    ]
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("patch",), "  patch start "),
        (("place",), "  place check "),
        (("bundle", "scn", "x.tar"), "hint: did you mean bundle scan?"),
        (("place", "chek"), "hint: did you mean place check?"),
        (("bundel",), "hint: did you mean bundle?"),
        (("bundle", "scan"), "error: bundle scan wants archive"),
        (("check", "--hlep"), "hint: did you mean --help?"),
        (("bundle", "scan", "x.tar", "--from", "http://localhost:1"), "error: x.tar and --from name two bundles"),
        (("bundle", "scan", "--from", "http://localhost:1", "--json", "x.tar"), "error: x.tar and --from name two"),
        (("bundle", "scan", "--from", "http://localhost:1", "--jsn", "x.tar"), "hint: did you mean --json?"),
    ],
)
def test_nothing_is_done_and_what_there_is_is_told(rearch: Cli, words: tuple[str, ...], told: str) -> None:
    done = rearch.run(*words, code=ExitCode.USAGE)
    assert told in done.err
    assert done.out == ""


@pytest.mark.parametrize("words", [("--help",), ("--list",), ("setup", "--help")])
def test_help_that_nobody_reads_to_its_end_is_no_bug(words: tuple[str, ...]) -> None:
    """`rearch --help | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    argv = (str(SCRIPTS / "rearch"), *words)
    try:
        done = subprocess.run(argv, env=clean_environment(), stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (ExitCode.FAILED, b"")


def test_the_task_that_a_group_is_keeps_its_help(rearch: Cli) -> None:
    assert "--hosts" in rearch.run("place", "--help").out


def test_a_file_may_be_called_nearly_as_a_task(rearch: Cli) -> None:
    (rearch.project / "chek").write_text(APPLICATION)
    assert "docker-stack" not in rearch.run("place", "chek", "--for", "kubernetes").err


def test_labels_that_an_environment_does_not_take(rearch: Cli) -> None:
    for name, text in (("app.yaml", APPLICATION), ("hosts.yaml", HOSTS)):
        (rearch.project / name).write_text(text)
    words = ("place", "check", "app.yaml", "--hosts", "hosts.yaml", "--offline")
    noted = rearch.run(*words, code=ExitCode.TEMPORARY)
    assert "note: w: team/disk=ssd: for swarm" in noted.err
    assert "note: pi: team/disk=ssd: for swarm" in noted.err
    assert "for kubernetes" not in noted.err
    assert "app.yaml:3:" in rearch.run(*words, "--for", "swarm", code=ExitCode.USAGE).err
    assert "note: " not in rearch.run(*words, "--for", "kubernetes", code=ExitCode.TEMPORARY).err
