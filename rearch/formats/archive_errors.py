"""What can be wrong with an archive. Each error names the archive, and the entry where there is one."""

from __future__ import annotations

from rearch.errors import HostileInputError, StepError


def shown(name: str) -> str:
    """An entry's name for people: quoted, control characters and stray bytes escaped, at most 200 characters."""
    text = name if len(name) <= 200 else f"{name[:150]}...{name[-40:]}"
    return ascii(text) if any(not char.isprintable() for char in text) else f"'{text}'"


class ArchiveError(HostileInputError):
    """An archive that is not unpacked. What was written before it was found stays in the target, which is scratch."""

    def __init__(self, archive: str, entry: str | None, why: str, hint: str | None = None) -> None:
        self.archive = archive
        self.entry = entry
        self.why = why
        place = f"{archive}: {shown(entry)}" if entry is not None else archive
        super().__init__(f"{place} {why}", hint=hint)


class UnknownFormat(ArchiveError):
    """The first bytes are of no archive that rearch reads."""

    def __init__(self, archive: str, start: bytes) -> None:
        self.start = start
        page = start.lstrip()[:64].lower().startswith((b"<!doctype html", b"<html", b"<?xml"))
        super().__init__(
            archive,
            None,
            f"is no archive that rearch can read (it begins with {start[:8]!r})" if start else "is empty",
            "it is a web page: the URL asks for a login, or has moved"
            if page
            else "tar (plain, gz, xz, bz2, zst) and zip are read",
        )


class Unsupported(ArchiveError):
    """A feature of the format that rearch does not read, and for most of them does not want to."""

    def __init__(self, archive: str, entry: str | None, feature: str) -> None:
        self.feature = feature
        super().__init__(archive, entry, f"uses {feature}", "pack it again without that")


class CorruptArchive(ArchiveError):
    """The bytes contradict the format, a checksum or each other."""

    def __init__(self, archive: str, entry: str | None, why: str) -> None:
        super().__init__(archive, entry, f"is damaged: {why}", "fetch it again, or ask upstream for a whole one")


class TruncatedArchive(ArchiveError):
    """The archive ends too early."""

    def __init__(self, archive: str, entry: str | None, where: str) -> None:
        self.where = where
        super().__init__(archive, entry, f"ends in the middle of {where}", "it was cut off: fetch it again")


class LimitExceeded(ArchiveError):
    """The archive wants more than the settings allow. `setting` is the key under `limits:`."""

    def __init__(self, archive: str, entry: str | None, setting: str, allowed: int, what: str) -> None:
        self.setting = setting
        self.allowed = allowed
        super().__init__(
            archive,
            entry,
            f"would make {what}; {allowed} is the limit",
            f"if it is to be trusted, raise `limits: {{{setting}: ...}}` in rearch.yaml",
        )


class BadName(ArchiveError):
    """A name that is absolute, has `..` or control characters, or is too long or too deep."""


class LinkEscapes(ArchiveError):
    """A link that leads out of the tree, by itself or through other links."""

    def __init__(self, archive: str, entry: str, target: str) -> None:
        self.target = target
        super().__init__(archive, entry, f"is a link to {shown(target)}, which leads out of the tree")


class ThroughLink(ArchiveError):
    """An entry that would be written through a link that the archive made before."""

    def __init__(self, archive: str, entry: str, link: str) -> None:
        self.link = link
        super().__init__(archive, entry, f"would be written through the link {shown(link)}")


class SpecialEntry(ArchiveError):
    """A device, a fifo, a socket."""

    def __init__(self, archive: str, entry: str, kind: str) -> None:
        self.kind = kind
        super().__init__(archive, entry, f"is a {kind}; only files, folders and links are unpacked")


class DuplicateEntry(ArchiveError):
    """Two entries with one name: which of them counts differs between programs."""

    def __init__(self, archive: str, entry: str) -> None:
        super().__init__(archive, entry, "is there twice (or two names that the file system takes for one)")


class NotAFolder(ArchiveError):
    """A file where another entry needs a folder."""

    def __init__(self, archive: str, entry: str, obstacle: str) -> None:
        self.obstacle = obstacle
        super().__init__(archive, entry, f"needs a folder where the archive has the file {shown(obstacle)}")


class BadHardLink(ArchiveError):
    """A hard link to something that the archive did not bring before."""

    def __init__(self, archive: str, entry: str, target: str) -> None:
        self.target = target
        super().__init__(archive, entry, f"is a hard link to {shown(target)}, no file that the archive has brought")


class CannotWrite(StepError):
    """The file system refused: full, read-only, a name that it cannot hold."""

    def __init__(self, what: str, error: OSError) -> None:
        self.what = what
        self.errno = error.errno
        reason = error.strerror or str(error)
        super().__init__(f"{what} cannot be written: {reason}", hint="`invoke doctor` shows the disk and the cache")


class TargetNotEmpty(StepError):
    """The folder to unpack into holds something already."""

    def __init__(self, archive: str, target: str) -> None:
        self.archive = archive
        self.target = target
        super().__init__(f"{archive}: {target} is not empty")


class StripLeavesNothing(StepError):
    """`strip` drops as many leading folders as every entry has."""

    def __init__(self, archive: str, strip: int, example: str) -> None:
        self.archive = archive
        self.strip = strip
        super().__init__(
            f"{archive}: nothing is left when {strip} leading folder(s) are dropped",
            (f"it holds {shown(example)}",) if example else ("it is empty",),
            hint="correct `strip` in the recipe" if example else "fetch it again, or ask upstream for a whole one",
        )
