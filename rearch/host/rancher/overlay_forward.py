"""Passing a request on to the server and its answer back, in pieces, as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from rearch.host.rancher.overlay_config import OverlayConfig
from rearch.host.rancher.overlay_headers import passed_on
from rearch.host.rancher.overlay_upstream import Upstream

_BLOCK = 1 << 16
# Headers that aiohttp adds to an answer which has none; the client gets the server's, or none.
_ADDED = ("Server", "Content-Type", "Date")


class TooMuch(Exception):
    """A request's body is beyond the limit, or came too slowly; `status` says which."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def unreachable(error: Exception) -> web.Response:
    """502 or 504, with words and without the library's own, which hold addresses and more."""
    if isinstance(error, TimeoutError):
        return refusal(504, "the Rancher server did not answer in time")
    return refusal(502, "the Rancher server does not answer")


def refusal(status: int, why: str) -> web.Response:
    """An answer of the overlay's own, to be read by a person who looks at a log of curl."""
    return web.Response(status=status, text=f"rearch overlay: {why}\n")


async def forward(request: web.Request, upstream: Upstream, config: OverlayConfig) -> web.StreamResponse:
    """The server's answer to this request. Once it has begun, a failure can be told only by closing the connection."""
    if (request.content_length or 0) > config.body_limit:
        return refusal(413, f"more than {config.body_limit} bytes are not passed on")
    headers = passed_on(request.headers.items())
    before = headers.popall("X-Forwarded-For", [])
    headers["X-Forwarded-For"] = ", ".join([*before, request.remote or "unknown"])
    body = _body(request, config) if request.can_read_body else None
    try:
        async with upstream.request(request.method, request.raw_path, headers, body) as answer:
            return await _back(request, answer, config)
    except TooMuch as error:
        return _too_much(error, config)
    except (aiohttp.ClientError, TimeoutError) as error:
        cause = _too_much_behind(error)
        return _too_much(cause, config) if cause else unreachable(error)


def _too_much(error: TooMuch, config: OverlayConfig) -> web.Response:
    if error.status == 408:
        return refusal(408, f"nothing came for {config.timeout:g} s")
    return refusal(error.status, f"more than {config.body_limit} bytes are not passed on")


def _too_much_behind(error: BaseException | None) -> TooMuch | None:
    """aiohttp's client wraps what its body raises."""
    while error is not None:
        if isinstance(error, TooMuch):
            return error
        error = error.__cause__ or error.__context__
    return None


async def _body(request: web.Request, config: OverlayConfig) -> AsyncIterator[bytes]:
    """The request's body as it comes. Errors: TooMuch."""
    done = 0
    while True:
        try:
            async with asyncio.timeout(config.timeout):
                data = await request.content.readany()
        except TimeoutError:
            raise TooMuch(408) from None
        if not data:
            return
        done += len(data)
        if done > config.body_limit:
            raise TooMuch(413)
        yield data


async def _back(request: web.Request, answer: aiohttp.ClientResponse, config: OverlayConfig) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=passed_on(answer.headers.items()))
    request["who"], request["sent"] = "server", 0
    response["kept"] = frozenset(name.lower() for name in response.headers)
    await response.prepare(request)
    try:
        async for data in answer.content.iter_chunked(_BLOCK):
            if not await _taken(response, data, config):
                response["gone"] = True
                _abort(request)
                return response
            request["sent"] += len(data)
    except (aiohttp.ClientError, TimeoutError):
        _abort(request)
        response["broken"] = True
    return response


async def _taken(response: web.StreamResponse, data: bytes, config: OverlayConfig) -> bool:
    """Whether the client took these bytes in time: one that stands still must not hold the server's connection."""
    try:
        async with asyncio.timeout(config.timeout):
            await response.write(data)
    except (ConnectionError, TimeoutError):  # aiohttp's own kind for a client that left is a ConnectionError
        return False
    return True


def _abort(request: web.Request) -> None:
    """Half an answer must not look whole: no last chunk, no clean end."""
    if request.transport is not None:
        request.transport.abort()


async def plain_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Before an answer of the server goes out: take off what aiohttp has put in."""
    kept = response.get("kept")
    if kept is not None:
        for name in _ADDED:
            if name.lower() not in kept:
                response.headers.popall(name, None)
