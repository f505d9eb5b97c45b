"""What apt would install: names and versions out of its answers, and where the files are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from rearch.formats.debian_control import Stanza, parse_stanzas
from rearch.host.debian.state import AptFailed, AptState
from rearch.model.source import DebianFile, DebianPackage

# `'http://.../libfoo_1%3a1.0_arm64.deb' libfoo_1%3a1.0_arm64.deb 1234 MD5Sum:...` of --print-uris
_URI_LINE = re.compile(r"'\S+' ([^\s_]+)_([^\s_]+)_([^\s_]+)\.u?deb [0-9]+(?: |\Z)")
_BATCH = 200


def planned(text: str) -> tuple[tuple[str, str], ...]:
    """(name, version) of every package in the answer of `apt-get --print-uris`, sorted."""
    found = (_URI_LINE.match(line) for line in text.splitlines())
    return tuple(sorted({(match[1], unquote(match[2])) for match in found if match}))


def describe(state: AptState, wanted: Iterable[tuple[str, str]]) -> tuple[DebianPackage, ...]:
    """The files of these (name, version), sorted by name. Errors: AptFailed when apt does not know one of them."""
    names = sorted(set(wanted))
    found: dict[tuple[str, str], DebianPackage] = {}
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        answer = state.ask("apt-cache", "show", *(f"{name}={version}" for name, version in batch))
        for stanza in parse_stanzas(answer.text, "apt-cache show"):
            package = read_package(stanza)
            found.setdefault((package.name, package.version), package)
    missing = [f"{name} {version}" for name, version in names if (name, version) not in found]
    if missing:
        raise AptFailed("apt does not describe what it would install", (", ".join(missing[:10]),))
    return tuple(found[name] for name in names)


def read_package(stanza: Stanza) -> DebianPackage:
    """A stanza of a Packages index. Errors: AptFailed for one without a sha256."""
    try:
        file = DebianFile(
            path=stanza["filename"].removeprefix("./"), size=int(stanza["size"]), sha256=stanza["sha256"].lower()
        )
        return DebianPackage(
            name=stanza["package"], version=stanza["version"], architecture=stanza["architecture"], file=file
        )
    except (KeyError, ValueError) as error:
        name = stanza.get("package", "a package")
        raise AptFailed(f"the list of packages says too little of {name} ({error!r})", ()) from None
