from __future__ import annotations

import pytest
from msgspec.structs import replace

from rearch.reporting.night_record import Change, Night, Problem, Stage, Tagged
from rearch.upkeep.notify import Message, Told, message, told_after

LINK = "https://ci.example.org/report"


def night(*failing: str, code: int = 1, tags: int = 0) -> Night:
    problems = (Problem(stage=Stage.BUILD, component=name, summary="no", exit_code=code) for name in failing)
    new = (Tagged(component="s/a", reference=str(number), change="new") for number in range(tags))
    update = Change(name="git u main", before="a", after="b", needed_by=("s/a",))
    return Night(date="2024-05-17", problems=tuple(problems), tags=tuple(new), updates=(update,))


def sent(one: Night, told: Told, policy: str = "change") -> Message | None:
    return message(one, told, project="demo", policy=policy, link=LINK)


@pytest.mark.parametrize(
    ("failing", "told", "title"),
    [
        ((), (), None),
        (("s/a",), (), "demo: nightly fails"),
        (("s/a",), ("s/a",), None),
        (("s/a", "s/b"), ("s/a",), "demo: nightly fails"),
        (("s/a",), ("s/a", "s/b"), None),
        ((), ("s/a",), "demo: nightly is well again"),
    ],
)
def test_messages_come_when_something_changes(
    failing: tuple[str, ...], told: tuple[str, ...], title: str | None
) -> None:
    found = sent(night(*failing), Told(failing=told, since="2024-05-10"))
    assert (found.title if found else None) == title
    assert sent(night(*failing), Told(failing=told), "never") is None
    assert sent(night(*failing), Told(failing=told), "always") is not None


def test_three_lines_and_a_link() -> None:
    found = sent(night("s/a", "s/b", tags=2), Told())
    assert found is not None
    assert found.body.splitlines() == [
        "failing: s/a, s/b", "build: s/a: no (and 1 more)", "published 2024-05-17: 2 tags", LINK,
    ]  # fmt: skip
    assert found.kind == "failure"
    again = sent(night(tags=1), Told(failing=("s/a",), since="2024-05-10"))
    assert again is not None
    assert again.body.splitlines() == [
        "failed since 2024-05-10: s/a", "updated: git u main", "published 2024-05-17: 1 tag", LINK,
    ]  # fmt: skip


def test_the_problem_that_does_not_pass_by_itself_is_told() -> None:
    lasting = Problem(stage=Stage.UPDATE, component="s/b", summary="moved", exit_code=3)
    one = Night(date="2024-05-17", problems=(*night("s/a", code=75).problems, lasting))
    found = sent(one, Told())
    assert found is not None
    assert found.body.splitlines()[1] == "update: s/b: moved (and 1 more)"


def test_foreign_text_stays_one_short_line() -> None:
    evil = Problem(stage=Stage.BUILD, component="s/a", summary="a\nb\x1b[31m" + "x" * 5000)
    found = sent(Night(date="2024-05-17", problems=(evil,)), Told())
    assert found is not None
    lines = found.body.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("build: s/a: a b\\x1b[31mx")
    assert max(map(len, lines)) < 310


def test_what_is_known_afterwards() -> None:
    assert told_after(night(), Told(failing=("s/a",), since="x")) == Told()
    assert told_after(night("s/a"), Told()) == Told(failing=("s/a",), since="2024-05-17")
    assert told_after(night("s/b"), Told(failing=("s/a",), since="x")) == Told(failing=("s/b",), since="x")


def test_a_night_on_a_part_says_nothing_of_the_rest() -> None:
    told = Told(failing=("s/a", "s/z"), since="2024-05-10")
    part = replace(night(), in_part=True, components=("s/a",))
    assert sent(part, told) is None
    assert told_after(part, told) == Told(failing=("s/z",), since="2024-05-10")
    assert sent(replace(part, components=("s/a", "s/z")), told) is not None
