"""What a test needs from the machine. A need that is not met is named at the end; in CI it is a failure."""

from __future__ import annotations

import os
import shutil

import pytest

MISSING = "needs "


def need_program(program: str, package: str) -> str:
    """The path of a program; without it the test does not run (CI: fails)."""
    found = shutil.which(program)
    if found is None:
        unmet(f"{program} (apt-get install {package})")
    assert found is not None
    return found


def unmet(what: str) -> None:
    """Say that this machine lacks something that the test needs."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI lacks what the test {MISSING}{what}", pytrace=False)
    pytest.skip(f"{MISSING}{what}")


def elsewhere(what: str) -> None:
    """Say that the test is for another kind of machine: nothing that could be installed here, in CI neither."""
    pytest.skip(f"{MISSING}{what}")
