"""Reads unified diffs of diff -u, git and quilt. unidiff reads the hunks; names, modes and line ends are ours.

Git's extended headers: https://git-scm.com/docs/diff-format#generate_patch_text_with_p
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rearch.formats.patch_model import Change, FilePatch, Hunk, PatchEscapes, PatchUnreadable

if TYPE_CHECKING:
    from unidiff.patch import Hunk as ParsedHunk
    from unidiff.patch import PatchedFile

_BINARY = re.compile(r"(?:GIT binary patch|Binary files? .* (?:differ|has changed))\r?$", re.MULTILINE)
_EPOCH = re.compile(r"19(?:70-01-01|69-12-31)\b")
_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NULL = "/dev/null"
_LINK, _SUBMODULE = 0o120000, 0o160000
_KIND = 0o170000


def parse_patch(name: str, data: bytes, strip: int) -> tuple[FilePatch, ...]:
    """Read a patch file; `strip` leading folders are dropped from its names (patch -p).

    Errors: PatchUnreadable for what is no patch, is binary or makes links; PatchEscapes for `..` and absolute names.
    """
    text = _plain_ends(data.decode("utf-8", "surrogateescape"))
    if found := _BINARY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise PatchUnreadable(
            name,
            f"line {line}: a binary patch cannot be applied",
            hint="put the file itself into the recipe's files, or make the change in the source's repository",
        )
    files = tuple(_file(name, entry, strip) for entry in _parsed(name, text))
    if not files and text.strip():
        raise PatchUnreadable(name, "no changes in it: neither `--- a/file` nor `diff --git` was found")
    return files


def _plain_ends(text: str) -> str:
    """A patch that was written through as CRLF, headers too, is read as if it had not been (as GNU patch does)."""
    headers = re.findall(r"^(?:--- |\+\+\+ |@@ )[^\n]*", text, re.MULTILINE)
    if headers and all(line.endswith("\r") for line in headers):
        return text.replace("\r\n", "\n")
    return text


def _parsed(name: str, text: str) -> Sequence[PatchedFile]:
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    try:
        return PatchSet.from_string(text)
    except (UnidiffParseError, ValueError) as error:  # ValueError: numbers of more digits than int() takes
        raise PatchUnreadable(name, f"not a readable patch: {str(error).strip()[:200]}") from error


def _file(patch: str, entry: PatchedFile, strip: int) -> FilePatch:
    header = _Header(entry)
    if header.kind in (_LINK, _SUBMODULE):
        what = "a symbolic link" if header.kind == _LINK else "a submodule"
        raise PatchUnreadable(patch, f"{header.title} makes or changes {what}, which is not supported")
    change = header.change
    names = header.names(strip)
    if not names:
        raise PatchUnreadable(patch, f"{header.title}: no name is left when {strip} folders are dropped")
    for path in names:
        _check_name(patch, path)
    return FilePatch(change=change, names=names, mode=header.mode, hunks=tuple(_hunk(hunk) for hunk in entry))


def _check_name(patch: str, path: str) -> None:
    if path.startswith("/"):
        raise PatchEscapes(patch, path, "is an absolute path")
    if ".." in path.split("/"):
        raise PatchEscapes(patch, path, "leads out of the source tree")
    if "\0" in path:
        raise PatchUnreadable(patch, f"{path!r} is no file name")


class _Header:
    """The lines before the hunks of one file."""

    def __init__(self, entry: PatchedFile) -> None:
        self._entry = entry
        lines = [str(line).rstrip("\r\n") for line in entry.patch_info or ()]
        self._git = next((line[len("diff --git ") :] for line in reversed(lines) if line.startswith("diff --git ")), "")
        words = (line.split(" ", 2) for line in lines)
        self._words = {" ".join(word[:2]): word[2] for word in words if len(word) == 3}
        self._old, self._new = unquoted(entry.source_file), unquoted(entry.target_file)
        if self._git and not self._moved and (pair := _same_pair(self._git)):
            self._old = self._old if self._old == _NULL else pair[0]
            self._new = self._new if self._new == _NULL else pair[1]

    @property
    def title(self) -> str:
        return self._new if self._new != _NULL else self._old

    @property
    def _moved(self) -> tuple[str, str] | None:
        for verb in ("rename", "copy"):
            if f"{verb} from" in self._words and f"{verb} to" in self._words:
                return unquoted(self._words[f"{verb} from"]), unquoted(self._words[f"{verb} to"])
        return None

    @property
    def kind(self) -> int:
        """File type bits of the mode; 0 where none is said."""
        text = self._entry.target_mode or self._entry.source_mode
        return int(text, 8) & _KIND if text and re.fullmatch(r"[0-7]{1,7}", text) else 0

    @property
    def mode(self) -> int | None:
        """Git knows two: 0644 and 0755."""
        text = self._words.get("new mode") or self._words.get("new file")  # `new file mode 100755`
        return None if text is None else (0o755 if text.endswith("755") else 0o644)

    @property
    def change(self) -> Change:
        if self._moved:
            return Change.COPY if "copy from" in self._words else Change.RENAME
        hunks = list(self._entry)
        if self._old == _NULL or (len(hunks) == 1 and hunks[0].source_length == 0 and self._dated(source=True)):
            return Change.CREATE
        if self._new == _NULL or (len(hunks) == 1 and hunks[0].target_length == 0 and self._dated(source=False)):
            return Change.DELETE
        return Change.MODIFY

    def _dated(self, *, source: bool) -> bool:
        """diff -N dates a file that is not there 1970; and `-0,0` alone also means that there was none."""
        stamp = self._entry.source_timestamp if source else self._entry.target_timestamp
        hunk = self._entry[0]
        return bool(_EPOCH.match(stamp or "")) or (source and hunk.source_start == 0)

    def names(self, strip: int) -> tuple[str, ...]:
        """Old and new name without their leading folders; git's rename lines have one folder less."""
        if self._moved:
            return tuple(_stripped(name, max(0, strip - 1)) for name in self._moved)
        both = [_stripped(name, strip) for name in (self._old, self._new) if name != _NULL]
        return tuple(dict.fromkeys(name for name in both if name))


def _stripped(name: str, count: int) -> str:
    """Like patch -p: a run of slashes counts as one. Empty where there are not as many folders."""
    if name.startswith("/"):
        return name  # is refused by _check_name, whatever strip says
    rest = name
    for _ in range(count):
        _, slash, rest = rest.partition("/")
        rest = rest.lstrip("/")
        if not slash:
            return ""
    return "/".join(part for part in rest.split("/") if part not in ("", "."))


def unquoted(name: str) -> str:
    """A name as git and diff quote it: `"a/caf\\303\\251"`, bytes in octal."""
    name = name.rstrip("\r")
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    data = bytearray()
    at = 0
    body = name[1:-1]
    for found in _ESCAPE.finditer(body):
        data += body[at : found.start()].encode("utf-8", "surrogateescape")
        code = found[1]
        octal = code.isdecimal() and code.isascii()
        data += bytes([int(code, 8) & 0xFF]) if octal and set(code) <= set("01234567") else _escape(code)
        at = found.end()
    data += body[at:].encode("utf-8", "surrogateescape")
    return bytes(data).decode("utf-8", "surrogateescape")


def _escape(code: str) -> bytes:
    return _ESCAPES.get(code, code).encode("utf-8", "surrogateescape")


def _same_pair(text: str) -> tuple[str, str] | None:
    """The two names of `diff --git a/N b/N`, which may hold spaces: they are the two equal halves."""
    text = text.rstrip("\r")
    middle = len(text) // 2
    left, right = unquoted(text[:middle]), unquoted(text[middle + 1 :])
    if text[middle : middle + 1] != " " or left.partition("/")[2] != right.partition("/")[2]:
        return None
    return left, right


def _hunk(hunk: ParsedHunk) -> Hunk:
    start = hunk.source_start if hunk.source_length == 0 else hunk.source_start - 1
    header = f"@@ -{hunk.source_start},{hunk.source_length} +{hunk.target_start},{hunk.target_length} @@"
    return Hunk(
        header=f"{header} {hunk.section_header}".rstrip(),
        start=max(0, start),
        lines=tuple(_marked(hunk)),
    )


def _marked(hunk: ParsedHunk) -> Iterator[tuple[str, bytes]]:
    """The lines with their marks; `\\ No newline at end of file` takes the line end of the line before it."""
    kept: tuple[str, bytes] | None = None
    for line in hunk:
        mark = str(line.line_type)
        if mark == "\\" and kept is not None:
            kept = kept[0], kept[1].removesuffix(b"\n")
        if mark not in (" ", "+", "-"):
            continue
        if kept is not None:
            yield kept
        kept = mark, str(line.value).encode("utf-8", "surrogateescape")
    if kept is not None:
        yield kept
