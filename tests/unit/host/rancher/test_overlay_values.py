"""What an overlay is told, what it passes on, and what its log may say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.app.rancher_source import agent_keys
from rearch.host.rancher.errors import BadServer, NoKeys
from rearch.host.rancher.items import UnknownItem, check_item, item_of
from rearch.host.rancher.overlay_config import (
    BadBundle,
    BadListen,
    NoBundles,
    TwoBundles,
    bundles_in,
    parse_bundle,
    parse_listen,
    upstream,
)
from rearch.host.rancher.overlay_headers import loggable, passed_on, wanted_item, without_current


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("/v1//configcontent//pyagent?current=", "pyagent"),
        ("/v1/configcontent/pyagent/", "pyagent"),
        ("/v2-beta/projects/1a5/configcontent/host-api", "host-api"),
        ("/configcontent/pyagent", "pyagent"),
        ("/v1/schemas/configcontent", None),
        ("/v1/configcontent/pyagent/more", None),
        ("/v1/configcontentx/pyagent", None),
        ("/v1/x?y=/configcontent/pyagent", None),
    ],
)
def test_double_slashes_are_collapsed_for_matching(path: str, item: str | None) -> None:
    assert wanted_item(path) == item


def test_the_server_is_asked_as_by_an_agent_that_has_nothing() -> None:
    assert without_current("/v1//configcontent//pyagent?current=42") == "/v1//configcontent//pyagent?current="
    assert without_current("/v1/configcontent/pyagent") == "/v1/configcontent/pyagent?current="
    assert without_current("/a?current=1&x=2&current=3") == "/a?x=2&current="


def test_headers_of_one_connection_stay_behind() -> None:
    given = [
        ("Host", "here"),
        ("Set-Cookie", "a=1"),
        ("Connection", "keep-alive, X-Mine"),
        ("x-mine", "1"),
        ("Set-Cookie", "b=2"),
        ("Transfer-Encoding", "chunked"),
        ("Authorization", "Basic eA=="),
    ]
    assert list(passed_on(given).items()) == [given[1], given[4], given[6]]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/scripts/5A1:99:xyz", "/v1/scripts/***"),
        ("/v1//scripts//5A1?x=1", "/v1//scripts//***?x=***"),
        ("/v1/scripts/bootstrap", "/v1/scripts/bootstrap"),
        ("/v1/scripts/bootstrapper", "/v1/scripts/***"),
        ("/a?current=4&version=5&key=s%26ecret", "/a?current=4&version=5&key=***"),
        ("/a\x1b[31m", "/a\\x1b[31m"),
    ],
)
def test_the_log_has_no_secrets_and_no_control_characters(path: str, shown: str) -> None:
    assert loggable(path) == shown


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=700))
def test_a_logged_path_is_one_printable_word(text: str) -> None:
    shown = loggable(f"/{text}")
    assert len(shown) <= 500
    assert all("!" <= char <= "~" for char in shown)


@pytest.mark.parametrize(
    ("server", "base"),
    [
        ("http://h:8080/v1", "http://h:8080"),
        ("http://h:8080/v1/", "http://h:8080"),
        ("https://h/rancher/v2-beta", "https://h/rancher"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_requests_bring_their_own_version_of_the_api(server: str, base: str) -> None:
    assert upstream(server) == base


@pytest.mark.parametrize(
    "server", ["", "h:8080", "ftp://h", "http://", "http://u:p@h/v1", "http://h/?x=1", "http://h:x"]
)
def test_what_is_no_server(server: str) -> None:
    with pytest.raises(BadServer) as error:
        upstream(server)
    assert "u:p" not in error.value.render()


def test_listen() -> None:
    assert parse_listen("10.0.0.1:80") == ("10.0.0.1", 80)
    assert parse_listen("[::1]:80") == ("::1", 80)
    assert parse_listen(":80") == ("0.0.0.0", 80)
    assert parse_listen("80") == ("127.0.0.1", 80)
    for text in ("", "host", "host:", "host:99999", "::1:80", "h:8o"):
        with pytest.raises(BadListen):
            parse_listen(text)


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("go-agent.tar.gz", "pyagent"),
        ("go-agent-v0.13.9.tar.gz", "pyagent"),
        ("pyagent.tgz", "pyagent"),
        ("host-api-0.38.tar.gz", "host-api"),
        ("go-agent.zip", None),
        ("go-agent-windows.tar.gz", None),
        ("other.tar.gz", None),
    ],
)
def test_names_of_archives(name: str, item: str | None) -> None:
    assert item_of(name) == item


def test_names_of_items() -> None:
    assert check_item("host-api") == "host-api"
    for name in ("", "../x", "a/b", "pyagent?x", "A"):
        with pytest.raises(UnknownItem):
            check_item(name)


def test_bundles_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NoBundles):
        bundles_in(tmp_path / "none")
    for name in ("go-agent.tar.gz", "host-api.tar.gz", "report.json"):
        (tmp_path / name).touch()
    assert bundles_in(tmp_path) == (
        ("host-api", tmp_path / "host-api.tar.gz"),
        ("pyagent", tmp_path / "go-agent.tar.gz"),
    )
    (tmp_path / "pyagent.tar.gz").touch()
    with pytest.raises(TwoBundles):
        bundles_in(tmp_path)


def test_bundles_of_flags(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    path.touch()
    assert parse_bundle(f"pyagent={path}") == ("pyagent", path)
    for text in (str(path), "pyagent=", "pyagent=/none"):
        with pytest.raises(BadBundle):
            parse_bundle(text)
    with pytest.raises(UnknownItem):
        parse_bundle(f"Not/One={path}")


def test_keys_come_in_pairs() -> None:
    ours = {"REARCH_RANCHER_ACCESS_KEY": "a", "REARCH_RANCHER_SECRET_KEY": "b"}
    theirs = {"CATTLE_ACCESS_KEY": "c", "CATTLE_SECRET_KEY": "d"}
    assert agent_keys(ours | theirs) == ("a", "b")
    assert agent_keys(theirs) == ("c", "d")
    with pytest.raises(NoKeys, match="REARCH_RANCHER_SECRET_KEY not set"):
        agent_keys(theirs | {"REARCH_RANCHER_ACCESS_KEY": "a"})
    with pytest.raises(NoKeys):
        agent_keys({})
