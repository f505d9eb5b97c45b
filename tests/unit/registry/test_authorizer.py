"""Which token does for which scopes."""

from __future__ import annotations

import pytest

from rearch.registry.authorizer import _covers


@pytest.mark.parametrize(
    ("have", "wanted", "does"),
    [
        (["repository:a/b:pull,push"], ["repository:a/b:pull"], True),
        (["repository:a/b:pull,push"], ["repository:a/b:push,pull"], True),
        (["repository:a/b:pull"], ["repository:a/b:pull,push"], False),
        (["repository:a/b:pull,push"], ["repository:a/c:pull"], False),
        (["repository:a/b:pull,push"], ["registry:a/b:pull"], False),
        (["repository:a/b:pull,push", "repository:c:pull"], ["repository:c:pull", "repository:a/b:pull"], True),
        (["repository:a/b:pull,push"], ["repository:a/b:pull", "repository:c:pull"], False),
        (["repository:h:5000/b:pull,push"], ["repository:h:5000/b:pull"], True),
    ],
)
def test_a_token_for_more_does_for_less(have: list[str], wanted: list[str], does: bool) -> None:
    assert _covers(frozenset(have), frozenset(wanted)) is does
