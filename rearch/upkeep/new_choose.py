"""Choices that a new recipe makes: the tag, the compiler, the name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from rearch.errors import UsageError
from rearch.formats.urls import masked
from rearch.model.base import plain_name
from rearch.upkeep.inspect_layout import Layout

_TAG = re.compile(
    r"v?([0-9]+(?:\.[0-9]+){0,3})(?:[-.]?((?:alpha|beta|rc|pre|dev|snapshot|m)[-.]?[0-9]*.*))?", re.IGNORECASE
)


class NoToolchain(UsageError):
    """No pinned Go of the project can compile this."""

    def __init__(self, wanted: str, known: Mapping[str, str]) -> None:
        self.wanted = wanted
        self.known = dict(known)
        have = ", ".join(f"{name} ({version})" for name, version in known.items()) or "none"
        super().__init__(
            f"no toolchain of this project is Go {wanted} or newer",
            [f"there are: {have}"],
            hint="copy a file of toolchains/ and give it that version",
        )


class BadName(UsageError):
    """The last word of a URL that is no name for a component."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(f"{url} gives no name for a component", hint="give one: --name NAME")


class UnfitName(UsageError):
    """A name that no stack, or no component, can have. `flag`: where it was given."""

    def __init__(self, flag: str, name: str, why: str) -> None:
        self.flag = flag
        self.name = name
        super().__init__(f"--{flag} {name}: {why}", hint="as in host-api or net-tools-2")


class SecretInUrl(UsageError):
    """A recipe is for everybody who has the project; what opens the repository is not."""

    def __init__(self, url: str) -> None:
        self.url = masked(url)
        super().__init__(
            f"{self.url} has a user name or a password in it, which would stand in the recipe and in rearch.lock",
            hint="leave it out: git asks its credential helper, ~/.netrc or ssh keys",
        )


class Choice(Struct, frozen=True, kw_only=True):
    """A toolchain, and why."""

    name: str
    why: str


def check_url(url: str) -> None:
    """Errors: SecretInUrl. The user of ssh is none: `ssh://git@host/path`."""
    found = re.match(r"([a-z][a-z0-9+.-]*)://([^/@]*)@", url.strip(), re.IGNORECASE)
    if found and (":" in found[2] or found[1].lower() != "ssh"):
        raise SecretInUrl(url)


def check_names(stack: str, name: str) -> None:
    """Before anything is fetched, and before they become a path. Empty: not given. Errors: UnfitName."""
    for flag, text in (("stack", stack), ("name", name)):
        try:
            plain_name(text or "x")
        except ValueError as error:
            raise UnfitName(flag, text, str(error)) from None
    if name == "stack":
        raise UnfitName("name", name, "stack.yaml is the stack itself")


def newest_tag(names: Iterable[str]) -> str | None:
    """The newest version among tags, releases before candidates; None where no tag looks like a version."""
    found = [(match, name) for name in names if (match := _TAG.fullmatch(name))]
    return max(found, key=lambda one: (one[0][2] is None, _numbers(one[0][1]), one[1]))[1] if found else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def name_of(url: str) -> str:
    """`https://github.com/rancher/Host-API.git` -> `host-api`. Errors: BadName."""
    last = re.split(r"[/:]", url.rstrip("/").removesuffix(".git"))[-1].lower()
    name = re.sub(r"[._-]{2,}", "-", re.sub(r"[^a-z0-9._-]", "-", last)).strip("._-")
    if not name:
        raise BadName(url)
    return name[:64].rstrip("._-")


def address_of(url: str) -> str:
    """`git@github.com:rancher/agent.git`, `https://user@github.com/rancher/agent` -> `github.com/rancher/agent`."""
    rest = re.sub(r"^[a-z+]+://", "", url.strip()).rpartition("@")[2].rstrip("/").removesuffix(".git")
    host, colon, path = rest.partition(":")
    if colon and "/" not in host and not re.match(r"[0-9]+/", path):
        rest = f"{host}/{path}"
    return re.sub(r"^([^/]+):[0-9]+/", r"\1/", rest).strip("/")


def choose_toolchain(layout: Layout, toolchains: Mapping[str, str], default: str | None) -> Choice:
    """`toolchains`: name -> version of the project's pinned Go. `default`: the stack's. Errors: NoToolchain.

    A module compiles with any newer Go (https://go.dev/doc/go1compat), so the stack's own or the newest is taken. Code
    from before modules (2018) was vendored for the Go of its day: the oldest one that is not older is the safest, since
    packages of those years use what later compilers refuse (`//go:linkname`, base64 alphabets with a letter twice).
    """
    wanted = layout.go.value if layout.go else "0"
    fits = {name: version for name, version in toolchains.items() if _numbers(version) >= _numbers(wanted)}
    if not fits:
        raise NoToolchain(wanted, toolchains)
    said = "upstream names no version of Go"
    if layout.go:
        said = f"upstream names Go {layout.go.value} ({layout.go.where})"
    ordered = sorted(fits, key=lambda name: _numbers(fits[name]))
    if layout.kind == "gopath":
        return Choice(name=ordered[0], why=f"{said}; the oldest one here, for code that was vendored before modules")
    if default in fits:
        return Choice(name=default, why=f"{said}; the stack's own is new enough")
    return Choice(name=ordered[-1], why=f"{said}; the newest one here")
