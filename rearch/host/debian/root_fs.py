"""Debian packages as a root file system for another architecture, without running anything of theirs.

What dpkg does when it unpacks, and no more: neither maintainer scripts nor triggers nor ldconfig. Documentation, manual
pages and translations are kept as they are shipped: leaving something out is a decision of the recipe.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rearch.errors import VerificationError
from rearch.formats.archive import tar_entries
from rearch.formats.deb import open_data
from rearch.host.debian.apt import HostApt
from rearch.host.debian.root_fs_package import UnpackedPackage, read_package_file, unpack_order
from rearch.host.debian.root_fs_tree import RootTree
from rearch.host.debian.suites import is_merged
from rearch.model.platform import Platform
from rearch.model.source import DebianPackage
from rearch.model.step_images import DebianOrigin
from rearch.steps.ports import Workspace

# As distroless images have them, and scanners read them: https://github.com/GoogleContainerTools/distroless,
# PACKAGE_METADATA.md. Not `status`: dpkg would take the packages for installed, which their scripts were not run for.
_STATUS = "var/lib/dpkg/status.d"
_INFO = "var/lib/dpkg/info"


class ForeignPackage(VerificationError):
    """A package of another architecture than the platform's."""

    def __init__(self, packages: Sequence[DebianPackage], platform: Platform) -> None:
        self.packages = tuple(packages)
        self.platform = platform
        super().__init__(
            f"packages that are not for {platform}",
            [f"{package.name} {package.version} is for {package.architecture}" for package in packages],
            hint="rearch.lock was edited; run `invoke lock --update`",
        )


class DebianRootFs:
    """RootFsBuilder (steps/ports.py) through the host's apt."""

    def __init__(self, apt: HostApt) -> None:
        self._apt = apt

    def unpack(self, origin: DebianOrigin, platform: Platform, tree: Path, work: Workspace) -> Mapping[str, str]:
        """Errors: those of DebianDownloads.get; ForeignPackage, WrongPackage, BrokenDeb, ArchiveError, FileConflict."""
        foreign = [each for each in origin.packages if each.architecture not in ("all", platform.arch.debian)]
        if foreign:
            raise ForeignPackage(foreign, platform)
        files = (package.file for package in origin.packages)
        places = self._apt.downloads.get(files, work.run, work.progress)
        packages = [read_package_file(*pair) for pair in zip(origin.packages, places, strict=True)]
        tree.mkdir(parents=True, exist_ok=True)
        root = RootTree(tree, merged=is_merged(origin.suite))
        for done, package in enumerate(unpack_order(packages), 1):
            _unpack(package, root, work)
            work.progress("packages", done, len(packages), "packages")
        work.say(f"unpacked {len(packages)} Debian packages")
        root.write(_records(packages, root), origin.time)
        return root.finish(origin.time)


def _unpack(package: UnpackedPackage, root: RootTree, work: Workspace) -> None:
    label = package.package.file.path.rpartition("/")[2]
    with open_data(package.place) as data:
        root.unpack(package, tar_entries(data, label, work.limits), label)


def _records(packages: Sequence[UnpackedPackage], root: RootTree) -> Iterator[tuple[str, bytes]]:
    """What tells scanners and the audit which package a file is of, and of which version that is."""
    for package in packages:
        text = package.text.rstrip("\n") + "\n"
        yield f"{_STATUS}/{package.name}", text.encode("utf-8", "surrogateescape")
    for name, paths in root.lists():
        yield f"{_INFO}/{name}.list", b"".join(os.fsencode(path) + b"\n" for path in paths)
