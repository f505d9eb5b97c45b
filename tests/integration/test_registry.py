"""Pulling from the real registry server: plain, with a password, with tokens, over TLS; with bad manners between."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode, RearchError
from rearch.formats.urls import OfflineError
from rearch.host.process import Processes
from rearch.model.limits import Limits
from rearch.model.lock import PinnedBase
from rearch.model.platform import parse_platform
from rearch.model.reference import Reference, parse_reference
from rearch.model.settings import RegistrySettings
from rearch.model.step_images import RegistryOrigin
from rearch.oci.layout import start_layout
from rearch.oci.types import BadDocument, Descriptor, PlatformObject, descriptor_of, readable
from rearch.planning.bases import BaseWithoutPlatform, manifest_for
from rearch.registry import errors
from rearch.registry.client import RegistryClient
from rearch.registry.credentials import DockerConfig
from rearch.registry.patience import Patience
from rearch.registry.pull import RegistryPuller
from rearch.registry.resolve import BaseResolver, NoKnownPlatform
from tests.support.registry import PASSWORD, USER, Server, run_registry
from tests.support.registry_faults import Between, Fault, run_between
from tests.support.registry_images import Stored, layer_bytes, put_image, put_index
from tests.support.token_server import REFRESH, make_certificate, run_token_server
from tests.support.workspace import log_of, make_workspace, progress_of

ARM64, AMD64 = parse_platform("arm64"), parse_platform("amd64")
LAYERS = (layer_bytes("one", 3_000_000), layer_bytes("two", 1000))


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # What requests would read on its own.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login netrc-user password netrc-secret\n")
    monkeypatch.setenv("NETRC", str(netrc))


@dataclass
class Time:
    """A clock that goes on only when somebody sleeps."""

    at: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    @property
    def patience(self) -> Patience:
        return Patience(sleep=self.sleep, clock=lambda: self.at, now=lambda: self.at, random=lambda: 1.0)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_registry(tmp_path_factory.mktemp("plain")) as server:
        yield server


@pytest.fixture
def between(plain: Server) -> Iterator[Between]:
    with run_between(plain) as found:
        yield found


@pytest.fixture(scope="module")
def stored(plain: Server) -> Stored:
    """lib/base:1, an index of arm64 and amd64; the answer is its arm64 image."""
    arm = put_image(plain, "lib/base", "arm64", layers=LAYERS)
    amd = put_image(plain, "lib/base", "amd64", layers=LAYERS[1:])
    put_index(plain, "lib/base", "1", [arm.manifest, amd.manifest])
    return arm


def name(host: str, rest: str = "lib/base:1") -> Reference:
    return parse_reference(f"{host}/{rest}")


@dataclass
class Puller:
    """Pulls into new folders below `base`, through one cache."""

    base: Path
    client: RegistryClient
    limits: Limits | None = None

    def pull(self, reference: str, digest: str, platform: str = "arm64") -> Path:
        self.work = make_workspace(self.base, limits=self.limits)
        start_layout(self.work.files)
        origin = RegistryOrigin(reference=reference, digest=digest)
        RegistryPuller(self.client, self.base / "cache").pull(
            origin, parse_platform(platform), self.work.files, self.work
        )
        return self.work.files

    def blobs(self) -> set[str]:
        return {path.name for path in (self.work.files / "blobs/sha256").iterdir()}


@pytest.fixture
def puller(tmp_path: Path, time: Time) -> Iterator[Puller]:
    with RegistryClient(patience=time.patience, certificates=None) as client:
        yield Puller(tmp_path, client)


def wanted(image: Stored) -> set[str]:
    return {image.manifest.hex, *(layer.hex for layer in image.layers)}


# --- what a base is


def test_a_tag_is_resolved_to_its_index_and_all_platforms(plain: Server, stored: Stored, puller: Puller) -> None:
    pinned = BaseResolver(puller.client).resolve(f"{plain.host}/lib/base:1")
    assert set(pinned.platforms) == {"linux/arm64", "linux/amd64"}
    assert manifest_for(pinned, ARM64) == stored.manifest.digest
    again = BaseResolver(puller.client).resolve(f"{plain.host}/lib/base@{pinned.digest}")
    assert (again.digest, again.platforms) == (pinned.digest, pinned.platforms)
    with pytest.raises(BaseWithoutPlatform) as caught:
        manifest_for(pinned, parse_platform("arm/v7"))
    assert caught.value.summary == f"{plain.host}/lib/base:1 has no linux/arm/v7"
    assert caught.value.details == ("it has linux/amd64, linux/arm64",)
    assert caught.value.exit_code is ExitCode.USAGE


def test_attestations_and_unknown_platforms_are_left_out_and_the_first_of_two_wins(
    plain: Server, puller: Puller
) -> None:
    first = put_image(plain, "lib/odd", "arm64", layers=[layer_bytes("first")]).manifest
    second = put_image(plain, "lib/odd", "arm64", layers=[layer_bytes("second")]).manifest
    attested = replace(
        second,
        platform=PlatformObject(architecture="unknown", os="unknown"),
        annotations={"vnd.docker.reference.type": "attestation-manifest"},
    )
    windows = replace(second, platform=PlatformObject(architecture="amd64", os="windows"))
    v8 = replace(second, platform=PlatformObject(architecture="arm64", os="linux", variant="v8"))
    put_index(plain, "lib/odd", "1", [attested, windows, first, v8])
    pinned = BaseResolver(puller.client).resolve(f"{plain.host}/lib/odd:1")
    assert pinned.platforms == {"linux/arm64": first.digest}
    put_index(plain, "lib/odd", "none", [attested, windows])
    with pytest.raises(NoKnownPlatform, match="no platform that rearch knows") as caught:
        BaseResolver(puller.client).resolve(f"{plain.host}/lib/odd:none")
    assert caught.value.found == ("windows/amd64",)


def test_an_index_in_an_index_and_an_image_that_only_its_config_describes(plain: Server, puller: Puller) -> None:
    arm = put_image(plain, "lib/nested", "arm64", layers=[layer_bytes("arm")]).manifest
    amd = put_image(plain, "lib/nested", "amd64", layers=[layer_bytes("amd")]).manifest
    inner = put_index(plain, "lib/nested", "inner", [arm], types="docker")
    put_index(plain, "lib/nested", "1", [inner, replace(amd, platform=None)])
    pinned = BaseResolver(puller.client).resolve(f"{plain.host}/lib/nested:1")
    assert pinned.platforms == {"linux/arm64": arm.digest, "linux/amd64": amd.digest}


def test_what_is_no_image_is_left_out_and_alone_it_is_no_base(plain: Server, puller: Puller) -> None:
    arm = put_image(plain, "lib/artifact", "arm64").manifest
    config = plain.put_blob("lib/artifact", b"{}")
    chart = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": config, "size": 2}
    document = {"schemaVersion": 2, "mediaType": arm.media_type, "config": chart, "layers": []}
    digest = plain.put_manifest("lib/artifact", "chart", document, arm.media_type)
    entry = Descriptor(media_type=arm.media_type, digest=digest, size=len(json.dumps(document)))
    signature = replace(arm, platform=None, artifact_type="application/vnd.signature")
    put_index(plain, "lib/artifact", "1", [entry, signature, arm])
    resolver = BaseResolver(puller.client)
    assert resolver.resolve(f"{plain.host}/lib/artifact:1").platforms == {"linux/arm64": arm.digest}
    with pytest.raises(NoKnownPlatform) as caught:
        resolver.resolve(f"{plain.host}/lib/artifact:chart")
    assert caught.value.found == ("application/vnd.cncf.helm.config.v1+json (no image)",)


@pytest.mark.parametrize("types", ["oci", "docker"])
def test_a_single_manifest_is_for_the_platform_in_its_config(plain: Server, puller: Puller, types: str) -> None:
    image = put_image(plain, "lib/single", "arm/v6", tag=types, types=types)  # type: ignore[arg-type]
    pinned = BaseResolver(puller.client).resolve(f"{plain.host}/lib/single:{types}")
    assert (pinned.digest, pinned.platforms) == (image.manifest.digest, {"linux/arm/v6": image.manifest.digest})


def test_a_tag_that_moved_is_told(plain: Server, puller: Puller) -> None:
    put_image(plain, "lib/moving", "arm64", tag="1", layers=[layer_bytes("old")])
    resolver = BaseResolver(puller.client)
    pinned = resolver.resolve(f"{plain.host}/lib/moving:1")
    assert resolver.moved(pinned) is None
    new = put_image(plain, "lib/moving", "arm64", tag="1", layers=[layer_bytes("new")]).manifest.digest
    moved = resolver.moved(pinned)
    assert moved is not None
    assert (moved.locked, moved.found) == (pinned.digest, new)
    fixed = PinnedBase(reference=f"{plain.host}/lib/moving@{new}", digest=new, platforms=pinned.platforms)
    assert resolver.moved(fixed) is None
    gone = PinnedBase(reference=f"{plain.host}/lib/moving:gone", digest=new, platforms=pinned.platforms)
    assert "the tag is gone" in str(resolver.moved(gone).details)  # type: ignore[union-attr]


# --- pulling


def test_a_pull_leaves_blobs_alone_and_a_second_one_asks_for_nothing(
    plain: Server, stored: Stored, puller: Puller
) -> None:
    layout = puller.pull(f"{plain.host}/lib/base:1", stored.manifest.digest)
    assert wanted(stored) < puller.blobs()
    assert len(puller.blobs()) == 4
    assert {path.name for path in layout.iterdir()} == {"blobs", "oci-layout"}
    for path in (layout / "blobs/sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        assert path.stat().st_nlink == 2
    assert progress_of(puller.work)[-1][1:3] == (sum(map(len, LAYERS)), sum(map(len, LAYERS)))
    assert f"from {plain.host}" in log_of(puller.work)
    before = plain.requests()
    puller.pull(f"{plain.host}/lib/base:1", stored.manifest.digest)
    assert len(puller.blobs()) == 4
    assert plain.requests() == before


def test_each_blob_comes_once_also_when_a_manifest_names_it_twice(plain: Server, puller: Puller) -> None:
    image = put_image(plain, "lib/twice", "arm64", layers=[LAYERS[1], LAYERS[1], layer_bytes("third")])
    before = len(plain.requests())
    puller.pull(f"{plain.host}/lib/twice", image.manifest.digest)
    assert len(plain.requests()) - before == 4
    assert wanted(image) < puller.blobs()


def test_offline_the_cache_is_enough_and_what_it_lacks_is_named(
    plain: Server, stored: Stored, puller: Puller, tmp_path: Path
) -> None:
    puller.pull(f"{plain.host}/lib/base:1", stored.manifest.digest)
    puller.client = RegistryClient(offline=True)
    puller.pull(f"{plain.host}/lib/base:1", stored.manifest.digest)
    assert len(puller.blobs()) == 4
    (tmp_path / "cache/downloads" / stored.layers[0].hex).write_bytes(b"rotten")
    with pytest.raises(OfflineError, match="is not in the cache") as caught:
        puller.pull(f"{plain.host}/lib/base:1", stored.manifest.digest)
    assert stored.layers[0].hex[:10] in caught.value.what
    assert caught.value.exit_code is ExitCode.TEMPORARY


def test_a_config_of_another_platform_is_refused(plain: Server, puller: Puller) -> None:
    lies = put_image(
        plain, "lib/lies", "arm64", config_platform=PlatformObject(architecture="amd64", os="linux"), layers=LAYERS[1:]
    )
    with pytest.raises(errors.WrongPlatform) as caught:
        puller.pull(f"{plain.host}/lib/lies:1", lies.manifest.digest)
    assert "is for linux/amd64, not for linux/arm64" in caught.value.summary
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert not puller.blobs() & {layer.hex for layer in lies.layers}


def test_arm_variants_are_told_apart_and_one_that_is_not_stated_is_the_indexs(plain: Server, puller: Puller) -> None:
    bare = PlatformObject(architecture="arm", os="linux")
    image = put_image(plain, "lib/arm", "arm/v6", config_platform=bare)
    puller.pull(f"{plain.host}/lib/arm:1", image.manifest.digest, "arm/v6")
    v7 = put_image(plain, "lib/arm", "arm/v7")
    with pytest.raises(errors.WrongPlatform, match="is for linux/arm/v7, not for linux/arm/v6"):
        puller.pull(f"{plain.host}/lib/arm:1", v7.manifest.digest, "arm/v6")


def test_layers_that_registries_do_not_carry_are_refused_before_anything_is_fetched(
    plain: Server, puller: Puller
) -> None:
    foreign = Descriptor(
        media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest="sha256:" + "1" * 64,
        size=5,
        urls=("https://user:secret@example.org/layer?sig=secret",),
    )
    # A registry refuses to store such a manifest under a name that it checks: it comes from somewhere else.
    with run_between(plain) as between:
        image = put_image(plain, "lib/foreign", "arm64", layers=LAYERS[1:])
        data = json.loads(plain_manifest(plain, "lib/foreign", image))
        data["layers"].append(readable(foreign))
        text = json.dumps(data).encode()
        digest = descriptor_of("x", text).digest
        kind = ("Content-Type", image.manifest.media_type)
        between.faults = [Fault(path="/manifests/", status=200, body=text, headers=(kind,))]
        with pytest.raises(errors.ForeignLayer) as caught:
            puller.pull(f"{between.host}/lib/foreign:1", digest)
        assert "secret" not in caught.value.render()
        assert not between.asked(image.layers[0].digest)


def plain_manifest(plain: Server, repository: str, image: Stored) -> bytes:
    with RegistryClient(certificates=None) as client:
        return client.manifest(name(plain.host, f"{repository}@{image.manifest.digest}")).data


def test_a_layer_beyond_the_limit_is_not_begun(plain: Server, stored: Stored, puller: Puller) -> None:
    puller.limits = Limits(download_bytes=2_000_000)
    with pytest.raises(errors.TooLarge, match="2000000 is the limit"):
        puller.pull(f"{plain.host}/lib/base:1", stored.manifest.digest)


def test_several_pulls_at_once_share_what_they_fetch(plain: Server, stored: Stored, tmp_path: Path) -> None:
    before = len(plain.requests())
    with RegistryClient(certificates=None) as client:
        pullers = [Puller(tmp_path / str(number), client) for number in range(4)]
        for each in pullers:
            (each.base).mkdir()
            (each.base / "cache").symlink_to(tmp_path / "cache")
        (tmp_path / "cache").mkdir()
        threads = [
            threading.Thread(target=each.pull, args=(f"{plain.host}/lib/base:1", stored.manifest.digest))
            for each in pullers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert all(len(each.blobs()) == 4 for each in pullers)
    assert len(plain.requests()) - before == 4


# --- logins


def docker_config(tmp_path: Path, content: dict[str, object], path: str = "") -> DockerConfig:
    folder = tmp_path / "docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))
    environment = {"DOCKER_CONFIG": str(folder), "PATH": f"{path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    return DockerConfig(environment, Processes().run)


def auth(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    import base64

    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_basic_from_the_file_and_from_a_helper(tmp_path: Path, time: Time) -> None:
    helper = tmp_path / "bin/docker-credential-test"
    helper.parent.mkdir()
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\necho '{{warning}}' >&2\ncat > {tmp_path}/asked\necho '{answer}'\n")
    helper.chmod(0o755)
    with run_registry(tmp_path / "registry", login=True) as server:
        for content in ({"auths": {f"https://{server.host}/v1/": auth()}}, {"credHelpers": {server.host: "test"}}):
            found = docker_config(tmp_path, dict(content), str(helper.parent))
            with RegistryClient(found, patience=time.patience, certificates=None) as client:
                client.ping(server.host)
    assert (tmp_path / "asked").read_text().strip() == server.host
    assert not time.slept


def test_who_is_not_let_in_is_told_why_and_never_the_secret(tmp_path: Path, time: Time) -> None:
    helper = tmp_path / "bin/docker-credential-broken"
    helper.parent.mkdir()
    helper.write_text("#!/bin/sh\necho 'the keyring https://u:topsecret@example.org/ is locked'\nexit 1\n")
    helper.chmod(0o755)
    with run_registry(tmp_path / "registry", login=True) as server:
        cases: list[tuple[dict[str, object], str]] = [
            ({}, "without a login"),
            ({"auths": {server.host: auth(password="wrong-secret")}}, "as alice ("),
            ({"credsStore": "broken"}, "no login from docker-credential-broken: the keyring https://***@example.org"),
            ({"credsStore": "missing"}, "no login from docker-credential-missing: docker-credential-missing: no such"),
        ]
        for content, words in cases:
            found = docker_config(tmp_path, content, str(helper.parent))
            with (
                RegistryClient(found, patience=time.patience, certificates=None) as client,
                pytest.raises(errors.LoginWanted) as caught,
            ):
                client.manifest(name(server.host))
            text = caught.value.render()
            assert words in text
            assert "secret" not in text
            assert f"docker login {server.host}" in text
            assert "repository:lib/base:pull" in text
            assert caught.value.exit_code is ExitCode.USAGE
    assert not time.slept


def test_tokens_are_asked_for_with_the_scope_and_used_again(tmp_path: Path, time: Time) -> None:
    with run_token_server(tmp_path) as tokens, run_registry(tmp_path / "r", tokens=tokens.service) as server:
        tokens.public = frozenset(["lib/open"])
        with RegistryClient(patience=time.patience, certificates=None) as client:
            for tag in ("1", "2"):
                with pytest.raises(errors.NotInRegistry, match="lib/open"):
                    client.manifest(name(server.host, f"lib/open:{tag}"))
            assert len(tokens.asked) == 1
            method, asked, headers = tokens.asked[0]
            assert method == "GET"
            assert asked["scope"] == ["repository:lib/open:pull"]
            assert asked["service"] == [tokens.service.service]
            assert "authorization" not in headers
            # Another repository: the challenge is known, so only its token is fetched.
            with pytest.raises(errors.LoginWanted) as caught:
                client.manifest(name(server.host, "lib/closed:1"))
            assert "repository:lib/closed:pull, without a login" in caught.value.render()
        assert [line for line in server.requests() if "open" in line] == [
            "GET /v2/lib/open/manifests/1",
            "GET /v2/lib/open/manifests/1",
            "GET /v2/lib/open/manifests/2",
        ]


def test_a_login_and_an_identity_token_open_what_is_closed(tmp_path: Path, time: Time) -> None:
    with run_token_server(tmp_path) as tokens, run_registry(tmp_path / "r", tokens=tokens.service) as server:
        for entry, method in ((auth(), "GET"), ({**auth("", ""), "identitytoken": REFRESH}, "POST")):
            found = docker_config(tmp_path, {"auths": {server.host: entry}})
            with (
                RegistryClient(found, patience=time.patience, certificates=None) as client,
                pytest.raises(errors.NotInRegistry),
            ):
                client.manifest(name(server.host, "lib/closed:1"))
            assert tokens.asked[-1][0] == method
        found = docker_config(tmp_path, {"auths": {server.host: {"identitytoken": "a-stale-secret"}}})
        with (
            RegistryClient(found, patience=time.patience, certificates=None) as client,
            pytest.raises(errors.LoginWanted) as caught,
        ):
            client.manifest(name(server.host, "lib/closed:1"))
        assert "stale" not in caught.value.render()
        assert "with an identity token" in caught.value.render()


def test_a_token_that_runs_out_is_replaced_in_the_middle(tmp_path: Path, time: Time) -> None:
    with run_token_server(tmp_path) as tokens, run_registry(tmp_path / "r", tokens=tokens.service) as server:
        tokens.public = frozenset(["lib/open"])
        with RegistryClient(patience=time.patience, certificates=None) as client:

            def ask() -> None:
                with pytest.raises(errors.NotInRegistry):
                    client.manifest(name(server.host, "lib/open:1"))

            ask()
            time.at += tokens.life
            ask()
            assert len(tokens.asked) == 2
            # By our clock it holds still; the registry thinks otherwise (its clock, a restart): one 401, one new token.
            tokens.life = -70
            time.at += 1000
            tokens.statuses = [500]
            with pytest.raises(errors.LoginWanted):
                client.manifest(name(server.host, "lib/open:1"))
            asked = len(tokens.asked)
            tokens.life = 300
            ask()
            assert len(tokens.asked) == asked + 1
    assert time.slept == [1.0]


# --- TLS


def test_private_cas_and_client_certificates(tmp_path: Path, time: Time) -> None:
    authority = make_certificate(tmp_path, "authority")
    own = make_certificate(tmp_path, "server", signer=authority)
    client_pair = make_certificate(tmp_path, "client", signer=authority)
    certificates = tmp_path / "certs.d"
    with run_registry(tmp_path / "r", certificate=own, clients=authority[0]) as server:

        def ping(settings: RegistrySettings | None = None) -> None:
            registries = {server.host: settings} if settings else {}
            with RegistryClient(patience=time.patience, certificates=certificates, registries=registries) as client:
                client.ping(server.host)

        with pytest.raises(errors.UntrustedRegistry, match="no safe connection") as caught:
            ping()
        assert "it speaks HTTPS, not HTTP" in caught.value.details
        # publish begins with a HEAD, whose answer has no body to know it by.
        with (
            RegistryClient(patience=time.patience, certificates=None) as client,
            pytest.raises(errors.UntrustedRegistry) as caught,
        ):
            client.head(name(server.host))
        assert "it speaks HTTPS, not HTTP" in caught.value.details
        assert f'`registries: {{"{server.host}": {{plain_http: false}}}}` in rearch.yaml' in str(caught.value.hint)
        assert caught.value.exit_code is ExitCode.USAGE
        with pytest.raises(errors.UntrustedRegistry) as caught:
            ping(RegistrySettings(plain_http=False))
        assert "its certificate is not trusted (" in caught.value.details[0]
        assert f"certs.d/{server.host}/ca.crt" in str(caught.value.hint)
        folder = certificates / server.host
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(authority[0].read_bytes())
        # A folder of certificates says TLS, for localhost too. This server wants a client's certificate besides.
        with pytest.raises(errors.UntrustedRegistry) as caught:
            ping()
        assert "it wants a client's certificate" in caught.value.details
        (folder / "client.cert").write_bytes(client_pair[0].read_bytes())
        with pytest.raises(RearchError, match=r"there is no client\.key beside it"):
            ping()
        (folder / "client.key").write_bytes(client_pair[1].read_bytes())
        ping()
        (folder / "ca.crt").unlink()
        ping(RegistrySettings(insecure=True, plain_http=False))


def test_https_to_a_plain_server_is_told(plain: Server, time: Time) -> None:
    registries = {plain.host: RegistrySettings(plain_http=False)}
    with (
        RegistryClient(patience=time.patience, registries=registries, certificates=None) as client,
        pytest.raises(errors.UntrustedRegistry) as caught,
    ):
        client.ping(plain.host)
    assert "it speaks HTTP, not HTTPS" in caught.value.details
    assert "plain_http: true" in str(caught.value.hint)


# --- bad manners


def test_a_blob_goes_on_where_the_line_dropped(between: Between, stored: Stored, puller: Puller, time: Time) -> None:
    big = stored.layers[0].digest
    between.faults = [Fault(path=big, drop=1_500_000), Fault(path=big, drop=100_000)]
    puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)
    ranges = [headers.get("range") for headers in between.asked(big)]
    assert ranges[0] is None
    assert ranges[1:] == ["bytes=1500000-", "bytes=1600000-"]
    assert len(time.slept) == 2


def test_a_later_run_goes_on_too(between: Between, stored: Stored, puller: Puller) -> None:
    big = stored.layers[0].digest
    between.faults = [Fault(path=big, drop=1_000_000), *[Fault(path=big, drop=0)] * 5]
    with pytest.raises(errors.RegistryUnreachable) as caught:
        puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert caught.value.kept == 1_000_000
    assert "1000000 bytes are kept" in caught.value.render()
    between.faults = []
    puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)
    assert between.asked(big)[-1]["range"] == "bytes=1000000-"
    assert wanted(stored) < puller.blobs()


def test_a_registry_without_ranges_sends_it_again(between: Between, stored: Stored, puller: Puller) -> None:
    big = stored.layers[0].digest
    whole = Fault(path=big, status=200, body=LAYERS[0])
    between.faults = [Fault(path=big, drop=1_000_000), whole]
    puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)
    assert wanted(stored) < puller.blobs()


def test_damaged_parts_are_fetched_anew_and_damaged_blobs_refused(
    between: Between, stored: Stored, puller: Puller, tmp_path: Path
) -> None:
    big = stored.layers[0]
    downloads = tmp_path / "cache/downloads"
    downloads.mkdir(parents=True)
    (downloads / f"{big.hex}.new.part").write_bytes(b"x" * 500_000)
    puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)
    assert [headers.get("range") for headers in between.asked(big.digest)] == ["bytes=500000-", None]
    (downloads / big.hex).unlink()
    between.faults = [Fault(path=big.digest, replace=b"x" * len(LAYERS[0]))]
    with pytest.raises(errors.WrongDigest, match="not what it is said to be") as caught:
        puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)
    assert caught.value.wanted == big.digest
    assert not [path for path in downloads.iterdir() if path.name.startswith(big.hex) and path.suffix != ".lock"]
    between.faults = [Fault(path=big.digest, replace=b"short")]
    with pytest.raises(errors.WrongDigest, match="not what it is said to be"):
        puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        ((("Retry-After", "7"),), [7.0]),
        ((("Retry-After", "Thu, 01 Jan 1970 00:17:00 GMT"),), [20.0]),
        ((), [1.0]),
    ],
)
@pytest.mark.usefixtures("stored")
def test_who_says_later_is_obeyed(
    between: Between, puller: Puller, time: Time, headers: tuple[tuple[str, str], ...], slept: list[float]
) -> None:
    between.faults = [Fault(path="/manifests/", status=429, headers=headers)]
    puller.client.manifest(name(between.host))
    assert time.slept == slept
    gate = puller.client.caller.wire.gate(between.host)
    assert gate.allowed == 2


def test_who_says_much_later_is_told_to_the_user(between: Between, stored: Stored, puller: Puller, time: Time) -> None:
    body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}'
    between.faults = [Fault(path="/manifests/", status=429, headers=(("Retry-After", "3600"),), body=body)]
    with pytest.raises(errors.RegistryUnreachable) as caught:
        puller.client.manifest(name(between.host))
    text = caught.value.render()
    assert "pull rate limit" in text
    assert "it asks to wait 3600 s" in text
    assert f"docker login {between.host}" in text
    assert not time.slept


def test_5xx_pages_are_tried_again_and_not_dumped(between: Between, stored: Stored, puller: Puller, time: Time) -> None:
    page = Fault(path="/manifests/", status=503, headers=(("Content-Type", "text/html"),), body=b"<html>" * 99999)
    between.faults = [page, page]
    assert puller.client.manifest(name(between.host)).is_index
    assert time.slept == [1.0, 2.0]
    between.faults = [page] * 5
    with pytest.raises(errors.RegistryUnreachable) as caught:
        puller.client.manifest(name(between.host))
    assert "503" in caught.value.why
    assert "web page" in caught.value.why
    assert "<html>" not in caught.value.render()


PAGE = (("Content-Type", "text/html; charset=utf-8"),)
JSON = (("Content-Type", "application/vnd.oci.image.index.v1+json"),)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault(path="", status=200, headers=PAGE, body=b"<html>"), errors.NotARegistry, "a web page"),
        (Fault(path="", status=404, headers=PAGE, body=b"<html>"), errors.NotARegistry, "a web page"),
        (Fault(path="", status=200, headers=JSON, body=b"<html>"), BadDocument, "it is not JSON"),
        (Fault(path="", status=200, headers=JSON, body=b"[" * 200_000), BadDocument, "it is not JSON"),
        (
            Fault(path="", status=200, headers=JSON, body=b"x" * ((4 << 20) + 1)),
            errors.TooLarge,
            "4194304 is the limit",
        ),
        (Fault(path="", status=200, headers=JSON, body=b'{"schemaVersion":1}'), errors.OldManifest, "schema 1"),
        (
            Fault(path="", status=200, headers=JSON, body=b'{"manifests":[],"layers":[]}'),
            BadDocument,
            "both an index and a manifest",
        ),
        (
            Fault(path="", status=200, headers=JSON, body=b'{"mediaType":"application/vnd.x+json"}'),
            BadDocument,
            "the registry says application/vnd.oci",
        ),
        (
            Fault(path="", status=200, headers=(("Content-Type", "application/vnd.x"),), body=b"{}"),
            errors.UnknownDocument,
            "application/vnd.x",
        ),
        (
            Fault(path="", status=200, headers=(*JSON, ("Docker-Content-Digest", "sha256:" + "0" * 64)), body=b"{}"),
            errors.WrongDigest,
            "it says",
        ),
        (Fault(path="", status=418, body=b'{"errors":[{"message":"\x1b[2J"}]}'), errors.RegistryRefused, "418"),
        (
            Fault(
                path="", status=400, body=b'{"errors":[{"code":"X","message":"no https://u:p4ss@example.org/?t=p4ss"}]}'
            ),
            errors.RegistryRefused,
            "X: no https://***@example.org",
        ),
        (Fault(path="", status=403), errors.LoginWanted, "the answer is 403"),
        (Fault(path="", status=401), errors.NotARegistry, "not of a kind"),
        (Fault(path="", status=204), errors.NotARegistry, "not asked for"),
    ],
)
def test_answers_that_are_none_fail_in_words(
    puller: Puller, time: Time, fault: Fault, error: type[RearchError], words: str
) -> None:
    with run_between() as between:
        between.faults = [fault]
        with pytest.raises(error) as caught:
            puller.client.manifest(name(between.host))
    text = caught.value.render()
    assert words in text
    assert "\x1b" not in text
    assert "p4ss" not in text
    assert caught.value.hint
    assert not time.slept


DENIED = b'{"errors":[{"code":"DENIED","message":"requested access is denied"}]}'
BASIC = (("WWW-Authenticate", "Basic realm=x"),)


@pytest.mark.parametrize(("status", "headers"), [(403, ()), (401, BASIC)])
def test_a_refused_head_is_told_in_the_words_of_get(
    puller: Puller, status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    with run_between() as between:
        between.faults = [Fault(path="", status=status, headers=headers, body=DENIED)] * 2
        with pytest.raises(errors.LoginWanted) as caught:
            puller.client.head(name(between.host))
    assert [method for method, _, _ in between.seen] == ["HEAD", "GET"]
    assert caught.value.said.endswith("DENIED: requested access is denied")
    assert caught.value.scope == "repository:lib/base:pull"
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("then", [200, 404, 503])
def test_a_head_stays_refused_whatever_get_says(puller: Puller, time: Time, then: int) -> None:
    with run_between() as between:
        between.faults = [Fault(path="", status=403), Fault(path="", status=then, headers=JSON, body=b"{}")]
        with pytest.raises(errors.LoginWanted, match="does not let us") as caught:
            puller.client.head(name(between.host))
    assert caught.value.said == "the answer is 403 Forbidden"
    assert not between.faults
    assert not time.slept


def test_a_refused_get_is_asked_once(puller: Puller) -> None:
    with run_between() as between:
        between.faults = [Fault(path="", status=403, body=DENIED)] * 2
        with pytest.raises(errors.LoginWanted, match="does not let us"):
            puller.client.manifest(name(between.host))
    assert len(between.seen) == 1


def test_a_huge_answer_is_no_matter_of_recipes(puller: Puller) -> None:
    with run_between() as between:
        between.faults = [Fault(path="", status=200, headers=JSON, body=b"x" * ((4 << 20) + 1))]
        with pytest.raises(errors.TooLarge) as caught:
            puller.client.manifest(name(between.host))
    hint = str(caught.value.hint)
    assert f"{between.host} was asked for {name(between.host).name}" in hint
    assert "proxy's page" in hint
    assert "recipe" not in hint
    assert caught.value.exit_code is ExitCode.VERIFICATION


def test_wrong_bytes_by_digest(between: Between, stored: Stored, puller: Puller) -> None:
    between.faults = [Fault(path="/manifests/", replace=b"{}", without="Docker-Content-Digest")]
    with pytest.raises(errors.WrongDigest) as caught:
        puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)
    assert caught.value.wanted == stored.manifest.digest
    assert caught.value.exit_code is ExitCode.VERIFICATION


def test_nobody_there(puller: Puller, time: Time) -> None:
    with pytest.raises(errors.RegistryUnreachable, match="cannot be reached now") as caught:
        puller.client.ping("127.0.0.1:9")
    assert "Connection refused" in caught.value.why
    assert time.slept == [1.0, 2.0, 4.0, 8.0]


def test_a_login_does_not_follow_to_another_host(tmp_path: Path, time: Time) -> None:
    """Not the Authorization header, and no answer to the other host's challenge either; ~/.netrc is never read."""
    with run_registry(tmp_path / "r", login=True) as server, run_between(server) as front, run_between() as other:
        found = docker_config(tmp_path, {"auths": {front.host: auth()}})
        data = layer_bytes("moved")
        blob = descriptor_of("x", data)
        away = Fault(path="/blobs/", status=307, headers=(("Location", f"http://{other.host}/data?sig=topsecret"),))
        challenge = (("WWW-Authenticate", 'Basic realm="give it to me"'),)
        front.faults = [away]
        other.faults = [Fault(path="/data", status=200, body=data)]
        with RegistryClient(found, patience=time.patience, certificates=None) as client:
            client.ping(front.host)
            assert client.fetch_blob(name(front.host), blob, tmp_path / "blob") == blob.hex
            front.faults = [away]
            other.faults = [Fault(path="/data", status=401, headers=challenge)]
            with pytest.raises(errors.RegistryRefused) as caught:
                client.fetch_blob(name(front.host), blob, tmp_path / "blob2")
        assert "topsecret" not in caught.value.render()
        assert "authorization" in front.asked("/blobs/")[0]
        assert len(other.seen) == 2
        assert not [headers for _, _, headers in other.seen if "authorization" in headers]
        assert front.asked("/v2/")[0].get("authorization") is None


@pytest.mark.parametrize(
    ("location", "words"),
    [("ftp://example.org/x", "no http(s) URL"), ("", "no http(s) URL"), ("/v2/again", "after 5 others")],
)
def test_redirections_to_nowhere(puller: Puller, location: str, words: str) -> None:
    with run_between() as between:
        between.faults = [Fault(path="", status=307, headers=(("Location", location),) if location else ())] * 9
        with pytest.raises((errors.UnsafeRedirect, RearchError)) as caught:
            puller.client.ping(between.host)
    assert words in caught.value.render() or not location


def test_a_mirror_takes_the_place_of_a_registry(plain: Server, stored: Stored, tmp_path: Path, time: Time) -> None:
    mirrors = {"docker.io/": f"{plain.host}/lib/", "https://github.com/": "https://example.org/"}
    with RegistryClient(patience=time.patience, mirrors=mirrors, certificates=None) as client:
        put_index(plain, "lib/library/base", "1", [put_image(plain, "lib/library/base", "arm64").manifest])
        pinned = BaseResolver(client).resolve("base:1")
        assert pinned.reference == "base:1"
        with pytest.raises(errors.NotInRegistry) as caught:
            BaseResolver(client).resolve("base:none")
        assert f"docker.io/library/base:none (mirrored at {plain.host}/lib/library/base)" in caught.value.what


def test_a_proxy_of_the_environment_is_for_others(
    plain: Server, stored: Stored, puller: Puller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_between() as proxy:
        for name_ in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name_, f"http://{proxy.host}")
        monkeypatch.setenv("no_proxy", "")
        puller.client.ping(plain.host)
        assert not proxy.seen
        proxy.faults = [Fault(path="registry.invalid", status=200, body=b"{}")]
        registries = {"registry.invalid": RegistrySettings(plain_http=True)}
        with RegistryClient(registries=registries, certificates=None) as client:
            client.ping("registry.invalid")
        assert len(proxy.seen) == 1


def test_a_head_without_a_digest_is_asked_again_in_full(between: Between, stored: Stored, puller: Puller) -> None:
    between.faults = [Fault(path="/manifests/", without="Docker-Content-Digest")]
    found = puller.client.head(name(between.host))
    assert found == puller.client.head(name(between.host))
    assert [method for method, _, _ in between.seen] == ["HEAD", "GET", "HEAD"]
    assert puller.client.head(name(between.host, "lib/base:none")) is None


def test_connections_are_kept(between: Between, stored: Stored, puller: Puller) -> None:
    for _ in range(3):
        puller.client.head(name(between.host))
    puller.pull(f"{between.host}/lib/base:1", stored.manifest.digest)
    # One, and two more for layers that come at the same time.
    assert len(between.seen) == 7
    assert between.connections <= 3


def test_skopeo_reads_and_writes_what_we_pull(plain: Server, stored: Stored, puller: Puller, tmp_path: Path) -> None:
    import subprocess

    from rearch.oci.layout import read_image, write_index_json
    from tests.support.needs import need_program

    skopeo = need_program("skopeo", "skopeo")
    layout = puller.pull(f"{plain.host}/lib/base:1", stored.manifest.digest)
    write_index_json(layout, [stored.manifest])
    target = f"docker://{plain.host}/lib/copied:1"
    subprocess.run(
        [skopeo, "copy", "--dest-tls-verify=false", "--preserve-digests", f"oci:{layout}", target],
        check=True,
        capture_output=True,
    )
    found = puller.client.head(name(plain.host, "lib/copied:1"))
    assert found is not None
    assert found.digest == stored.manifest.digest
    assert read_image(layout, platform=ARM64).descriptor.digest == stored.manifest.digest


def test_memory_does_not_grow_with_the_blob(plain: Server, puller: Puller) -> None:
    import tracemalloc

    image = put_image(plain, "lib/big", "arm64", layers=[layer_bytes("big", 30_000_000)])
    tracemalloc.start()
    try:
        puller.pull(f"{plain.host}/lib/big:1", image.manifest.digest)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


def test_who_interrupts_ends_the_wait(between: Between, stored: Stored, puller: Puller) -> None:
    class Stop(Exception):
        pass

    def stop(_seconds: float) -> None:
        raise Stop

    between.faults = [Fault(path="/manifests/", status=503)]
    client = RegistryClient(patience=Patience(sleep=stop), certificates=None)
    with client, pytest.raises(Stop):
        client.manifest(name(between.host))
