"""An overlay as a service: listens, serves, and ends in an orderly way."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from rearch.host.rancher.overlay_app import Log, Overlay
from rearch.host.rancher.overlay_config import CannotListen, OverlayConfig
from rearch.host.rancher.overlay_items import Offers
from rearch.host.rancher.overlay_upstream import HEADER_BYTES, Upstream


def serve(config: OverlayConfig, *, started: Callable[[str], None], log: Log) -> None:
    """Serve until SIGTERM or SIGINT; requests under way may then end within `grace` seconds, and no new ones come in.

    `started` is told the address, `http://HOST:PORT`, when it listens. Errors: those of read_content for an archive
    that agents would refuse, OSError for one that cannot be read, CannotListen.
    """
    with tempfile.TemporaryDirectory(prefix="rearch-overlay-") as scratch:
        offers = Offers(dict(config.archives), Path(scratch), config.limits)
        for item in offers.items:
            offers.current(item)
        asyncio.run(_serve(config, offers, Path(scratch), started, log))


async def _serve(
    config: OverlayConfig, offers: Offers, scratch: Path, started: Callable[[str], None], log: Log
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    upstream = Upstream(config, scratch)
    runner = web.AppRunner(
        Overlay(config, offers, upstream, log).application(),
        access_log=None,
        handle_signals=False,
        auto_decompress=False,
        max_line_size=HEADER_BYTES,
        max_field_size=HEADER_BYTES,
        keepalive_timeout=30.0,
        shutdown_timeout=config.grace,
    )
    try:
        await runner.setup()
        started(await _listen(runner, config))
        await stop.wait()
        log("stopping: requests under way are finished")
    finally:
        await runner.cleanup()
        await upstream.close()


async def _listen(runner: web.AppRunner, config: OverlayConfig) -> str:
    """The address, with the port that was really taken. Errors: CannotListen."""
    site = web.TCPSite(runner, config.host, config.port, backlog=256)
    try:
        await site.start()
    except OSError as error:
        raise CannotListen(config.host, config.port, error) from error
    port = runner.addresses[0][1]
    return f"http://{f'[{config.host}]' if ':' in config.host else config.host}:{port}"
