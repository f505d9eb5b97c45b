"""A socket in front of another: an engine on this host as one on another host, which can be made slow or lost.

with forwarding(path_of_socket) as there:       # there.url: tcp://127.0.0.1:PORT
    there.hold = b"PUT "                        # a connection that asks for this waits until there.go is set
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Forwarding:
    """`held` is set when the first connection was held. `count`: bytes that were sent to the other side."""

    port: int = 0
    hold: bytes = b""
    held: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    count: int = 0

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"


@contextmanager
def forwarding(target: Path) -> Iterator[Forwarding]:
    """For as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        state = Forwarding(port=server.getsockname()[1])
        threading.Thread(target=_serve, args=(server, target, state), daemon=True).start()
        try:
            yield state
        finally:
            state.go.set()


def _serve(server: socket.socket, target: Path, state: Forwarding) -> None:
    with suppress(OSError):
        while True:
            near, _ = server.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(target))
            threading.Thread(target=_pass, args=(near, far, state), daemon=True).start()
            threading.Thread(target=_pass, args=(far, near, None), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, state: Forwarding | None) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            if state is not None:
                state.count += len(data)
                if state.hold and data.startswith(state.hold) and not state.held.is_set():
                    state.held.set()
                    state.go.wait()
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
