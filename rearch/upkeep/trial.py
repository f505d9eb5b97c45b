"""Versions that a night has taken, until a build has tried them: what they edited, and how that is taken back. Pure.

Lines are put back one by one, not whole files: what somebody has written elsewhere in a file meanwhile stays, and so
do other versions that the same night took.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, Lock
from rearch.upkeep.bump import Edited

MARK = "\ufeff"

Standing: TypeAlias = Literal["whole", "half", "gone", "changed"]


class Trial(Struct, frozen=True, kw_only=True):
    """A version that was taken: `component` from `old` to `new`, the tag `tag` upstream.

    `moved`: every component whose source is another now. `edits` of YAML files. Of rearch.lock: `lost` holds the
    entries that were removed or changed, as they were; `gained` names those that are new.
    """

    component: str
    old: str
    new: str
    tag: str
    moved: tuple[str, ...]
    edits: tuple[Edited, ...]
    lost: Lock = Lock()
    gained: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As a change is called in the record of a night; never the name of an entry of rearch.lock."""
        return f"version of {self.component}"

    @property
    def files(self) -> tuple[str, ...]:
        """The YAML files that were edited, relative to the project."""
        return tuple(dict.fromkeys(edit.file for edit in self.edits))


def lost_entries(before: Lock, after: Lock) -> Lock:
    """The entries of `before` that `after` does not have as they were."""
    return Lock(FrozenDict({name: one for name, one in before.entries.items() if after.entries.get(name) != one}))


def standing(trial: Trial, texts: Mapping[str, str], lock: Lock) -> Standing:
    """What there is of a trial in the project's files. `texts`: file -> text, without those that are no more.

    `half`: its writing or its taking back was cut short. `changed`: a line of it is neither as before nor as after, so
    somebody has taken it in hand.
    """
    found = {_found(edit, texts) for edit in trial.edits}
    if "other" in found:
        return "changed"
    found |= {"new" if name in lock.entries else "old" for name in trial.gained}
    if found == {"new"}:
        return "whole"
    return "gone" if found == {"old"} else "half"


def entangled(trials: Sequence[Trial], names: Collection[str]) -> tuple[Trial, ...]:
    """Those of `names`, and the later ones that have edited a line of theirs: only together can they be taken back."""
    taken: list[Trial] = []
    lines: set[tuple[str, int]] = set()
    for trial in trials:
        own = {(edit.file, edit.line) for edit in trial.edits}
        if trial.name in names or own & lines:
            taken.append(trial)
            lines |= own
    return tuple(taken)


def texts_without(trials: Iterable[Trial], texts: Mapping[str, str]) -> Mapping[str, str]:
    """The texts of the edited files as they were before these trials, the last of which is undone first. Lines that
    are something else by now stay."""
    done = dict(texts)
    for trial in reversed(tuple(trials)):
        for edit in reversed(trial.edits):
            if _found(edit, done) == "new":
                done[edit.file] = _put_back(edit, done[edit.file])
    return done


def lock_without(
    trials: Iterable[Trial], kept: Iterable[Trial], lock: Lock, wanted: Mapping[str, tuple[str, ...]]
) -> Lock:
    """The lock before these trials. `kept`: those that stay; `wanted`: name -> who needs it, of the project then."""
    entries = dict(lock.entries)
    trials = tuple(trials)
    for trial in reversed(trials):
        entries.update(trial.lost.entries)
    for trial in trials:
        for name in trial.gained:
            if name not in wanted:
                entries.pop(name, None)
    shared = {name for trial in kept for name in (*trial.lost.entries, *trial.gained)}
    shared |= {name for trial in trials for name in trial.gained}
    for name in shared & entries.keys() & wanted.keys():
        entries[name] = Entry(identity=entries[name].identity, needed_by=wanted[name])
    return Lock(FrozenDict(entries))


def _found(edit: Edited, texts: Mapping[str, str]) -> Literal["old", "new", "other"]:
    lines = texts.get(edit.file, "").removeprefix(MARK).splitlines()
    line = lines[edit.line - 1] if edit.line <= len(lines) else None
    if line == edit.new:
        return "new"
    return "old" if line == edit.old else "other"


def _put_back(edit: Edited, text: str) -> str:
    """With the end of the line as it is: CRLF stays CRLF."""
    mark = MARK if text.startswith(MARK) else ""
    lines = text.removeprefix(MARK).splitlines(keepends=True)
    line = lines[edit.line - 1]
    lines[edit.line - 1] = edit.old + line[len(edit.new) :]
    return mark + "".join(lines)
