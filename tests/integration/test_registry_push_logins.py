"""Pushing with logins and tokens, offline, to nobody, and by somebody who interrupts."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.formats.urls import OfflineError
from rearch.oci.types import (
    OCI_MANIFEST,
)
from rearch.registry import errors, push_errors
from rearch.registry.client import RegistryClient
from rearch.registry.credentials import Anonymous
from rearch.registry.push import RegistryPusher
from rearch.registry.upload_place import Upload
from tests.support.pushing import BIG, CHUNK, Alice, Desk, manifest, name, open_desk
from tests.support.registry import Server, run_registry
from tests.support.registry_made import Made, run_made
from tests.support.registry_passing import run_passing
from tests.support.registry_troubles import Trouble
from tests.support.token_server import run_token_server


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_registry(tmp_path_factory.mktemp("registry"), delete=True) as found:
        yield found


@pytest.fixture
def made() -> Iterator[Made]:
    with run_made() as found:
        yield found


def test_one_token_does_for_all_of_a_repository(tmp_path: Path, desk: Desk) -> None:
    with (
        run_token_server(tmp_path) as tokens,
        run_registry(tmp_path / "r", tokens=tokens.service) as server,
        RegistryClient(Alice(), patience=desk.time.patience, certificates=None) as client,
    ):
        pusher = RegistryPusher(client, chunk=CHUNK)
        place, (blob, path) = name(server.host, "lib/token:1"), desk.blob(BIG, "token")
        assert pusher.head(place) is None
        pusher.push_blob(place, blob, path)
        pusher.put_manifest(place, manifest(blob), OCI_MANIFEST)
        assert list(pusher.tags(place)) == ["1"]
        assert client.manifest(place).data == manifest(blob)
        assert len(tokens.asked) == 1
        assert tokens.asked[0][1]["scope"] == ["repository:lib/token:pull,push"]
        # A mount wants one for both.
        other = name(server.host, "lib/other")
        assert pusher.push_blob(other, blob, path, mount_from=["lib/token"]).how == "mounted"
        assert tokens.asked[-1][1]["scope"] == ["repository:lib/other:pull,push", "repository:lib/token:pull"]
        assert len(tokens.asked) == 3


def test_a_token_that_runs_out_in_the_middle_of_an_upload_is_replaced(tmp_path: Path, desk: Desk) -> None:
    with (
        run_token_server(tmp_path) as tokens,
        run_registry(tmp_path / "r", tokens=tokens.service) as server,
        run_passing(server) as passing,
        RegistryClient(Alice(), patience=desk.time.patience, certificates=None) as client,
    ):
        place, (blob, path) = name(passing.host, "lib/expired"), desk.blob(BIG, "expired")
        stale = f'Bearer realm="{tokens.service.realm}",service="{tokens.service.service}",error="invalid_token"'
        refused = Trouble(method="PATCH", status=401, headers=(("WWW-Authenticate", stale),), deaf=True)
        passing.troubles = [refused, replace(refused, method="PUT", deaf=False)]
        pushed = RegistryPusher(client, chunk=CHUNK).push_blob(place, blob, path, missing=True)
        assert pushed.how == "sent"
        assert len(tokens.asked) == 3
        with RegistryClient(Alice(), certificates=None) as reader:
            assert reader.fetch_blob(place, blob, desk.folder / "back") == blob.hex
    assert not desk.time.slept


def test_who_may_only_look_is_told_the_scope(tmp_path: Path, desk: Desk) -> None:
    with (
        run_token_server(tmp_path) as tokens,
        run_registry(tmp_path / "r", tokens=tokens.service) as server,
        RegistryClient(Anonymous(), patience=desk.time.patience, certificates=None) as client,
    ):
        tokens.public = frozenset(["lib/open"])
        with pytest.raises(errors.LoginWanted) as caught:
            RegistryPusher(client).push_blob(name(server.host, "lib/open"), *desk.blob(10))
    text = caught.value.render()
    assert "asked for repository:lib/open:pull,push, without a login" in text
    assert f"docker login {server.host}" in text
    assert caught.value.exit_code is ExitCode.USAGE


def test_nothing_is_sent_offline_and_nobody_there_is_told(desk: Desk) -> None:
    with RegistryClient(offline=True) as client, pytest.raises(OfflineError):
        RegistryPusher(client).push_blob(name("127.0.0.1:9"), *desk.blob(10))
    with pytest.raises(push_errors.PushBrokenOff, match="did not take it") as caught:
        desk.pusher.push_blob(name("127.0.0.1:9"), *desk.blob(10))
    assert "Connection refused" in caught.value.why
    assert desk.time.slept == [1.0, 2.0, 4.0, 8.0]


def test_who_interrupts_leaves_what_came(made: Made, desk: Desk) -> None:
    class Stop(Exception):
        pass

    def stop(done: int) -> None:
        if done > 3_000_000:
            raise Stop

    noted: list[Upload] = []
    with pytest.raises(Stop):
        desk.pusher.push_blob(name(made.host), *desk.blob(BIG), moved=stop, note=noted.append)
    assert not made.asked("DELETE")
    assert noted[-1].offset == CHUNK


def test_memory_does_not_grow_with_the_blob(server: Server, desk: Desk) -> None:
    blob, path = desk.blob(30_000_000)
    tracemalloc.start()
    try:
        desk.fresh(10_000_000).push_blob(name(server.host, "lib/memory"), blob, path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000
