"""What an overlay is told, as values, and what can be wrong with that."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from rearch.errors import StepError, UsageError
from rearch.host.rancher.content import api_address
from rearch.host.rancher.items import check_item, item_of
from rearch.model.limits import Limits

# The address of the API ends in one of these; requests that come in bring it along.
_VERSIONS = ("/v1", "/v2-beta")


class OverlayConfig(Struct, frozen=True, kw_only=True):
    """`server` is what stands before the path of each request, without a slash at its end; `archives` are refitted ones
    by item. `port` 0: a free one. `timeout` in seconds: for a connection, and without any byte; `grace` in seconds: for
    requests that are under way when it stops; `checked` in seconds: how long the server's word on an agent's keys
    counts. `body_limit` in bytes: of a request that is passed on."""

    server: str
    archives: tuple[tuple[str, Path], ...]
    host: str = "127.0.0.1"
    port: int = 8088
    limits: Limits = Limits()
    timeout: float = 60.0
    grace: float = 10.0
    checked: float = 60.0
    body_limit: int = 64 << 20


class BadListen(UsageError):
    """`--listen` that is no HOST:PORT."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"--listen {text}: not HOST:PORT", hint="as in 127.0.0.1:8088, [::1]:8088 or 0.0.0.0:8088")


class BadBundle(UsageError):
    """`--bundle` that names no item and archive."""

    def __init__(self, text: str, why: str) -> None:
        self.text = text
        self.why = why
        super().__init__(f"--bundle {text}: {why}", hint="as in --bundle pyagent=output/bundles/go-agent.tar.gz")


class NoBundles(UsageError):
    """There is nothing that could stand in the server's place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"no refitted archive in {folder}",
            hint="make one with `rearch bundle refit`, or name one: --bundle pyagent=FILE",
        )


class TwoBundles(UsageError):
    """Two archives for one item."""

    def __init__(self, item: str, paths: Iterable[Path]) -> None:
        self.item = item
        self.paths = tuple(paths)
        names = ", ".join(str(path) for path in self.paths)
        super().__init__(f"several archives for {item}: {names}", hint=f"name one: --bundle {item}=FILE")


class CannotListen(StepError):
    """The address is taken, or not of this machine."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        self.host = host
        self.port = port
        self.errno = error.errno
        reason = (error.strerror or str(error)).rpartition(": ")[2]
        super().__init__(f"cannot listen on {host}:{port}: {reason}", hint="name another address: --listen HOST:PORT")


def upstream(server: str) -> str:
    """`http://host:8080/v1` -> `http://host:8080`: requests bring their own /v1. Errors: BadServer."""
    parts = urlsplit(api_address(server))
    path = parts.path.rstrip("/")
    for version in _VERSIONS:
        path = path.removesuffix(version)
    return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))


def parse_listen(text: str) -> tuple[str, int]:
    """`127.0.0.1:8088`, `[::1]:8088`, `:8088` (all addresses), `8088` (this machine alone). Errors: BadListen."""
    host, colon, port = text.strip().rpartition(":")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise BadListen(text)
    if not colon:
        return "127.0.0.1", int(port)
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104  (it was asked for)


def parse_bundle(text: str) -> tuple[str, Path]:
    """`pyagent=FILE`; or a FILE whose name tells the item. Errors: BadBundle, UnknownItem."""
    item, equals, path = text.partition("=")
    if not equals:
        item, path = item_of(Path(text).name) or "", text
        if not item:
            raise BadBundle(text, "its name does not tell which content item it is")
    found = Path(path).expanduser().absolute()
    if not path or not found.is_file():
        raise BadBundle(text, "no such file")
    return check_item(item), found


def bundles_in(folder: Path) -> tuple[tuple[str, Path], ...]:
    """The archives of a folder whose names tell their items. Errors: NoBundles."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [(item, path) for path in files if path.is_file() and (item := item_of(path.name))]
    if not found:
        raise NoBundles(folder)
    return one_each(found)


def one_each(archives: Iterable[tuple[str, Path]]) -> tuple[tuple[str, Path], ...]:
    """The same, sorted. Errors: TwoBundles."""
    by_item: dict[str, list[Path]] = {}
    for item, path in archives:
        by_item.setdefault(item, []).append(path)
    for item, paths in by_item.items():
        if len(paths) > 1:
            raise TwoBundles(item, paths)
    return tuple((item, by_item[item][0]) for item in sorted(by_item))
