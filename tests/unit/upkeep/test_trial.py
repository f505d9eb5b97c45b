from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, Lock
from rearch.model.source import PinnedGit
from rearch.upkeep.bump import Edited
from rearch.upkeep.trial import Trial, entangled, lock_without, lost_entries, standing, texts_without

TEXT = "name: oak\nversion: v2  # here\nsource: x\n"


def entry(digit: str, *needed_by: str) -> Entry:
    pinned = PinnedGit(url="https://example.org/a", ref="v", commit=digit * 40, time=1)
    return Entry(identity=pinned, needed_by=needed_by)


def edit(line: int = 2, old: str = "version: v1  # here", new: str = "version: v2  # here") -> Edited:
    return Edited(file="oak.yaml", line=line, old=old, new=new)


def trial(component: str = "s/oak", *edits: Edited, **more: object) -> Trial:
    made = Trial(component=component, old="v1", new="v2", tag="v2", moved=(component,), edits=edits or (edit(),))
    return replace(made, **more)


@pytest.mark.parametrize(
    ("text", "gained", "found"),
    [
        (TEXT, True, "whole"),
        (TEXT, False, "half"),
        (TEXT.replace("v2", "v1"), True, "half"),
        (TEXT.replace("v2", "v1"), False, "gone"),
        (TEXT.replace("v2", "v3"), True, "changed"),
        ("\n" + TEXT, True, "changed"),
        ("", True, "changed"),
        ("\ufeff" + TEXT.replace("\n", "\r\n"), True, "whole"),
    ],
    ids=["whole", "lock-old", "yaml-old", "neither", "other-version", "line-moved", "file-gone", "bom-and-crlf"],
)
def test_what_there_is_of_it(text: str, gained: bool, found: str) -> None:
    lock = Lock(FrozenDict({"git v2": entry("2")} if gained else {"git v1": entry("1")}))
    one = trial(gained=("git v2",), lost=Lock(FrozenDict({"git v1": entry("1")})))
    assert standing(one, {"oak.yaml": text} if text else {}, lock) == found


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "bom"])
def test_back_to_the_byte(end: str, mark: str) -> None:
    text = mark + TEXT.replace("\n", end)
    assert texts_without([trial()], {"oak.yaml": text}) == {"oak.yaml": text.replace("v2", "v1")}
    assert texts_without([trial()], {}) == {}


def test_a_first_line_behind_a_mark() -> None:
    one = trial("s/oak", edit(1, "version: v1", "version: v2"))
    assert texts_without([one], {"oak.yaml": "\ufeffversion: v2"}) == {"oak.yaml": "\ufeffversion: v1"}


def test_what_somebody_wrote_meanwhile_stays() -> None:
    text = TEXT.replace("v2", "v3") + "more: yes\n"
    assert texts_without([trial()], {"oak.yaml": text}) == {"oak.yaml": text}
    assert texts_without([trial()], {"oak.yaml": f"{TEXT}more: yes\n"}) == {
        "oak.yaml": f"{TEXT}more: yes\n".replace("v2", "v1")
    }


def test_two_on_one_line_go_together_and_the_last_first() -> None:
    line = "vars: {a: %d, b: %d}"
    one = trial("s/a", edit(1, line % (1, 1), line % (2, 1)))
    two = trial("s/b", edit(1, line % (2, 1), line % (2, 2)))
    other = trial("s/c", edit(2, "c: 1", "c: 2"))
    trials = (one, two, other)
    assert entangled(trials, {one.name}) == (one, two)
    assert entangled(trials, {two.name}) == (two,)
    assert entangled(trials, {other.name}) == (other,)
    text = {"oak.yaml": line % (2, 2) + "\nc: 2\n"}
    assert texts_without((one, two), text) == {"oak.yaml": line % (1, 1) + "\nc: 2\n"}
    assert texts_without((two,), text) == {"oak.yaml": line % (2, 1) + "\nc: 2\n"}


def test_the_lock_as_before_and_what_others_need_stays() -> None:
    before = Lock(FrozenDict({"git v1": entry("1", "s/a", "s/b"), "base": entry("5", "s/a")}))
    after_one = Lock(FrozenDict({"git v1": entry("1", "s/b"), "git v2": entry("2", "s/a"), "base": entry("5", "s/a")}))
    after_two = Lock(FrozenDict({"git v2": entry("2", "s/a", "s/b"), "base": entry("5", "s/a")}))
    one = trial("s/a", lost=lost_entries(before, after_one), gained=("git v2",))
    two = trial("s/b", lost=lost_entries(after_one, after_two), gained=())
    assert lock_without((one, two), (), after_two, {"git v1": ("s/a", "s/b"), "base": ("s/a",)}) == before
    only_two = lock_without((one,), (two,), after_two, {"git v1": ("s/a",), "git v2": ("s/b",), "base": ("s/a",)})
    assert dict(only_two.entries) == {
        "git v1": entry("1", "s/a"),
        "git v2": entry("2", "s/b"),
        "base": entry("5", "s/a"),
    }
    newer_base = Lock(FrozenDict({**after_two.entries, "base": entry("6", "s/a")}))
    kept = lock_without((one, two), (), newer_base, {"git v1": ("s/a", "s/b"), "base": ("s/a",)})
    assert kept.entries["base"] == entry("6", "s/a"), "what else the night changed is not a version's"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6), min_size=1, max_size=6),
    st.data(),
)
def test_edits_come_back_whatever_the_lines_say(lines: list[str], data: st.DataObject) -> None:
    lines = [line for line in lines if len((line + "\n").splitlines()) == 1]
    before = "".join(f"{line}\n" for line in lines)
    trials: list[Trial] = []
    now = list(lines)
    for number in data.draw(st.lists(st.integers(1, max(len(lines), 1)), max_size=4)) if lines else ():
        new = data.draw(st.from_regex(r"[a-z]{0,4}", fullmatch=True))
        if new != now[number - 1]:
            trials.append(trial(f"s/{len(trials)}", edit(number, now[number - 1], new)))
            now[number - 1] = new
    assert texts_without(trials, {"oak.yaml": "".join(f"{line}\n" for line in now)}) == {"oak.yaml": before}
