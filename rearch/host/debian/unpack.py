"""Binary packages laid out as files, for linking against or compiling with. Nothing of theirs is run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rearch.errors import VerificationError
from rearch.formats.archive import extract
from rearch.formats.deb import open_data, read_control
from rearch.formats.debian_control import Stanza
from rearch.formats.tree import Kind, link_text, walk
from rearch.host.debian.apt import HostApt
from rearch.model.source import DebianPackage
from rearch.steps.ports import Workspace

# /lib is usr/lib since Debian 12 (https://wiki.debian.org/UsrMerge); packages built before still say /lib.
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")


class WrongPackage(VerificationError):
    """The file has the locked hash, but is another package than the lock says."""

    def __init__(self, wanted: DebianPackage, found: tuple[str, str, str]) -> None:
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"{wanted.file.path} is not what rearch.lock says of it",
            (f"wanted {wanted.name} {wanted.version} {wanted.architecture}", f"found {' '.join(found)}"),
            hint="rearch.lock was edited; run `invoke lock --update`",
        )


class DebianPackages:
    """PackageFetcher through the host's apt (steps/ports.py)."""

    def __init__(self, apt: HostApt) -> None:
        self._apt = apt

    def unpack(self, packages: tuple[DebianPackage, ...], into: Path, work: Workspace) -> None:
        """A sysroot: the packages below `into`, /lib and the like merged into /usr, every link relative.

        Errors: those of DebianDownloads.get; WrongPackage, BrokenDeb, ArchiveError.
        """
        make_merged_root(into)
        unpack_packages(self._apt, packages, into, work)
        relative_links(into)


def make_merged_root(root: Path) -> None:
    """The links of a merged /usr. They are there before any package, so that all files end behind them."""
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")


def unpack_packages(apt: HostApt, packages: Sequence[DebianPackage], root: Path, work: Workspace) -> None:
    """Download what is missing, in one go, then unpack all into one root. Errors: as DebianPackages.unpack."""
    places = apt.downloads.get((package.file for package in packages), work.run, work.progress)
    root.mkdir(parents=True, exist_ok=True)
    for done, (package, place) in enumerate(zip(packages, places, strict=True), 1):
        check_package(package, read_control(place))
        name = package.file.path.rpartition("/")[2]
        with open_data(place) as data:
            extract(data, root, limits=work.limits, name=name, rooted=True, merge=True)
        work.progress("packages", done, len(packages), "packages")
    if packages:
        work.say(f"unpacked {len(packages)} Debian packages")


def check_package(package: DebianPackage, control: Stanza) -> None:
    """Whether a control file is of the package that was locked. Errors: WrongPackage."""
    found = (control.get("package", "?"), control.get("version", "?"), control.get("architecture", "?"))
    if found != (package.name, package.version, package.architecture):
        raise WrongPackage(package, found)


def relative_links(root: Path) -> None:
    """Rewrite links to absolute paths, which would leave a sysroot for the host: a linker does not map them."""
    for entry in tuple(walk(root)):
        if entry.kind is not Kind.LINK:
            continue
        link = root / entry.path
        target = link_text(link)
        if not target.startswith("/"):
            continue
        folder = os.path.dirname(entry.path)  # noqa: PTH120 - text, as it stands in the tree
        relative = os.path.relpath(target.lstrip("/") or ".", folder or ".")
        link.unlink()
        link.symlink_to(relative)
        stamp = entry.stat.st_mtime_ns
        os.utime(link, ns=(stamp, stamp), follow_symlinks=False)
