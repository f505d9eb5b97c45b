"""A Debian archive made by code: .deb files, source packages, and the indexes that apt reads.

Nothing of dpkg is used. The archive is unsigned, so its entry in a sources file says `Trusted: yes`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from rearch.model.source import DebianFile, DebianPackage
from tests.support.repositories import Content, Executable, Link

TIME = 1_500_000_000
SUITE = "stable"


def tar_of(files: Mapping[str, Content], prefix: str = "") -> bytes:
    """An uncompressed tar with these files below `prefix`; folders are entries of their own, as in Debian's."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        made: set[str] = set()
        for name, content in files.items():
            path = prefix + name
            for folder in reversed(Path(path).parents[:-1]):
                if str(folder) not in made:
                    made.add(str(folder))
                    tar.addfile(_entry(f"{'./' if prefix == './' else ''}{folder}/", tarfile.DIRTYPE, 0o755))
            _add(tar, path, content)
    return out.getvalue()


def _add(tar: tarfile.TarFile, path: str, content: Content) -> None:
    match content:
        case Link(target=target):
            entry = _entry(path, tarfile.SYMTYPE, 0o777)
            entry.linkname = target if isinstance(target, str) else target.decode()
            tar.addfile(entry)
        case Executable(content=text):
            _add_file(tar, path, text, 0o755)
        case str() | bytes():
            _add_file(tar, path, content, 0o644)
        case _:
            raise TypeError(content)


def _add_file(tar: tarfile.TarFile, path: str, content: str | bytes, mode: int) -> None:
    data = content.encode() if isinstance(content, str) else content
    entry = _entry(path, tarfile.REGTYPE, mode)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.mtime = kind, mode, TIME
    return entry


def packed(data: bytes, how: str) -> bytes:
    """Compressed as `gz`, `xz`, `zst` or not at all (``)."""
    if how == "gz":
        return gzip.compress(data, mtime=0)
    if how == "xz":
        return lzma.compress(data)
    if how == "zst":
        import zstandard

        return zstandard.ZstdCompressor().compress(data)
    assert not how
    return data


def ar_of(members: Mapping[str, bytes]) -> bytes:
    """An ar archive."""
    out = b"!<arch>\n"
    for name, data in members.items():
        out += (
            f"{name:<16}{TIME:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    return out


def deb_of(fields: Mapping[str, str], files: Mapping[str, Content], *, how: str = "xz") -> bytes:
    """A .deb with these control fields and files (paths from the root, without a slash)."""
    control = "".join(f"{name}: {value}\n" for name, value in fields.items())
    suffix = f".{how}" if how else ""
    return ar_of(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{suffix}": packed(tar_of({"control": control}, "./"), how),
            f"data.tar{suffix}": packed(tar_of(files, "./"), how),
        }
    )


def changelog_of(package: str, version: str, time: int = TIME) -> str:
    """A changelog with one entry."""
    date = format_datetime(datetime.fromtimestamp(time, UTC))
    return f"{package} ({version}) unstable; urgency=medium\n\n  * New.\n\n -- A Person <a@example.org>  {date}\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def dsc_of(package: str, version: str, kind: str, files: Mapping[str, bytes], **fields: str) -> bytes:
    """An unsigned .dsc of these files."""
    lines = [f"Format: {kind}", f"Source: {package}", "Architecture: all", f"Version: {version}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    lines += ["Maintainer: A Person <a@example.org>", "Standards-Version: 4.6.1", "Checksums-Sha256:"]
    lines += [f" {sha256(data)} {len(data)} {name}" for name, data in files.items()]
    lines += ["Files:"]
    lines += [f" {hashlib.md5(data).hexdigest()} {len(data)} {name}" for name, data in files.items()]
    return ("\n".join(lines) + "\n").encode()


def quilt_files(
    package: str,
    version: str,
    upstream: Mapping[str, Content],
    *,
    debian: Mapping[str, Content] | None = None,
    components: Mapping[str, Mapping[str, Content]] | None = None,
    time: int = TIME,
) -> dict[str, bytes]:
    """The tar files of a package of format 3.0 (quilt). `debian` is what its debian folder holds besides."""
    plain = version.rpartition("-")[0].rpartition(":")[2]
    folder = {"changelog": changelog_of(package, version, time), **(debian or {})}
    files = {f"{package}_{plain}.orig.tar.gz": packed(tar_of(upstream, f"{package}-{plain}/"), "gz")}
    for name, content in (components or {}).items():
        files[f"{package}_{plain}.orig-{name}.tar.gz"] = packed(tar_of(content, f"any-{name}/"), "gz")
    revision = version.rpartition(":")[2]
    files[f"{package}_{revision}.debian.tar.xz"] = packed(tar_of(folder, "debian/"), "xz")
    return files


@dataclass
class DebianArchive:
    """An archive below `root`. Add packages, then `publish`."""

    root: Path
    sources: list[str] = field(default_factory=list)
    binaries: dict[str, list[str]] = field(default_factory=dict)

    def add_deb(
        self,
        name: str,
        files: Mapping[str, Content],
        *,
        version: str = "1.0-1",
        arch: str = "all",
        depends: str = "",
        provides: str = "",
    ) -> DebianPackage:
        """Put a binary package into the pool."""
        fields = {"Package": name, "Version": version, "Architecture": arch, "Maintainer": "A Person <a@example.org>"}
        if depends:
            fields["Depends"] = depends
        if provides:
            fields["Provides"] = provides
        data = deb_of({**fields, "Description": "a package"}, files)
        path = f"pool/main/{name[0]}/{name}/{name}_{version.rpartition(':')[2]}_{arch}.deb"
        self._write(path, data)
        stanza = "".join(f"{key}: {value}\n" for key, value in fields.items())
        stanza += f"Filename: {path}\nSize: {len(data)}\nSHA256: {sha256(data)}\nDescription: a package\n"
        self.binaries.setdefault(arch, []).append(stanza)
        file = DebianFile(path=path, size=len(data), sha256=sha256(data))
        return DebianPackage(name=name, version=version, architecture=arch, file=file)

    def add_source(
        self, package: str, version: str, files: Mapping[str, bytes], *, kind: str = "3.0 (quilt)", **fields: str
    ) -> tuple[DebianFile, ...]:
        """Put a source package into the pool; its files, the .dsc first."""
        dsc = dsc_of(package, version, kind, files, **fields)
        everything = {f"{package}_{version.rpartition(':')[2]}.dsc": dsc, **files}
        folder = f"pool/main/{package[0]}/{package}"
        for name, data in everything.items():
            self._write(f"{folder}/{name}", data)
        lines = [f"Package: {package}", f"Version: {version}", f"Binary: {package}-bin", "Architecture: all"]
        lines += [f"Format: {kind}", f"Directory: {folder}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        for title, hashed in (("Files", hashlib.md5), ("Checksums-Sha256", hashlib.sha256)):
            lines.append(f"{title}:")
            lines += [f" {hashed(data).hexdigest()} {len(data)} {name}" for name, data in everything.items()]
        self.sources.append("\n".join(lines) + "\n")
        return tuple(
            DebianFile(path=f"{folder}/{name}", size=len(data), sha256=sha256(data))
            for name, data in everything.items()
        )

    def publish(self, architectures: tuple[str, ...] = ("amd64", "arm64")) -> None:
        """Write the indexes and the Release file."""
        indexes = {"main/source/Sources": "\n".join(self.sources).encode()}
        for arch in architectures:
            stanzas = [*self.binaries.get("all", ()), *self.binaries.get(arch, ())]
            indexes[f"main/binary-{arch}/Packages"] = "\n".join(stanzas).encode()
        for name, data in indexes.items():
            self._write(f"dists/{SUITE}/{name}", data)
        date = format_datetime(datetime.now(UTC), usegmt=True)
        lines = [f"Origin: Example\nSuite: {SUITE}\nCodename: {SUITE}\nDate: {date}"]
        lines += [f"Architectures: {' '.join(architectures)}\nComponents: main\nSHA256:"]
        lines += [f" {sha256(data)} {len(data)} {name}" for name, data in indexes.items()]
        self._write(f"dists/{SUITE}/Release", ("\n".join(lines) + "\n").encode())

    def _write(self, path: str, data: bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def host_setup(base: Path, uri: str) -> dict[str, str]:
    """The environment of a host whose apt knows this archive alone: APT_CONFIG names lists made below `base`."""
    parts = base / "sources.list.d"
    parts.mkdir(parents=True, exist_ok=True)
    (parts / "test.sources").write_text(f"Types: deb\nURIs: {uri}\nSuites: {SUITE}\nComponents: main\nTrusted: yes\n")
    conf = base / "apt.conf"
    conf.write_text(
        f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{parts}";\nAcquire::Retries "0";\n'
        'Acquire::http::Proxy "DIRECT";\n'
    )
    return {"APT_CONFIG": str(conf), "HOME": str(base)}
