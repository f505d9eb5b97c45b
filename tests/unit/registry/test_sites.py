"""Where registries are, what is trusted there, and mirrors."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from rearch.model.reference import parse_reference
from rearch.model.settings import RegistrySettings
from rearch.registry.mirrors import BadMirror, mirrored
from rearch.registry.sites import BadCertificates, Sites, is_this_machine


@pytest.mark.parametrize(
    ("registry", "url"),
    [
        ("docker.io", "https://registry-1.docker.io"),
        ("ghcr.io", "https://ghcr.io"),
        ("localhost", "http://localhost"),
        ("localhost:5000", "http://localhost:5000"),
        ("127.1.2.3:5000", "http://127.1.2.3:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("localhost.example.org", "https://localhost.example.org"),
        ("plain.example.org:80", "http://plain.example.org:80"),
        ("localhost:5443", "https://localhost:5443"),
    ],
)
def test_addresses(registry: str, url: str) -> None:
    settings = {
        "plain.example.org:80": RegistrySettings(plain_http=True),
        "localhost:5443": RegistrySettings(plain_http=False),
    }
    assert Sites(settings, None).of_registry(registry).url == url


def test_this_machine() -> None:
    assert is_this_machine("localhost:1")
    assert is_this_machine("[::1]")
    assert not is_this_machine("example.org")
    assert not is_this_machine("128.0.0.1")
    assert not is_this_machine("[")


def test_settings_are_the_hosts_own(tmp_path: Path) -> None:
    sites = Sites({"docker.io": RegistrySettings(insecure=True)}, tmp_path)
    assert sites.of_registry("docker.io").insecure
    assert sites.of_url("https://registry-1.docker.io/v2/").insecure
    assert not sites.of_url("https://user@cdn.example.org/v2/").insecure
    assert sites.of_registry("docker.io").context().verify_mode is ssl.CERT_NONE
    context = sites.of_registry("ghcr.io").context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_certificates_are_those_of_the_host_with_its_port(tmp_path: Path) -> None:
    folder = tmp_path / "localhost:5000"
    folder.mkdir()
    for name in ("b.crt", "a.crt", "client.cert", "client.key", "notes.txt"):
        (folder / name).write_text("x")
    site = Sites(certificates=tmp_path).of_registry("localhost:5000")
    assert [path.name for path in site.authorities] == ["a.crt", "b.crt"]
    assert [(one.name, two.name) for one, two in site.clients] == [("client.cert", "client.key")]
    assert not site.plain
    assert Sites(certificates=tmp_path).of_registry("localhost:5001").plain
    with pytest.raises(BadCertificates, match=r"a\.crt: it cannot be used"):
        site.context()
    (folder / "client.key").unlink()
    with pytest.raises(BadCertificates, match=r"client\.cert: there is no client\.key beside it"):
        Sites(certificates=tmp_path).of_registry("localhost:5000")


MIRRORS = {
    "docker.io/": "mirror.example.org/hub/",
    "docker.io/library/": "localhost:5000/official",
    "docker.io/rancher/agent": "ghcr.io/me/agent",
    "https://ghcr.io/": "https://example.org/",
    "quay.io/": "https://example.org/quay/",
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("debian:12", "localhost:5000/official/debian:12"),
        ("rancher/agent", "ghcr.io/me/agent:latest"),
        ("rancher/agent-instance", "mirror.example.org/hub/rancher/agent-instance:latest"),
        ("rancher/net:1@sha256:" + "1" * 64, "mirror.example.org/hub/rancher/net:1@sha256:" + "1" * 64),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
    ],
)
def test_the_longest_prefix_of_whole_parts_wins(text: str, wanted: str) -> None:
    assert str(mirrored(parse_reference(text), MIRRORS)) == wanted


def test_a_mirror_is_no_url() -> None:
    with pytest.raises(BadMirror, match="mirrors: quay") as caught:
        mirrored(parse_reference("quay.io/a/b"), MIRRORS)
    assert caught.value.mirror == "https://example.org/quay/"
