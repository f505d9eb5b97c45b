"""An overlay's questions to its server: how often, with what, and what becomes of the answers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import aiohttp
import pytest

from rearch.formats.archive_errors import ArchiveError
from rearch.host.rancher.overlay_config import OverlayConfig
from rearch.host.rancher.overlay_upstream import Allowed, Denied, Upstream
from rearch.model.limits import Limits
from rearch.rehearsal.faults import Fault, FaultKind
from rearch.rehearsal.server import StandIn
from tests.support.rancher_server import go_agent

ITEM = "/v1//configcontent//pyagent?current=42"
Asked = Callable[[Upstream], Coroutine[None, None, list[Allowed | Denied]]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    archive = go_agent(tmp_path / "go-agent.tar.gz", extra=50_000)
    with StandIn(tmp_path / "served", archives={"pyagent": archive}, versions={"pyagent": "42"}) as server:
        yield server


def _keys(secret: str = "agent-secret") -> dict[str, str]:
    text = base64.b64encode(f"agent-access:{secret}".encode()).decode()
    return {"Authorization": f"Basic {text}", "If-None-Match": "*", "Range": "bytes=5-"}


def _ask(server: StandIn, tmp_path: Path, asked: Asked, **config: float | Limits) -> list[Allowed | Denied]:
    async def run() -> list[Allowed | Denied]:
        values = OverlayConfig(server=server.url, archives=(), **config)  # type: ignore[arg-type]
        upstream = Upstream(values, tmp_path)
        try:
            return await asked(upstream)
        finally:
            await upstream.close()

    return asyncio.run(run())


def test_a_burst_of_equal_questions_is_one(server: StandIn, tmp_path: Path) -> None:
    async def asked(upstream: Upstream) -> list[Allowed | Denied]:
        return list(await asyncio.gather(*(upstream.verdict(ITEM, _keys()) for _ in range(8))))

    found = _ask(server, tmp_path, asked)
    assert {each.version for each in found if isinstance(each, Allowed)} == {"42"}
    assert len(found) == 8
    (seen,) = server.requests
    assert seen.query == "current="
    assert "Range" not in seen.headers, "a part of an archive has no version to read"


def test_when_the_word_has_grown_old_an_etag_is_enough(server: StandIn, tmp_path: Path) -> None:
    async def asked(upstream: Upstream) -> list[Allowed | Denied]:
        found = [await upstream.verdict(ITEM, _keys()), await upstream.verdict(ITEM, _keys())]
        server.offer("pyagent", go_agent(tmp_path / "newer.tar.gz", "newer"), "43")
        return [*found, await upstream.verdict(ITEM, _keys())]

    found = _ask(server, tmp_path, asked, checked=0.0)
    assert [each.version for each in found if isinstance(each, Allowed)] == ["42", "42", "43"]
    assert [seen.status for seen in server.requests] == [200, 304, 200]


def test_a_no_is_asked_again_and_ends_an_old_yes(server: StandIn, tmp_path: Path) -> None:
    async def asked(upstream: Upstream) -> list[Allowed | Denied]:
        found = [await upstream.verdict(ITEM, _keys())]
        server.plant("pyagent", Fault(kind=FaultKind.UNAUTHORIZED))
        return [*found, await upstream.verdict(ITEM, _keys()), await upstream.verdict(ITEM, _keys())]

    found = _ask(server, tmp_path, asked, checked=0.0)
    assert [type(each) for each in found] == [Allowed, Denied, Allowed]
    assert isinstance(found[1], Denied)
    assert (found[1].status, b"Unauthorized" in found[1].body) == (401, True)
    assert "If-None-Match" not in server.requests[-1].headers


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (FaultKind.HTML, ArchiveError),
        (FaultKind.EMPTY, ArchiveError),
        (FaultKind.CUT, aiohttp.ClientPayloadError),
        (FaultKind.SLOW, TimeoutError),
    ],
    ids=lambda value: value.value if isinstance(value, FaultKind) else "",
)
def test_an_answer_that_is_no_archive_is_no_yes(
    server: StandIn, tmp_path: Path, fault: FaultKind, kind: type[Exception]
) -> None:
    async def asked(upstream: Upstream) -> list[Allowed | Denied]:
        return [await upstream.verdict(ITEM, _keys())]

    server.plant("pyagent", Fault(kind=fault, seconds=1.0))
    with pytest.raises(kind):
        _ask(server, tmp_path, asked, timeout=0.3)
    assert [type(each) for each in _ask(server, tmp_path, asked)] == [Allowed]


def test_more_than_the_limit_is_not_read(server: StandIn, tmp_path: Path) -> None:
    async def asked(upstream: Upstream) -> list[Allowed | Denied]:
        return [await upstream.verdict(ITEM, _keys())]

    with pytest.raises(aiohttp.ClientPayloadError, match="more than"):
        _ask(server, tmp_path, asked, limits=Limits(download_bytes=1000))
