"""Talks to servers: one git command that may use the network, its failures sorted into errors.

git has one exit code (128) for everything, so its words decide. They are English (LC_ALL=C), and come from git itself
(transport.c, remote-curl.c, fetch-pack.c, fsck.c), libcurl and OpenSSH.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

from rearch.errors import RearchError
from rearch.formats.urls import masked
from rearch.host.sources.git_errors import (
    GitFailed,
    GitHostile,
    GitRefused,
    GitUnreachable,
    GitUntrusted,
)
from rearch.host.sources.git_run import GitRunner
from rearch.host.sources.git_streams import Progress, Ran
from rearch.host.sources.git_urls import Remote

ATTEMPTS = 3

_HOSTILE = re.compile(r"fsck error|error: object [0-9a-f]+: |invalid path|bad object|bad tree")
_UNTRUSTED = re.compile(
    r"SSL certificate|SSL: |certificate verif|certificate subject|server certificate"
    r"|Host key verification failed|REMOTE HOST IDENTIFICATION",
    re.I,
)
_REFUSED = re.compile(
    r"could not read (Username|Password)|terminal prompts disabled|Authentication failed|Permission denied"
    r"|[Rr]epository.{0,200}not found|does not appear to be a git repository|returned error: (401|403|404|410)"
    r"|access denied|not accessible",
)
_BROKEN_OFF = re.compile(
    r"early EOF|RPC failed|hung up|unexpected disconnect|Connection reset|returned error: (408|429|5\d\d)"
    r"|transfer closed|Recv failure|Send failure|GnuTLS recv|SSL_read|HTTP/2 stream|Empty reply",
    re.I,
)
_UNREACHABLE = re.compile(
    r"Could not resolve|Failed to connect|Couldn't connect|Connection (refused|timed out|closed)|timed out|too slow"
    r"|unreachable|No route to host|Name or service not known|Temporary failure in name resolution"
    r"|Proxy CONNECT aborted|response \d+ from proxy|CONNECT tunnel failed|ssh_exchange|kex_exchange",
    re.I,
)


class Talker:
    """Runs git commands against one remote."""

    def __init__(self, git: GitRunner, remote: Remote) -> None:
        self.git = git
        self.remote = remote

    def run(self, folder: Path, *args: str, limit: float, progress: Progress | None = None) -> Ran:
        """Run until it is through, or failed for a reason that does not go away; at most three times.

        Returns what git said also when the server answered and refused only this request: see `refused_request`.
        Errors: GitUnreachable, GitRefused, GitUntrusted, GitHostile, GitFailed.
        """
        for attempt in range(1, ATTEMPTS + 1):
            ran = self.git.run(folder, *args, protocol=self.remote.protocol, limit=limit, progress=progress)
            if ran.ok or refused_request(ran):
                return ran
            if attempt == ATTEMPTS or not _may_go_away(ran):
                break
            # Jitter, so that parallel steps do not come back all at once.
            time.sleep(self.git.settings.pause * 3 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        raise self.failure(ran, args[0], limit)

    def failure(self, ran: Ran, action: str, limit: float) -> RearchError:
        """The error that git's words stand for."""
        text, lines = "\n".join(ran.said), self._lines(ran)
        name, reach = self.remote.name, self.remote.reach_name
        if ran.late:
            return GitUnreachable(name, reach, (f"git {action} did not end within {limit:g} s", *lines))
        # The order counts: "not found" of a proxy or a name server comes before that of a repository.
        sorts: tuple[tuple[re.Pattern[str], Callable[[], RearchError]], ...] = (
            (_UNREACHABLE, lambda: GitUnreachable(name, reach, lines)),
            (_UNTRUSTED, lambda: GitUntrusted(name, lines)),
            (_HOSTILE, lambda: GitHostile(name, "git refuses its objects", lines)),
            (_REFUSED, lambda: GitRefused(name, reach, lines)),
            (_BROKEN_OFF, lambda: GitUnreachable(name, reach, lines)),
        )
        return next((make() for words, make in sorts if words.search(text)), GitFailed(name, action, lines))

    def _lines(self, ran: Ran) -> tuple[str, ...]:
        """The lines that say what went wrong, without secrets."""
        telling = [
            line for line in ran.said if re.match(r"fatal|error|remote|ssh|warning: .*resolv|Perm|Host|kex", line)
        ]
        plain = (line.replace(self.remote.reach, self.remote.reach_name) for line in (telling or ran.said)[-6:])
        return tuple(re.sub(r"[a-z+]+://\S+", lambda found: masked(found[0]), line) for line in plain)


def refused_request(ran: Ran) -> bool:
    """The server is there, but does not give this: not by hash, not shallow, or it does not have it."""
    return not ran.ok and bool(
        re.search(
            r"unadvertised object|not our ref|dumb http transport does not support shallow"
            r"|Server does not (support|allow)|couldn't find remote ref|remote error: .*(unknown|no such) ref",
            "\n".join(ran.said),
        )
    )


def _may_go_away(ran: Ran) -> bool:
    text = "\n".join(ran.said)
    return not ran.late and bool(_BROKEN_OFF.search(text)) and not (_UNREACHABLE.search(text) or _REFUSED.search(text))
