"""What can go wrong with a git source, in words. URLs in these texts are already masked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from rearch.errors import HostileInputError, StepError, TemporaryError, UsageError, VerificationError


class CommitFacts(Struct, frozen=True, kw_only=True):
    """What a person wants to see of a commit. `time` is the committer's, in seconds since 1970."""

    commit: str
    time: int
    subject: str

    def __str__(self) -> str:
        return f"{self.commit} of {datetime.fromtimestamp(self.time, UTC):%Y-%m-%d} ({self.subject})"


class GitUrlRefused(UsageError):
    """A URL that git would be able to use, but that we do not hand to it."""

    def __init__(self, url: str, reason: str, hint: str | None = None) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"git URL refused: {url!r}",
            (reason,),
            hint or "use https://HOST/PATH, ssh://USER@HOST/PATH or file:///PATH",
        )


class GitRefInvalid(UsageError):
    """A ref that breaks the rules of git-check-ref-format(1)."""

    def __init__(self, ref: str, reason: str) -> None:
        self.ref, self.reason = ref, reason
        super().__init__(f"not a git ref: {ref!r}", (reason,), "use a tag, a branch, or all 40 digits of a commit")


class GitRefUnknown(UsageError):
    """The repository has no such tag or branch. `nearest` are names that it has."""

    def __init__(self, url: str, ref: str, nearest: Sequence[str], *, hash_like: bool) -> None:
        self.url, self.ref, self.nearest = url, ref, tuple(nearest)
        details = (f"nearest: {', '.join(nearest)}",) if nearest else ("it has no tag or branch that is like it",)
        hint = "correct the name: `source.ref` in the recipe, or --to of `bump`"
        if hash_like:
            hint = f"if {ref} is a shortened commit: write all 40 digits, a short one can become ambiguous"
        super().__init__(f"{url} has no tag or branch {ref}", details, hint)


class GitNotACommit(UsageError):
    """A tag on a file or a tree, as the Linux and git repositories have one."""

    def __init__(self, url: str, ref: str, kind: str) -> None:
        self.url, self.ref, self.kind = url, ref, kind
        super().__init__(f"{url}: {ref} names a {kind}, not a commit", hint="choose another tag in `source.ref`")


class GitMissing(StepError):
    """No git, or one that is too old for what is asked of it."""

    def __init__(self, found: str | None, wanted: str) -> None:
        self.found, self.wanted = found, wanted
        text = f"git {found} is too old: {wanted} is wanted" if found else "git: no such program"
        super().__init__(text, hint="apt-get install git; `invoke doctor` shows what else is missing")


class GitUnreachable(TemporaryError):
    """The server does not answer, or not to the end. `reach` is where it was looked for, after `mirrors:`."""

    def __init__(self, url: str, reach: str, said: Sequence[str]) -> None:
        self.url, self.reach, self.said = url, reach, tuple(said)
        details = list(said) if reach == url else [f"through the mirror {reach}", *said]
        hint = "try again later, or set `mirrors:` in rearch.yaml to a copy that this machine can reach"
        super().__init__(f"cannot reach {url}", details, hint)


class GitOffline(TemporaryError):
    """--offline, and the cache does not have it."""

    def __init__(self, url: str, wanted: str) -> None:
        self.url, self.wanted = url, wanted
        super().__init__(
            f"offline, and not in the cache: {wanted} of {url}",
            hint="run it once without --offline while there is a network",
        )


class GitRefused(StepError):
    """The server answered, and said no. Many servers ask for a login where there is no such repository."""

    def __init__(self, url: str, reach: str, said: Sequence[str]) -> None:
        self.url, self.reach, self.said = url, reach, tuple(said)
        details = list(said) if reach == url else [f"through the mirror {reach}", *said]
        hint = (
            "check the URL; for a private one, set up a credential helper, ~/.netrc or an ssh key: nothing is asked for"
        )
        super().__init__(f"no such repository, or no access to it: {url}", details, hint)


class GitUntrusted(StepError):
    """The server's certificate or host key is not one that this machine trusts."""

    def __init__(self, url: str, said: Sequence[str]) -> None:
        self.url, self.said = url, tuple(said)
        hint = "set SSL_CERT_FILE or GIT_SSL_CAINFO to the CA's file, or add the host to ~/.ssh/known_hosts"
        super().__init__(f"the identity of the server cannot be checked: {url}", said, hint)


class GitTagMoved(VerificationError):
    """A tag that rearch.lock has for one commit names another one now. Facts are None where they cannot be had."""

    def __init__(
        self, url: str, tag: str, locked: str, found: str, facts: Sequence[CommitFacts | None] = (None, None)
    ) -> None:
        self.url, self.tag, self.locked, self.found = url, tag, locked, found
        was, now = (str(known or commit) for known, commit in zip(facts, (locked, found), strict=True))
        gone = facts[0] is None and facts[1] is not None
        details = [f"locked: {was}", f"now:    {now}"]
        details += ["the locked commit cannot be had from there any more"] if gone else []
        hint = "find out why; to accept the new one: `invoke lock --update --only COMPONENT`"
        super().__init__(f"tag {tag} of {url} has moved", details, hint)


class GitCommitGone(VerificationError):
    """The pinned commit is nowhere in the repository."""

    def __init__(self, url: str, commit: str, ref: str) -> None:
        self.url, self.commit, self.ref = url, commit, ref
        named = f"it was locked as {ref}" if ref != commit else "the recipe names it"
        hint = "set `mirrors:` to a copy that still has it, or choose another: `invoke lock --update --only COMPONENT`"
        super().__init__(f"{url} has no commit {commit} (any more)", (named,), hint)


class GitHostile(HostileInputError):
    """A repository whose content reaches out of the place that it is given, or fails git's own checks."""

    def __init__(self, url: str, what: str, details: Sequence[str] = ()) -> None:
        self.url, self.what = url, what
        super().__init__(f"hostile git repository {url}: {what}", details, "do not use it; tell its owner")


class GitSubmodule(StepError):
    """A submodule that cannot be followed."""

    def __init__(self, url: str, path: str, problem: str) -> None:
        self.url, self.path, self.problem = url, path, problem
        super().__init__(
            f"submodule {path!r} of {url}: {problem}",
            hint="if the build does not need it: `submodules: false` in the recipe",
        )


class GitFailed(StepError):
    """git ended with an error that we have no better words for."""

    def __init__(self, url: str, action: str, said: Sequence[str]) -> None:
        self.url, self.action, self.said = url, action, tuple(said)
        super().__init__(f"git {action} failed for {url}", said or ("it said nothing",))
