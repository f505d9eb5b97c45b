"""Tools for measuring: run a command, take the best of several, compare with a bound."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured value with its bound; `detail` says what it was made from."""

    name: str
    value: float
    bound: float
    unit: str = ""
    detail: str = ""

    @property
    def holds(self) -> bool:
        return self.value <= self.bound

    def __str__(self) -> str:
        verdict = "ok    " if self.holds else "BROKEN"
        return f"{verdict} {self.name}: {self.value:.2f}{self.unit} (at most {self.bound:g}{self.unit}) {self.detail}"


def run(argv: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> float:
    """Seconds of one run, which must succeed. Byte code is cached, as it is for an installed program."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run(
        argv, cwd=cwd, env={**environment, **(env or {})}, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{argv} failed with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return seconds


def best(count: int, measured: Callable[[], float]) -> float:
    """The shortest of several runs: what the machine can do when nothing else disturbs it."""
    return min(measured() for _ in range(count))
