"""The host's lists of archives, in both of apt's spellings (sources.list(5)), and the lists that we make of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import UsageError
from rearch.formats.debian_control import MalformedControl, Stanza, parse_stanzas
from rearch.model.platform import EM_386, EM_X86_64, PLATFORMS

# Options of one-line entries whose deb822 field is called otherwise (sources.list(5), "DEB822-STYLE FORMAT").
_LONG_NAMES = {"arch": "architectures", "lang": "languages", "target": "targets"}
# What we say ourselves; everything else of the host's entry is kept as it is.
_OURS = {"types", "uris", "suites", "components", "enabled", "targets", "languages", "pdiffs"}
_ONE_LINE = re.compile(r"(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?([^\s\[]\S*)\s+(\S+)((?:\s+\S+)*)\Z")
_OPTION = re.compile(r"([A-Za-z-]+)([+-]?)=(\S+)\Z")
# apt reads no other files of sources.list.d (sources.list(5)).
_PART = re.compile(r"[A-Za-z0-9_.-]+\.(list|sources)\Z")


class BadSourceList(UsageError):
    """A file of /etc/apt that apt itself could not read."""

    def __init__(self, place: str, why: str) -> None:
        self.place = place
        super().__init__(f"{place}: {why}", hint="repair it until `apt-get update` is content")


class ArchiveEntry(Struct, frozen=True, kw_only=True):
    """Suites of one or more archives. `options` are deb822 fields in lower case, as Signed-By; `place` is file:line."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    place: str


def read_entries(sourcelist: Path, sourceparts: Path) -> tuple[ArchiveEntry, ...]:
    """The host's entries, without those that are switched off and CD-ROMs. Errors: BadSourceList."""
    parts = sorted(sourceparts.iterdir()) if sourceparts.is_dir() else []
    files = [path for path in parts if _PART.match(path.name) and path.is_file()]
    if sourcelist.is_file():
        files.insert(0, sourcelist)
    entries = [entry for path in files for entry in _read_file(path)]
    return merged(replace(entry, uris=_usable(entry.uris)) for entry in entries if _usable(entry.uris))


def _usable(uris: Iterable[str]) -> tuple[str, ...]:
    return tuple(uri for uri in uris if not uri.startswith("cdrom:"))


def _read_file(path: Path) -> tuple[ArchiveEntry, ...]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".sources":
        return parse_deb822(text, str(path))
    return parse_one_line(text, str(path))


def parse_deb822(text: str, name: str) -> tuple[ArchiveEntry, ...]:
    """Entries of a .sources file. Errors: BadSourceList."""
    try:
        stanzas = parse_stanzas(text, name)
    except MalformedControl as error:
        raise BadSourceList(f"{error.name}:{error.line}", error.why) from None
    return tuple(_from_stanza(stanza, name) for stanza in stanzas if _enabled(stanza))


def _enabled(stanza: Stanza) -> bool:
    return stanza.get("enabled", "yes").strip().lower() not in ("no", "false", "0", "off", "without", "disable")


def _from_stanza(stanza: Stanza, name: str) -> ArchiveEntry:
    for field in ("uris", "suites"):
        if not stanza.get(field, "").split():
            raise BadSourceList(name, f"an entry has no {field.capitalize()}")
    return ArchiveEntry(
        uris=tuple(stanza["uris"].split()),
        suites=tuple(stanza["suites"].split()),
        components=tuple(stanza.get("components", "").split()),
        options=tuple(sorted((field, value) for field, value in stanza.items() if field not in _OURS)),
        place=name,
    )


def parse_one_line(text: str, name: str) -> tuple[ArchiveEntry, ...]:
    """Entries of a .list file. Errors: BadSourceList."""
    return tuple(_one_line_entries(text, name))


def _one_line_entries(text: str, name: str) -> Iterator[ArchiveEntry]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        found = _ONE_LINE.match(words)
        if not found:
            raise BadSourceList(f"{name}:{number}", f"not an entry of sources.list: {words[:80]!r}")
        _kind, options, uri, suite, components = found.groups()
        yield ArchiveEntry(
            uris=(uri,),
            suites=(suite,),
            components=tuple(components.split()),
            options=tuple(sorted(_options(options or "", f"{name}:{number}"))),
            place=f"{name}:{number}",
        )


def _options(text: str, place: str) -> Iterator[tuple[str, str]]:
    for word in text.split():
        found = _OPTION.match(word)
        if not found:
            raise BadSourceList(place, f"not an option: {word!r}")
        name = _LONG_NAMES.get(found[1].lower(), found[1].lower())
        if name not in _OURS:
            yield name + {"+": "-add", "-": "-remove", "": ""}[found[2]], found[3].replace(",", " ")


def merged(entries: Iterable[ArchiveEntry]) -> tuple[ArchiveEntry, ...]:
    """Each archive and suite once: `deb` and `deb-src` lines of one archive are one entry that wants both."""
    found: dict[tuple[object, ...], ArchiveEntry] = {}
    for entry in entries:
        found.setdefault((entry.uris, entry.suites, entry.components, entry.options), entry)
    return tuple(found.values())


_GENERIC = {"stable", "oldstable", "oldoldstable", "testing", "unstable", "sid", "experimental", "devel", "rolling"}


def known_suites(os_release: str, distro_info: Iterable[str]) -> frozenset[str]:
    """Names that suites of the distribution begin with: from os-release(5) and the CSV files of distro-info-data."""
    names = set(_GENERIC)
    for line in os_release.splitlines():
        key, _equals, value = line.partition("=")
        if key in ("VERSION_CODENAME", "UBUNTU_CODENAME", "DEBIAN_CODENAME"):
            names.add(value.strip().strip("\"'"))
    for table in distro_info:
        header, *rows = [line.split(",") for line in table.splitlines() if line] or [[]]
        column = header.index("series") if "series" in header else None
        names |= {row[column] for row in rows if column is not None and len(row) > column}
    return frozenset(names - {""})


def of_distribution(
    entries: tuple[ArchiveEntry, ...], known: frozenset[str]
) -> tuple[tuple[ArchiveEntry, ...], tuple[ArchiveEntry, ...]]:
    """(the distribution's entries, others). By the suite's name, as `bookworm-updates`, `jammy/updates`, `stable`.

    An archive of somebody else has no sources of the distribution, and may be unreachable or unsigned for
    reasons that are none of ours. Where no suite is known, as on a derived distribution, all are taken.
    """

    def is_known(entry: ArchiveEntry) -> bool:
        heads = {part for suite in entry.suites for part in (suite, re.split(r"[-/]", suite, maxsplit=1)[0])}
        return bool(entry.components) and not known.isdisjoint(heads)

    own = tuple(entry for entry in entries if is_known(entry))
    if not own:
        return entries, ()
    return own, tuple(entry for entry in entries if not is_known(entry))


_UBUNTU = re.compile(r"(?:[a-z0-9-]+\.)*(?:archive|security)\.ubuntu\.com\Z")
_UBUNTU_PRIMARY = {row.arch.debian for row in PLATFORMS if row.arch.elf_machine in (EM_386, EM_X86_64)}


def for_architecture(entries: Iterable[ArchiveEntry], architecture: str) -> tuple[ArchiveEntry, ...]:
    """The entries where packages of a Debian architecture are.

    Ubuntu keeps x86 alone on its main servers and everything else on ports.ubuntu.com (https://wiki.ubuntu.com/ARM).
    """
    if architecture in _UBUNTU_PRIMARY:
        return tuple(entries)
    return merged(replace(entry, uris=tuple(_ports(uri) for uri in entry.uris)) for entry in entries)


def _ports(uri: str) -> str:
    host = urlsplit(uri).hostname or ""
    return "http://ports.ubuntu.com/ubuntu-ports" if _UBUNTU.match(host) else uri


def render(entries: Iterable[ArchiveEntry], *, sources: bool) -> str:
    """A .sources file with these entries; with `sources` their source packages too."""
    types, targets = ("deb deb-src", "Packages Sources") if sources else ("deb", "Packages")
    return "\n".join(_stanza(entry, types, targets) for entry in entries)


def _stanza(entry: ArchiveEntry, types: str, targets: str) -> str:
    fields = [
        ("Types", types),
        ("URIs", " ".join(entry.uris)),
        ("Suites", " ".join(entry.suites)),
        ("Components", " ".join(entry.components)),
        ("Targets", targets),
        ("Languages", "none"),
        ("PDiffs", "no"),
        *((name.title(), value) for name, value in entry.options),
    ]
    return "".join(f"{name}: {_folded(value)}\n" for name, value in fields if value)


def _folded(value: str) -> str:
    """A value with lines, as a key in Signed-By: an empty line in it is written as a dot (deb822(5))."""
    return "\n ".join(line or "." for line in value.split("\n")) if "\n" in value else value
