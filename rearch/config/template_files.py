"""Where templates are: the project's own, then those that ship with rearch."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from msgspec import Struct

FOLDER = "templates"
SUFFIX = ".Dockerfile.j2"
LARGEST = 256 * 1024
PROJECT, SHIPPED = "project", "rearch"


class UnreadableTemplate(Exception):
    """Why a file is no template, in words."""


class TemplateId(Struct, frozen=True):
    """A template: `origin` says whose it is, `name` the path below that folder."""

    origin: str
    name: str

    def __str__(self) -> str:
        return f"{self.origin}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> TemplateId:
        origin, _, name = text.partition(":")
        return cls(origin, name)


class TemplateFolders(Struct, frozen=True):
    """Both folders; they are the same one in rearch's own checkout."""

    project: Path
    shipped: Path

    def find(self, name: str, origin: str = PROJECT) -> TemplateId | None:
        """The template of that name. One that ships with rearch sees only its like: it means the same everywhere.

        Errors: UnreadableTemplate for a name that is no plain path below the folder.
        """
        if not name or "\\" in name or "\0" in name or name.startswith("/") or {"..", "."} & set(name.split("/")):
            raise UnreadableTemplate("templates are named by their path below templates/: no '..', no leading /")
        for place in (PROJECT, SHIPPED) if origin == PROJECT else (SHIPPED,):
            if os.path.lexists(self.path(TemplateId(place, name))):
                return TemplateId(place, name)
        return None

    def path(self, which: TemplateId) -> Path:
        return (self.project if which.origin == PROJECT else self.shipped) / which.name

    def shown(self, which: TemplateId) -> str:
        """How messages call it."""
        ours = which.origin == PROJECT or self.project == self.shipped
        return f"{FOLDER}/{which.name}" if ours else f"{SHIPPED}:{FOLDER}/{which.name}"

    def names(self) -> tuple[str, ...]:
        """What recipes can ask for."""
        found = {path.name for folder in (self.project, self.shipped) if folder.is_dir() for path in folder.iterdir()}
        return tuple(sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)))

    def parts(self, which: TemplateId) -> tuple[str, ...]:
        """What a template can include or import."""
        folders = (self.project, self.shipped) if which.origin == PROJECT else (self.shipped,)
        found = {str(path.relative_to(folder)) for folder in folders for path in folder.rglob("*.j2")}
        return tuple(sorted(found))

    def read(self, which: TemplateId) -> str:
        """The text. Errors: UnreadableTemplate."""
        folder = self.project if which.origin == PROJECT else self.shipped
        path = self.path(which)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UnreadableTemplate("it leads out of the folder templates/ through a symbolic link")
        try:
            data = _read(path)
        except OSError as error:
            raise UnreadableTemplate(f"it cannot be read: {error.strerror}") from None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise UnreadableTemplate(f"line {line} is not UTF-8: byte 0x{data[error.start]:02x}") from None

    def mark(self, which: TemplateId) -> tuple[int, ...] | None:
        """What changes when the file does."""
        try:
            about = self.path(which).stat()
        except OSError:
            return None
        return (about.st_mtime_ns, about.st_size, about.st_ino, about.st_dev)


def _read(path: Path) -> bytes:
    """O_NONBLOCK: opening a named pipe would wait for a writer for ever."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnreadableTemplate("it is no plain file")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UnreadableTemplate(f"it is larger than {LARGEST // 1024} KiB")
    return data


def template_folders(project: Path) -> TemplateFolders:
    """The project's folder, which need not be there, and rearch's own: in a wheel in the package, else beside it."""
    package = Path(__file__).parents[1]
    inside = package / "_templates"
    return TemplateFolders(project=project / FOLDER, shipped=inside if inside.is_dir() else package.parent / FOLDER)
