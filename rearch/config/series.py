"""patches/<component>/series: quilt's list of patches (man 1 quilt, "FILES")."""

from __future__ import annotations

import hashlib
import posixpath
import re
from pathlib import PurePosixPath

from rearch.config.files import ProjectFiles, Unreadable
from rearch.config.problems import shown, suggestion
from rearch.config.yaml_tree import LINE_BREAK, Span
from rearch.model.stack import PatchFile

FOLDER = "patches"
FILE = "series"
LARGEST_PATCH = 64 * 1024 * 1024
MOST_STRIP = 8
_COMMENT = re.compile(r"(?:^|\s)#.*")


def read_series(files: ProjectFiles, folder: str, strip: int) -> tuple[PatchFile, ...]:
    """The patches of a component's folder, in order. `strip` is for lines without `-p`.

    A line is the patch's path below the folder, then `-pN`, `-p N` or `-pab` (a/ and b/, which is -p1).
    `#` begins a comment at the start of a line or after a space.
    """
    file = f"{folder}/{FILE}"
    text = _text(files, folder, file)
    if text is None:
        return ()
    found: list[PatchFile] = []
    for number, line in enumerate(LINE_BREAK.split(text), start=1):
        words = _COMMENT.sub("", line).split()
        if not words:
            continue
        at = line.index(words[0])
        span = Span(number, at + 1, at, at + len(words[0]))
        patch = _patch(files, folder, words, span, strip)
        if patch and any(patch.path == other.path for other in found):
            files.at(file, span, f"{shown(words[0])} stands here twice")
        elif patch:
            found.append(patch)
    return tuple(found)


def _text(files: ProjectFiles, folder: str, file: str) -> str | None:
    if not files.exists(file):
        names = [name for name, is_folder in files.names(folder) if not is_folder]
        if names:
            files.plain("is missing, so none of the patches beside it is applied", "list them in it", file=file)
        return None
    try:
        return files.read_text(file)
    except Unreadable as error:
        files.unreadable(file, error)
        return None


def _patch(files: ProjectFiles, folder: str, words: list[str], span: Span, strip: int) -> PatchFile | None:
    file = f"{folder}/{FILE}"
    name, *options = words
    path = posixpath.normpath(posixpath.join(folder, name))
    if name.startswith("/") or not path.startswith(f"{folder}/"):
        files.at(file, span, f"{shown(name)} leads out of {folder}")
        return None
    level = _strip(options, strip)
    if isinstance(level, str):
        files.at(file, span, f"{shown(name)}: {level}", "-p0, -p1, ... and -pab are read")
        return None
    try:
        digest = hashlib.sha256(files.content(path, LARGEST_PATCH)).hexdigest()
    except Unreadable as error:
        names = [one for one, is_folder in files.names(posixpath.dirname(path)) if not is_folder and one != FILE]
        near = suggestion(posixpath.basename(path), names) if not files.exists(path) else None
        files.at(file, span, f"{shown(name)} {error}", near)
        return None
    return PatchFile(path=PurePosixPath(path), strip=level, digest=digest)


def _strip(options: list[str], default: int) -> int | str:
    """How many folders to drop, or what is wrong with the options."""
    words = " ".join(options)
    if not words:
        return default
    if words in ("-pab", "-p ab"):
        return 1
    level = re.fullmatch(r"-p ?([0-9]{1,2})", words)
    if level and int(level[1]) <= MOST_STRIP:
        return int(level[1])
    if words == "-R":
        return "a patch cannot be applied in reverse"
    return f"unknown option {shown(words)}"


def check_folders(files: ProjectFiles, stack_folder: str, recipes: tuple[str, ...]) -> None:
    """A folder of patches that belongs to no recipe would be left out without a word."""
    for name, is_folder in files.names(f"{stack_folder}/{FOLDER}"):
        if is_folder and name not in recipes:
            place = f"{stack_folder}/{FOLDER}/{shown(name)}"
            files.plain("belongs to no recipe of the stack", suggestion(name, recipes), file=place)
