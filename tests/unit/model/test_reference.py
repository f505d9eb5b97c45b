"""Names of images as Docker reads them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import ExitCode
from rearch.model.reference import NO_LOGIN, BadReference, Reference, hide_login, parse_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:bookworm-slim", "docker.io/library/debian:bookworm-slim"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("index.docker.io/library/debian:12", "docker.io/library/debian:12"),
        ("arm64v8/debian", "docker.io/arm64v8/debian:latest"),
        ("rancher/agent:v1.2.11", "docker.io/rancher/agent:v1.2.11"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("localhost:5000/a/b/c:1.0_x-y", "localhost:5000/a/b/c:1.0_x-y"),
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000/x:1"),
        ("[::1]:5000/x:1", "[::1]:5000/x:1"),
        ("registry.example.org/x", "registry.example.org/x:latest"),
        ("Localhost/x", "localhost/x:latest"),
        ("REGISTRY.Example.org:443/x", "registry.example.org:443/x:latest"),
        ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f:latest"),
        (f"debian@{DIGEST}", f"docker.io/library/debian@{DIGEST}"),
        (f"debian:12@{DIGEST}", f"docker.io/library/debian:12@{DIGEST}"),
        # One part with a colon is a name and its tag, not a host and its port.
        ("localhost:5000", "docker.io/library/localhost:5000"),
    ],
)
def test_what_is_left_out_is_filled_in(text: str, wanted: str) -> None:
    found = parse_reference(text)
    assert str(found) == wanted
    assert parse_reference(wanted) == found


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("", 0, "empty"),
        ("Rancher/agent", 0, "lower-case letters alone"),
        ("Debian", 0, "lower-case letters alone"),
        ("rancher/Agent:1", 8, "lower-case letters alone"),
        ("a//b", 2, "missing"),
        ("a/b/", 4, "missing"),
        ("/a", 0, "missing"),
        ("a b", 1, "blanks"),
        ("a:b\n", 3, "blanks"),
        ("a:", 2, "the tag is missing"),
        ("a:-x", 2, "a tag has"),
        ("a:x!y", 3, "a tag has"),
        ("a:" + "x" * 129, 130, "a tag has"),
        ("-a", 0, "a part has"),
        ("a-", 1, "a part has"),
        ("a___b", 1, "a part has"),
        ("a..b/c/d", 1, "host or host:port"),
        ("x/ä", 2, "a part has"),
        ("https://example.org/x", 0, "no https:// is wanted"),
        ("docker://debian", 0, "no docker:// is wanted"),
        ("example.org:99999/x", 12, "a port is"),
        ("example.org:/x", 11, "host or host:port"),
        ("a@md5:1234", 2, "no other algorithm"),
        ("a@sha256:1234", 13, "has 64 digits, this one 4"),
        (f"a@{DIGEST.upper().replace('SHA256', 'sha256')}", 19, "no digit"),
        (f"a@{DIGEST}0", 74, "has 64 digits, this one 65"),
        ("0123456789abcdef" * 4, 0, "image's id"),
        ("a/" + "b" * 250, 255, "at most 255"),
    ],
)
def test_what_is_wrong_is_shown_at_its_place(text: str, at: int, why: str) -> None:
    with pytest.raises(BadReference) as caught:
        parse_reference(text)
    error = caught.value
    assert (error.at, error.exit_code) == (at, ExitCode.USAGE)
    assert why in error.why
    line, caret = error.details
    assert len(line) == len(text)
    assert caret.index("^") == at


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("u5er:hunter2@example.org/x", "***@example.org/x"),
        ("u5er:hunter2@example.org/x@sha256:12", "***@example.org/x@sha256:12"),
        ("https://u5er:hunter2@example.org/x", "https://***@example.org/x"),
        ("u5er:hun/ter2@x@example.org:5000/x:1", "***@example.org:5000/x:1"),
        ("u5er:my hunter2\n@localhost", "***@localhost"),
        ("u5er:hunter2@sha256:x@example.org", "***@example.org"),
        ("u5er@example.org/x", "***@example.org/x"),
        ("u5er:hunter2@", "***@"),
    ],
)
def test_a_login_is_refused_and_not_shown(text: str, shown: str) -> None:
    with pytest.raises(BadReference) as caught:
        parse_reference(text)
    error = caught.value
    assert (error.text, error.why, error.exit_code) == (shown, NO_LOGIN, ExitCode.USAGE)
    assert error.details == (shown, " " * error.at + "^ " + NO_LOGIN)
    told = f"{error.render()}{vars(error)}{error.args}"
    assert "u5er" not in told
    assert "ter2" not in told
    assert "docker login" in str(error.hint)


def test_what_has_no_login_is_shown_as_it_is() -> None:
    for text in ("debian:12", f"debian:12@{DIGEST}", "a@sha256:12", "a@md5:12", "https://example.org/x", ""):
        assert hide_login(text) == text


def test_parts_and_names() -> None:
    found = parse_reference(f"debian:12@{DIGEST}")
    assert found == Reference(registry="docker.io", repository="library/debian", tag="12", digest=DIGEST)
    assert found.place == "docker.io/library/debian"
    assert found.identifier == DIGEST
    assert found.name == "docker.io/library/debian:12@sha256:0123456789ab..."
    assert parse_reference("debian").identifier == "latest"
    assert parse_reference("debian").at(DIGEST).digest == DIGEST


@given(st.text(max_size=40) | st.text(alphabet="aA0.-_:/@[]sha256", max_size=60))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_text_is_a_reference_or_an_error(text: str) -> None:
    try:
        found = parse_reference(text)
    except BadReference as error:
        found, at = None, error.at
        place = range(len(text) + 1)
    else:
        at, place = 0, range(1)
    assert at in place
    assert found is None or parse_reference(str(found)) == found
