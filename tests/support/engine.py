"""A private Docker engine for the tests, one for all workers of a session, and emulation registered for a while.

ENGINE = engine()          # "unix:///.../docker.sock"; started on first use, stopped after the last user has ended
with emulation(platform):  # binfmt_misc knows how to run programs of that platform
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from rearch.host.binfmt import turn
from rearch.host.emulators import BINFMT, binfmt_handler
from rearch.model.platform import Platform
from tests.support.needs import elsewhere, need_program, unmet

START = 60.0

_held: list[IO[str]] = []


@cache
def engine() -> str:
    """Where the engine of this test session is; it answers. A machine that cannot run one is said by `unmet`."""
    need_program("dockerd", "docker.io")
    need_program("containerd", "containerd")
    if os.geteuid() != 0:
        unmet("root, to start a Docker engine of its own")
    folder = _folder()
    with (folder.parent / "rearch-engine.lock").open("a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        _use(folder)
        if not (folder / "docker.sock").is_socket():
            _start(folder)
    return f"unix://{folder}/docker.sock"


def engine_environment() -> dict[str, str]:
    """The environment in which rearch and docker find this engine, and no configuration of the user's."""
    folder = Path(engine().removeprefix("unix://")).parent
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder / "config"),
        "DOCKER_HOST": engine(),
    }


def _folder() -> Path:
    """The same for all xdist workers of a session; short, since the path of a socket has at most 107 bytes."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"pid{os.getpid()}")
    return Path(tempfile.gettempdir()) / f"rearch-engine-{session[:16]}"


def _use(folder: Path) -> None:
    """Hold the engine: the lock is dropped when this process ends. Waits for one that is just being stopped."""
    while True:
        folder.mkdir(exist_ok=True)
        users = (folder / "users").open("a")
        fcntl.flock(users, fcntl.LOCK_SH)
        # A keeper that was ending has removed the file that was locked here: then lock the new one.
        with suppress(FileNotFoundError):
            if (folder / "users").stat().st_ino == os.fstat(users.fileno()).st_ino:
                _held.append(users)
                return
        users.close()


def _start(folder: Path) -> None:
    (folder / "daemon.json").write_text("{}")
    keeper = subprocess.Popen(
        (sys.executable, str(Path(__file__).with_name("engine_keeper.py")), str(folder)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and keeper.poll() is None:
        if _answers(folder):
            return
        time.sleep(0.1)
    log = (folder / "log").read_text(errors="replace").splitlines() if (folder / "log").exists() else []
    if keeper.poll() is not None:
        shutil.rmtree(folder, ignore_errors=True)
    unmet(f"a Docker engine that starts here (dockerd said: {log[-1] if log else 'nothing'})")


def _answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as talk:
        try:
            talk.connect(str(folder / "docker.sock"))
            talk.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in talk.recv(64)
        except OSError:
            return False


@contextmanager
def no_emulation(platform: Platform) -> Iterator[None]:
    """Nobody registers an emulator meanwhile; on a machine that has one for good, the test is for another machine."""
    with turn(platform):
        if binfmt_handler(platform) is not None:
            elsewhere(f"a kernel that does not run {platform}")
        if not (BINFMT / "status").exists():
            _mount()
        yield


@contextmanager
def emulation(platform: Platform) -> Iterator[None]:
    """Register qemu for the platform's programs with the kernel, and take it away again if it was not there."""
    need_program(f"qemu-{platform.arch.qemu}-static", "qemu-user-static")
    need_program("update-binfmts", "binfmt-support")
    name = f"qemu-{platform.arch.qemu}"
    with turn(platform):
        there = binfmt_handler(platform) is not None
        if not there:
            _register(name, platform)
        try:
            yield
        finally:
            if not there:
                subprocess.run(("update-binfmts", "--disable", name), check=True, capture_output=True)


def _register(name: str, platform: Platform) -> None:
    if not (BINFMT / "register").exists():
        _mount()
    done = subprocess.run(("update-binfmts", "--enable", name), check=False, capture_output=True)
    if binfmt_handler(platform) is None:
        unmet(f"binfmt_misc, where {name} cannot be registered ({done.stderr.decode().strip()})")


def _mount() -> None:
    mount = ("mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT))
    done = subprocess.run(mount, check=False, capture_output=True)
    if done.returncode:
        unmet(f"binfmt_misc, which cannot be mounted here ({done.stderr.decode().strip()})")
