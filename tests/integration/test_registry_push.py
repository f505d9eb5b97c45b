"""Pushing to Debian's docker-registry: blobs, manifests, tags, files that are not right, logins."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode, RearchError
from rearch.oci.types import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    descriptor_of,
    document_bytes,
)
from rearch.registry import errors, push_errors
from rearch.registry.upload_calls import Pushed
from rearch.registry.upload_place import Upload
from tests.support.pushing import BIG, CHUNK, Desk, manifest, name, open_desk, read_back
from tests.support.registry import Server, run_registry
from tests.support.registry_passing import Passing, run_passing


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


# --- the real server


@pytest.mark.parametrize("size", [0, 1, 1000, 1_500_000, CHUNK, BIG])
def test_a_blob_comes_there_and_a_second_time_it_is_there(server: Server, desk: Desk, size: int) -> None:
    place, (blob, path) = name(server.host, "lib/sizes"), desk.blob(size)
    assert not desk.pusher.has_blob(place, blob.digest)
    moved: list[int] = []
    assert desk.pusher.push_blob(place, blob, path, moved=moved.append) == Pushed("sent", size)
    assert moved[-1:] == ([size] if size else [])
    assert moved == sorted(moved)
    assert read_back(desk, place, blob)
    before = desk.client.requests
    assert desk.pusher.push_blob(place, blob, path) == Pushed("there")
    assert desk.pusher.has_blob(place, blob.digest)
    assert desk.client.requests == before
    assert desk.fresh().push_blob(place, blob, path) == Pushed("there")
    assert desk.fresh().has_blob(place, blob.digest)
    assert desk.client.requests == before + 2
    assert not desk.time.slept


def test_requests_are_as_few_as_can_be(passing: Passing, desk: Desk) -> None:
    place = name(passing.host, "lib/few")
    for small in (1000, 2000):
        desk.pusher.push_blob(place, *desk.blob(small, "few"))
    assert passing.methods == ["POST", "PUT"] * 2
    desk.pusher.push_blob(place, *desk.blob(1000, "few"))
    desk.pusher.push_blob(place, *desk.blob(1_500_000, "few"), missing=True)
    assert passing.methods[4:] == ["POST", "PUT"]
    # What is large is asked for, once it is known by a mount, and then there is no question any more.
    del passing.seen[:]
    for seed in range(3):
        desk.pusher.push_blob(place, *desk.blob(1_500_000, seed))
    assert passing.methods == ["POST", *["POST", "PUT"] * 3]
    assert desk.client.requests == 6 + 7
    # Another run, which knows nothing: what is there costs a request.
    del passing.seen[:]
    pusher = desk.fresh()
    for size, word in ((1000, "few"), (1_500_000, "0"), (1_500_000, "1")):
        assert pusher.push_blob(place, *desk.blob(size, word)) == Pushed("there")
    assert passing.methods == ["POST"] * 3


def test_one_connection_does_for_all(passing: Passing, desk: Desk) -> None:
    for seed in range(4):
        desk.pusher.push_blob(name(passing.host, "lib/kept"), *desk.blob(100_000, seed))
    assert passing.connections == 1


def test_what_another_repository_has_is_mounted(passing: Passing, desk: Desk) -> None:
    first, second = name(passing.host, "lib/first"), name(passing.host, "lib/second")
    for size in (1000, 1_500_000):
        blob, path = desk.blob(size, "mounted")
        desk.pusher.push_blob(first, blob, path)
        del passing.seen[:]
        assert desk.pusher.push_blob(second, blob, path, mount_from=["lib/first"], missing=True) == Pushed("mounted")
        assert passing.methods == ["POST"]
        assert read_back(desk, second, blob)


def test_a_mount_that_fails_is_the_uploads_begin(passing: Passing, desk: Desk) -> None:
    place = name(passing.host, "lib/none-to-mount")
    pushed = desk.pusher.push_blob(place, *desk.blob(1000, "x"), mount_from=["lib/nobody", "lib/neither"])
    assert pushed == Pushed("sent", 1000)
    assert passing.methods == ["POST", "PUT"]
    # Of several sources for what is large, one that has it.
    blob, path = desk.blob(1_500_000, "x")
    desk.pusher.push_blob(name(passing.host, "lib/has-it"), blob, path)
    del passing.seen[:]
    sources = ["lib/nobody", "lib/has-it", "lib/neither"]
    assert desk.pusher.push_blob(place, blob, path, mount_from=sources) == Pushed("mounted")
    assert passing.methods == ["HEAD", "HEAD", "HEAD", "POST"]


def test_large_blobs_come_in_chunks_and_a_later_run_goes_on(passing: Passing, desk: Desk) -> None:
    class Killed(Exception):
        pass

    place, (blob, path) = name(passing.host, "lib/chunks"), desk.blob(BIG, "chunks")
    noted: list[Upload] = []

    def note(upload: Upload) -> None:
        noted.append(upload)
        if upload.offset == 2 * CHUNK:
            raise Killed

    with pytest.raises(Killed):
        desk.pusher.push_blob(place, blob, path, missing=True, note=note)
    assert [upload.offset for upload in noted] == [0, CHUNK, 2 * CHUNK]
    assert [seen.headers.get("content-range") for seen in passing.asked("PATCH")] == ["0-1999999", "2000000-3999999"]
    assert "_state" not in repr(noted)
    del passing.seen[:]
    assert desk.fresh().push_blob(place, blob, path, resume=noted[-1]) == Pushed("sent", BIG - 2 * CHUNK)
    assert passing.methods == ["GET", "PUT"]
    assert read_back(desk, place, blob)


@pytest.mark.parametrize(
    "change",
    [{"digest": "sha256:" + "1" * 64}, {"place": "elsewhere/x"}, {"location": "LOCATION?_state=rotten"}],
)
def test_a_note_that_is_of_no_use_is_none(passing: Passing, desk: Desk, change: dict[str, str]) -> None:
    place, (blob, path) = name(passing.host, "lib/stale"), desk.blob(1_500_000, str(change))
    location = f"http://{passing.host}/v2/lib/stale/blobs/uploads/0"
    facts = {"place": place.place, "digest": blob.digest, "location": location, **change}
    stale = Upload(
        place=facts["place"],
        digest=facts["digest"],
        location=facts["location"].replace("LOCATION", location),
        offset=1_000_000,
    )
    assert desk.pusher.push_blob(place, blob, path, resume=stale) == Pushed("sent", 1_500_000)


def test_manifests_tags_and_what_they_lack(server: Server, desk: Desk) -> None:
    place = name(server.host, "lib/whole:1")
    (config, one), (layer, two) = desk.blob(100, "config"), desk.blob(1000, "layer")
    config = replace(config, media_type=OCI_CONFIG)
    data = manifest(config, layer)
    desk.pusher.push_blob(place, config, one)
    with pytest.raises(push_errors.BlobMissing) as caught:
        desk.pusher.put_manifest(place, data, OCI_MANIFEST)
    assert caught.value.digests == (layer.digest,)
    assert f"it lacks {layer.digest}" in caught.value.render()
    assert caught.value.exit_code is ExitCode.FAILED
    desk.pusher.push_blob(place, layer, two)
    digest = desk.pusher.put_manifest(place, data, OCI_MANIFEST)
    assert digest == descriptor_of(OCI_MANIFEST, data).digest
    found = desk.pusher.head(place)
    assert found is not None
    assert (found.digest, found.size, found.media_type) == (digest, len(data), OCI_MANIFEST)
    assert desk.pusher.manifest(place.at(digest)).data == data
    index = document_bytes(Index(manifests=(descriptor_of(OCI_MANIFEST, data),)))
    desk.pusher.put_manifest(replace(place, tag="two"), index, OCI_INDEX)
    assert sorted(desk.pusher.tags(place)) == ["1", "two"]
    with pytest.raises(errors.WrongDigest):
        desk.pusher.put_manifest(place.at("sha256:" + "0" * 64), data, OCI_MANIFEST)
    missing = document_bytes(Index(manifests=(descriptor_of(OCI_MANIFEST, b"{}"),)))
    with pytest.raises(push_errors.BlobMissing, match="does not have all that it names"):
        desk.pusher.put_manifest(place, missing, OCI_INDEX)


def test_after_a_manifest_that_lacks_something_nothing_is_taken_for_there(server: Server, desk: Desk) -> None:
    place, (blob, path) = name(server.host, "lib/collected:1"), desk.blob(1000, "collected")
    desk.pusher.push_blob(place, blob, path)
    # As a registry's clean-up does; the pusher has its own idea of what is there.
    assert desk.fresh().delete_blob(place, blob.digest)
    assert not desk.fresh().delete_blob(place, blob.digest)
    with pytest.raises(push_errors.BlobMissing):
        desk.pusher.put_manifest(place, manifest(blob), OCI_MANIFEST)
    assert not desk.pusher.has_blob(place, blob.digest)
    assert desk.pusher.push_blob(place, blob, path) == Pushed("sent", 1000)
    assert desk.pusher.put_manifest(place, manifest(blob), OCI_MANIFEST)


def test_what_is_deleted_is_gone_and_who_does_not_delete_is_told(server: Server, desk: Desk, tmp_path: Path) -> None:
    place, (blob, path) = name(server.host, "lib/deleted:1"), desk.blob(1000, "deleted")
    desk.pusher.push_blob(place, blob, path)
    digest = desk.pusher.put_manifest(place, manifest(blob), OCI_MANIFEST)
    with pytest.raises(push_errors.CannotDelete, match="does not delete"):
        desk.pusher.delete(place)
    assert desk.pusher.delete(place.at(digest))
    assert not desk.pusher.delete(place.at(digest))
    assert desk.pusher.head(place) is None
    with run_registry(tmp_path / "keeps") as keeps, pytest.raises(push_errors.CannotDelete) as caught:
        desk.pusher.delete(name(keeps.host, "lib/x:1").at(digest))
    assert "405" in caught.value.said
    assert caught.value.exit_code is ExitCode.USAGE


def test_referrers_by_the_tag_that_stands_in(server: Server, desk: Desk) -> None:
    place, (blob, path) = name(server.host, "lib/referred:1"), desk.blob(1000, "referred")
    desk.pusher.push_blob(place, blob, path)
    digest = desk.pusher.put_manifest(place, manifest(blob), OCI_MANIFEST)
    assert desk.pusher.referrers(place.at(digest)) == ()
    entry = descriptor_of(OCI_MANIFEST, manifest(blob), artifact_type="application/x-sbom")
    second = manifest(blob, blob)
    other = descriptor_of(OCI_MANIFEST, second, artifact_type="application/x-signature")
    desk.pusher.put_manifest(place.at(other.digest), second, OCI_MANIFEST)
    index = document_bytes(Index(manifests=(entry, other)))
    desk.pusher.put_manifest(replace(place, tag=digest.replace(":", "-")), index, OCI_INDEX)
    assert desk.pusher.referrers(place.at(digest)) == (entry, other)
    assert desk.pusher.referrers(place.at(digest), "application/x-signature") == (other,)
    assert desk.pusher.referrers(place.at(digest), "application/x-none") == ()


def test_a_blob_that_several_threads_want_there_goes_once(passing: Passing, desk: Desk) -> None:
    place, (blob, path) = name(passing.host, "lib/shared"), desk.blob(1_500_000, "shared")
    found: list[Pushed] = []
    threads = [
        threading.Thread(target=lambda: found.append(desk.pusher.push_blob(place, blob, path, missing=True)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(each.how for each in found) == ["sent", "there", "there", "there"]
    assert passing.methods == ["POST", "PUT"]


def test_many_blobs_at_once(server: Server, desk: Desk) -> None:
    place = name(server.host, "lib/many")
    blobs = [desk.blob(300_000 + seed, seed) for seed in range(8)]
    failures: list[BaseException] = []

    def push(blob: Descriptor, path: Path) -> None:
        try:
            desk.pusher.push_blob(place, blob, path)
        except RearchError as error:
            failures.append(error)

    threads = [threading.Thread(target=push, args=each) for each in blobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert all(read_back(desk, place, blob) for blob, _ in blobs)
    assert desk.client.requests <= 2 * len(blobs) + len(blobs)


# --- files that are not what they are said to be


@pytest.mark.parametrize("size", [0, 1000, 1_500_000, BIG])
def test_a_file_that_changed_is_not_taken(passing: Passing, desk: Desk, size: int) -> None:
    place, (blob, path) = name(passing.host, "lib/changed"), desk.blob(size, "changed")
    wrong = replace(blob, digest="sha256:" + "1" * 64)
    with pytest.raises(push_errors.SourceChanged) as caught:
        desk.pusher.push_blob(place, wrong, path)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert blob.digest in caught.value.render()
    assert str(path) in caught.value.summary
    assert not desk.fresh().has_blob(place, blob.digest)
    assert not desk.time.slept
    if size:
        assert passing.methods[-2] == "DELETE"
        assert sum(seen.size for seen in passing.asked()) < size


def test_a_file_that_is_shorter_or_not_there_is_not_even_begun(passing: Passing, desk: Desk) -> None:
    place, (blob, path) = name(passing.host, "lib/short"), desk.blob(1000, "short")
    path.write_bytes(b"short")
    with pytest.raises(push_errors.SourceChanged, match="is not what it is said to be"):
        desk.pusher.push_blob(place, blob, path)
    path.unlink()
    with pytest.raises(push_errors.CannotReadBlob, match="No such file"):
        desk.pusher.push_blob(place, blob, path)
    assert not passing.seen


def test_who_says_to_have_checked_is_checked_by_the_registry(passing: Passing, desk: Desk) -> None:
    place, (blob, path) = name(passing.host, "lib/trusted"), desk.blob(1_500_000, "trusted")
    assert desk.pusher.push_blob(place, blob, path, checked=True) == Pushed("sent", 1_500_000)
    wrong = replace(blob, digest="sha256:" + "1" * 64)
    with pytest.raises(push_errors.SourceChanged) as caught:
        desk.pusher.push_blob(place, wrong, path, checked=True)
    assert caught.value.found == blob.digest
    assert not desk.fresh().has_blob(place, wrong.digest)
