"""The build context: a folder with what the recipe's `files` name, and nothing else.

Modes are 0755 or 0644, whatever the umask of the checkout was. Results of steps are linked in, never changed; files of
the project are copied, since links to them would change with them.
"""

from __future__ import annotations

import difflib
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from rearch.errors import UsageError, VerificationError
from rearch.formats.clone import link_file
from rearch.formats.tree import path_digest, walk
from rearch.model.step_images import ContextFile
from rearch.steps.ports import Workspace

FILE, PROGRAM = 0o644, 0o755


class NothingToCopy(UsageError):
    """A recipe copies something that is not there."""

    def __init__(self, path: str, where: str, names: Iterable[str]) -> None:
        self.path = path
        near = difflib.get_close_matches(path.rpartition("/")[2], list(names), n=1)
        hint = f"did you mean {near[0]}?" if near else "correct the path in `image.files`"
        super().__init__(f"image.files: there is no {path} in {where}", hint=hint)


class FileChanged(VerificationError):
    """A file of the project changed between the plan and the build."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} changed while it was read", hint="run the same command again")


def fill_context(files: Iterable[ContextFile], context: Path, work: Workspace) -> None:
    """Make the folder `context` and put every file in its place. Errors: NothingToCopy, FileChanged."""
    context.mkdir()
    for file in files:
        place = context / file.place
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.role is None:
            _put(work.project / file.path, place, "copy")
            if path_digest(place) != file.digest:
                raise FileChanged(file.path)
        elif not place.exists():  # the same binary twice, to two places of the image
            _put(_found(file, work), place, "link")


def known_digests(files: Iterable[ContextFile], work: Workspace) -> dict[str, str]:
    """Place in the context -> sha256 of the content, for what a step has hashed already."""
    found: dict[str, str] = {}
    for file in files:
        if file.role is not None:
            by_path = {artifact.path: artifact for artifact in work.needs[file.role].result.artifacts}
            artifact = by_path.get(file.path)
            if artifact is not None and artifact.target is not None:
                artifact = by_path.get(f"bin/{artifact.target}")
            if artifact is not None:
                found[file.place] = artifact.digest
    return found


def _found(file: ContextFile, work: Workspace) -> Path:
    files = work.needs[file.role or ""].files
    origin = files / file.path
    if not origin.resolve().is_relative_to(files.resolve()) or not origin.exists():
        names = [path.name for path in origin.parent.iterdir()] if origin.parent.is_dir() else []
        where = "the patched source" if file.role == "source" else "the binaries"
        raise NothingToCopy(file.place, where, names)
    # A link of the recipe is copied as the program that it names: COPY follows links in the same way.
    return origin.resolve()


def _put(origin: Path, place: Path, how: Literal["link", "copy"]) -> None:
    """One file, or a folder with all in it."""
    if not origin.is_dir():
        _put_file(origin, place, how)
        return
    place.mkdir(mode=PROGRAM, exist_ok=True)
    for entry in walk(origin):
        source, target = origin / entry.path, place / entry.path
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir()
            target.chmod(PROGRAM)
        else:
            _put_file(source, target, how)


def _put_file(source: Path, target: Path, how: Literal["link", "copy"]) -> None:
    """A link only where the mode is as it should be: it has the mode in common with what it links to."""
    mode = stat.S_IMODE(source.stat().st_mode)
    usual = PROGRAM if mode & stat.S_IXUSR else FILE
    if how == "link" and mode == usual:
        link_file(source, target)
    else:
        shutil.copyfile(source, target)
        target.chmod(usual)
