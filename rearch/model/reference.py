"""Names of images, as Docker reads them: `debian` is docker.io/library/debian:latest.

The grammar is that of the OCI distribution specification 1.1 ("Pulling manifests": <name> and <reference as a tag>) and
of github.com/distribution/reference, which also says what is filled in where a part is left out.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import UsageError

HUB = "docker.io"
_HUB_OLD = "index.docker.io"
_LATEST = "latest"
_LONGEST_NAME = 255

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:\[[0-9A-Fa-f:.]+\]|{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[0-9]{{1,5}}))?")
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ONLY_DIGITS = re.compile(r"[0-9a-f]{64}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# Greedy: a password may have an @ of its own. What follows the @ of a digest is no host.
_LOGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)?.*@(?!(?:sha256|sha512|sha384|sha1|md5|blake3):)", re.S)
NO_LOGIN = "a reference has no login; logins belong in `docker login`"


def has_login(text: str) -> bool:
    """Whether something stands before an `@` that begins no digest, as in `user:password@example.org/a`."""
    return _LOGIN.match(text) is not None


def hide_login(text: str) -> str:
    """A reference as it may be shown, right or wrong: `***@` for what stands before an `@` that begins no digest."""
    return _LOGIN.sub(lambda found: f"{found['scheme'] or ''}***@", text, count=1)


class BadReference(UsageError):
    """A text that names no image. `at` is the place of the first character that does not fit, from 0.

    `text` is what was read, without a login. With one, `at` is where the login begins.
    """

    def __init__(self, text: str, at: int, why: str, hint: str | None = None) -> None:
        self.text = hide_login(text)
        self.at = at
        self.why = why
        shown = "".join(char if char.isprintable() else "?" for char in self.text)
        super().__init__(
            f"not a reference to an image: {shown!r}",
            (shown, " " * at + "^ " + why),
            hint or "write registry/name:tag or registry/name@sha256:..., as in docker.io/library/debian:bookworm",
        )


class Reference(Struct, frozen=True, kw_only=True):
    """A name with everything filled in. `digest` is `sha256:` and 64 digits; tag or digest (or both) is set."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """For people: as `str`, with the beginning of the digest alone."""
        tag = f":{self.tag}" if self.tag is not None else ""
        return f"{self.place}{tag}" + (f"@{self.digest[:19]}..." if self.digest is not None else "")

    @property
    def place(self) -> str:
        """Registry and repository: what all tags and digests have in common."""
        return f"{self.registry}/{self.repository}"

    @property
    def identifier(self) -> str:
        """What a registry is asked for: the digest, which decides, else the tag."""
        return self.digest or self.tag or _LATEST

    def at(self, digest: str) -> Reference:
        """The same name, by this digest."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        return f"{self.place}{tag}" + (f"@{self.digest}" if self.digest is not None else "")


def parse_reference(text: str) -> Reference:
    """Read `debian`, `arm64v8/debian:12`, `localhost:5000/x@sha256:...`; what is left out is filled in as Docker does.

    Without a registry (a first part with a dot, a port, or `localhost`) it is docker.io, and there a name without a
    slash is in library/. Without tag and digest the tag is `latest`. Docker also takes `Rancher/agent` for an image of
    a host called Rancher; here it is the mistake that it looks like. Errors: BadReference.
    """
    _check_shape(text)
    rest, digest = _split_digest(text)
    name, tag = _split_tag(text, rest)
    registry, path, start = _split_registry(text, name)
    _check_repository(text, path, start)
    if registry == HUB and "/" not in path:
        path = f"library/{path}"
    if len(registry) + 1 + len(path) > _LONGEST_NAME:
        raise BadReference(text, _LONGEST_NAME, f"a name has at most {_LONGEST_NAME} characters")
    if tag is None and digest is None:
        tag = _LATEST
    return Reference(registry=registry, repository=path, tag=tag, digest=digest)


def _check_shape(text: str) -> None:
    if not text:
        raise BadReference(text, 0, "it is empty")
    if login := _LOGIN.match(text):
        raise BadReference(
            text, len(login["scheme"] or ""), NO_LOGIN, "leave it out, and run `docker login REGISTRY` once"
        )
    blank = next((at for at, char in enumerate(text) if char.isspace() or not char.isprintable()), None)
    if blank is not None:
        raise BadReference(text, blank, "blanks and control characters cannot be part of it")
    if scheme := _SCHEME.match(text):
        raise BadReference(text, 0, f"no {scheme[0]} is wanted", "leave it out: the name starts with the registry")


def _split_digest(text: str) -> tuple[str, str | None]:
    rest, at, digest = text.partition("@")
    if not at:
        return text, None
    place = len(rest) + 1
    if _DIGEST.fullmatch(digest):
        return rest, digest
    algorithm = digest.partition(":")[0]
    if algorithm != "sha256":
        raise BadReference(text, place, "a digest is written sha256:<64 digits>; rearch knows no other algorithm")
    digits = digest.removeprefix("sha256:")
    wrong = next((number for number, char in enumerate(digits) if char not in "0123456789abcdef"), len(digits))
    short = f"a sha256 has 64 digits, this one {len(digits)}"
    why = short if wrong == len(digits) else "this is no digit from 0 to 9 and a to f"
    raise BadReference(text, place + len("sha256:") + wrong, why)


def _split_tag(text: str, rest: str) -> tuple[str, str | None]:
    slash, colon = rest.rfind("/"), rest.rfind(":")
    if colon <= slash or (slash < 0 and rest.startswith("[")):
        return rest, None
    tag = rest[colon + 1 :]
    if _TAG.fullmatch(tag):
        return rest[:colon], tag
    fits = _TAG.match(tag)
    why = "a tag has letters, digits and _ . -, starts with no . or -, and has at most 128 characters"
    raise BadReference(text, colon + 1 + (fits.end() if fits else 0), why if tag else "the tag is missing")


def _split_registry(text: str, name: str) -> tuple[str, str, int]:
    """Registry, path, and where the path starts in the text."""
    first, slash, path = name.partition("/")
    if not slash or not _is_registry(first):
        return HUB, name, 0
    found = _HOST.match(first)
    if found is None or found.end() != len(first):
        raise BadReference(text, found.end() if found else 0, "the name of a registry is host or host:port")
    if found["port"] and not 0 < int(found["port"]) < 65536:
        raise BadReference(text, found.start("port"), "a port is a number from 1 to 65535")
    registry = first.lower()
    return HUB if registry == _HUB_OLD else registry, path, len(first) + 1


def _is_registry(first: str) -> bool:
    return first.lower() == "localhost" or "." in first or ":" in first


def _check_repository(text: str, path: str, start: int) -> None:
    place = start
    for part in path.split("/"):
        if not _PART.fullmatch(part):
            raise BadReference(text, *_fault(part, place))
        place += len(part) + 1
    if _ONLY_DIGITS.fullmatch(path):
        raise BadReference(text, start, "64 digits alone are an image's id, not a name")


def _fault(part: str, place: int) -> tuple[int, str]:
    if not part:
        return place, "a part of the name is missing here"
    upper = next((number for number, char in enumerate(part) if char.isupper()), None)
    if upper is not None and part.isascii():
        return place + upper, "the name of a repository has lower-case letters alone"
    fits = _PART.match(part)
    at = min(fits.end() if fits else 0, len(part) - 1)
    return place + at, "a part has lower-case letters and digits, with . _ __ or - between them"
