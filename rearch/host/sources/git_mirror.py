"""One bare repository in the cache for each URL: only what was asked for, kept for all runs.

`refs/rearch/<commit>` exists when, and only when, the commit and all of its tree are there: git sets a ref after it has
checked that what was fetched is complete. Writers hold an exclusive flock(2) on `<mirror>.lock`, readers a shared
one, so that runs at the same time wait for each other's download; the kernel drops the lock of a run that is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rearch.errors import StepError
from rearch.formats.tree import remove_tree
from rearch.host.sources.git_errors import CommitFacts, GitCommitGone, GitFailed, GitHostile, GitNotACommit, GitOffline
from rearch.host.sources.git_run import GitRunner
from rearch.host.sources.git_streams import Progress
from rearch.host.sources.git_talk import Talker, refused_request
from rearch.host.sources.git_urls import Remote

# Attributes of the tree (line ends, filters, encodings, `ident`) would make files differ from what was committed.
_ATTRIBUTES = "* -text !eol !crlf !filter !ident !working-tree-encoding\n"


class Mirror:
    """The mirror of one remote."""

    def __init__(self, git: GitRunner, remote: Remote) -> None:
        self.git = git
        self.remote = remote
        self.talker = Talker(git, remote)
        self.path = git.settings.folder / remote.folder

    @contextlib.contextmanager
    def locked(self, *, write: bool) -> Iterator[None]:
        """Hold the mirror; waits for whoever holds it otherwise. Not to be nested."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A new descriptor each time: flock then also keeps threads of one process apart.
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
            yield
        finally:
            os.close(handle)

    def has(self, commit: str) -> bool:
        """Whether the commit is there, with its whole tree. Hold the lock."""
        if not self.path.is_dir():
            return False
        # `invoke gc` goes by the time of last use.
        os.utime(self.path)
        return self.git.run(self.path, "rev-parse", "--verify", "--quiet", f"{_name(commit)}^{{commit}}").ok

    def facts(self, commit: str) -> CommitFacts:
        """Date and subject of a commit that is there. Hold the lock."""
        shown = self.git.run(self.path, "log", "-1", "--encoding=UTF-8", "--format=%ct%x00%s", commit, "--")
        if not shown.ok:
            raise GitFailed(self.remote.name, "log", shown.said)
        when, _, subject = shown.text.strip().partition("\0")
        return CommitFacts(commit=commit, time=int(when), subject=subject)

    def fetch(self, commit: str, ref: str, progress: Progress | None = None) -> None:
        """Get one commit from the server, at best nothing but it. Hold the lock for writing.

        Errors: those of Talker.run; GitOffline, GitCommitGone, GitNotACommit.
        """
        if self.git.settings.offline:
            raise GitOffline(self.remote.name, f"commit {commit}")
        self._prepare()
        try:
            self._fetch_commit(commit, ref, progress)
        except (GitHostile, GitFailed):
            # The fault may be here: git trips over damaged objects of its own when it takes new ones.
            if not self._is_damaged(commit):
                raise
            self.remove()
            self._prepare()
            self._fetch_commit(commit, ref, progress)

    def _is_damaged(self, commit: str) -> bool:
        """Whether what has a ref of ours cannot be read."""
        torn = (self.path / _name(commit)).exists() and not self.has(commit)
        return torn or not self.git.run(self.path, "fsck", "--connectivity-only", "--no-dangling", "--no-progress").ok

    def _fetch_commit(self, commit: str, ref: str, progress: Progress | None) -> None:
        limit = self.git.settings.limit
        if self._fetch("--depth=1", f"+{commit}:{_name(commit)}", limit=limit, progress=progress):
            self._check_kind(commit, ref)
            return
        # Old servers give only what a ref names, and plain file servers nothing shallow: then all of it.
        self._fetch_all(limit, progress)
        if not self.git.run(self.path, "cat-file", "-e", f"{commit}^{{commit}}").ok:
            raise GitCommitGone(self.remote.name, commit, ref)
        self._require("update-ref", _name(commit), commit)

    def _fetch_all(self, limit: float, progress: Progress | None) -> None:
        shallow = self.path / "shallow"
        deeper = ("--unshallow",) if shallow.exists() and shallow.stat().st_size else ()
        spec = ("+refs/heads/*:refs/upstream/heads/*", "+refs/tags/*:refs/upstream/tags/*")
        if not self._fetch("--prune", *deeper, *spec, limit=limit, progress=progress):
            raise GitFailed(
                self.remote.name, "fetch", ("the server gives neither the commit nor its branches and tags",)
            )

    def _fetch(self, *args: str, limit: float, progress: Progress | None) -> bool:
        """False when the server does not give this, but may give something else."""
        options = [arg for arg in args if arg.startswith("--")]
        spec = [arg for arg in args if not arg.startswith("--")]
        fixed = ("fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        ran = self.talker.run(
            self.path, *fixed, *options, "--", self.remote.reach, *spec, limit=limit, progress=progress
        )
        return not refused_request(ran)

    def _check_kind(self, commit: str, ref: str) -> None:
        kind = self.git.run(self.path, "cat-file", "-t", _name(commit)).text.strip()
        if kind != "commit":
            self._require("update-ref", "-d", _name(commit))
            raise GitNotACommit(self.remote.name, ref, kind)

    def _prepare(self) -> None:
        """A repository to fetch into, without what a killed run may have left in it."""
        if self.path.is_dir():
            self._clear_leftovers()
            return
        for torn in self.path.parent.glob(f".{self.path.name}-*"):
            remove_tree(torn)
        new = Path(tempfile.mkdtemp(dir=self.path.parent, prefix=f".{self.path.name}-"))
        made = self.git.run(new, "init", "--bare", "--quiet", "--template=", "--object-format=sha1", ".")
        if not made.ok:
            raise GitFailed(self.remote.name, "init", made.said)
        (new / "info").mkdir(exist_ok=True)
        (new / "info/attributes").write_text(_ATTRIBUTES)
        new.chmod(0o755)
        new.rename(self.path)

    def _clear_leftovers(self) -> None:
        # A git whose rearch was killed lives on until its next line of progress meets a closed pipe. In that
        # second this may cost it or us an error, never the content: git checks what it has before it sets a ref.
        for pattern in ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*", "objects/tmp_*", "objects/??/tmp_*"):
            for left in self.path.glob(pattern):
                remove_tree(left)

    def remove(self) -> None:
        """Throw the mirror away, when it is damaged. Hold the lock for writing."""
        remove_tree(self.path)

    def _require(self, *args: str) -> None:
        ran = self.git.run(self.path, *args)
        if not ran.ok:
            raise GitFailed(self.remote.name, args[0], ran.said)


class MirrorDamaged(StepError):
    """Objects that the cache should hold are not there, or not readable."""

    def __init__(self, mirror: Path, said: tuple[str, ...]) -> None:
        self.mirror = mirror
        super().__init__(f"the git mirror is damaged: {mirror}", said, f"rm -r {mirror}")


def _name(commit: str) -> str:
    return f"refs/rearch/{commit}"
