"""An engine on another host, reached through ssh: its socket is forwarded to one of ours.

The SDK's own ssh transport starts one ssh for each connection, and wants paramiko to be installed for that too. One
tunnel serves the SDK and the client alike. Agent, keys, names and ports are the business of the user's own ssh
(~/.ssh/config).
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from rearch.host.docker.endpoint import Endpoint
from rearch.host.docker.errors import EngineUnreachable
from rearch.host.process import Processes, ToolMissing

REMOTE = "/var/run/docker.sock"
PATIENCE = 30.0
_PASSED = ("HOME", "LANG", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "USER")


@contextmanager
def tunnelled(endpoint: Endpoint, processes: Processes, environment: Mapping[str, str]) -> Iterator[Endpoint]:
    """The endpoint as a socket on this host, for as long as the block lasts; what is no ssh:// stays as it is.

    Errors: ToolMissing (no ssh here), EngineUnreachable with what ssh said.
    """
    if endpoint.scheme != "ssh":
        yield endpoint
        return
    # The path of a socket has at most 107 bytes (unix(7)), and a step's scratch folder may lie deep.
    with tempfile.TemporaryDirectory(prefix="rearch-") as folder:
        socket, said = Path(folder) / "docker.sock", Path(folder) / "ssh"
        with said.open("wb") as log:
            child = _start(ssh_command(endpoint.url, socket), environment, log.fileno())
        with processes.adopt(child):
            _wait(child, socket, said, endpoint)
            yield replace(endpoint, url=f"unix://{socket}")


def ssh_command(url: str, socket: Path) -> tuple[str, ...]:
    """ssh that forwards the socket and does nothing else, and asks nothing: there may be nobody to answer.

    `ssh://host/run/user/1000/docker.sock` names another socket there than the usual one.
    """
    parts = urlsplit(url)
    options = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ConnectTimeout=15", "ServerAliveInterval=15")
    argv = ["ssh", "-nNT", *(word for option in options for word in ("-o", option))]
    argv += ["-l", parts.username] if parts.username else []
    argv += ["-p", str(parts.port)] if parts.port else []
    remote = parts.path if parts.path not in ("", "/") else REMOTE
    return (*argv, "-L", f"{socket}:{remote}", "--", parts.hostname or "")


def _start(argv: tuple[str, ...], environment: Mapping[str, str], log: int) -> subprocess.Popen[bytes]:
    env = {name: environment[name] for name in _PASSED if name in environment}
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)
    except FileNotFoundError:
        raise ToolMissing(argv[0]) from None


def _wait(child: subprocess.Popen[bytes], socket: Path, said: Path, endpoint: Endpoint) -> None:
    """Until the socket is there: ssh makes it when the other host has let it in."""
    deadline = time.monotonic() + PATIENCE
    while not socket.is_socket():
        ended = child.poll() is not None
        if ended or time.monotonic() > deadline:
            lines = said.read_text(errors="replace").splitlines()[-5:]
            raise EngineUnreachable(endpoint.url, endpoint.where, lines or ["ssh did not connect"])
        time.sleep(0.05)
