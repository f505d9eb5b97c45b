"""What a Rancher server, or an archive that is for its agents, can be wrong about."""

from __future__ import annotations

from collections.abc import Sequence

from rearch.errors import StepError, TemporaryError, UsageError, VerificationError
from rearch.formats.urls import masked

KEYS_HINT = (
    "put an agent's or an environment's API key into REARCH_RANCHER_ACCESS_KEY and REARCH_RANCHER_SECRET_KEY "
    "(on a host: CATTLE_ACCESS_KEY and CATTLE_SECRET_KEY of the container rancher-agent)"
)


class NoKeys(UsageError):
    """The server wants an access key and a secret key, and the environment has none, or half of them."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(f"no credentials for the Rancher server: {' and '.join(missing)} not set", hint=KEYS_HINT)


class BadServer(UsageError):
    """An address of which no requests can be made."""

    def __init__(self, server: str, why: str) -> None:
        self.server = masked(server)
        self.why = why
        super().__init__(f"{self.server}: {why}", hint="as in http://rancher.example.org:8080/v1")


class KeysRefused(StepError):
    """The server answers 401 or 403 to these keys."""

    def __init__(self, server: str, item: str, status: int) -> None:
        self.server = masked(server)
        self.item = item
        self.status = status
        super().__init__(f"{self.server} refuses {item} to these keys (the answer is {status})", hint=KEYS_HINT)


class NoItem(StepError):
    """The server has no such item."""

    def __init__(self, server: str, item: str, status: int) -> None:
        self.server = masked(server)
        self.item = item
        self.status = status
        super().__init__(
            f"{self.server} has no content item {item} (the answer is {status})",
            hint="does the address end in /v1? The items of a 1.6 server are configscripts, pyagent and host-api",
        )


class NoAnswer(TemporaryError):
    """No answer, or none that was whole, after every attempt. What came is kept when there is a cache."""

    def __init__(self, server: str, item: str, why: str, attempts: int) -> None:
        self.server = masked(server)
        self.item = item
        self.why = why
        self.attempts = attempts
        super().__init__(
            f"{self.server} does not give {item} now",
            (f"tried {attempts} time{'s' * (attempts != 1)}; the last: {why}",),
            hint="is the server up? It answers `pong` under /ping; a run that comes later goes on from what is there",
        )


class NotContent(VerificationError):
    """The server answered well, but with something that no agent could unpack. `head`: how it begins."""

    def __init__(self, server: str, item: str, head: bytes) -> None:
        self.server = masked(server)
        self.item = item
        self.head = head
        page = head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml"))
        what = "a web page" if page else f"no gzip archive (it begins with {head[:8]!r})" if head else "nothing"
        hint = "a login page or a proxy stands before the server" if page else "look at the server's log"
        super().__init__(f"{self.server}: the content item {item} is {what}", hint=hint)


class BadSums(VerificationError):
    """An archive that the agent's config.sh would refuse. `problems`: a line for each."""

    def __init__(self, archive: str, problems: Sequence[str]) -> None:
        self.archive = archive
        self.problems = tuple(problems)
        shown = [*self.problems[:10], *([f"and {len(problems) - 10} more"] if len(problems) > 10 else [])]
        super().__init__(
            f"{archive}: an agent would refuse this archive",
            shown,
            hint="it must have one root folder, with SHA1SUMS over its files and SHA1SUMSSUM over SHA1SUMS",
        )


class NotGzip(VerificationError):
    """An archive that the agent's `tar xzf` cannot unpack. `start`: its first bytes."""

    def __init__(self, archive: str, start: bytes) -> None:
        self.archive = archive
        self.start = start
        super().__init__(
            f"{archive}: no gzip archive (it begins with {start!r})", hint="agents unpack gzip tars alone: pack it so"
        )
