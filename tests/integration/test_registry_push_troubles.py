"""Pushing to registries that fail, refuse, lie, or have ideas of their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode, RearchError
from rearch.oci.types import (
    OCI_MANIFEST,
)
from rearch.registry import errors, push_errors
from rearch.registry.client import RegistryClient
from rearch.registry.listing import BadListing
from rearch.registry.push import RegistryPusher
from rearch.registry.upload_calls import Pushed
from tests.support.pushing import BIG, CHUNK, Alice, Desk, name, open_desk, read_back
from tests.support.registry import Server, run_registry
from tests.support.registry_made import Made, run_made
from tests.support.registry_passing import Passing, run_passing
from tests.support.registry_troubles import Trouble
from tests.support.token_server import make_certificate

JSON = (("Content-Type", "application/json"),)


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
def passing(server: Server) -> Iterator[Passing]:
    with run_passing(server) as found:
        yield found


@pytest.fixture
def made() -> Iterator[Made]:
    with run_made() as found:
        yield found


# --- lines that drop, registries that fail


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_small_blob_is_sent_anew(passing: Passing, desk: Desk, method: str) -> None:
    place, (blob, path) = name(passing.host, f"lib/dropped-{method.lower()}"), desk.blob(10_000, method)
    passing.troubles = [Trouble(method=method, drop=0 if method == "POST" else 5000)]
    pushed = desk.pusher.push_blob(place, blob, path)
    assert pushed.how == "sent"
    assert len(desk.time.slept) == 1
    assert read_back(desk, place, blob)


def test_an_answer_that_is_lost_is_asked_for_and_nothing_sent_twice(passing: Passing, desk: Desk) -> None:
    for size in (1000, 1_500_000):
        place, (blob, path) = name(passing.host, "lib/lost"), desk.blob(size, "lost")
        passing.troubles = [Trouble(method="PUT", lose=True)]
        assert desk.pusher.push_blob(place, blob, path, missing=True).sent == size
        assert len(passing.asked("PUT")) == 1
        del passing.seen[:]


def test_docker_registry_forgets_what_dropped_in_a_chunk_and_gets_it_anew(passing: Passing, desk: Desk) -> None:
    place, (blob, path) = name(passing.host, "lib/forgets"), desk.blob(BIG, "forgets")
    passing.troubles = [Trouble(method="PATCH", drop=1_000_000)]
    assert desk.pusher.push_blob(place, blob, path, missing=True).how == "sent"
    assert read_back(desk, place, blob)


def test_whole_chunks_are_kept_when_the_next_one_does_not_come(passing: Passing, desk: Desk) -> None:
    place, (blob, path) = name(passing.host, "lib/keeps"), desk.blob(BIG, "keeps")
    passing.troubles = [
        Trouble(method="PATCH", status=503, headers=(("Retry-After", "7"),)),
        Trouble(method="PUT", status=502),
    ]
    pushed = desk.pusher.push_blob(place, blob, path, missing=True)
    assert pushed.how == "sent"
    assert desk.time.slept in ([7.0, 1.0], [7.0, 2.0])
    assert len(passing.asked("PUT")) == 2
    assert passing.asked("PUT")[-1].headers["content-range"] == "4000000-4999999"
    assert read_back(desk, place, blob)


def test_a_registry_that_keeps_every_byte_gets_the_rest(made: Made, desk: Desk) -> None:
    place, (blob, path) = name(made.host), desk.blob(BIG)
    made.troubles = [Trouble(method="PATCH", drop=1_500_000), Trouble(method="PUT", drop=200_000)]
    desk.pusher.push_blob(place, blob, path)
    ranges = [seen.headers["content-range"] for seen in made.seen if seen.method in ("PATCH", "PUT")]
    assert ranges == ["0-1999999", "1500000-3499999", "3500000-4999999", "3700000-4999999"]
    assert made.blobs["lib/new", blob.digest] == path.read_bytes()
    assert sum(seen.size for seen in made.seen) == BIG
    # One that got on is not counted as a second failure.
    assert len(desk.time.slept) == 2


def test_a_lost_upload_is_begun_anew(made: Made, desk: Desk) -> None:
    place, (blob, path) = name(made.host), desk.blob(BIG)
    unknown = b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'
    made.troubles = [
        Trouble(method="PATCH", status=404, headers=JSON, body=unknown),
        Trouble(method="PUT", status=404, headers=JSON, body=unknown),
    ]
    desk.pusher.push_blob(place, blob, path)
    assert len(made.asked("POST")) == 3
    assert made.blobs["lib/new", blob.digest] == path.read_bytes()
    made.troubles = [Trouble(method="PUT", status=404)] * 9
    with pytest.raises(push_errors.PushBrokenOff) as caught:
        desk.pusher.push_blob(place, *desk.blob(1000))
    assert "it lost the upload" in caught.value.render()
    assert "run the same command again" in str(caught.value.hint)
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert caught.value.attempts == 5


@pytest.mark.parametrize("stated", ["0-99999999", "0-999999", "bytes=0-1999999", "x", ""])
def test_what_a_registry_says_to_have_is_not_simply_believed(made: Made, desk: Desk, stated: str) -> None:
    place, (blob, path) = name(made.host), desk.blob(BIG)
    made.troubles = [Trouble(method="PATCH", headers=(("Range", stated),))]
    desk.pusher.push_blob(place, blob, path)
    assert made.blobs["lib/new", blob.digest] == path.read_bytes()


@pytest.mark.parametrize("after", [401, 429, 500, 408])
def test_what_comes_in_the_middle_of_a_body_is_heard(passing: Passing, desk: Desk, after: int) -> None:
    place, (blob, path) = name(passing.host, f"lib/early-{after}"), desk.blob(BIG, after)
    headers = (("WWW-Authenticate", "Basic realm=x"),) if after == 401 else (("Retry-After", "1"),)
    passing.troubles = [Trouble(method="PUT", status=after, headers=headers, deaf=True)]
    pusher = desk.fresh(1 << 30)
    if after == 401:
        with pytest.raises(errors.LoginWanted) as caught:
            pusher.push_blob(place, blob, path, missing=True)
        assert "repository:lib/early-401:pull,push" in caught.value.render()
        return
    pusher.push_blob(place, blob, path, missing=True)
    assert read_back(desk, place, blob)
    assert len(desk.time.slept) >= 1
    assert desk.client.caller.wire.gate(passing.host).allowed == (2 if after == 429 else 4)


def test_who_has_enough_is_told_and_who_comes_back_later_is_obeyed(made: Made, desk: Desk) -> None:
    many = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'
    made.troubles = [Trouble(method="POST", status=403, headers=(*JSON, ("Retry-After", "9")), body=many)]
    desk.pusher.push_blob(name(made.host), *desk.blob(10))
    assert desk.time.slept == [9.0]
    made.troubles = [Trouble(method="PUT", status=429, headers=JSON, body=many)] * 5
    with pytest.raises(push_errors.PushBrokenOff) as caught:
        desk.pusher.put_manifest(name(made.host, "lib/new:1"), b"{}", OCI_MANIFEST)
    assert "slow down" in caught.value.render()
    assert f"docker login {made.host}" in str(caught.value.hint)


# --- registries with ideas of their own


@pytest.mark.parametrize("mounts", ["ignored", 404, 405, 400])
def test_a_registry_without_mounts_is_pushed_to_all_the_same(desk: Desk, mounts: str | int) -> None:
    with run_made(Made(mounts=mounts)) as made:
        place = name(made.host)
        for size in (1000, 1_500_000, 1_600_000, 1_700_000):
            blob, path = desk.blob(size)
            assert desk.pusher.push_blob(place, blob, path, mount_from=["lib/a", "lib/b"][: size % 3]).how == "sent"
        # What is large is not sent twice there either.
        assert desk.fresh().push_blob(place, *desk.blob(1_500_000)) == Pushed("there")
        pusher = desk.fresh()
        pusher.push_blob(place, *desk.blob(500))
        assert pusher.push_blob(place, *desk.blob(1_600_000)) == Pushed("there")
        assert pusher.push_blob(place, *desk.blob(1_700_000)) == Pushed("there")
        assert not desk.time.slept


def test_chunks_are_as_long_as_the_registry_wants_them(desk: Desk) -> None:
    with run_made(Made(shortest=3_000_000)) as made:
        blob, path = desk.blob(BIG)
        desk.pusher.push_blob(name(made.host), blob, path)
        assert [seen.size for seen in made.seen if seen.size] == [3_000_000, 2_000_000]
        assert made.blobs["lib/new", blob.digest] == path.read_bytes()


def test_a_registry_that_takes_no_chunks_gets_it_whole_and_so_the_next(desk: Desk) -> None:
    with run_made(Made(chunks=False)) as made:
        for seed in range(2):
            assert desk.pusher.push_blob(name(made.host), *desk.blob(BIG, seed)).how == "sent"
        assert len(made.asked("PATCH")) == 1
        assert not made.uploads
        assert len(made.blobs) == 2


def test_a_proxy_that_takes_no_large_requests_gets_small_ones(desk: Desk) -> None:
    with run_made(Made(most=1 << 20)) as made:
        for seed in range(2):
            blob, path = desk.blob(BIG, seed)
            desk.fresh(64 << 20).push_blob(name(made.host), blob, path)
            assert made.blobs["lib/new", blob.digest] == path.read_bytes()
    with run_made(Made(most=1000)) as made, pytest.raises(push_errors.RequestTooLarge) as caught:
        desk.pusher.push_blob(name(made.host), *desk.blob(BIG))
    assert caught.value.size == 1 << 20
    assert "413" in caught.value.render()
    assert "client_max_body_size" in str(caught.value.hint)
    assert "<html>" not in caught.value.render()


def test_tags_and_referrers_come_in_pages(desk: Desk) -> None:
    with run_made(Made(page=2)) as made:
        place = name(made.host)
        subject = made.put_manifest("lib/new", "v0", {"mediaType": OCI_MANIFEST, "artifactType": "none"})
        for number in range(1, 5):
            more = {"artifactType": f"application/x-{number % 2}", "number": number, "subject": {"digest": subject}}
            made.put_manifest("lib/new", f"v{number}", {"mediaType": OCI_MANIFEST, **more})
        assert list(desk.pusher.tags(place)) == ["v0", "v1", "v2", "v3", "v4"]
        assert len(made.asked("GET", "/tags/list")) == 3
        reference = place.at(subject)
        made.page = 1000
        whole = desk.pusher.referrers(reference)
        assert len(whole) == 4
        for made.filters in (True, False):
            assert len(desk.pusher.referrers(reference, "application/x-1")) == 2
        made.page = 3
        assert set(desk.pusher.referrers(reference)) == set(whole)
        made.referrers = False
        assert desk.pusher.referrers(reference) == ()
        made.referrers = True
        assert desk.pusher.delete(replace(place, tag="v1"))
        assert not desk.pusher.delete(replace(place, tag="v1"))


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"<html>", (), "it is not JSON"),
        (b'["x"]', (), "it is not JSON, or no object"),
        (b'{"tags": "x"}', (), "is no list"),
        (b'{"tags": ["x", "\\u001b[2J"]}', (), "is no tag"),
        (b'{"tags": ["x"]}', (("Link", "</v2/lib/new/tags/list?n=1000>; rel=next"),), "leads back"),
    ],
)
def test_lists_that_are_none(
    made: Made, desk: Desk, body: bytes, headers: tuple[tuple[str, str], ...], words: str
) -> None:
    made.troubles = [Trouble(method="GET", status=200, headers=(*JSON, *headers), body=body)]
    with pytest.raises(BadListing) as caught:
        list(desk.pusher.tags(name(made.host)))
    assert words in caught.value.render()
    assert "\x1b" not in caught.value.render()
    made.troubles = [Trouble(method="GET", status=404, headers=JSON)]
    with pytest.raises(errors.NotInRegistry):
        list(desk.pusher.tags(name(made.host)))


def error_body(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.mark.parametrize(
    "case",
    [
        ("POST", 405, error_body("UNSUPPORTED", "read-only"), push_errors.ReadOnlyRegistry, "takes nothing"),
        ("POST", 404, error_body("NAME_UNKNOWN", "x"), push_errors.NoSuchRepository, "has no repository lib/new"),
        ("POST", 403, error_body("DENIED", "no"), errors.LoginWanted, "asked for repository:lib/new:pull,push"),
        ("POST", 403, error_body("DENIED", "quota exceeded"), push_errors.RegistryFull, "no room"),
        ("POST", 200, b"<html>", errors.NotARegistry, "a web page"),
        ("PUT", 507, b"", push_errors.RegistryFull, "no room"),
        ("PUT", 412, error_body("PRECONDITION", "exceed the upper limit"), push_errors.RegistryFull, "upper limit"),
        ("PUT", 413, b"<html>", push_errors.RequestTooLarge, "does not take 1000 bytes"),
        ("PUT", 400, error_body("X", "y"), errors.RegistryRefused, "X: y"),
        ("PUT", 400, error_body("DIGEST_INVALID", "no"), push_errors.DamagedOnTheWay, "is not what was sent"),
    ],
)
def test_refusals_in_words(made: Made, desk: Desk, case: tuple[str, int, bytes, type[RearchError], str]) -> None:
    method, status, body, error, words = case
    kind = (("Content-Type", "text/html"),) if body == b"<html>" else JSON
    made.troubles = [Trouble(method=method, status=status, headers=kind, body=body)] * 3
    with pytest.raises(error) as caught:
        desk.pusher.push_blob(name(made.host), *desk.blob(1000))
    text = caught.value.render()
    assert words in text
    assert made.host in text
    assert "<html>" not in text
    assert caught.value.hint
    assert not any(desk.time.slept)
    assert not made.blobs


def test_who_lies_about_the_digest_is_found_out(made: Made, desk: Desk) -> None:
    lie = (("Docker-Content-Digest", "sha256:" + "1" * 64),)
    calls: list[Callable[[], object]] = [
        lambda: desk.pusher.push_blob(name(made.host), *desk.blob(1000)),
        lambda: desk.pusher.put_manifest(name(made.host, "lib/new:1"), b"{}", OCI_MANIFEST),
    ]
    for call in calls:
        made.troubles = [Trouble(method="PUT", headers=lie)]
        with pytest.raises(errors.WrongDigest, match="not what it is said to be") as caught:
            call()
        assert caught.value.exit_code is ExitCode.VERIFICATION


def test_a_single_wrong_digest_may_have_been_the_way(made: Made, desk: Desk) -> None:
    made.troubles = [Trouble(method="PUT", status=400, headers=JSON, body=error_body("DIGEST_INVALID", "no"))]
    blob, path = desk.blob(BIG)
    desk.pusher.push_blob(name(made.host), blob, path)
    assert made.blobs["lib/new", blob.digest] == path.read_bytes()


def test_a_manifest_that_is_put_twice_is_there_once(made: Made, desk: Desk) -> None:
    made.troubles = [Trouble(method="PUT", lose=True), Trouble(method="PUT", status=500)]
    data = b'{"mediaType": "x"}'
    assert desk.pusher.put_manifest(name(made.host, "lib/new:1"), data, OCI_MANIFEST).endswith(
        hashlib.sha256(data).hexdigest()
    )
    assert len(made.asked("PUT")) == 3


@pytest.mark.parametrize(
    ("location", "words"),
    [("", "does not say where"), ("ftp://example.org/x", "no http(s) URL"), ("http://[", "no URL")],
)
def test_an_upload_to_nowhere(made: Made, desk: Desk, location: str, words: str) -> None:
    made.troubles = [Trouble(method="POST", headers=(("Location", location),))]
    with pytest.raises((errors.NotARegistry, errors.UnsafeRedirect)) as caught:
        desk.pusher.push_blob(name(made.host), *desk.blob(1000))
    assert words in caught.value.render()


def test_a_login_does_not_go_where_an_upload_is_led(tmp_path: Path, desk: Desk) -> None:
    """The upload goes to the other host, as the registry wants; the login does not."""
    with (
        run_registry(tmp_path / "r", login=True) as server,
        run_passing(server) as front,
        run_made() as other,
        RegistryClient(Alice(), patience=desk.time.patience, certificates=None) as client,
    ):
        other.uploads["u"] = bytearray()
        away = f"http://{other.host}/v2/lib/away/blobs/uploads/u?_state=kept%20%26%20whole"
        client.ping(front.host)
        front.troubles = [Trouble(method="POST", headers=(("Location", away),))]
        blob, path = desk.blob(1000)
        RegistryPusher(client).push_blob(name(front.host, "lib/away"), blob, path)
        assert other.blobs["lib/away", blob.digest] == path.read_bytes()
        assert "authorization" in front.asked("POST")[0].headers
        assert [seen for seen in other.seen if "authorization" in seen.headers] == []


def test_chunks_over_tls(tmp_path: Path, desk: Desk) -> None:
    pair = make_certificate(tmp_path, "server")
    certificates = tmp_path / "certs.d"
    with run_registry(tmp_path / "r", certificate=pair) as server:
        (certificates / server.host).mkdir(parents=True)
        (certificates / server.host / "ca.crt").write_bytes(pair[0].read_bytes())
        with RegistryClient(patience=desk.time.patience, certificates=certificates) as client:
            pushed = RegistryPusher(client, chunk=CHUNK).push_blob(name(server.host), *desk.blob(BIG))
    assert pushed == Pushed("sent", BIG)
