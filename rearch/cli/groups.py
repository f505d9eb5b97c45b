"""Groups of tasks (`bundle`, `patch`, `place`): named alone, with --help, or with a second word that is unknown."""

from __future__ import annotations

import difflib
import inspect
from pathlib import Path
from typing import NoReturn

from invoke import Collection, Exit, Program

from rearch.cli.door import answer, say
from rearch.errors import ExitCode

HELP = ("--help", "-h")


def meet_group(program: Program, words: list[str], help_for: str) -> None:
    """Answer for a group, where nothing else would: the task that a group itself is (`place FILE`) is left alone.

    `words`: what stands behind the flags of the program itself; `help_for`: the value of its own --help. Errors: Exit,
    when all is said: 0 when help was asked for, else 2, since nothing was done.
    """
    groups = program.collection.collections
    if program.args.complete.value:
        return
    if help_for in groups and not groups[help_for].default:
        _help(help_for, groups[help_for])
    if not words or words[0] not in groups:
        return
    name, group = words[0], groups[words[0]]
    if len(words) == 1:
        _missing(name, group)
    elif group.default:
        if nearest(words[1], list(group.task_names)) and not Path(words[1]).exists():
            _misspelt(name, words[1], group)
    elif words[1] in HELP:
        _help(name, group)
    else:
        _misspelt(name, words[1], group)


def group_lines(name: str, group: Collection) -> list[str]:
    """A line for each task, with what it is for."""
    rows = {_spelling(name, task, group): _summary(group, task) for task in group.task_names}
    width = max(map(len, rows))
    return [f"  {task:{width}}  {summary}" for task, summary in rows.items()]


def nearest(word: str, names: list[str]) -> str | None:
    """The name that was meant, if one is near enough."""
    return next(iter(difflib.get_close_matches(word, names, n=1)), None)


def _spelling(name: str, task: str, group: Collection) -> str:
    """As it is typed: the task that the group itself is has one word."""
    return name if task == group.default else f"{name} {task}"


def _summary(group: Collection, task: str) -> str:
    return (inspect.getdoc(group[task]) or "").partition("\n")[0]


def _help(name: str, group: Collection) -> NoReturn:
    rows = group_lines(name, group)
    for line in (f"Tasks of {name}:", "", *rows, "", f"`{name} TASK --help` tells the flags of each."):
        answer(line)
    raise Exit(code=int(ExitCode.OK))


def _missing(name: str, group: Collection) -> NoReturn:
    for line in (f"error: {name}: what of it?", *group_lines(name, group), f"hint: `{name} --help`"):
        say(line)
    raise Exit(code=int(ExitCode.USAGE))


def _misspelt(name: str, word: str, group: Collection) -> NoReturn:
    near = nearest(word, list(group.task_names))
    say(f"error: {name} {word}: no such task")
    for line in group_lines(name, group):
        say(line)
    say(f"hint: did you mean {name} {near}?" if near else f"hint: `{name} --help`")
    raise Exit(code=int(ExitCode.USAGE))
