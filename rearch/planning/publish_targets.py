"""Where `invoke publish --to` writes: a registry, or a folder of OCI layouts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from rearch.errors import UsageError
from rearch.model.reference import HUB, NO_LOGIN, BadReference, Reference, has_login, hide_login, parse_reference

LAYOUT = "oci:"
_OTHER_TRANSPORTS = re.compile(
    r"(docker|docker-archive|oci-archive|oci-layout|dir|docker-daemon|containers-storage|docker-image|registry):"
    r"(?![0-9]+(?:/|\Z))"
)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class RegistryTarget(Struct, frozen=True, kw_only=True):
    """`prefix` stands before each image's own name; it may be empty."""

    registry: str
    prefix: str

    def repository(self, name: str) -> str:
        """The repository in the registry of the image called `name`."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def __str__(self) -> str:
        return f"{self.registry}/{self.prefix}" if self.prefix else self.registry


class LayoutTarget(Struct, frozen=True, kw_only=True):
    """A folder. Each repository is a layout of its own below it, as in output/images/, and tags are its names: so two
    images can have one tag, and every tool finds it as `oci:PATH/REPOSITORY:TAG`."""

    path: str

    def repository(self, name: str) -> str:
        """The layout's folder below `path`."""
        return name

    def __str__(self) -> str:
        return f"{LAYOUT}{self.path}"


Target = RegistryTarget | LayoutTarget


class TagPlace(Struct, frozen=True, kw_only=True):
    """One tag of one repository: what is asked for, and what is set. `repository` is the target's, prefix included."""

    target: Target
    repository: str
    tag: str

    @property
    def reference(self) -> Reference | None:
        """For a registry."""
        if isinstance(self.target, LayoutTarget):
            return None
        return Reference(registry=self.target.registry, repository=self.repository, tag=self.tag)

    def __str__(self) -> str:
        return f"{place_name(self.target, self.repository)}:{self.tag}"


def place_name(target: Target, repository: str) -> str:
    """A repository, for people; skopeo and umoci read the layout's so."""
    match target:
        case RegistryTarget():
            return f"{target.registry}/{repository}"
        case LayoutTarget():
            return f"{LAYOUT}{target.path.rstrip('/')}/{repository}"


class BadTarget(UsageError):
    """A text after --to that names no place to publish to. `text` is what was read, without a login."""

    def __init__(self, text: str, why: str, details: Iterable[str] = ()) -> None:
        self.text = hide_login(text)
        self.why = why
        shown = "".join(char if char.isprintable() else "?" for char in self.text)
        super().__init__(
            f"--to: nothing can be published to {shown!r}: {why}",
            tuple(details),
            hint="write registry/prefix as in registry.example.org/rancher, or oci:FOLDER; tags are given with --tag",
        )


def parse_target(text: str) -> Target:
    """Read `registry.example/prefix`, `localhost:5000`, `prefix` (of docker.io), `oci:FOLDER`. Errors: BadTarget."""
    if text.startswith(LAYOUT):
        return _layout(text)
    if has_login(text):
        raise BadTarget(text, NO_LOGIN)
    if other := _OTHER_TRANSPORTS.match(text):
        raise BadTarget(text, f"{other[0]} is no kind of target that rearch knows")
    plain = text.removesuffix("/")
    if not plain:
        raise BadTarget(text, "it is empty")
    if scheme := _SCHEME.match(text):
        raise BadTarget(text, f"no {scheme[0]} is wanted")
    if "@" in plain or ":" in plain.partition("/")[2]:
        raise BadTarget(text, "it has a tag or a digest")
    try:
        found = parse_reference(f"{plain}/x")
    except BadReference as error:
        raise BadTarget(text, error.why, (text, " " * error.at + "^")) from None
    prefix = found.repository.rpartition("/")[0]
    if found.registry == HUB and prefix == "library" and "library" not in plain.split("/"):
        raise BadTarget(text, f"an account is wanted, as in {HUB}/ACCOUNT")
    return RegistryTarget(registry=found.registry, prefix=prefix)


def _layout(text: str) -> LayoutTarget:
    path = text.removeprefix(LAYOUT)
    if not path or "\0" in path:
        raise BadTarget(text, "a folder is wanted after oci:")
    return LayoutTarget(path=path)
