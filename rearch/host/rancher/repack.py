"""Content archives, written: a new one from files, or a copy of one that says another version.

The server adds a file `version` to what it hands out, and the agent reports that text back when it has applied the
archive (fact sheet 5.2). Whoever hands out an archive in its place has to say the version that the server knows.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import posixpath
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from rearch.host.rancher.archive import SUMS, SUMS_SUM, VERSION, Content, sums_text

_LEVEL = 6


class Packed(Struct, frozen=True, kw_only=True):
    """One file of a new archive; `path` without the root folder."""

    path: str
    data: bytes
    mode: int = 0o644


def pack_content(target: Path, root: str, files: tuple[Packed, ...]) -> None:
    """Write an archive of one root folder with its sums: sorted, owned by root, of the time 0. Appears whole."""
    sha1 = {f"{root}/{each.path}": hashlib.sha1(each.data, usedforsecurity=False).hexdigest() for each in files}
    sums = sums_text(sha1)
    final = (*files, Packed(path=SUMS, data=sums), Packed(path=SUMS_SUM, data=_sum_of_sums(root, sums)))
    with _written(target) as tar:
        for folder in _folders(root, files):
            info = _info(folder, 0o755)
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        for each in final:
            _add(tar, _info(f"{root}/{each.path}", each.mode), each.data)


def with_version(source: Path, target: Path, content: Content, version: str) -> None:
    """Copy an archive that `read_content` has judged so that its file `version` says `version`.

    Everything else stays as it is, in its order; `version` comes last if it is new. Sums are made anew. Appears whole.
    """
    root = content.root
    new = f"{version}\n".encode()
    sums = _sums_with(content, new)
    replaced = {VERSION: new, SUMS: sums, SUMS_SUM: _sum_of_sums(root, sums)}
    with tarfile.open(source, "r|gz") as old, _written(target) as tar:
        there: set[str] = set()
        for info in old:
            name = posixpath.normpath(info.name)
            data = replaced.get(name.removeprefix(f"{root}/")) if name.startswith(f"{root}/") else None
            if data is not None:
                there.add(posixpath.basename(name))
                _add(tar, info, data)
            else:
                tar.addfile(info, old.extractfile(info) if info.isreg() else None)
        if VERSION not in there:
            _add(tar, _info(f"{root}/{VERSION}", 0o644), new)


def _sums_with(content: Content, version: bytes) -> bytes:
    """SHA1SUMS with the line of `version` as it has to be; the others keep their place and spelling."""
    line = f"{hashlib.sha1(version, usedforsecurity=False).hexdigest()} *{content.root}/{VERSION}".encode()
    lines = content.sums.splitlines()
    places = [number for number, each in enumerate(lines) if _path(each) == f"{content.root}/{VERSION}".encode()]
    for number in places:
        lines[number] = line
    return b"".join(each + b"\n" for each in (lines if places else [*lines, line]))


def _path(line: bytes) -> bytes:
    return os.path.normpath(line[42:])


def _sum_of_sums(root: str, sums: bytes) -> bytes:
    return sums_text({f"{root}/{SUMS}": hashlib.sha1(sums, usedforsecurity=False).hexdigest()})


def _folders(root: str, files: tuple[Packed, ...]) -> list[str]:
    found = {root}
    for each in files:
        parts = each.path.split("/")[:-1]
        found |= {"/".join((root, *parts[: count + 1])) for count in range(len(parts))}
    return sorted(found)


def _info(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode = mode
    info.uname = info.gname = "root"
    return info


def _add(tar: tarfile.TarFile, info: tarfile.TarInfo, data: bytes) -> None:
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


@contextmanager
def _written(target: Path) -> Iterator[tarfile.TarFile]:
    """A tar that gets its name when it is whole. gzip without time and name: equal content is equal bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as raw:
            packed = gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0)
            with packed, tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar:
                yield tar
        Path(beside).chmod(0o644)
        Path(beside).replace(target)
    finally:
        Path(beside).unlink(missing_ok=True)
