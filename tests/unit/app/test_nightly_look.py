from __future__ import annotations

import pytest

from rearch.app.nightly_look import Policies

OF = Policies(
    of={"s/none": "none", "s/branches": "branches", "s/patch": "patch", "s/minor": "minor", "s/all": "all"},
)


@pytest.mark.parametrize(
    ("components", "moves"),
    [
        (("s/none",), "none"),
        (("s/patch",), "branches"),
        (("s/minor", "s/all"), "branches"),
        (("s/all",), "all"),
        (("s/all", "s/none", "s/minor"), "none"),
        (("s/all", "of another stack"), "all"),
        (("of another stack",), "none"),
        ((), "none"),
    ],
    ids=["none", "patch", "minor-and-all", "all", "with-none", "one-unknown", "unknown", "nobody"],
)
def test_an_entry_moves_as_the_most_careful_says(components: tuple[str, ...], moves: str) -> None:
    assert OF.for_entry(components) == moves


def test_which_versions_a_policy_takes() -> None:
    assert [OF.level(name) for name in OF.of] == [None, None, "patch", "minor", None]
