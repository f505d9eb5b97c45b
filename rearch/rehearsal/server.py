"""A stand-in for a Rancher 1.6 server: everything of it that a host meets until its agent's program runs.

It does what the fact sheet says of the real one (sections 5.1 to 5.4), and nothing more. It is ours: no text of
Rancher's is in it. Its scripts need sh, curl, tar, gzip, sha1sum and md5sum in the container.

    with StandIn(folder, archives={"pyagent": path}, access="...", secret="...", image="...") as server:
        server.api                # http://127.0.0.1:PORT/v1
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from msgspec import Struct

from rearch.host.rancher.archive import Content, read_content
from rearch.host.rancher.repack import Packed, pack_content, with_version
from rearch.model.limits import Limits
from rearch.rehearsal.faults import Fault
from rearch.rehearsal.handler import Handler, Seen

SCRIPTS = Path(__file__).with_name("scripts")
TOKEN = "REHEARSAL0TOKEN"  # noqa: S105  (what stands in the registration URL of a rehearsal; no secret)


class Applied(Struct, frozen=True, kw_only=True):
    """An agent has told that it applied this version of an item."""

    item: str
    version: str


class _Quiet(ThreadingHTTPServer):
    """Says nothing on the terminal, and does not wait for connections that somebody keeps open."""

    daemon_threads = True
    block_on_close = False
    # A kernel gives a burst of connections no more room than it is asked for.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: StandIn) -> None:
        super().__init__(address, Handler)
        self.owner = owner

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error of ours."""


class StandIn:
    """A server on a free port (or `port`) of `host` while the block runs.

    `archives`: item -> archive as the server would have it, checked at the start; it is handed out with a file
    `version` (of `versions`, by default "1") as the real server adds one. `configscripts` is made here unless it is
    given. `folder` holds what is handed out. `access` and `secret` are an agent's keys: with others, and without any,
    the answer is 401. `image` is the name that the bootstrap demands; empty: it demands none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        archives: Mapping[str, Path],
        access: str = "agent-access",
        secret: str = "agent-secret",  # noqa: S107  (keys of a rehearsal)
        image: str = "",
        versions: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.access = access
        self.secret = secret
        self.image = image
        self.token = TOKEN
        self._folder = folder
        self._host = host
        self._versions = dict(versions or {})
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._applied: list[Applied] = []
        self._faults: dict[str, list[Fault]] = {}
        self._archives: dict[str, Path] = {}
        for item, path in {"configscripts": self._configscripts(), **archives}.items():
            self.offer(item, path)
        self._server = _Quiet((host, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    # --- for who drives it

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """`http://HOST:PORT`, without a slash at its end."""
        return f"http://{self._host}:{self.port}"

    @property
    def api(self) -> str:
        """What CATTLE_URL is: the address that ends in /v1."""
        return f"{self.url}/v1"

    @property
    def registration_url(self) -> str:
        """What is given to the agent's image as its argument."""
        return f"{self.api}/scripts/{self.token}"

    @property
    def requests(self) -> tuple[Seen, ...]:
        """Every request so far, in the order in which they were answered."""
        with self._lock:
            return tuple(self._seen)

    @property
    def applied(self) -> tuple[Applied, ...]:
        """The versions that agents have reported."""
        with self._lock:
            return tuple(self._applied)

    def offer(self, item: str, archive: Path, version: str | None = None) -> Content:
        """Hand out this archive from now on. `version`: the server's for it. Errors: BadSums, ArchiveError."""
        version = version or self._versions.get(item, "1")
        content = read_content(archive, f"{item} ({archive.name})", Limits())
        target = self._folder / f"{item}-{version}.tar.gz"
        with_version(archive, target, content, version)
        with self._lock:
            self._versions[item] = version
            self._archives[item] = target
        return content

    def plant(self, item: str, *faults: Fault) -> None:
        """The next GETs of this item (or last part of a path, as `bootstrap`) go wrong like this, in turn."""
        with self._lock:
            self._faults.setdefault(item, []).extend(faults)

    def planted(self, item: str) -> int:
        """How many of these have not begun yet."""
        with self._lock:
            return len(self._faults.get(item, ()))

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- for the handler

    def note(self, seen: Seen) -> None:
        with self._lock:
            self._seen.append(seen)

    def note_applied(self, item: str, version: str) -> None:
        with self._lock:
            self._applied.append(Applied(item=item, version=version))

    def fault(self, item: str) -> Fault | None:
        with self._lock:
            waiting = self._faults.get(item)
            return waiting.pop(0) if waiting else None

    def archive(self, item: str) -> tuple[Path, str] | None:
        """The archive and its version."""
        with self._lock:
            return (self._archives[item], self._versions[item]) if item in self._archives else None

    def script(self, name: str) -> bytes | None:
        """The text of /v1/scripts/<name>: the bootstrap, or what a registration begins with."""
        if name == "bootstrap":
            return _text("bootstrap.sh", REQUIRED_IMAGE=self.image)
        if name == self.token:
            return _text("register.sh", TOKEN=self.token, URL=self.api)
        return None

    def _configscripts(self) -> Path:
        files = tuple(
            Packed(path=name, data=(SCRIPTS / name).read_bytes(), mode=0o755) for name in ("apply.sh", "config.sh")
        )
        target = self._folder / "configscripts.tar.gz"
        pack_content(target, "configscripts-rehearsal", files)
        return target


def _text(script: str, **values: str) -> bytes:
    """A script with its placeholders filled in; none of the values is for a shell to look into."""
    text = (SCRIPTS / script).read_text()
    for name, value in values.items():
        if not value.isprintable() or "'" in value:
            raise ValueError(f"{name}: {value!r} cannot stand in a shell's quotes")
        text = text.replace(f"@{name}@", value)
    return text.encode()
