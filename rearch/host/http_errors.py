"""What can go wrong with a download. URLs are shown without their secrets."""

from __future__ import annotations

from rearch.errors import HostileInputError, StepError, TemporaryError, UsageError, VerificationError
from rearch.formats.urls import MIRROR_HINT, masked


class BadUrl(UsageError):
    """A URL that rearch does not fetch from."""

    def __init__(self, url: str, why: str) -> None:
        self.url = masked(url)
        self.why = why
        super().__init__(f"{self.url}: {why}", hint="use an http://, https:// or file:// URL")


class NotFound(StepError):
    """The server (or the disk) says that there is no such thing. `status` is 0 for a file."""

    def __init__(self, url: str, status: int, reason: str) -> None:
        self.url = masked(url)
        self.status = status
        answer = f"the answer is {status} {reason}".rstrip() if status else "there is no such file"
        super().__init__(f"{self.url}: {answer}", hint="check the URL in the recipe, and `mirrors:` in rearch.yaml")


class Refused(StepError):
    """The server answers, and does not want to give it: 401, 403, another 4xx, an untrusted certificate."""

    def __init__(self, url: str, why: str, hint: str) -> None:
        self.url = masked(url)
        self.why = why
        super().__init__(f"{self.url}: {why}", hint=hint)


class Unreachable(TemporaryError):
    """No answer, or one that says to try later, after every attempt."""

    def __init__(self, url: str, why: str, attempts: int, kept: int) -> None:
        self.url = masked(url)
        self.why = why
        self.attempts = attempts
        self.kept = kept
        details = [f"tried {attempts} time{'s' * (attempts != 1)}; the last: {why}"]
        if kept:
            details.append(f"{kept} bytes are kept, and the next run goes on from there")
        super().__init__(f"{self.url} cannot be fetched now", details, hint=MIRROR_HINT)


class WrongHash(VerificationError):
    """What was fetched is not what was pinned. `page`: it is a web page."""

    def __init__(self, url: str, wanted: str, found: str, *, page: bool) -> None:
        self.url = masked(url)
        self.wanted = wanted
        self.found = found
        self.page = page
        super().__init__(
            f"{self.url} is not what was pinned",
            (f"wanted sha256 {wanted}", f"found  sha256 {found}"),
            hint="the answer is a web page: the URL asks for a login, or has moved"
            if page
            else "find out from upstream why it changed before you pin the new hash",
        )


class TooLarge(HostileInputError):
    """More bytes than `limits: {download_bytes: ...}` allows. `size` is what was stated, or had come so far."""

    def __init__(self, url: str, size: int, limit: int) -> None:
        self.url = masked(url)
        self.size = size
        self.limit = limit
        super().__init__(
            f"{self.url} has {size} bytes or more; {limit} is the limit",
            hint="if it is to be trusted, raise `limits: {download_bytes: ...}` in rearch.yaml",
        )
