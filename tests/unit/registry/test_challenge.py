"""WWW-Authenticate, as registries and others write it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.registry.challenge import Challenge, choose, parse_challenges


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ('Basic realm="Registry Realm"', [("basic", {"realm": "Registry Realm"})]),
        ("basic", [("basic", {})]),
        ('BEARER Realm=x , Service = "a\\"b"', [("bearer", {"realm": "x", "service": 'a"b'})]),
        (
            'Negotiate, Basic realm="a", Bearer realm="b",error="invalid_token"',
            [("negotiate", {}), ("basic", {"realm": "a"}), ("bearer", {"realm": "b", "error": "invalid_token"})],
        ),
        ('Bearer realm="first",realm="second"', [("bearer", {"realm": "first"})]),
        ("", []),
        ('"', []),
    ],
)
def test_challenges(header: str, wanted: list[tuple[str, dict[str, str]]]) -> None:
    found = parse_challenges(header)
    assert [(challenge.scheme, dict(challenge.parameters)) for challenge in found] == wanted


def test_a_token_comes_before_a_password() -> None:
    chosen = choose(parse_challenges('Basic realm="a", Bearer realm="b"'))
    assert chosen is not None
    assert chosen.scheme == "bearer"
    # Without a realm there is nowhere to ask for a token.
    assert choose(parse_challenges("Bearer, Basic")) == Challenge(scheme="basic")
    assert choose(parse_challenges("Negotiate")) is None


@given(st.text(max_size=200) | st.text(alphabet='Bearer ="\\,x', max_size=200))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_header_is_read_or_left(header: str) -> None:
    assert all(challenge.scheme == challenge.scheme.lower() for challenge in parse_challenges(header))


def test_a_huge_header_is_read_in_no_time() -> None:
    assert isinstance(parse_challenges('Bearer realm="' + "\\" * 200_000), tuple)
    assert isinstance(parse_challenges(" ," * 200_000), tuple)
