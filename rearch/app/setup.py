"""`setup`: units for this machine, or a file for a CI service, that run `rearch nightly`."""

from __future__ import annotations

import difflib
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.app.request import Request
from rearch.app.setup_facts import SetupOrder, check_flags, find_account, find_facts, out_folder
from rearch.app.setup_notes import setup_notes, setup_steps
from rearch.errors import UsageError
from rearch.model.setup import SetupFile, check_printable

# Lines of a difference that are shown of each file.
MOST_LINES = 40


class SetupPlan(Struct, frozen=True, kw_only=True):
    """The files and where they go. `notes`: what is to be known; `next_steps`: what is left to do, in shell's words."""

    folder: Path
    files: tuple[SetupFile, ...]
    notes: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()


class Written(Struct, frozen=True, kw_only=True):
    """What became of the files: paths."""

    wrote: tuple[Path, ...] = ()
    same: tuple[Path, ...] = ()


class CannotSetUp(UsageError):
    """A file has no place there."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        super().__init__(f"{path} cannot be written: {error.strerror}", hint="--out DIR names another folder")


class SetupExists(UsageError):
    """Files are there and hold something else; nothing was written. `paths`: those."""

    def __init__(self, differing: Mapping[Path, Sequence[str]]) -> None:
        self.paths = tuple(differing)
        details = [line for path, lines in differing.items() for line in (f"{path}:", *(f"  {each}" for each in lines))]
        names = ", ".join(str(path) for path in differing)
        super().__init__(
            f"{names}: there is something else already; nothing was written",
            details,
            hint="--force writes it anew, --out DIR writes elsewhere, --print writes nothing",
        )


def plan_setup(request: Request, order: SetupOrder) -> SetupPlan:
    """Look at the project, and make the files' texts. Nothing is written.

    Errors: UsageError (BadValue, MeansNothing, NoUser, what is wrong in the project's YAML).
    """
    from rearch.app.prepare import load
    from rearch.config.setup_templates import setup_files

    check_flags(order)
    project = load(request)
    account = find_account(request, order)
    folder = out_folder(request, order)
    facts = find_facts(request, order, project, account)
    files = setup_files(order.kind, facts, check_printable("out", str(folder)))
    return SetupPlan(
        folder=folder,
        files=files,
        notes=tuple(setup_notes(request, order, facts, files, account)),
        next_steps=tuple(setup_steps(order, facts, folder, account)),
    )


def write_setup(plan: SetupPlan, *, force: bool) -> Written:
    """Write the files, each whole; none when one of them is there with other content, unless `force`.

    Errors: SetupExists, CannotSetUp, OSError.
    """
    states = {file: _difference(plan.folder / file.path, file) for file in plan.files}
    differing = {plan.folder / file.path: lines for file, lines in states.items() if lines}
    if differing and not force:
        raise SetupExists(differing)
    due = [file for file, lines in states.items() if lines != ()]
    for file in due:
        _put(plan.folder / file.path, file)
    return Written(
        wrote=tuple(plan.folder / file.path for file in due),
        same=tuple(plan.folder / file.path for file in plan.files if file not in due),
    )


def _put(path: Path, file: SetupFile) -> None:
    from rearch.engine.durable import write_whole

    try:
        write_whole(path, file.text.encode(), file.mode)
    except (NotADirectoryError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise CannotSetUp(path, error) from None


def _difference(path: Path, file: SetupFile) -> tuple[str, ...] | None:
    """None: nothing is there. (): the same is. Else what differs, in lines."""
    try:
        about = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(about.st_mode):
        return ("it is no plain file",)
    try:
        there = path.read_text("utf-8")
    except UnicodeDecodeError:
        return ("it is no text",)
    lines = difflib.unified_diff(there.splitlines(), file.text.splitlines(), "there", "new", lineterm="", n=1)
    found = tuple(lines)
    if not found and there != file.text:
        found = ("line ends differ",)
    if not found and stat.S_IMODE(about.st_mode) & ~file.mode:
        found = (f"its mode is {stat.S_IMODE(about.st_mode):04o}, and {file.mode:04o} is wanted",)
    more = len(found) - MOST_LINES
    return (*found[:MOST_LINES], f"... {more} more lines") if more > 0 else found
