"""The command line as a user meets it: a process of its own, a clean environment, its exit code and both outputs.

rearch = Cli(project, cache)
done = rearch.run("build", "--arch", "arm64", code=0)
done.err, done.out, done.events
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent

_INHERITED = re.compile(r"PATH|HOME|LANG|TMPDIR|PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(?i:[a-z]+_proxy)")


@dataclass(frozen=True)
class Ran:
    """What a run left. `code` is negative for a signal."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """The lines of `--progress json` on stderr."""
        return tuple(json.loads(line) for line in self.err.splitlines() if line.startswith("{"))

    @property
    def started(self) -> tuple[str, ...]:
        """The steps that really ran, as plain progress says them: `compile demo/hello linux/arm64`."""
        return tuple(re.findall(r"^start   (.+?): ", self.err, re.MULTILINE))

    def __str__(self) -> str:
        command = " ".join(self.argv)
        return f"$ {command}\nexit code {self.code} after {self.seconds:.1f} s\n{self.out}\n-- stderr:\n{self.err}"


def clean_environment(**more: str) -> dict[str, str]:
    """What a user's shell gives, without anything that is rearch's own."""
    kept = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    # Byte code is kept where it is asked for, or every start compiles the package.
    return kept | {name: os.environ[name] for name in ("PYTHONPYCACHEPREFIX",) if name in os.environ} | more


@dataclass(frozen=True)
class Cli:
    """rearch on one project, with one cache. `prefix` is how the program is called."""

    project: Path
    cache: Path
    env: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = (sys.executable, "-m", "rearch")

    @property
    def output(self) -> Path:
        return self.project / "output"

    @property
    def binaries(self) -> Path:
        return self.output / "bin"

    def argv(self, *words: str | Path) -> tuple[str, ...]:
        return (*self.prefix, *map(str, words))

    def environment(self, env: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """The whole environment; None in `env` takes a variable away."""
        merged: dict[str, str | None] = {**clean_environment(REARCH_CACHE=str(self.cache)), **self.env, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def run(
        self,
        *words: str | Path,
        code: int | None = 0,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        timeout: float = 300.0,
    ) -> Ran:
        """Run to the end, in the project's folder. Fails the test on another exit code; None takes any."""
        argv = self.argv(*words)
        began = time.monotonic()
        done = subprocess.run(
            argv,
            cwd=cwd or self.project,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        ran = Ran(argv, done.returncode, done.stdout, done.stderr, time.monotonic() - began)
        assert code is None or ran.code == code, str(ran)
        assert "Traceback" not in ran.err, str(ran)
        return ran

    @contextmanager
    def start(self, *words: str | Path, env: Mapping[str, str | None] | None = None) -> Iterator[Running]:
        """Start it in a session of its own; whatever is left of it is killed at the end of the block."""
        log = self.project.parent / f"{self.project.name}-{time.monotonic_ns()}.err"
        argv = self.argv(*words)
        with log.open("wb") as stream, log.with_suffix(".out").open("wb") as out:
            child = subprocess.Popen(
                argv,
                cwd=self.project,
                env=self.environment(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=stream,
                start_new_session=True,
            )
        running = Running(argv, child, log, time.monotonic())
        try:
            yield running
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


@dataclass(frozen=True)
class Running:
    """A run that has not ended. Its stderr goes to `log`."""

    argv: tuple[str, ...]
    child: subprocess.Popen[bytes]
    log: Path
    began: float

    def wait_for(self, text: str, timeout: float = 120.0) -> None:
        """Until it has said this on stderr."""
        wait_until(lambda: text in self.log.read_text() or self.child.poll() is not None, timeout, f"{text!r} was said")
        assert text in self.log.read_text(), self.log.read_text()

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """A signal to the process, or to its whole group as a terminal sends it."""
        os.killpg(self.child.pid, number) if group else self.child.send_signal(number)

    def end(self, timeout: float = 120.0) -> Ran:
        """Wait for its end."""
        code = self.child.wait(timeout)
        out = self.log.with_suffix(".out").read_text()
        ran = Ran(self.argv, code, out, self.log.read_text(), time.monotonic() - self.began)
        assert "Traceback" not in ran.err, str(ran)
        return ran


def wait_until(holds: Any, timeout: float = 60.0, what: str = "it holds") -> None:
    """Poll until `holds()`; fails the test when time is up."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"waited {timeout:g} s until {what}"
        time.sleep(0.02)


def processes_of(text: str) -> dict[int, str]:
    """Live processes whose command line or working folder holds `text`: number, command line."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            here = str((entry / "cwd").readlink())
        except OSError:  # it has ended, or it is not ours
            continue
        if line and (text in line or text in here):
            found[int(entry.name)] = line
    return found
