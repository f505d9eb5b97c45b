"""What every task does around its work: read the flags, find the project, turn errors into exit codes."""

from __future__ import annotations

import atexit
import functools
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from invoke import Context, Exit

from rearch.errors import ExitCode, Interrupted, RearchError, UsageError

P = ParamSpec("P")
# Help of --project, for tasks that work outside a project too.
PROJECT = "a project, whose settings hold (mirrors, registries); default: the one around here, if there is one"
# Plans make many values and no cycles: looking for cycles at Python's own pace (700, 10, 10) takes a fifth of the time.
GARBAGE = (100_000, 50, 100)
# Nor does it look for cycles in all modules when it ends, three times over: the kernel takes back what is left.
atexit.register(gc.freeze)


def guarded(function: Callable[P, int] | Callable[P, None]) -> Callable[P, None]:
    """A task body whose RearchError becomes text on stderr and an exit code. A bug keeps its traceback."""

    @functools.wraps(function)
    def body(*args: P.args, **kwargs: P.kwargs) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
        gc.set_threshold(*GARBAGE)
        try:
            code = function(*args, **kwargs) or 0
            sys.stdout.flush()  # here, where a closed pipe is met
        except KeyboardInterrupt:
            code = _tell(Interrupted())
        except BrokenPipeError:  # somebody closed the pipe: `rearch plan | head`
            no_more_output()
            code = ExitCode.FAILED
        except RearchError as error:
            code = _tell(error)
        except OSError as error:
            code = _tell(_refused(error))
        if code:
            raise Exit(code=int(code))

    return body


def no_more_output() -> None:
    """Nobody reads stdout any more; what Python still holds for it goes nowhere, without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(error: OSError) -> RearchError:
    """A full disk or a folder of somebody else's is no bug; anything else is, and keeps its traceback."""
    from rearch.engine.refused import HostError, is_refusal

    if not is_refusal(error):
        raise error
    return HostError("the machine refused", error)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _tell(error: RearchError) -> int:
    say(error.render())
    return int(error.exit_code)


def say(text: str) -> None:
    """A line for a person, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def answer(text: str) -> None:
    """A line of the result itself, on stdout."""
    sys.stdout.write(text + "\n")


def project_root(context: Context, flag: str) -> Path:
    """The project: --project, REARCH_PROJECT, else the nearest folder upwards that holds recipes/."""
    named = flag or getattr(context.config, "rearch_project", "") or os.environ.get("REARCH_PROJECT", "")
    if named:
        root = Path(named).expanduser().absolute()
        if not (root / "recipes").is_dir():
            raise UsageError(f"{root}: no project: it has no recipes/ folder")
        return root
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "recipes").is_dir():
            return folder
    raise UsageError(f"{here}: not in a project", hint="name one: --project DIR (a folder that holds recipes/)")


def project_or_here(context: Context, flag: str) -> Path:
    """The project; without one, this folder, in which no settings need to be."""
    if flag or getattr(context.config, "rearch_project", "") or os.environ.get("REARCH_PROJECT", ""):
        return project_root(context, flag)
    try:
        return project_root(context, "")
    except UsageError:
        return Path.cwd()


def words(text: str) -> tuple[str, ...]:
    """`a,b c` -> its words."""
    return tuple(word for word in text.replace(",", " ").split() if word)


def environment() -> dict[str, str]:
    """The process's environment, read in one place."""
    return dict(os.environ)


def no_flag(word: str, task: str) -> None:
    """invoke takes whatever stands first for a positional argument, `--help` too. Errors: UsageError."""
    if word.startswith("-"):
        raise UsageError(f"{word} stands where the name is wanted", hint=f"the flags are told by `--help {task}`")
