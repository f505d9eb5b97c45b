"""The project's files, read once, never from outside the project; and the problems found in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from rearch.config.memory import YamlMemory
from rearch.config.problems import Problem
from rearch.config.yaml_tree import (
    LARGEST_FILE,
    LINE_BREAK,
    Data,
    Span,
    Spot,
    find,
    places,
    read_yaml,
)
from rearch.model.frozen import NOTHING

KeyPath = tuple[str | int, ...]


class Unreadable(Exception):
    """Why a file is not read, in words. Collected and told by whoever asked for the file. `line` is 0: all of it."""

    def __init__(self, text: str, line: int = 0, column: int = 0) -> None:
        super().__init__(text)
        self.line = line
        self.column = column


class ProjectFiles:
    """Reads below `root`; paths are relative to it, with `/`. Collects what is wrong in `problems`.

    `texts` stand for what some files hold: a change can be looked at before it is made.
    """

    def __init__(self, root: Path, memory: Path | None = None, texts: Mapping[str, str] = NOTHING) -> None:
        self.root = os.path.realpath(root)
        self.memory = YamlMemory(memory)
        self.problems: list[Problem] = []
        self._texts: dict[str, str] = dict(texts)
        self._spots: dict[str, Spot] = {}
        self._safe: dict[str, bool] = {}

    def yaml(self, file: str, *, empty: bool = False) -> Mapping[str, Data] | None:
        """The mapping that a file holds; None when it has none, which then is among the problems.

        With `empty` a file that says nothing is a mapping without keys.
        """
        try:
            text = self.read_text(file)
        except Unreadable as error:
            self.unreadable(file, error)
            return None
        name, data = self.memory.recall(text)
        if data is None:
            data, faults = read_yaml(text)
            for fault in faults:
                self.at(file, fault.span, fault.text, fault.hint)
            if not all(fault.usable for fault in faults):
                return None
            if not faults:
                self.memory.learn(name, data)
        if data is None and empty:
            return {}
        if not isinstance(data, dict):
            self.at(file, Span(1, 1, 0, 0), "keys with values are wanted" if data else "the file is empty")
            return None
        return data

    @property
    def read(self) -> tuple[str, ...]:
        """The files whose text was read."""
        return tuple(sorted(self._texts))

    def unreadable(self, file: str, error: Unreadable) -> None:
        """A problem with a whole file."""
        self.problems.append(Problem(file=file, line=error.line, column=error.column, text=str(error)))

    def text(self, file: str) -> str:
        """The text of a file that was read before."""
        return self._texts[file]

    def spot(self, file: str, path: Sequence[str | int]) -> tuple[Spot, int]:
        """The place of the deepest part of a path in a file that was read, and that part's length."""
        spots = self._spots.get(file)
        if spots is None:
            spots = self._spots[file] = places(self._texts[file])
        return find(spots, path)

    def value(self, file: str, path: Sequence[str | int], text: str, hint: str | None = None) -> None:
        """A problem with the value at a path; where that is empty or a mapping, with the key before it."""
        spot, _ = self.spot(file, path)
        if spot.key and (spot.children or spot.value.start == spot.value.end):
            self.at(file, spot.key, text, hint)
        elif spot.children:
            self.at(file, replace(spot.value, end=spot.value.start), text, hint)
        else:
            self.at(file, spot.value, text, hint)

    def key(self, file: str, path: Sequence[str | int], text: str, hint: str | None = None) -> None:
        """A problem with the key at a path."""
        spot, _ = self.spot(file, path)
        self.at(file, spot.key or spot.value, text, hint)

    def at(self, file: str, span: Span, text: str, hint: str | None = None) -> None:
        """A problem at a place."""
        lines = LINE_BREAK.split(self._texts.get(file, ""))
        source = lines[span.line - 1] if span.line <= len(lines) else ""
        self.problems.append(
            Problem(
                file=file,
                line=span.line,
                column=span.column,
                text=text,
                hint=hint,
                source=source,
                width=max(1, span.end - span.start),
            )
        )

    def plain(self, text: str, hint: str | None = None, *, file: str = "") -> None:
        """A problem that has no line."""
        self.problems.append(Problem(file=file, line=0, column=0, text=text, hint=hint))

    def names(self, folder: str) -> tuple[tuple[str, bool], ...]:
        """What a folder holds, sorted: name, and whether it is a folder. Hidden ones and a missing folder: nothing."""
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:  # noqa: PTH118  (hot: a thousand recipes)
                found = [(entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            self.plain(f"cannot be listed: {error.strerror}", file=folder)
            return ()
        return tuple(sorted(found))

    def exists(self, path: str) -> bool:
        """Whether there is something, of whatever kind, at a path."""
        try:
            return os.path.lexists(os.path.join(self.root, path))  # noqa: PTH118
        except ValueError:  # a NUL character in the name
            return False

    def has_folder(self, path: str) -> bool:
        """Whether a path leads to a folder."""
        try:
            return os.path.isdir(os.path.join(self.root, path))  # noqa: PTH112, PTH118
        except ValueError:  # a NUL character in the name
            return False

    def inside(self, path: str) -> bool:
        """Whether a path, its links followed, stays in the project."""
        try:
            real = os.path.realpath(os.path.join(self.root, path))  # noqa: PTH118
        except ValueError:  # a NUL character in the name
            return False
        return real == self.root or real.startswith(self.root.rstrip("/") + "/")

    def content(self, file: str, limit: int = LARGEST_FILE) -> bytes:
        """The bytes of a plain file. Errors: Unreadable."""
        folder = file.rpartition("/")[0]
        if folder not in self._safe:
            self._safe[folder] = self.inside(folder)
        path = os.path.join(self.root, file)  # noqa: PTH118
        if not self._safe[folder] or (os.path.islink(path) and not self.inside(file)):  # noqa: PTH114
            raise Unreadable("leads out of the project through a symbolic link")
        try:
            return _read(path, limit)
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror}") from None
        except ValueError:
            raise Unreadable("no file can have that name") from None

    def read_text(self, file: str) -> str:
        """The text of a file, read once. Errors: Unreadable."""
        if file not in self._texts:
            data = self.content(file)
            try:
                self._texts[file] = data.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                before = data[: error.start].decode("utf-8", "replace")
                line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
                raise Unreadable(f"is not UTF-8: byte 0x{data[error.start]:02x}", line, column) from None
        return self._texts[file]


def _read(path: str, limit: int) -> bytes:
    """O_NONBLOCK: opening a named pipe would wait for a writer for ever."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("is no plain file")
        if about.st_size > limit:
            raise Unreadable(f"is larger than {limit // 1024} KiB")
        parts = []
        left = limit + 1
        while left > 0 and (part := os.read(handle, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
        if left <= 0:
            raise Unreadable(f"is larger than {limit // 1024} KiB")
        return b"".join(parts)
    finally:
        os.close(handle)
