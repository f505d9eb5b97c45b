"""A Docker engine of our own, beside whatever runs on the machine: no network, no packet filter, no configuration of
the machine's. It needs root, `dockerd` and `containerd`, and is gone with everything in it when the block ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rearch.host.process import Processes
from rearch.host.serving import serving
from rearch.model.command import Command

SOCKET = "docker.sock"


@contextmanager
def private_engine(folder: Path, processes: Processes, environment: Mapping[str, str]) -> Iterator[str]:
    """Start dockerd with all that it keeps below `folder`; its URL. Containers have no network but the host's.

    `folder` is short: the path of a socket has at most 107 bytes (unix(7)). Errors: ToolMissing, ServerDied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "daemon.json").write_text("{}")
    home = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": environment.get("PATH", "")}
    command = Command(argv=arguments(folder), cwd=folder, env=tuple(sorted(home.items())))
    place = folder / SOCKET
    try:
        with serving(command, folder / "dockerd.log", lambda: answers(place), processes):
            yield f"unix://{place}"
    finally:
        _unmount(folder, processes, environment)


def _unmount(folder: Path, processes: Processes, environment: Mapping[str, str]) -> None:
    """dockerd leaves the mount by which it holds a network namespace (exec/netns/default) when it ends."""
    for place in mounts_below(folder, Path("/proc/self/mountinfo").read_text()):
        argv = ("umount", "--lazy", place)
        processes.run(Command(argv=argv, cwd=Path("/"), env=(("PATH", environment.get("PATH", "")),), timeout=20.0))


def mounts_below(folder: Path, mountinfo: str) -> tuple[str, ...]:
    """Mount points below a folder, the deepest first. `mountinfo` is proc(5)'s: the point is the fifth word. Pure."""
    points = [line.split()[4] for line in mountinfo.splitlines()]
    return tuple(sorted((point for point in points if point.startswith(f"{folder}/")), key=len, reverse=True))


def arguments(folder: Path) -> tuple[str, ...]:
    """dockerd without a network of its own (bridge, packet filter) and without the machine's configuration."""
    options = {
        "--data-root": folder / "data",
        "--exec-root": folder / "exec",
        "--pidfile": folder / "dockerd.pid",
        "--config-file": folder / "daemon.json",
        "--host": f"unix://{folder / SOCKET}",
        "--bridge": "none",
        "--iptables": "false",
        "--ip6tables": "false",
    }
    return ("dockerd", *(f"{name}={value}" for name, value in options.items()))


def answers(place: Path) -> bool:
    """Whether an engine answers at that socket."""
    with socket.socket(socket.AF_UNIX) as talk:
        try:
            talk.settimeout(5.0)
            talk.connect(str(place))
            talk.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in talk.recv(64)
        except OSError:
            return False
