"""What can go wrong when something is pushed, and which answer of a registry means what."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rearch.errors import StepError, TemporaryError, UsageError, VerificationError
from rearch.model.reference import Reference
from rearch.registry.answers import Said
from rearch.registry.errors import RegistryUnreachable
from rearch.registry.patience import Later

# Harbor: 412 or 403 DENIED "... will exceed the configured upper limit of ..."; Quay, GitLab: "quota exceeded".
_FULL_WORDS = ("quota", "exceed", "storage limit", "no space")


class PushBrokenOff(TemporaryError):
    """No answer, or one that says to try later, after every attempt at sending something. `why`, `attempts`: the last
    reason, and how many there were."""

    def __init__(self, what: str, cause: RegistryUnreachable) -> None:
        self.what = what
        self.host = cause.host
        self.why = cause.why
        self.attempts = cause.attempts
        self.kept = cause.kept
        details = [f"tried {self.attempts} time{'s' * (self.attempts != 1)}; the last: {self.why}"]
        if self.kept:
            details.append(f"the registry has {self.kept} bytes of it")
        hint = "run the same command again: what the registry has is not sent twice"
        if "toomanyrequests" in self.why.lower():
            hint = f"the registry counts requests: log in (`docker login {self.host}`), or wait"
        elif "name is not known" in self.why:
            hint = f"check the name of the registry: {self.host}"
        super().__init__(f"{what}: {self.host} did not take it", details, hint=hint)


class SourceChanged(VerificationError):
    """A file is not, or no longer, the blob that it should be. Nothing of it was taken by the registry."""

    def __init__(self, path: Path, wanted: str, found: str) -> None:
        self.path = path
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"{path} is not what it is said to be",
            (f"described  {wanted}", f"found      {found}"),
            hint="it changed after it was built and audited: build it again (`invoke build`), then publish",
        )


class CannotReadBlob(StepError):
    """The disk does not give the file."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        self.why = error.strerror or str(error)
        super().__init__(f"cannot read {path}: {self.why}", hint="build it again (`invoke build`), then publish")


class DamagedOnTheWay(VerificationError):
    """The registry says that what came is not what was sent; the file was read again, and is as it should be."""

    def __init__(self, what: str, host: str, said: str) -> None:
        self.what = what
        self.host = host
        self.said = said
        super().__init__(
            f"{what}: what came to {host} is not what was sent",
            (said, "sent twice, from the first byte; the file on disk is as it should be"),
            hint="a proxy on the way, or the registry itself, changes what passes: try another way to it",
        )


class RequestTooLarge(StepError):
    """413: more in one request than is taken. `size` is that of the request's body, in bytes."""

    def __init__(self, what: str, host: str, size: int, said: str) -> None:
        self.what = what
        self.host = host
        self.size = size
        self.said = said
        super().__init__(
            f"{what}: {host} does not take {size} bytes in one request",
            (said,),
            hint="a proxy before the registry limits the size of requests: raise it there (client_max_body_size 0 of"
            " nginx)",
        )


class RegistryFull(StepError):
    """No room: a quota, or a disk."""

    def __init__(self, what: str, host: str, said: str) -> None:
        self.what = what
        self.host = host
        self.said = said
        super().__init__(
            f"{what}: {host} has no room for it",
            (said,),
            hint="remove old images there, or have the quota raised; then run the same command again",
        )


class ReadOnlyRegistry(UsageError):
    """Nothing can be pushed there, by anybody."""

    def __init__(self, what: str, host: str, said: str) -> None:
        self.what = what
        self.host = host
        self.said = said
        super().__init__(
            f"{what}: {host} takes nothing",
            (said,),
            hint="it is read-only now (maintenance), or a mirror or cache: publish to the registry itself",
        )


class NoSuchRepository(UsageError):
    """The registry does not make repositories on its own."""

    def __init__(self, place: Reference, said: str) -> None:
        self.place = place.place
        self.said = said
        super().__init__(
            f"{place.registry} has no repository {place.repository}",
            (said,),
            hint="create it there first (some registries want that), or check its name",
        )


class BlobMissing(StepError):
    """A manifest was refused, because the registry does not have what it names. `digests`: which, as far as it says."""

    def __init__(self, what: str, host: str, digests: Sequence[str], said: str) -> None:
        self.what = what
        self.host = host
        self.digests = tuple(digests)
        self.said = said
        lacks = [f"it lacks {digest}" for digest in self.digests]
        super().__init__(
            f"{what}: {host} does not have all that it names",
            (*lacks, said),
            hint="publish again: a registry's clean-up may have removed it meanwhile",
        )


class CannotDelete(UsageError):
    """This registry does not delete, or not that."""

    def __init__(self, what: str, host: str, said: str) -> None:
        self.what = what
        self.host = host
        self.said = said
        super().__init__(
            f"{what}: {host} does not delete that",
            (said,),
            hint="many registries delete by their own pages or rules alone; docker-registry wants"
            " REGISTRY_STORAGE_DELETE_ENABLED=true, and manifests by digest",
        )


def push_fault(what: str, place: Reference, size: int) -> Callable[[Said], Exception | None]:
    """What a refusal means to who pushes: None where that is what it means to everybody. `size`: of the body."""

    def fault(said: Said) -> Exception | None:
        host = place.registry
        if said.status in (403, 429) and said.has("TOOMANYREQUESTS"):
            return Later(host, said.words, said.wait)
        if said.status == 507 or (said.status in (400, 403, 412, 413) and _is_full(said)):
            return RegistryFull(what, host, said.words)
        if said.status == 413:
            return RequestTooLarge(what, host, size, said.words)
        if said.status == 405 and not said.page:
            return ReadOnlyRegistry(what, host, said.words)
        if said.status == 404 and not said.page:
            return NoSuchRepository(place, said.words)
        return None

    return fault


def manifest_fault(what: str, place: Reference, size: int) -> Callable[[Said], Exception | None]:
    """As `push_fault`, for a manifest (distribution specification, "Pushing Manifests")."""
    usual = push_fault(what, place, size)

    def fault(said: Said) -> Exception | None:
        if said.status in (400, 404) and said.has("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"):
            return BlobMissing(what, place.registry, _digests(said), said.words)
        return usual(said)

    return fault


def delete_fault(what: str, host: str, *, by_tag: bool) -> Callable[[Said], Exception | None]:
    """405 (or 501) of all that is not deleted there; docker-registry 2 says of a tag that its digest is invalid."""

    def fault(said: Said) -> Exception | None:
        if said.status in (405, 501) or said.has("UNSUPPORTED") or (by_tag and said.has("DIGEST_INVALID")):
            return CannotDelete(what, host, said.words)
        return None

    return fault


def _is_full(said: Said) -> bool:
    words = said.words.lower()
    return bool(said.faults) and any(word in words for word in _FULL_WORDS)


def _digests(said: Said) -> tuple[str, ...]:
    text = " ".join(f"{fault.detail} {fault.message}" for fault in said.faults)
    return tuple(dict.fromkeys(re.findall(r"sha256:[0-9a-f]{64}", text)))
