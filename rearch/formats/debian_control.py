"""Debian control data: stanzas, .dsc files, source records and the date of a changelog.

The format is deb822(5) and Debian policy 5; .dsc is dsc(5), the changelog deb-changelog(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from msgspec import Struct

from rearch.errors import StepError
from rearch.model.frozen import FrozenDict

Stanza = Mapping[str, str]

# What dpkg allows in a file name of a source package (Dpkg::Source::Package), which has no folder in it.
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.~_:%-]*\Z")
_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_TRAILER = re.compile(r" -- .*<.*>  ?(.+)\Z")


class MalformedControl(StepError):
    """Control data that does not follow deb822(5). `line` counts from 1; 0 where no line is to blame."""

    def __init__(self, name: str, line: int, why: str) -> None:
        self.name = name
        self.line = line
        self.why = why
        super().__init__(f"{name}{f':{line}' if line else ''}: {why}")


def parse_stanzas(text: str, name: str) -> tuple[Stanza, ...]:
    """All stanzas of a control file; field names in lower case, continuation lines without their first space.

    `name` is what errors call the text. Errors: MalformedControl.
    """
    return tuple(FrozenDict(fields) for fields in _stanzas(text, name))


def _stanzas(text: str, name: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    last = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if not last:
                raise MalformedControl(name, number, "a continuation line before any field")
            fields[last] += "\n" + line[1:].rstrip()
        else:
            last, value = _field(line, name, number)
            if last in fields:
                raise MalformedControl(name, number, f"the field {last} stands there twice")
            fields[last] = value
    if fields:
        yield fields


def _field(line: str, name: str, number: int) -> tuple[str, str]:
    found = _FIELD.match(line)
    if not found:
        raise MalformedControl(name, number, f"not a field: {line[:60]!r}")
    return found[1].lower(), found[2].rstrip()


class ListedFile(Struct, frozen=True, kw_only=True):
    """A file of a source package: a plain name, the size in bytes, sha256 in hexadecimal."""

    name: str
    size: int
    sha256: str


class Dsc(Struct, frozen=True, kw_only=True):
    """What a .dsc says. `format` is `3.0 (quilt)`, `3.0 (native)` or `1.0`; `files` do not include the .dsc."""

    package: str
    version: str
    format: str
    files: tuple[ListedFile, ...]


def parse_dsc(data: bytes, name: str) -> Dsc:
    """Read a .dsc, signed or not. The signature is not checked: the archive's index, which apt checks, names its hash.

    Errors: MalformedControl.
    """
    stanzas = parse_stanzas(strip_armour(data.decode("utf-8", "replace"), name), name)
    if len(stanzas) != 1:
        raise MalformedControl(name, 0, f"one stanza is wanted, {len(stanzas)} are there")
    stanza = stanzas[0]
    return Dsc(
        package=_wanted(stanza, "source", name),
        version=_wanted(stanza, "version", name),
        format=stanza.get("format", "1.0"),
        files=listed_files(stanza, name),
    )


class SourceRecord(Struct, frozen=True, kw_only=True):
    """A stanza of a Sources index: `directory` is below the archive's root; `files` do include the .dsc."""

    package: str
    version: str
    directory: str
    files: tuple[ListedFile, ...]


def parse_source_record(stanza: Stanza, name: str) -> SourceRecord:
    """Read one stanza of `apt-cache showsrc`. Errors: MalformedControl."""
    return SourceRecord(
        package=_wanted(stanza, "package", name),
        version=_wanted(stanza, "version", name),
        directory=_wanted(stanza, "directory", name).strip("/"),
        files=listed_files(stanza, name),
    )


def listed_files(stanza: Stanza, name: str) -> tuple[ListedFile, ...]:
    """The Checksums-Sha256 of a stanza. MD5 and SHA-1 are not taken for an answer. Errors: MalformedControl."""
    lines = _wanted(stanza, "checksums-sha256", name).split("\n")
    files = tuple(_listed_file(line.split(), name) for line in lines if line.strip())
    if len({file.name for file in files}) != len(files):
        raise MalformedControl(name, 0, "a file is listed twice in Checksums-Sha256")
    return files


def _listed_file(words: list[str], name: str) -> ListedFile:
    match words:
        case [sha256, size, file] if _SHA256.match(sha256) and re.fullmatch("[0-9]{1,15}", size):
            if not _FILE_NAME.match(file):
                raise MalformedControl(name, 0, f"not a plain file name: {file!r}")
            return ListedFile(name=file, size=int(size), sha256=sha256)
    raise MalformedControl(name, 0, f"not a line of Checksums-Sha256: {' '.join(words)[:80]!r}")


def _wanted(stanza: Stanza, field: str, name: str) -> str:
    value = stanza.get(field, "")
    if not value:
        raise MalformedControl(name, 0, f"the field {field} is missing")
    return value


def strip_armour(text: str, name: str) -> str:
    """The text inside an OpenPGP cleartext signature (RFC 9580, 7), or the text itself when it is not signed.

    What stands outside the armour was never signed and is dropped. Errors: MalformedControl when it does not end.
    """
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if "-----BEGIN PGP SIGNED MESSAGE-----" not in lines:
        return text
    begin = lines.index("-----BEGIN PGP SIGNED MESSAGE-----")
    try:
        body = lines.index("", begin) + 1
        end = lines.index("-----BEGIN PGP SIGNATURE-----", body)
    except ValueError:
        raise MalformedControl(name, begin + 1, "the OpenPGP armour is cut off") from None
    return "\n".join(line.removeprefix("- ") for line in lines[body:end]) + "\n"


def changelog_time(text: str) -> int | None:
    """The date of the topmost entry in seconds since 1970; None where its trailer has no date that can be read."""
    for line in text.split("\n"):
        found = _TRAILER.match(line.rstrip())
        if found:
            try:
                return max(0, int(parsedate_to_datetime(found[1]).timestamp()))
            except (ValueError, OverflowError):
                return None
    return None
