"""A git repository with a work tree for people: a source as its first commit, a commit for each patch.

Made whole beside its place, then renamed. Git is run as everywhere: without hooks, filters and attributes of the
source, and without the user's configuration; whoever works in it by hand has his own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rearch.formats.tree import clone_tree
from rearch.host.sources.git_errors import GitFailed
from rearch.host.sources.git_run import GitRunner
from rearch.host.sources.git_streams import Ran
from rearch.host.sources.git_tree import is_dot_git
from rearch.model.frozen import NOTHING

# As in git_mirror.py, and `diff` and `merge` as without attributes: a source's own could hide changes.
_ATTRIBUTES = "* -text !eol !crlf !filter !ident !working-tree-encoding !diff !merge !export-ignore !export-subst\n"
_CONFIG = (("core.autocrlf", "false"), ("core.fileMode", "true"), ("commit.cleanup", "scissors"), ("gc.auto", "0"))
_DIFF = (
    *("diff-tree", "-p", "--full-index", "--binary", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--diff-algorithm=myers"),
)


class Worktree:
    """`path` is the folder; `time` is that of all our commits (seconds since 1970): the same work, the same hashes."""

    def __init__(self, git: GitRunner, path: Path, time: int) -> None:
        self._git = git
        self.path = path
        self._time = time

    def __repr__(self) -> str:
        return f"Worktree({self.path})"

    @property
    def folder(self) -> Path:
        return self.path / ".git"

    def make(self, source: Path, message: bytes) -> str:
        """A repository at `path`, which does not exist, with the source as its first commit. Returns the commit."""
        # An archive can bring a .git of its own, whose configuration would be obeyed.
        clone_tree(source, self.path, how="copy", ignore=lambda path: is_dot_git(path.rpartition("/")[2]))
        self.run("init", "--quiet", "--template=", ".")
        for key, value in _CONFIG:
            self.run("config", key, value)
        (self.folder / "info").mkdir(exist_ok=True)
        (self.folder / "info/attributes").write_text(_ATTRIBUTES)
        commit = self._commit(self.tree(force=True), (), message, NOTHING)
        self.run("update-ref", "HEAD", commit)
        return commit

    def aside(self, source: Path, message: bytes) -> Aside:
        """Another tree's history in the same repository, not checked out."""
        return Aside(self, source, message)

    def tree(self, *, force: bool = False, extra: Mapping[str, str] = NOTHING) -> str:
        """The work tree, as a tree object. `force`: ignored files too."""
        self.run("add", "--all", *(("--force",) if force else ()), ".", extra=extra)
        return self.text("write-tree", extra=extra)

    def commit(self, message: bytes, *, force: bool = False) -> str:
        """Commit the work tree onto HEAD; also when nothing changed. `force`: ignored files too."""
        commit = self._commit(self.tree(force=force), (self.head,), message, NOTHING)
        self.run("reset", "--quiet", commit)
        return commit

    def amend(self) -> str:
        """The work tree instead of that of the last commit, with its message."""
        parents = tuple(self.text("rev-list", "--parents", "-1", "HEAD").split()[1:])
        commit = self._commit(self.tree(), parents, self.message("HEAD"), NOTHING)
        self.run("reset", "--quiet", commit)
        return commit

    def _commit(self, tree: str, parents: tuple[str, ...], message: bytes, extra: Mapping[str, str]) -> str:
        file = self.folder / "rearch-message"
        file.write_bytes(message)
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "rearch"), ("EMAIL", "rearch@localhost"), ("DATE", f"@{self._time} +0000"))
        }
        words = [word for parent in parents for word in ("-p", parent)]
        return self.text("commit-tree", tree, *words, "-F", str(file), extra={**who, **extra})

    def pick(self, commit: str) -> tuple[str, ...]:
        """Merge a commit's change into the work tree. The files with conflicts, whose places are marked; () if none."""
        style = ("-c", "merge.conflictStyle=diff3")
        ran = self._git.run(self.path, *style, "cherry-pick", "--no-commit", commit)
        files = self.unmerged()
        if not ran.ok and not files:
            raise GitFailed(str(self.path), "cherry-pick", ran.said)
        return files

    def unmerged(self) -> tuple[str, ...]:
        found = self.run("diff", "--name-only", "--diff-filter=U", "-z").out
        return tuple(os.fsdecode(name) for name in found.split(b"\0") if name)

    def changed(self) -> tuple[str, ...]:
        """Files that differ from HEAD, new ones too; what .gitignore names counts only where git knows it."""
        found = self.run("status", "--porcelain", "--no-renames", "-z", "--untracked-files=all").out
        return tuple(os.fsdecode(entry[3:]) for entry in found.split(b"\0") if entry)

    def ignored(self) -> tuple[str, ...]:
        """What .gitignore names and git does not know; a folder of such files alone is one entry, with a slash."""
        found = self.run("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z").out
        return tuple(os.fsdecode(name) for name in found.split(b"\0") if name)

    def elsewhere(self) -> tuple[str, ...]:
        """Branches, tags and stashes with commits that HEAD does not have; those that we made do not count."""
        names = self.text("for-each-ref", "--no-merged=HEAD", "--format=%(refname)").split()
        return tuple(name for name in names if not name.startswith("refs/rearch/"))

    def has_marks(self, name: str) -> bool:
        """Whether a file of the work tree has the marks of a conflict. Streamed."""
        path = self.path / name
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            return any(line.startswith((b"<<<<<<< ", b">>>>>>> ")) for line in file)

    def rewind(self, commit: str) -> None:
        """HEAD to a commit before it; the files stay as they are, and so does what git knows of them."""
        self.run("reset", "--quiet", "--soft", commit)

    @property
    def head(self) -> str:
        return self.text("rev-parse", "HEAD")

    def commits(self, base: str) -> tuple[str, ...]:
        """Those after `base`, the oldest first."""
        return tuple(self.text("rev-list", "--reverse", "--topo-order", f"{base}..HEAD").split())

    def contains(self, base: str) -> bool:
        """Whether HEAD is a line of single commits from `base`."""
        merges = self.text("rev-list", "--merges", f"{base}..HEAD")
        return not merges and self._git.run(self.path, "merge-base", "--is-ancestor", base, "HEAD").ok

    def message(self, commit: str) -> bytes:
        return self.run("cat-file", "commit", commit).out.partition(b"\n\n")[2]

    def diff(self, commit: str) -> bytes:
        """What a commit changes, as we write patches."""
        return self.run(*_DIFF, f"{commit}^", commit).out

    def differing(self, one: str, other: str) -> tuple[str, ...]:
        """Files that differ between two commits or trees."""
        found = self.run("diff-tree", "-r", "--name-only", "--no-renames", "-z", one, other).out
        return tuple(os.fsdecode(name) for name in found.split(b"\0") if name)

    def tree_of(self, commit: str) -> str:
        return self.text("rev-parse", f"{commit}^{{tree}}")

    def export(self, commit: str, into: Path, index: Path) -> None:
        """Write a commit's files into an empty folder; `index` is a file that does not exist."""
        extra = {"GIT_DIR": str(self.folder), "GIT_WORK_TREE": str(into), "GIT_INDEX_FILE": str(index)}
        for args in (("read-tree", commit), ("checkout-index", "--all", "--quiet")):
            self.run(*args, extra=extra, folder=into)

    def tree_at(self, folder: Path, index: Path) -> str:
        """A folder's files as a tree object of this repository."""
        extra = {"GIT_DIR": str(self.folder), "GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": str(index)}
        self.run("add", "--all", "--force", ".", extra=extra, folder=folder)
        return self.text("write-tree", extra=extra, folder=folder)

    def text(self, *args: str, extra: Mapping[str, str] = NOTHING, folder: Path | None = None) -> str:
        return self.run(*args, extra=extra, folder=folder).text.strip()

    def run(self, *args: str, extra: Mapping[str, str] = NOTHING, folder: Path | None = None) -> Ran:
        """Errors: GitFailed, GitMissing."""
        ran = self._git.run(folder or self.path, *args, extra=extra)
        if not ran.ok:
            raise GitFailed(str(self.path), args[0], ran.said)
        return ran


class Aside:
    """A line of commits of a folder that is not the work tree."""

    def __init__(self, owner: Worktree, folder: Path, message: bytes) -> None:
        self._owner = owner
        self._folder = folder
        self._index = owner.folder / "rearch-aside"
        self._index.unlink(missing_ok=True)
        self.head = owner._commit(owner.tree_at(folder, self._index), (), message, NOTHING)

    def commit(self, message: bytes) -> str:
        """The folder as it is now, onto the last."""
        tree = self._owner.tree_at(self._folder, self._index)
        self.head = self._owner._commit(tree, (self.head,), message, NOTHING)
        return self.head
