"""The server behind an overlay: requests to it, and its word on who may have what."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import aiohttp
from msgspec import Struct
from yarl import URL

from rearch.formats.archive import tar_entries
from rearch.formats.archive_entry import parts_of
from rearch.host.rancher.archive import VERSION
from rearch.host.rancher.overlay_config import OverlayConfig
from rearch.host.rancher.overlay_headers import passed_on, without_current
from rearch.model.limits import Limits

if TYPE_CHECKING:
    from multidict import CIMultiDict

_BLOCK = 1 << 18
# Room for a line or a header, both ways: cookies and lists of links grow beyond aiohttp's usual 8 KiB.
HEADER_BYTES = 1 << 16
# Agents whose keys are remembered; one more forgets who came first.
_REMEMBERED = 4096
_MOST_REFUSAL = 1 << 20
# What says who asks. A cookie is how a browser's session does it.
_WHO = ("Authorization", "Cookie")
# None of ours: what the client did not say, the server shall not hear.
_OWN = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Allowed(Struct, frozen=True, kw_only=True):
    """The server would give this item to this agent. `version`: what its archive says, None if nothing."""

    version: str | None
    etag: str = ""


class Denied(Struct, frozen=True, kw_only=True):
    """The server's own answer, which is handed on."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Upstream:
    """One connection pool to the server. Make it, and close it, within the event loop."""

    def __init__(self, config: OverlayConfig, scratch: Path) -> None:
        self._config = config
        self._scratch = scratch
        self._known: OrderedDict[str, tuple[float, Allowed]] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}
        waits = config.timeout
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=256, limit_per_host=256),
            timeout=aiohttp.ClientTimeout(total=None, connect=waits, sock_connect=waits, sock_read=waits),
            skip_auto_headers=_OWN,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )

    async def close(self) -> None:
        await self._session.close()

    @asynccontextmanager
    async def request(
        self, method: str, raw_path: str, headers: CIMultiDict[str], body: AsyncIterator[bytes] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask the server; `raw_path` goes out as it is, double slashes and all. Redirections are not followed."""
        url = URL(self._config.server + raw_path, encoded=True)
        async with self._session.request(method, url, headers=headers, data=body, allow_redirects=False) as response:
            yield response

    async def ping(self, seconds: float) -> int:
        """The status of /ping, which a Rancher server answers with `pong`."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        url = URL(f"{self._config.server}/ping", encoded=True)
        async with self._session.get(url, timeout=timeout, allow_redirects=False) as response:
            return response.status

    async def verdict(self, raw_path: str, headers: Mapping[str, str]) -> Allowed | Denied:
        """What the server says to this request for an item. A yes counts for `checked` seconds, a no is asked again:
        a host that was only just registered must not wait. Errors: aiohttp.ClientError, TimeoutError."""
        asked = without_current(raw_path)
        who = hashlib.sha256("\0".join((asked, *(headers.get(name, "") for name in _WHO))).encode()).hexdigest()
        # A burst of equal requests asks once.
        async with self._asking.setdefault(who, asyncio.Lock()):
            try:
                return await self._remembered(who, asked, headers)
            finally:
                self._forget(who)

    async def _remembered(self, who: str, asked: str, headers: Mapping[str, str]) -> Allowed | Denied:
        at, known = self._known.get(who, (0.0, None))
        if known is not None and time.monotonic() - at < self._config.checked:
            return known
        found = await self._ask(asked, headers, known)
        if isinstance(found, Allowed):
            self._known[who] = (time.monotonic(), found)
            self._known.move_to_end(who)
        else:
            self._known.pop(who, None)
        return found

    def _forget(self, who: str) -> None:
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        if len(self._asking) > _REMEMBERED:
            self._asking = {name: lock for name, lock in self._asking.items() if lock.locked() or name == who}

    async def _ask(self, asked: str, headers: Mapping[str, str], known: Allowed | None) -> Allowed | Denied:
        """The item itself is asked for: that is the question of who may have it, and its archive holds the version."""
        sent = passed_on(headers.items())
        for name in ("Range", "If-Range", "If-None-Match", "If-Modified-Since", "Content-Length", "Content-Type"):
            sent.popall(name, None)
        if known is not None and known.etag:
            sent["If-None-Match"] = known.etag
        async with self.request("GET", asked, sent) as response:
            if response.status == 304 and known is not None:
                return known
            if response.status != 200:
                body = await _read(response)
                kept = passed_on(response.headers.items())
                kept.popall("Content-Length", None)
                return Denied(status=response.status, headers=tuple(kept.items()), body=body)
            return Allowed(version=await self._version(response), etag=response.headers.get("ETag", ""))

    async def _version(self, response: aiohttp.ClientResponse) -> str | None:
        """What the file `version` of the server's archive says; the archive goes to a scratch file first."""
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            done = 0
            async for data in response.content.iter_chunked(_BLOCK):
                done += len(data)
                if done > self._config.limits.download_bytes:
                    raise aiohttp.ClientPayloadError(f"more than {self._config.limits.download_bytes} bytes")
                file.write(data)
            file.seek(0)
            return await asyncio.to_thread(version_in, file, self._config.limits)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body of a refusal. Errors: aiohttp.ClientPayloadError for one that is no refusal's size."""
    data = bytearray()
    async for piece in response.content.iter_chunked(_BLOCK):
        data += piece
        if len(data) > _MOST_REFUSAL:
            raise aiohttp.ClientPayloadError(f"a refusal of more than {_MOST_REFUSAL} bytes")
    return bytes(data)


def version_in(file: IO[bytes], limits: Limits) -> str | None:
    """The text of `<root>/version` of an archive; None where it has none. Errors: ArchiveError."""
    for entry in tar_entries(file, "the server's archive", limits):
        parts = parts_of("the server's archive", entry.name)
        if len(parts) == 2 and parts[1] == VERSION:
            return entry.content.read(256).decode("utf-8", "replace").strip()
    return None
