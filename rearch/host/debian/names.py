"""Names and versions of packages: what they may look like, and what to say when there is none of that name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from rearch.errors import UsageError
from rearch.formats.debian_version import DebianVersion
from rearch.model.platform import Platform

# Debian policy 5.6.1 and 5.6.12. A name that ends in `-` would tell apt-get to remove the package.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]\Z")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+~:-]*\Z")
GO_LIBRARY = re.compile(r"golang-.+-dev\Z")


class UnfitDebianName(UsageError):
    """A text that is no name (or version) of a Debian package."""

    def __init__(self, what: str, text: str) -> None:
        self.text = text
        super().__init__(f"not {what} of a Debian package: {text!r}", hint="lower-case letters, digits and + - . alone")


class UnknownDebianSource(UsageError):
    """A source package that apt does not offer, or not in this version."""

    def __init__(self, package: str, version: str | None, offered: Iterable[str], owner: str | None) -> None:
        self.package = package
        self.version = version
        self.offered = tuple(sorted(set(offered), key=DebianVersion, reverse=True))
        wanted = f"{package} {version}" if version else package
        details = [f"apt offers version {found}" for found in self.offered]
        if owner and owner != package:
            details.append(f"{package} is a binary package of the source package {owner}")
        super().__init__(f"apt offers no source package {wanted}", details, self._advice(owner))

    def _advice(self, owner: str | None) -> str:
        if self.offered:
            return "change `version:` in the recipe, or leave it out and run `invoke lock --update`"
        if owner:
            return f"write `debian: {owner}` in the recipe"
        return "look at the name with `apt-cache showsrc`, or add the suite that has it to this host's apt"


class UnknownDebianPackages(UsageError):
    """Binary packages that are not there for an architecture."""

    def __init__(
        self, names: Iterable[str], architecture: str, known: Iterable[str], field: str = "cgo.packages"
    ) -> None:
        """`field` is where the recipe names them."""
        self.field = field
        self.names = tuple(names)
        self.architecture = architecture
        self.known = tuple(known)
        super().__init__(
            f"apt offers no package {', '.join(self.names)} for {architecture}", self._near(), self._advice()
        )

    def _near(self) -> list[str]:
        near = {name: difflib.get_close_matches(name, self.known, 3) for name in self.names}
        return [f"{name}: there is {', '.join(found)}" for name, found in near.items() if found]

    def _advice(self) -> str:
        if self.known:
            return f"correct `{self.field}` in the recipe"
        return f"this host's archives have no {self.architecture} packages (an Architectures or [arch=] option?)"


class NoDebianPort(UsageError):
    """A platform for which Debian has no packages. `hint`: what to do without them."""

    def __init__(
        self, platform: Platform, hint: str = "link statically with a zig toolchain, which needs no sysroot"
    ) -> None:
        self.platform = platform
        super().__init__(f"Debian has no packages for {platform}", hint=hint)


def checked_name(text: str) -> str:
    """The name, if it is one. Errors: UnfitDebianName."""
    if not _NAME.match(text):
        raise UnfitDebianName("the name", text)
    return text


def checked_version(text: str) -> str:
    """The version, if it is one. Errors: UnfitDebianName."""
    if not _VERSION.match(text):
        raise UnfitDebianName("a version", text)
    return text
