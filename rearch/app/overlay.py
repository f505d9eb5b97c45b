"""`overlay`: a service before a Rancher server that hands out refitted archives in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from rearch.host.rancher.overlay_config import OverlayConfig
    from rearch.model.limits import Limits


class OverlayOrder(Struct, frozen=True, kw_only=True):
    """What the flags of `overlay` say, as they were written. `bundles` empty: those of the project's output/bundles;
    `timeout` and `grace` in seconds."""

    server: str
    bundles: tuple[str, ...] = ()
    listen: str = "127.0.0.1:8088"
    timeout: float = 60.0
    grace: float = 10.0


def overlay(
    order: OverlayOrder,
    project: Callable[[], Path],
    environment: Mapping[str, str],
    *,
    started: Callable[[str], None],
    log: Callable[[str], None],
) -> None:
    """Serve until the process is told to stop. `project` is asked for only when no bundle is named: a host that has
    nothing but the archives can run this, too. `started` is told the address, `log` gets a line a request.

    Errors: BadServer, BadListen, BadBundle, UnknownItem, NoBundles, TwoBundles; BadSums, ArchiveError for an archive
    that an agent would refuse; CannotListen.
    """
    from rearch.host.rancher.overlay import serve

    serve(_config(order, project, environment), started=started, log=log)


def _config(order: OverlayOrder, project: Callable[[], Path], environment: Mapping[str, str]) -> OverlayConfig:
    from rearch.host.rancher.overlay_config import OverlayConfig, parse_listen, upstream

    server = upstream(order.server)
    host, port = parse_listen(order.listen)
    archives, limits = _archives(order.bundles, project, environment)
    return OverlayConfig(
        server=server,
        archives=archives,
        host=host,
        port=port,
        limits=limits,
        timeout=order.timeout,
        grace=order.grace,
    )


def _archives(
    named: tuple[str, ...], project: Callable[[], Path], environment: Mapping[str, str]
) -> tuple[tuple[tuple[str, Path], ...], Limits]:
    """What is handed out, by item; without names what lies in the project's output, within the project's limits."""
    from rearch.host.rancher.overlay_config import bundles_in, one_each, parse_bundle
    from rearch.model.limits import Limits

    if named:
        return one_each(parse_bundle(text) for text in named), Limits()
    from rearch.config.settings import settings_origins

    root = project()
    settings, _ = settings_origins(root, environment=environment, flags={})
    return bundles_in(root / settings.output / "bundles"), settings.limits.values
