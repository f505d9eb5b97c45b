"""What `--complete` is told: the words before the cursor, as invoke's own completion understands them.

The scripts that `--print-completion-script` prints hand over the whole line after `--`, whose words the shell has
joined with blanks: an empty last word is lost, quotes are not.
"""

from __future__ import annotations

import shlex
from pathlib import PurePath

from invoke import Exit, Program


def meet_completion(program: Program, joined: list[str]) -> list[str]:
    """`joined`: the words after the flags of the program itself. Under `--complete` there are none, and the line to
    complete is put into the shape that invoke reads; two words that are half a task are answered here.

    Errors: Exit, when all is said.
    """
    if program.args.complete.value:
        try:
            words = shlex.split(program.core.remainder)
        except ValueError:  # in the middle of a quoted word: the shell's own completion of file names is left
            raise Exit(code=0) from None
        _complete(program, words[1:])
    return joined


def two_words(words: list[str], tasks: set[str]) -> list[str]:
    """The first two words that are no flags as one, where they name a task together."""
    if len(words) > 1 and f"{words[0]}.{words[1]}" in tasks:
        return [f"{words[0]}.{words[1]}", *words[2:]]
    return words


def _complete(program: Program, words: list[str]) -> None:
    """`words`: all but the program's own name, which may have been a path."""
    tasks = set(program.collection.task_names)
    behind = _behind_own_flags(program, words)
    if behind and len(behind) <= 2 and behind[0] in program.collection.collections and behind[-1][:1] != "-":
        _offer(program, behind[0], begun=len(behind) == 2)
    _offer_values(program, words, two_words(behind, tasks))
    name = PurePath(program.called_as).name
    # Flags of the program itself are of use only while nothing stands behind them.
    program.core.remainder = shlex.join((name, *two_words(behind or words, tasks)))


def _behind_own_flags(program: Program, words: list[str]) -> list[str]:
    """From the first word that is neither a flag of the program (`--project DIR`) nor its value."""
    flags = program.initial_context.flags
    at = 0
    while at < len(words) and words[at].startswith("-"):
        takes = words[at] in flags and flags[words[at]].takes_value
        at += 2 if takes else 1
    return words[at:]


def _offer_values(program: Program, words: list[str], behind: list[str]) -> None:
    """Behind a task whose first word has names, and behind a flag whose values have: that is the last word, or the one
    before it. Errors: Exit, then."""
    from rearch.cli.completion_values import first_values, offered, values_of

    project = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "--project"), "")
    if behind and len(behind) <= 2 and behind[-1][:1] != "-":
        _print_some(offered("", behind[-1], first_values(behind[0], project)))
    flag = next((word for word in reversed(behind[-2:]) if word.startswith("--")), "")
    if not behind or flag == behind[0] or not _takes_value(program, behind[0], flag):
        return
    _print_some(offered(flag, behind[-1], values_of(flag, project)))


def _print_some(candidates: tuple[str, ...]) -> None:
    """Nothing happens where there are none. Errors: Exit, else."""
    if candidates:
        print("\n".join(candidates))  # noqa: T201
        raise Exit(code=0)


def _takes_value(program: Program, task: str, flag: str) -> bool:
    contexts = {
        name: context for context in program.collection.to_contexts() for name in (context.name, *context.aliases)
    }
    return task in contexts and flag in contexts[task].flags and contexts[task].flags[flag].takes_value


def _offer(program: Program, group: str, *, begun: bool) -> None:
    """The second words, and while the first may still be under the cursor, the spelling with a dot, too."""
    names = sorted(program.collection.collections[group].task_names)
    for name in names if begun else [*names, *(f"{group}.{name}" for name in names)]:
        print(name)  # noqa: T201  (as invoke does: this is all that --complete is for)
    raise Exit(code=0)
