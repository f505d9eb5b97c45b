"""Servers that rearch starts for itself: they answer while the block runs, and are gone after it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rearch.host.process import CannotStart, Processes, ToolMissing
from rearch.host.serving import ServerDied, free_port, listens, serving
from rearch.model.command import Command
from tests.support.cli import processes_of, wait_until


def command(folder: Path, *argv: str) -> Command:
    return Command(argv=argv, cwd=folder, env=(("PATH", os.environ["PATH"]),))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where a server's output goes; nothing of it may be left at the end."""
    yield tmp_path / "log"
    wait_until(lambda: not processes_of(str(tmp_path)), 10, "all processes of the test have ended")


def test_it_answers_as_long_as_the_block_runs(tmp_path: Path, log: Path) -> None:
    port = free_port()
    server = command(tmp_path, sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    with serving(server, log, lambda: listens(port), Processes()) as pid:
        assert listens(port)
        assert Path(f"/proc/{pid}").exists()
    assert not listens(port)
    assert not Path(f"/proc/{pid}").exists()


def test_it_is_ended_when_the_block_fails(tmp_path: Path, log: Path) -> None:
    port = free_port()
    server = command(tmp_path, sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    with pytest.raises(KeyError), serving(server, log, lambda: listens(port), Processes()):
        raise KeyError("a bug")
    assert not listens(port)


def test_one_that_dies_is_told_with_its_last_words(tmp_path: Path, log: Path) -> None:
    dies = command(tmp_path, sys.executable, "-c", "print('first'); raise SystemExit('no such setting')")
    with pytest.raises(ServerDied) as caught, serving(dies, log, lambda: False, Processes()):
        pytest.fail("it was never ready")
    assert set(caught.value.said) == {"first", "no such setting"}
    assert str(log) in (caught.value.hint or "")


def test_one_that_never_answers_is_ended_with_its_family(tmp_path: Path, log: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    hangs = command(tmp_path, sys.executable, "-c", code)
    with pytest.raises(ServerDied) as caught, serving(hangs, log, lambda: False, Processes(), within=1.0):
        pytest.fail("it was never ready")
    assert "it said nothing" in caught.value.details


def test_one_that_is_no_program(tmp_path: Path, log: Path) -> None:
    with pytest.raises(ToolMissing), serving(command(tmp_path, "nosuch-server"), log, lambda: True, Processes()):
        pytest.fail("there is none")
    (tmp_path / "server").write_text("#!/bin/sh\n")
    with pytest.raises(CannotStart), serving(command(tmp_path, "./server"), log, lambda: True, Processes()):
        pytest.fail("it cannot be run")
