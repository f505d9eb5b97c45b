"""What all tests share: unit tests touch no network and start no process, and nothing is skipped in silence."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import MISSING

UNIT = Path(__file__).parent / "unit"


@pytest.fixture(autouse=True)
def _closed_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests/unit sockets and subprocesses are refused."""
    if UNIT in request.path.parents:

        def refuse(*_args: object, **_kwargs: object) -> Any:
            raise AssertionError("a unit test opened a socket or started a process: it belongs in tests/integration")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(subprocess, "Popen", refuse)
        monkeypatch.setattr(os, "posix_spawn", refuse)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the caller's settings of rearch, nor uses the caller's cache unless it says so."""
    for name in tuple(os.environ):
        if name.startswith("REARCH_") and name not in ("REARCH_SNAPSHOTS", "REARCH_TEST_CACHE"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name what could not run here, and what to do about it."""
    reasons = {
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        for report in terminalreporter.stats.get("skipped", [])
    }
    wanted = sorted(reason.removeprefix("Skipped: ") for reason in reasons if MISSING in reason)
    if wanted:
        terminalreporter.section("could not run here")
        for reason in wanted:
            terminalreporter.line(reason)
