"""Keeps one Docker engine for as long as somebody uses it: started by tests.support.engine, as a process of its own.

    python engine_keeper.py FOLDER

Whoever uses the engine holds a shared lock on FOLDER/users, which the kernel drops however its holder ends. When the
exclusive lock is to be had, nobody is left: the engine is stopped, by its process, and its folder removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO


def keep(folder: Path) -> None:
    """Start the engine, wait until nobody uses it, end it."""
    with (folder / "users").open("a") as users, (folder / "log").open("ab") as log:
        engine = subprocess.Popen(
            arguments(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder)},
            start_new_session=True,
        )
        while not _alone(users):
            if engine.poll() is not None:
                return  # it did not start, or died: its log says why
            time.sleep(0.2)
        _end(engine)
        shutil.rmtree(folder, ignore_errors=True)


def _alone(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def arguments(folder: Path) -> tuple[str, ...]:
    """dockerd without a network of its own (bridge, packet filter) and without the machine's configuration."""
    options = {
        "--data-root": folder / "data",
        "--exec-root": folder / "exec",
        "--pidfile": folder / "engine.pid",
        "--config-file": folder / "daemon.json",
        "--host": f"unix://{folder}/docker.sock",
        "--bridge": "none",
        "--iptables": "false",
        "--ip6tables": "false",
    }
    return ("dockerd", *(f"{name}={value}" for name, value in options.items()))


def _end(engine: subprocess.Popen[bytes]) -> None:
    """SIGTERM, which ends containers and containerd too; SIGKILL for its whole session when that takes too long."""
    engine.terminate()
    try:
        engine.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(engine.pid, signal.SIGKILL)
        engine.wait()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
