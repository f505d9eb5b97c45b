"""What can go wrong between us and a registry. No text here holds a secret: URLs are masked, bodies are not shown."""

from __future__ import annotations

from collections.abc import Iterable

from rearch.errors import HostileInputError, StepError, TemporaryError, UsageError, VerificationError
from rearch.formats.urls import masked
from rearch.model.platform import Platform


class RegistryUnreachable(TemporaryError):
    """No answer, or one that says to try later, after every attempt. `kept`: bytes of a blob that stay."""

    def __init__(self, host: str, what: str, why: str, attempts: int, kept: int = 0) -> None:
        self.host = host
        self.what = what
        self.why = why
        self.attempts = attempts
        self.kept = kept
        details = [f"tried {attempts} time{'s' * (attempts != 1)}; the last: {why}"]
        if kept:
            details.append(f"{kept} bytes are kept, and the next run goes on from there")
        hint = (
            "try again later, or name a mirror under `mirrors:` in rearch.yaml (`docker.io/: mirror.example.org/hub/`)"
        )
        if "toomanyrequests" in why.lower():
            hint = f"the registry counts requests: log in (`docker login {host}`), or wait"
        super().__init__(f"{what}: {host} cannot be reached now", details, hint=hint)


class LoginWanted(UsageError):
    """The registry does not let us. `scope` is what was asked for (`repository:library/debian:pull`)."""

    def __init__(self, what: str, host: str, *, scope: str, who: str, said: str, trouble: str = "") -> None:
        self.what = what
        self.host = host
        self.scope = scope
        self.who = who
        self.said = said
        details = [f"asked for {scope}, {who}"] if scope else [f"asked {who}"]
        details += [line for line in (said, trouble) if line]
        hint = f"`docker login {host}`; if that is done: the account lacks the right, or the name is not there"
        super().__init__(f"{what}: {host} does not let us", details, hint)


class NotInRegistry(UsageError):
    """The registry has no such repository, tag or digest."""

    def __init__(self, what: str, host: str, said: str) -> None:
        self.what = what
        self.host = host
        self.said = said
        super().__init__(
            f"{what} is not in the registry {host}",
            (said,) if said else (),
            hint="check name and tag; of a digest: the registry may have removed it, then `invoke lock --update`",
        )


class RegistryRefused(StepError):
    """The registry answers, and what it says is no."""

    def __init__(self, what: str, host: str, why: str, hint: str) -> None:
        self.what = what
        self.host = host
        self.why = why
        super().__init__(f"{what}: {host} refuses", (why,), hint=hint)


class NotARegistry(UsageError):
    """Something else answers under that address."""

    def __init__(self, host: str, why: str) -> None:
        self.host = host
        self.why = why
        super().__init__(
            f"{host} does not answer as a registry does",
            (why,),
            hint="check the address; a proxy's page would do this too",
        )


class UntrustedRegistry(UsageError):
    """TLS failed: the certificate is not trusted, or one side speaks TLS and the other does not."""

    def __init__(self, host: str, why: str, hint: str) -> None:
        self.host = host
        self.why = why
        super().__init__(f"{host}: no safe connection", (why,), hint=hint)


class UnsafeRedirect(StepError):
    """An answer leads to a place where we do not go."""

    def __init__(self, what: str, target: str, why: str) -> None:
        self.what = what
        self.target = masked(target)
        self.why = why
        super().__init__(f"{what}: it leads to {self.target}", (why,), hint="tell who runs the registry")


class WrongDigest(VerificationError):
    """What came has another digest (or size) than what was asked for, or than the registry itself says."""

    def __init__(self, what: str, wanted: str, found: str, who: str = "asked for") -> None:
        self.what = what
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"{what}: what came is not what it is said to be",
            (f"{who:9} {wanted}", f"{'found':9} {found}"),
            hint="a damaged registry, cache or proxy on the way: compare with another one before you trust it",
        )


class TooLarge(HostileInputError):
    """More bytes than are taken. `size` is what was stated, or had come so far; `host` is the registry asked."""

    def __init__(self, what: str, size: int, limit: int, setting: str = "", host: str = "") -> None:
        self.what = what
        self.size = size
        self.limit = limit
        self.host = host
        hint = f"if it is to be trusted, raise `{setting}` in rearch.yaml" if setting else _other_address(what, host)
        super().__init__(f"{what} has {size} bytes or more; {limit} is the limit", hint=hint)


def _other_address(what: str, host: str) -> str:
    """What to look at. No recipe pins what a registry answers, so the family's usual words would mislead."""
    asked = f"{host} was asked for {what}" if host else f"a registry was asked for {what}"
    return f"{asked}; check the address: a proxy's page, or a server that is no registry, would do this too"


class OldManifest(StepError):
    """A manifest of Docker's schema 1, which names no config and cannot be verified by its digest."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} is a manifest of schema 1",
            ("Docker left that format in 2016 (registries: 2024); its digest does not cover what it signs",),
            hint="push the image anew with a present tool, or take another tag",
        )


class UnknownDocument(StepError):
    """The reference names something that is no image."""

    def __init__(self, what: str, media_type: str) -> None:
        self.what = what
        self.media_type = media_type
        super().__init__(
            f"{what} is no image: its type is {media_type or 'not stated'}", hint="name an image or an index of images"
        )


class ForeignLayer(StepError):
    """A layer that is not in the registry but at URLs of its own (Windows base layers are so)."""

    def __init__(self, what: str, media_type: str, urls: Iterable[str]) -> None:
        self.what = what
        self.media_type = media_type
        self.urls = tuple(masked(url) for url in urls)
        super().__init__(
            f"{what} has a layer that registries do not carry",
            (f"its type is {media_type}", *(f"it would come from {url}" for url in self.urls)),
            hint="take another base: such a layer may not be passed on, so the image could not be published",
        )


class WrongPlatform(VerificationError):
    """The config says another platform than the index that led to it."""

    def __init__(self, what: str, wanted: Platform, found: str) -> None:
        self.what = what
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"{what} is for {found}, not for {wanted}",
            (f"index and rearch.lock  {wanted}", f"config of the image    {found}"),
            hint="the image is labelled wrongly: tell its publisher, and take another one",
        )


class BaseMoved(VerificationError):
    """The tag of a locked base names another image now. Tags of bases move all the time: for information."""

    def __init__(self, name: str, locked: str, found: str) -> None:
        self.name = name
        self.locked = locked
        self.found = found
        super().__init__(
            f"{name} names another image now",
            (f"rearch.lock  {locked}", f"registry     {found}"),
            hint="the locked one is built from still; to take the new one: `invoke lock --update`",
        )
