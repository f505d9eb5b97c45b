"""What an overlay answers: its own pages, refitted archives, and for the rest what the server says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import assert_never

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from rearch.errors import RearchError
from rearch.host.rancher.overlay_config import OverlayConfig
from rearch.host.rancher.overlay_forward import forward, plain_headers, refusal, unreachable
from rearch.host.rancher.overlay_headers import loggable, wanted_item
from rearch.host.rancher.overlay_items import Offers
from rearch.host.rancher.overlay_upstream import Allowed, Denied, Upstream

_HEALTH_SECONDS = 5.0
_CLOSED_BY_CLIENT = 499  # as nginx calls it: nobody was there to take the answer
_NO_SOCKETS = (
    "web sockets are not passed on. Let CATTLE_URL name the Rancher server itself, "
    "and only CATTLE_CONFIG_URL this address"
)
Log = Callable[[str], None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Archive(web.FileResponse):
    """A refitted archive. aiohttp sends it when the handler is done: only then `ended` is told (status, bytes, who)."""

    ended: Callable[[int, int, str], None] | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        status, size = _CLOSED_BY_CLIENT, 0
        try:
            writer = await super().prepare(request)
            status, size = self.status, 0 if request.method == "HEAD" else self.content_length or 0
            return writer
        finally:
            if self.ended is not None:
                self.ended(status, size, "overlay")


class Overlay:
    """The handlers. `log` gets a line for each request: method, path, status, bytes, milliseconds, who answered."""

    def __init__(self, config: OverlayConfig, offers: Offers, upstream: Upstream, log: Log) -> None:
        self._config = config
        self._offers = offers
        self._upstream = upstream
        self._log = log

    def application(self) -> web.Application:
        """For an AppRunner."""
        # The limit of aiohttp's own read(); what is passed on is counted in overlay_forward.
        app = web.Application(middlewares=[self._logged], client_max_size=self._config.body_limit)
        app.on_response_prepare.append(plain_headers)
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    @web.middleware
    async def _logged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        line = partial(self._line, request, time.perf_counter())
        try:
            response = await handler(request)
        except BaseException as error:
            line(error.status if isinstance(error, web.HTTPException) else _CLOSED_BY_CLIENT, 0, "-")
            raise
        if isinstance(response, Archive):
            response.ended = line
            return response
        status = _CLOSED_BY_CLIENT if response.get("gone") else response.status
        broken = " (broken off)" if response.get("broken") else ""
        line(status, request.get("sent", response.content_length or 0), f"{request.get('who', 'overlay')}{broken}")
        return response

    def _line(self, request: web.BaseRequest, started: float, status: int, size: int, who: str) -> None:
        passed = (time.perf_counter() - started) * 1000
        self._log(f"{request.method} {loggable(request.raw_path)} {status} {size} B {passed:.0f} ms {who}")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not request.raw_path.startswith("/"):
            return refusal(400, "the request names no path")
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return refusal(501, _NO_SOCKETS)
        if request.raw_path.startswith("/-/"):
            return await self._own(request)
        item = wanted_item(request.raw_path)
        if item in self._offers.items and request.method in ("GET", "HEAD"):
            return await self._offered(request, str(item))
        try:
            return await forward(request, self._upstream, self._config)
        except ConnectionError:  # the client went away
            gone = web.Response(status=_CLOSED_BY_CLIENT)
            gone["gone"] = True
            return gone

    # --- in the server's place

    async def _offered(self, request: web.Request, item: str) -> web.StreamResponse:
        """The refitted archive, to whom the server would have given its own."""
        try:
            verdict = await self._upstream.verdict(request.raw_path, request.headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            return unreachable(error)
        except RearchError as error:
            return refusal(502, f"the Rancher server's own {item} cannot be read: {error.summary}")
        match verdict:
            case Denied():
                request["who"] = "server"
                return web.Response(status=verdict.status, headers=list(verdict.headers), body=verdict.body)
            case Allowed():
                return await self._refitted(item, verdict)
            case _:
                assert_never(verdict)

    async def _refitted(self, item: str, verdict: Allowed) -> web.StreamResponse:
        try:
            path = await asyncio.to_thread(self._offers.file, item, verdict.version)
        except (RearchError, OSError) as error:
            why = error.summary if isinstance(error, RearchError) else error.strerror or "unreadable"
            self._log(f"error: {item}: {why}")
            return refusal(500, f"the refitted {item} cannot be handed out: look at the overlay's log")
        return Archive(path, headers={"Content-Type": "application/octet-stream"})

    # --- about itself

    async def _own(self, request: web.Request) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return refusal(405, "this page is only for reading")
        match request.path:
            case "/-/health":
                return await self._health()
            case "/-/items":
                return await self._items()
            case _:
                return refusal(404, "there are /-/health and /-/items")

    async def _health(self) -> web.Response:
        """200 only when the server behind answers, too."""
        started = time.perf_counter()
        try:
            status = await self._upstream.ping(min(_HEALTH_SECONDS, self._config.timeout))
        except (aiohttp.ClientError, TimeoutError) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else "no answer"
            return web.json_response({"status": "down", "server": why}, status=503)
        word = "ok" if status < 500 else "down"
        document = {"status": word, "server": status, "ms": round((time.perf_counter() - started) * 1000)}
        return web.json_response(document, status=200 if word == "ok" else 503)

    async def _items(self) -> web.Response:
        return web.json_response(
            {"items": [await asyncio.to_thread(self._described, item) for item in self._offers.items]}
        )

    def _described(self, item: str) -> dict[str, object]:
        try:
            offered = self._offers.current(item)
        except (RearchError, OSError) as error:
            return {"item": item, "error": error.summary if isinstance(error, RearchError) else str(error.strerror)}
        return {
            "item": item,
            "archive": offered.path.name,
            "sha256": offered.sha256,
            "size": offered.size,
            "root": offered.content.root,
            "files": offered.content.files,
        }
