"""`manifest` against the real registry server, as manifest-tool would do it and where it would not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rearch.errors import ExitCode, RearchError
from rearch.host.process import Processes
from rearch.model.digest import Digest
from rearch.oci.join_errors import NothingToJoin, NotInIndex, OciInDockerList, PlatformTwice
from rearch.oci.types import DOCKER_INDEX, OCI_INDEX, OCI_MANIFEST, BadDocument, PlatformObject
from rearch.registry import errors
from rearch.registry.manifests_errors import MissingImages, NoAnnotationsInManifest
from tests.support.cli import Cli
from tests.support.joining import Desk, attestation, document_of, index_of, tags_of
from tests.support.needs import need_program
from tests.support.registry import PASSWORD, USER, Server, run_registry
from tests.support.registry_faults import Between, Fault, run_between
from tests.support.registry_images import Stored, layer_bytes, put_image, put_index
from tests.support.token_server import run_token_server

SHARED, ONE, TWO = layer_bytes("shared", 200_000), layer_bytes("one", 5_000), layer_bytes("two", 5_000)
ARCHES = ("amd64", "arm64")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Processes, "pause", lambda _self, _seconds: None)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_registry(tmp_path_factory.mktemp("here")) as server:
        yield server


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_registry(tmp_path_factory.mktemp("there")) as server:
        yield server


@pytest.fixture
def between(there: Server) -> Iterator[Between]:
    with run_between(there) as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def two(server: Server, repository: str, types: Any = "docker") -> dict[str, Stored]:
    """Images for amd64 and arm64, under the tags 1-amd64 and 1-arm64, with a layer in common."""
    return {
        arch: put_image(server, repository, arch, layers=(SHARED, own), tag=f"1-{arch}", types=types)
        for arch, own in (("amd64", ONE), ("arm64", TWO))
    }


def seen(server: Server, before: int = 0) -> list[str]:
    """Requests, with digests cut short."""
    return [request[:90] for request in server.requests()[before:]]


def count(requests: list[str], method: str, part: str = "") -> int:
    return sum(request.startswith(f"{method} ") and part in request for request in requests)


# --- the talk's example


def test_the_talks_example(here: Server, tmp_path: Path) -> None:
    """icclab/ubuntu-multi-arch:16.04 from ubuntu:16.04 and aarch64/ubuntu:16.04, through the command line."""
    amd64 = put_image(here, "library/ubuntu", "amd64", layers=(ONE,), tag="16.04", types="docker")
    arm64 = put_image(here, "aarch64/ubuntu", "arm64", layers=(TWO,), tag="16.04", types="docker")
    (tmp_path / "rearch.yaml").write_text(f'mirrors: {{"docker.io/": "{here.host}/"}}\n')
    (tmp_path / "spec.yml").write_text(
        f"image: {here.host}/icclab/ubuntu-multi-arch:16.04\n"
        "tags: [16, latest]\n"
        "manifests:\n"
        "  - image: ubuntu:16.04\n"
        "    platform: {architecture: amd64, os: linux}\n"
        "  - image: aarch64/ubuntu:16.04\n"
        "    platform: {architecture: arm64, os: linux}\n"
    )
    before = len(here.requests())
    ran = Cli(tmp_path, tmp_path / "cache").run("manifest", "--spec", "spec.yml", env={"http_proxy": None})
    data = document_of(here, "icclab/ubuntu-multi-arch", "16.04")
    assert ran.out == f"Digest: {Digest.of(data)} {len(data)}\n"
    index = json.loads(data)
    assert index["mediaType"] == DOCKER_INDEX
    assert [(entry["digest"], entry["platform"]) for entry in index["manifests"]] == [
        (amd64.manifest.digest, {"architecture": "amd64", "os": "linux"}),
        (arm64.manifest.digest, {"architecture": "arm64", "os": "linux"}),
    ]
    assert tags_of(here, "icclab/ubuntu-multi-arch") == {"16.04", "16", "latest"}
    requests = seen(here, before)
    assert not count(requests, "GET", "/icclab/"), "what is mounted is not fetched"
    assert count(requests, "POST") == 4
    assert not count(requests, "PATCH")
    puts = [request.split()[1].rpartition("/")[2][:7] for request in requests if request.startswith("PUT")]
    assert [name == "sha256:" for name in puts] == [True, True, False, False, False], "children first, tags last"


def test_others_read_what_was_pushed(here: Server, desk: Desk) -> None:
    skopeo = need_program("skopeo", "skopeo")
    images = two(here, "read/app")
    name = f"{here.host}/read/app"
    answer = desk.join(platforms="linux/amd64,linux/arm64", template=f"{name}:1-ARCH", target=f"{name}:1")

    def look(*more: str) -> bytes:
        argv = (skopeo, *more, "inspect", "--tls-verify=false", "--raw", f"docker://{name}:1")
        return subprocess.run(argv, check=True, capture_output=True).stdout

    assert answer.document["digest"] == str(Digest.of(look()))
    argv = (skopeo, "--override-arch", "arm64", "inspect", "--tls-verify=false", f"docker://{name}:1")
    shown = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    assert shown["Architecture"] == "arm64"
    assert shown["Layers"] == [layer.digest for layer in images["arm64"].layers]


# --- requests


def test_two_images_that_are_there_take_no_more_requests_than_manifest_tool(here: Server, desk: Desk) -> None:
    two(here, "count/app")
    name = f"{here.host}/count/app"
    before = len(here.requests())
    order = {"platforms": "linux/amd64,linux/arm64", "template": f"{name}:1-ARCH", "target": f"{name}:1"}
    desk.join(**order)
    first = seen(here, before)
    # manifest-tool: HEAD, manifest and config of both, HEAD and PUT of the index.
    assert len(first) == 6, first  # and it takes 8
    before = len(here.requests())
    desk.join(**order)
    again = seen(here, before)
    assert len(again) == 5, again
    assert not count(again, "PUT")
    assert ("info", f"{name}:1: names this index already") in desk.said


# --- elsewhere


def test_another_registry_gives_each_blob_once(here: Server, there: Server, desk: Desk) -> None:
    images = two(there, "src/app", "oci")
    target = f"{here.host}/dst/app:1"
    spec = desk.spec(target, [f"{there.host}/src/app:1-{arch}" for arch in ("amd64", "arm64")])
    before = len(here.requests()), len(there.requests())
    answer = desk.join(spec=spec)
    sent, fetched = seen(here, before[0]), seen(there, before[1])
    blobs = {blob.digest for image in images.values() for blob in image.layers}
    assert len(blobs) == 3
    # Three layers and two configs: asked for, begun, sent; the shared layer once.
    assert (count(sent, "HEAD", "/blobs/"), count(sent, "POST"), count(sent, "PUT", "/uploads/")) == (5, 5, 5)
    assert all(count(fetched, "GET", digest[:30]) == 1 for digest in blobs)
    assert answer.document["blobs"] == {
        "mounted": 0,
        "sent": 5,
        "there": 0,
        "bytes": answer.document["blobs"]["bytes"],
    }
    index = index_of(here, "dst/app", "1")
    assert index["mediaType"] == OCI_INDEX, "there is an image of OCI's type"
    assert [entry["digest"] for entry in index["manifests"]] == [each.manifest.digest for each in images.values()]
    before = len(here.requests()), len(there.requests())
    desk.join(spec=spec)
    assert {request.split()[0] for request in seen(here, before[0])} == {"HEAD"}
    assert not [each for each in seen(there, before[1]) if any(digest[:30] in each for digest in blobs)]


def test_what_was_fetched_before_is_not_fetched_again(here: Server, there: Server, desk: Desk) -> None:
    two(there, "cached/app")
    for target in ("cached/one:1", "cached/two:1"):
        before = len(there.requests())
        desk.join(spec=desk.spec(f"{here.host}/{target}", [f"{there.host}/cached/app:1-arm64"]))
    assert count(seen(there, before), "GET", "/blobs/") == 1, "the config, which tells the platform"


def test_where_a_mount_is_refused_the_bytes_are_sent(here: Server, there: Server, desk: Desk) -> None:
    """The image's own registry would be the target's, but it was read from a mirror, and is not there any more."""
    two(there, "real/app")
    desk.settings(mirrors={f"{here.host}/gone/": f"{there.host}/real/"})
    before = len(here.requests())
    spec = desk.spec(f"{here.host}/fallen/app:1", [f"{here.host}/gone/app:1-amd64"])
    answer = desk.join(spec=spec)
    requests = seen(here, before)
    assert answer.document["blobs"]["sent"] == 3
    assert 1 <= count(requests, "DELETE", "/uploads/") <= 3, "what was begun for nothing is ended"
    assert tags_of(here, "fallen/app") == {"1"}


def test_damaged_bytes_from_another_registry_are_not_passed_on(here: Server, between: Between, desk: Desk) -> None:
    images = two(Server(host=between.upstream, log=Path(), storage=Path()), "hurt/app")
    layer = images["arm64"].layers[1]
    between.faults.append(Fault(path=layer.hex, replace=b"x" * layer.size))
    with pytest.raises(errors.WrongDigest) as raised:
        desk.join(spec=desk.spec(f"{here.host}/hurt/app:1", [f"{between.host}/hurt/app:1-arm64"]))
    assert raised.value.exit_code is ExitCode.VERIFICATION
    assert not tags_of(here, "hurt/app")
    assert not any("/hurt/app/manifests/" in request for request in here.requests() if request.startswith("PUT"))


def test_a_blob_larger_than_the_limit_is_not_fetched(here: Server, there: Server, desk: Desk) -> None:
    two(there, "large/app")
    desk.settings(limits={"download_bytes": 100_000})
    with pytest.raises(errors.TooLarge, match="100000 is the limit"):
        desk.join(spec=desk.spec(f"{here.host}/large/app:1", [f"{there.host}/large/app:1-arm64"]))
    assert not tags_of(here, "large/app")


# --- annotations, attestations, types


def attested(server: Server, repository: str) -> tuple[dict[str, Stored], dict[str, str]]:
    """An index `src` of two images with an attestation each; the attestations' digests by architecture."""
    images = two(server, repository, "oci")
    about = {
        arch: attestation(server, repository, image.manifest, f"https://spdx.dev/Document#{arch}")
        for arch, image in images.items()
    }
    put_index(server, repository, "src", [*(image.manifest for image in images.values()), *about.values()])
    return images, {arch: found.digest for arch, found in about.items()}


def test_attestations_are_kept_last_copied_or_dropped(here: Server, desk: Desk) -> None:
    images, about = attested(here, "att/app")
    extra = put_image(here, "att/app", "linux/arm/v7", layers=(ONE,), tag="v7")
    manifests = [f"{here.host}/att/app:src", f"{here.host}/att/app:v7"]
    desk.join(spec=desk.spec(f"{here.host}/att/kept:1", manifests))
    index = index_of(here, "att/kept", "1")
    pictures = [each.manifest.digest for each in (*images.values(), extra)]
    assert [entry["digest"] for entry in index["manifests"]] == [*pictures, *about.values()]
    assert index["manifests"][3]["platform"] == {"architecture": "unknown", "os": "unknown"}
    desk.join(spec=desk.spec(f"{here.host}/att/dropped:1", manifests), attestations="drop")
    assert [entry["digest"] for entry in index_of(here, "att/dropped", "1")["manifests"]] == pictures
    assert len(desk.warnings) == 2


def test_a_platform_takes_its_image_and_its_attestation_from_an_index(here: Server, desk: Desk) -> None:
    images, about = attested(here, "pick/app")
    wanted = {"image": f"{here.host}/pick/app:src", "platform": {"architecture": "arm64", "os": "linux"}}
    desk.join(spec=desk.spec(f"{here.host}/pick/app:1", [wanted]))
    entries = index_of(here, "pick/app", "1")["manifests"]
    assert [entry["digest"] for entry in entries] == [images["arm64"].manifest.digest, about["arm64"]]


def test_annotations_on_index_descriptor_and_manifest(here: Server, desk: Desk) -> None:
    images, _ = attested(here, "note/app")
    one = {
        "image": f"{here.host}/note/app:1-amd64",
        "annotations": {"org.example.where": "descriptor"},
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    other = {"image": f"{here.host}/note/app:src", "platform": {"os": "linux", "architecture": "arm64"}}
    spec = desk.spec(f"{here.host}/note/out:1", [one, other], annotations={"org.example.where": "index"})
    desk.join(spec=spec, annotations=("manifest[linux/arm64/v8],manifest-descriptor:org.example.more=a:b=c",))
    index = index_of(here, "note/out", "1")
    assert index["annotations"] == {"org.example.where": "index"}
    first, second = index["manifests"]
    assert first["digest"] == images["amd64"].manifest.digest
    assert first["annotations"] == {"org.example.more": "a:b=c", "org.example.where": "descriptor"}
    assert second["digest"] != images["arm64"].manifest.digest
    place = here.storage / "docker/registry/v2/blobs/sha256"
    digits = second["digest"].removeprefix("sha256:")
    manifest = json.loads((place / digits[:2] / digits / "data").read_text())
    assert manifest["annotations"] == {"org.example.more": "a:b=c"}
    assert [each["digest"] for each in manifest["layers"]] == [each.digest for each in images["arm64"].layers]


def test_an_attestation_does_not_hold_for_a_manifest_that_was_annotated(here: Server, desk: Desk) -> None:
    attested(here, "stale/app")
    spec = desk.spec(f"{here.host}/stale/app:1", [f"{here.host}/stale/app:src"])
    desk.join(spec=spec, annotations=("manifest:org.example.x=y",))
    assert len(index_of(here, "stale/app", "1")["manifests"]) == 2
    assert all("is left out" in text for text in desk.warnings)
    assert len(desk.warnings) == 2


def test_dockers_types_take_no_annotations_and_no_images_of_oci(here: Server, desk: Desk) -> None:
    two(here, "types/docker")
    two(here, "types/oci", "oci")
    target = f"{here.host}/types/out:1"
    spec = desk.spec(target, [f"{here.host}/types/docker:1-arm64"])
    with pytest.raises(NoAnnotationsInManifest, match="cannot be annotated"):
        desk.join(spec=spec, annotations=("manifest:a=b",))
    with pytest.raises(OciInDockerList):
        desk.join(spec=desk.spec(target, [f"{here.host}/types/oci:1-arm64"]), types="docker")
    desk.join(spec=desk.spec(target, [f"{here.host}/types/docker:1-arm64"]), types="oci")
    assert index_of(here, "types/out", "1")["mediaType"] == OCI_INDEX


# --- what is missing, or wrong


def test_missing_images_are_named_all_at_once_or_left_out(here: Server, desk: Desk) -> None:
    two(here, "miss/app")
    name = f"{here.host}/miss/app"
    order = {
        "platforms": ["linux/s390x", "linux/amd64", "linux/arm/v6"],
        "template": f"{name}:1-ARCHVARIANT",
        "target": f"{name}:1",
    }
    order = {**order, "platforms": ",".join(order["platforms"])}
    with pytest.raises(MissingImages) as raised:
        desk.join(**order)
    assert [missing[0] for missing in raised.value.missing] == [f"{name}:1-s390x", f"{name}:1-armv6"]
    assert "--ignore-missing" in raised.value.render()
    assert "1" not in tags_of(here, "miss/app")
    desk.join(**order, ignore_missing=True)
    assert [each["platform"]["architecture"] for each in index_of(here, "miss/app", "1")["manifests"]] == ["amd64"]
    assert len(desk.warnings) == 2
    with pytest.raises(NothingToJoin):
        desk.join(spec=desk.spec(f"{name}:2", [f"{name}:no"]), ignore_missing=True)


def test_a_registry_that_lets_us_read_nothing_is_not_taken_for_empty(tmp_path: Path, desk: Desk) -> None:
    with run_registry(tmp_path / "closed", login=True) as closed:
        spec = desk.spec(f"{closed.host}/a/b:1", [f"{closed.host}/a/b:1-amd64"])
        with pytest.raises(errors.LoginWanted) as raised:
            desk.join(spec=spec, ignore_missing=True)
    assert raised.value.exit_code is ExitCode.USAGE


def test_no_right_to_push_names_the_scope(tmp_path: Path, here: Server, desk: Desk) -> None:
    two(here, "rights/app")
    with run_registry(tmp_path / "closed", login=True) as closed:
        spec = desk.spec(f"{closed.host}/rights/app:1", [f"{here.host}/rights/app:1-arm64"])
        with pytest.raises(errors.LoginWanted) as raised:
            desk.join(spec=spec)
        assert "repository:rights/app:pull,push" in raised.value.render()
        assert not tags_of(closed, "rights/app")
        desk.login(closed.host, USER, PASSWORD)
        desk.join(spec=spec)
        assert tags_of(closed, "rights/app") == {"1"}


def test_two_images_of_one_platform(here: Server, desk: Desk) -> None:
    two(here, "twice/app")
    put_image(here, "twice/app", "arm64", layers=(ONE,), tag="other", types="docker")
    names = [f"{here.host}/twice/app:{tag}" for tag in ("1-arm64", "other")]
    with pytest.raises(PlatformTwice) as raised:
        desk.join(spec=desk.spec(f"{here.host}/twice/out:1", names))
    assert raised.value.exit_code is ExitCode.USAGE
    assert all(name in raised.value.render() for name in names)
    assert not tags_of(here, "twice/out")


def test_an_index_without_the_platform_says_what_it_has(here: Server, desk: Desk) -> None:
    attested(here, "lack/app")
    wanted = {"image": f"{here.host}/lack/app:src", "platform": {"architecture": "s390x", "os": "linux"}}
    with pytest.raises(NotInIndex, match="linux/s390x") as raised:
        desk.join(spec=desk.spec(f"{here.host}/lack/app:1", [wanted]))
    assert raised.value.there == ("linux/amd64", "linux/arm64")


def test_an_image_that_says_to_be_for_another_platform_is_told(here: Server, desk: Desk) -> None:
    put_image(here, "odd/app", "amd64", layers=(ONE,), tag="1-arm64")
    name = f"{here.host}/odd/app"
    desk.join(platforms="linux/arm64", template=f"{name}:1-ARCH", target=f"{name}:1")
    assert [text for text in desk.warnings if "its config says linux/amd64" in text]


def test_the_variant_comes_from_the_config(here: Server, desk: Desk) -> None:
    put_image(here, "var/app", "linux/arm/v6", layers=(ONE,), tag="pi")
    wanted = {"image": f"{here.host}/var/app:pi", "platform": {"architecture": "arm", "os": "linux"}}
    desk.join(spec=desk.spec(f"{here.host}/var/app:1", [wanted]))
    (entry,) = index_of(here, "var/app", "1")["manifests"]
    assert entry["platform"] == {"architecture": "arm", "os": "linux", "variant": "v6"}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            Fault(path="/manifests/", status=200, headers=(("Content-Type", "text/html"),), body=b"<p>"),
            errors.NotARegistry,
        ),
        (Fault(path="/manifests/", status=200, headers=(("Content-Type", OCI_MANIFEST),), body=b"<p>"), BadDocument),
        (Fault(path="/manifests/", status=200, body=b" " * (5 << 20)), errors.TooLarge),
        (Fault(path="/blobs/", status=200, body=b"{}"), errors.WrongDigest),
    ],
)
def test_answers_that_are_no_images(
    here: Server, between: Between, desk: Desk, fault: Fault, error: type[RearchError]
) -> None:
    two(Server(host=between.upstream, log=Path(), storage=Path()), "bad/app")
    between.faults.append(fault)
    with pytest.raises(error):
        desk.join(spec=desk.spec(f"{here.host}/bad/app:1", [f"{between.host}/bad/app:1-arm64"]))
    assert not tags_of(here, "bad/app")


def test_a_registry_that_does_not_answer_is_temporary(here: Server, desk: Desk) -> None:
    two(here, "away/app")
    with pytest.raises(RearchError) as raised:
        desk.join(spec=desk.spec("127.0.0.1:9/away/app:1", [f"{here.host}/away/app:1-arm64"]))
    assert raised.value.exit_code is ExitCode.TEMPORARY
    assert "127.0.0.1:9" in raised.value.render()


def test_a_reference_with_a_mistake_has_a_caret(tmp_path: Path) -> None:
    ran = Cli(tmp_path, tmp_path / "cache").run("inspect", "127.0.0.1:5000/some/Thing:1", code=2)
    place = "127.0.0.1:5000/some/Thing:1".index("T")
    assert any(line.startswith(" " * (2 + place) + "^ ") for line in ran.err.splitlines()), ran.err


# --- dry run


def test_a_dry_run_shows_what_differs_and_sends_nothing(here: Server, there: Server, desk: Desk) -> None:
    two(here, "dry/app")
    two(there, "dry/app")
    put_image(there, "dry/app", "linux/arm/v7", layers=(ONE,), tag="v7")
    name = f"{here.host}/dry/app"
    old = desk.join(spec=desk.spec(f"{name}:1", [f"{name}:1-amd64", f"{name}:1-arm64"]))
    spec = desk.spec(f"{name}:1", [f"{name}:1-amd64", f"{there.host}/dry/app:v7"], tags=["new"])
    before = len(here.requests())
    answer = desk.join(spec=spec, dry_run=True, types="oci")
    assert {request.split()[0] for request in seen(here, before)} == {"GET", "HEAD"}
    shown = "\n".join(answer.lines)
    moved = f"{name}:1: {old.document['digest'][:19]} -> {answer.document['digest'][:19]}"
    for line in (
        moved,
        "  linux/arm/v7 is new",
        "  linux/arm64 goes",
        f"{name}:new: new",
        f"copies {there.host}/dry/app",
    ):
        assert line in shown, shown
    assert answer.lines[-1] == f"Digest: {answer.document['digest']} {answer.document['size']}"
    assert tags_of(here, "dry/app") == {"1", "1-amd64", "1-arm64"}
    done = desk.join(spec=spec, types="oci")
    assert done.document["index"] == answer.document["index"]
    assert str(Digest.of(document_of(here, "dry/app", "new"))) == answer.document["digest"]
    again = desk.join(spec=spec, dry_run=True, types="oci")
    assert [tag["action"] for tag in again.document["tags"]] == ["unchanged", "unchanged"]
    assert again.document["copies"] == []


def test_the_platform_object_is_written_as_the_spec_says(here: Server, desk: Desk) -> None:
    """`v8` is what arm64 means anyway; who writes it gets it."""
    two(here, "v8/app")
    name = f"{here.host}/v8/app"
    desk.join(platforms="linux/arm64/v8", template=f"{name}:1-ARCH", target=f"{name}:1")
    (entry,) = index_of(here, "v8/app", "1")["manifests"]
    assert msgspec.convert(entry["platform"], PlatformObject).variant == "v8"


def test_tokens_hold_both_scopes_of_a_mount(tmp_path: Path, desk: Desk) -> None:
    with run_registry(tmp_path / "r") as plain:
        two(plain, "tok/src")
    with run_token_server(tmp_path) as tokens, run_registry(tmp_path / "r", tokens=tokens.service) as server:
        desk.login(server.host, USER, PASSWORD)
        desk.join(spec=desk.spec(f"{server.host}/tok/out:1", [f"{server.host}/tok/src:1-{arch}" for arch in ARCHES]))
        assert tags_of(server, "tok/out") == {"1"}
        assert [sorted(asked["scope"]) for _, asked, _ in tokens.asked] == [
            ["repository:tok/src:pull"],
            ["repository:tok/out:pull,push"],
            ["repository:tok/out:pull,push", "repository:tok/src:pull"],
        ], "three tokens, each fetched once"


def test_what_the_hub_says_of_a_repository_that_is_not_there(tmp_path: Path, desk: Desk) -> None:
    """401, as of one that is for others alone."""
    with run_registry(tmp_path / "r") as plain:
        two(plain, "tok/src")
    with run_token_server(tmp_path) as tokens, run_registry(tmp_path / "r", tokens=tokens.service) as server:
        tokens.public = frozenset(["tok/src", "tok/out"])
        names = [f"{server.host}/tok/src:1-amd64", f"{server.host}/tok/none:1"]
        spec = desk.spec(f"{server.host}/tok/out:1", names)
        with pytest.raises(errors.LoginWanted, match="tok/none"):
            desk.join(spec=spec, dry_run=True)
        answer = desk.join(spec=spec, dry_run=True, ignore_missing=True)
        assert len(answer.document["index"]["manifests"]) == 1
        assert [text for text in desk.warnings if "perhaps there is no such repository" in text]
