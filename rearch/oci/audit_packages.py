"""Which package brought a file, from the records that package managers leave in an image.

dpkg: `var/lib/dpkg/info/<package>[:<arch>].list`, the paths one a line (dpkg(1), FILES). Images without dpkg's own
database, distroless ones and those that rearch makes, have a paragraph for each package in `var/lib/dpkg/status.d/`,
and distroless its `<package>.md5sums` beside it. apk: `lib/apk/db/installed`, where `P:` names a package, `F:` a folder
and `R:` a file in it (Alpine's wiki, "Apk spec").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rearch.formats.hashing import BLOCK, Readable
from rearch.oci.audit_seen import PackageSeen

_DPKG_LIST = re.compile(r"var/lib/dpkg/info/(?P<package>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\.list")
_MD5SUMS = re.compile(r"var/lib/dpkg/(?:status\.d|info)/(?P<package>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\.md5sums")
_APK = re.compile(r"(?:usr/)?lib/apk/db/installed")
_LINE = 4096
# What the records of one layer may take in memory: 500 packages of Debian have 4 MiB of them.
_LIMIT = 32 << 20


def is_record(path: str) -> bool:
    """Whether a file of this path says what a package brought."""
    return any(form.fullmatch(path) for form in (_DPKG_LIST, _MD5SUMS, _APK))


def read_record(path: str, content: Readable) -> tuple[PackageSeen, ...]:
    """The packages and their files. What is no path in it is left out: records decide nothing."""
    lines = _lines(content)
    if _APK.fullmatch(path):
        return tuple(_apk(lines))
    listed = _DPKG_LIST.fullmatch(path)
    if listed:
        return (PackageSeen(package=listed["package"], paths=tuple(filter(None, map(_relative, lines)))),)
    summed = _MD5SUMS.fullmatch(path)
    if summed:
        return (PackageSeen(package=summed["package"], paths=tuple(_summed(lines))),)
    return ()


def _lines(content: Readable) -> Iterator[str]:
    left = _LIMIT
    rest = b""
    while left > 0 and (data := content.read(min(BLOCK, left))):
        left -= len(data)
        *whole, rest = (rest + data).split(b"\n")
        yield from (line.decode("utf-8", "backslashreplace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "backslashreplace")


def _relative(path: str) -> str:
    """`/usr/bin/x`, `/.` or `./x`, as a path of a layer; empty for the root itself."""
    return "/".join(part for part in path.split("/") if part not in ("", ".")) if len(path) < _LINE else ""


def _summed(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        path = _relative(line[32:].strip())
        if path:
            yield path


def _apk(lines: Iterator[str]) -> Iterator[PackageSeen]:
    package, folder, paths = "", "", list[str]()
    for line in lines:
        key, _, value = line.partition(":")
        if key == "P":
            package = value
        elif key == "F":
            folder = value
        elif key == "R":
            paths.append(_relative(f"{folder}/{value}"))
        elif not line and package:
            yield PackageSeen(package=package, paths=tuple(paths))
            package, folder, paths = "", "", []
    if package:
        yield PackageSeen(package=package, paths=tuple(paths))
