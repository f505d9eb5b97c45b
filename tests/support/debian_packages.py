"""Single packages made by code, with owners, modes, hard links and relations as a test wants them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rearch.host.debian.root_fs_package import UnpackedPackage, read_package_file
from rearch.model.source import DebianFile, DebianPackage
from tests.support.debian_archive import TIME, ar_of, packed, sha256, tar_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """An entry of a data.tar. `kind`: file, folder, link, hard. `name` without a leading slash."""

    name: str
    kind: str = "file"
    content: bytes = b""
    target: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = TIME


_TYPES = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}


def file(name: str, content: str = "", *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Shipped:
    return Shipped(name=name, content=(content or name).encode(), mode=mode, uid=uid, gid=gid)


def folder(name: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0, mtime: int = TIME) -> Shipped:
    return Shipped(name=name, kind="folder", mode=mode, uid=uid, gid=gid, mtime=mtime)


def link(name: str, target: str) -> Shipped:
    return Shipped(name=name, kind="link", target=target, mode=0o777)


def hard(name: str, target: str) -> Shipped:
    return Shipped(name=name, kind="hard", target=f"./{target}")


def data_tar(entries: tuple[Shipped, ...]) -> bytes:
    """As dpkg-deb writes it: `./` first, names with `./` before them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry in (folder(""), *entries):
            info = tarfile.TarInfo(f"./{entry.name}" + ("/" if entry.kind == "folder" and entry.name else ""))
            info.type, info.mode, info.mtime = _TYPES[entry.kind], entry.mode, entry.mtime
            info.uid, info.gid, info.linkname, info.size = entry.uid, entry.gid, entry.target, len(entry.content)
            tar.addfile(info, io.BytesIO(entry.content))
    return out.getvalue()


def package_bytes(fields: Mapping[str, str], entries: tuple[Shipped, ...]) -> bytes:
    """A .deb."""
    control = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return ar_of(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": packed(tar_of({"control": control}, "./"), "xz"),
            "data.tar.xz": packed(data_tar(entries), "xz"),
        }
    )


def make_package(
    downloads: Path, name: str, *entries: Shipped, version: str = "1.0-1", arch: str = "arm64", **fields: str
) -> DebianPackage:
    """Put a package into a cache's folder of downloads. `fields` are those of its control file (`_` for `-`)."""
    control = {"Package": name, "Version": version, "Architecture": arch, "Maintainer": "A Person <a@example.org>"}
    control |= {field.replace("_", "-"): value for field, value in fields.items()}
    data = package_bytes({**control, "Description": "a package"}, entries)
    downloads.mkdir(parents=True, exist_ok=True)
    (downloads / sha256(data)).write_bytes(data)
    place = DebianFile(path=f"pool/main/{name}_{version}_{arch}.deb", size=len(data), sha256=sha256(data))
    return DebianPackage(name=name, version=version, architecture=arch, file=place)


def read_made(downloads: Path, package: DebianPackage) -> UnpackedPackage:
    """A made package, read."""
    return read_package_file(package, downloads / package.file.sha256)
