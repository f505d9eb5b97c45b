"""The sysroot step: foreign Debian packages unpacked, so that a linker (and qemu) of this host can use them."""

from __future__ import annotations

import os
from pathlib import Path

from rearch.errors import HostileInputError
from rearch.formats.tree import Kind, link_text, walk
from rearch.model.step import SysrootInputs
from rearch.steps.ports import Outcome, PackageFetcher, Workspace


class LinkLeaves(HostileInputError):
    """A link of a package that leads out of the root."""

    def __init__(self, path: str, target: str) -> None:
        self.path = path
        self.target = target
        super().__init__(f"{path} -> {target} leads out of the sysroot", hint="leave the package out")


def run_sysroot(inputs: SysrootInputs, work: Workspace, packages: PackageFetcher) -> Outcome:
    """Leave `sysroot/`. Absolute links become relative ones, or they would lead into this host.

    Facts: packages (`name=version`, sorted). Errors: those of the PackageFetcher, LinkLeaves.
    """
    root = work.files / "sysroot"
    root.mkdir()
    packages.unpack(inputs.packages, root, work)
    links = make_relative(root)
    merge_usr(root)
    names = sorted(f"{package.name}={package.version}" for package in inputs.packages)
    return Outcome(facts={"packages": names}, note=f"{len(names)} packages, {links} links made relative")


def make_relative(root: Path) -> int:
    """Rewrite links with absolute targets, which are meant from `root`; how many there were. Errors: LinkLeaves."""
    absolute = [
        entry.path for entry in walk(root) if entry.kind is Kind.LINK and link_text(root / entry.path).startswith("/")
    ]
    for path in absolute:
        target = os.path.normpath(link_text(root / path))
        if ".." in target.split("/"):
            raise LinkLeaves(path, target)
        link = root / path
        link.unlink()
        link.symlink_to(os.path.relpath(root / target.lstrip("/"), link.parent))
    return len(absolute)


def merge_usr(root: Path) -> None:
    """From Debian 13 on packages hold /usr/lib only; the loader's path begins with /lib, base-files has the links."""
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        if (root / "usr" / name).is_dir() and not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
