"""Which tag is taken, and what is said."""

from __future__ import annotations

import pytest

from rearch.upkeep.bump import Bumped, Level, Log, NothingNewer, VersionUnread, bump_document, bump_lines, choose
from rearch.upkeep.outdated_tags import rank_tags, rule_of

TAGS = ("v1.2.3", "v1.2.4", "v1.2.10", "v1.3.0", "v1.10.0-rc1", "v2.0.0", "v10.0.0-beta", "junk", "x1.2.99")


def pick(level: Level, ref: str = "v1.2.3", tags: tuple[str, ...] = TAGS) -> str:
    rule = rule_of(ref, ref, None)
    return choose("s/a", rank_tags({f"refs/tags/{tag}": "0" * 40 for tag in tags}, rule), rule, level).name


@pytest.mark.parametrize(("level", "wanted"), [("patch", "v1.2.10"), ("minor", "v1.3.0"), ("latest", "v2.0.0")])
def test_levels(level: Level, wanted: str) -> None:
    assert pick(level) == wanted


def test_short_versions_are_filled_with_zeros() -> None:
    assert pick("patch", "v1.2") == "v1.2.10"


def test_nothing_newer_says_what_is_beyond() -> None:
    with pytest.raises(NothingNewer) as caught:
        pick("minor", "v1.3.0")
    assert caught.value.beyond == ("v2.0.0",)


def test_what_has_no_order() -> None:
    with pytest.raises(VersionUnread):
        pick("latest", "master")


def test_json_says_why_too() -> None:
    nothing = Bumped(component="s/a", old="v1", new="v1", note="newer beyond that: v2")
    assert bump_document(nothing)["note"] in "\n".join(bump_lines(nothing))
    unlogged = Bumped(component="s/a", old="v1", new="v2", locked=("x",), log=Log(missing="offline"))
    assert bump_document(unlogged)["log"] == {"lines": [], "total": 0, "lost": 0, "missing": "offline"}


def test_words_of_upstream_cannot_move_the_cursor() -> None:
    log = Log(lines=("abc \x1b[31mred\u202e",), total=3, lost=1)
    done = Bumped(component="s/a", old="v1", new="v2\x1b", locked=("git x\x07",), log=log)
    text = "\n".join(bump_lines(done))
    assert text.replace("\n", "").isprintable()
    assert "and 2 older" in text
