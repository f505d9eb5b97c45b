"""Git repositories made by code: objects are written byte by byte, so no git program, no user
configuration and no clock has a say, and even trees that git itself would refuse can be made.

A bare repository in the format of gitrepository-layout(5); objects as in gitformat-loose: zlib of
`<kind> <size>\\0<content>`, named by the SHA-1 of the same.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FIRST_TIME = 1_500_000_000
"""Committer time of the first commit of a repository; each further one is a day later. Seconds since 1970."""

_DAY = 86_400
_WHO = "A Tester <tester@example.org>"


@dataclass(frozen=True, slots=True)
class Executable:
    """A file with its x bit set."""

    content: str | bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; the target is written as it stands."""

    target: str | bytes


@dataclass(frozen=True, slots=True)
class Gitlink:
    """A submodule's commit. Its URL is an affair of the `.gitmodules` file."""

    commit: str


Content = str | bytes | Executable | Link | Gitlink


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One line of a tree object, exactly as given: for trees that no git would write."""

    mode: str
    name: bytes
    object: str


@dataclass(slots=True)
class Repository:
    """A bare repository that grows by calls. Every hash depends only on what was asked for."""

    path: Path
    branch: str = "main"
    _commits: int = field(default=0, repr=False)

    @property
    def url(self) -> str:
        """`file://` and the folder."""
        return f"file://{self.path}"

    @property
    def head(self) -> str:
        """The commit of the current branch."""
        return self.read_ref(f"refs/heads/{self.branch}")

    def commit(
        self,
        files: Mapping[str, Content],
        message: str = "a change",
        *,
        time: int | None = None,
        parents: Sequence[str] | None = None,
        branch: str | None = None,
    ) -> str:
        """Commit a whole tree (what is not in `files` is gone), move the branch to it, return its hash."""
        return self.commit_tree(self.tree(files), message, time=time, parents=parents, branch=branch)

    def commit_tree(
        self,
        tree: str,
        message: str = "a change",
        *,
        time: int | None = None,
        parents: Sequence[str] | None = None,
        branch: str | None = None,
    ) -> str:
        """As `commit`, of a tree object that exists."""
        name = f"refs/heads/{branch or self.branch}"
        if parents is None:
            parents = (self.read_ref(name),) if self.has_ref(name) else ()
        when = FIRST_TIME + _DAY * self._commits if time is None else time
        self._commits += 1
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {_WHO} {when} +0000", f"committer {_WHO} {when} +0000", "", message, ""]
        commit = self.write("commit", "\n".join(lines).encode())
        self.write_ref(name, commit)
        return commit

    def tag(self, name: str, at: str | None = None, *, annotated: str | None = None, time: int = FIRST_TIME) -> str:
        """Set a tag, also one that exists (then it has moved). `annotated` is the message of a tag object.

        Returns what the ref holds: the commit, or the tag object.
        """
        target = at or self.head
        if annotated is not None:
            kind = self.kind(target)
            text = f"object {target}\ntype {kind}\ntag {name}\ntagger {_WHO} {time} +0000\n\n{annotated}\n"
            target = self.write("tag", text.encode())
        self.write_ref(f"refs/tags/{name}", target)
        return target

    def set_branch(self, name: str, at: str | None = None) -> None:
        """Set a branch, without switching to it."""
        self.write_ref(f"refs/heads/{name}", at or self.head)

    def delete_ref(self, name: str) -> None:
        """Remove a ref, by its full name: `refs/tags/v1`."""
        (self.path / name).unlink()
        self._write_info()

    def tree(self, files: Mapping[str, Content]) -> str:
        """Write blobs and trees for paths with `/`; returns the root tree's hash."""
        here: dict[str, Content] = {}
        below: dict[str, dict[str, Content]] = {}
        for path, content in files.items():
            first, slash, rest = path.partition("/")
            if slash:
                below.setdefault(first, {})[rest] = content
            else:
                here[first] = content
        entries = [self._entry(name, content) for name, content in here.items()]
        entries += [RawEntry("40000", name.encode(), self.tree(inner)) for name, inner in below.items()]
        # Trees are sorted as if a folder's name ended with a slash (git's base_name_compare).
        return self.raw_tree(sorted(entries, key=lambda entry: entry.name + b"/" * (entry.mode == "40000")))

    def raw_tree(self, entries: Sequence[RawEntry]) -> str:
        """Write a tree object of these lines in this order, whatever they say."""
        lines = (entry.mode.encode() + b" " + entry.name + b"\0" + bytes.fromhex(entry.object) for entry in entries)
        return self.write("tree", b"".join(lines))

    def blob(self, content: str | bytes) -> str:
        """Write a blob; returns its hash."""
        return self.write("blob", _bytes(content))

    def write(self, kind: str, content: bytes) -> str:
        """Write any object; returns its hash."""
        data = f"{kind} {len(content)}\0".encode() + content
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        path = self._object(name)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(data, 1))
        return name

    def kind(self, name: str) -> str:
        """commit, tree, blob or tag."""
        return zlib.decompress(self._object(name).read_bytes()).split(b" ", 1)[0].decode()

    def drop(self, name: str) -> None:
        """Take an object away: a damaged repository, or a commit that upstream has pruned."""
        self._object(name).unlink()

    def has_ref(self, name: str) -> bool:
        return (self.path / name).is_file()

    def read_ref(self, name: str) -> str:
        return (self.path / name).read_text().strip()

    def write_ref(self, name: str, target: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(target + "\n")
        self._write_info()

    def configure(self, text: str) -> None:
        """Add lines to the repository's config file, as a server's owner would."""
        with (self.path / "config").open("a") as file:
            file.write(text.rstrip() + "\n")

    def _entry(self, name: str, content: Content) -> RawEntry:
        match content:
            case Executable():
                return RawEntry("100755", name.encode(), self.blob(content.content))
            case Link():
                return RawEntry("120000", name.encode(), self.blob(content.target))
            case Gitlink():
                return RawEntry("160000", name.encode(), content.commit)
            case str() | bytes():
                return RawEntry("100644", name.encode(), self.blob(content))

    def _object(self, name: str) -> Path:
        return self.path / "objects" / name[:2] / name[2:]

    def _write_info(self) -> None:
        """info/refs, so that a plain file server can serve the repository too (git's dumb HTTP protocol)."""
        refs = sorted(path for path in (self.path / "refs").rglob("*") if path.is_file())
        lines = []
        for path in refs:
            name, target = path.relative_to(self.path).as_posix(), path.read_text().strip()
            lines.append(f"{target}\t{name}\n")
            if name.startswith("refs/tags/") and self.kind(target) == "tag":
                lines.append(f"{self._peeled(target)}\t{name}^{{}}\n")
        (self.path / "info").mkdir(exist_ok=True)
        (self.path / "info/refs").write_text("".join(lines))

    def _peeled(self, name: str) -> str:
        while self.kind(name) == "tag":
            content = zlib.decompress(self._object(name).read_bytes()).split(b"\0", 1)[1]
            name = content.split(b"\n", 1)[0].removeprefix(b"object ").decode()
        return name


def empty_repository(path: Path, *, branch: str = "main") -> Repository:
    """A bare repository without a commit, at a path that does not exist yet."""
    path.mkdir(parents=True)
    for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        (path / folder).mkdir(parents=True)
    (path / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
    (path / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n")
    (path / "info/refs").write_text("")
    return Repository(path, branch)


def make_repository(
    path: Path,
    files: Mapping[str, Content],
    *,
    tag: str | None = None,
    annotated: bool = False,
    branch: str = "main",
    message: str = "first",
    time: int | None = None,
    submodules: Mapping[str, Repository | tuple[str, str]] | None = None,
) -> Repository:
    """A bare repository with one commit of `files`, and a tag on it.

    `submodules` maps a path to a repository (its file:// URL and its head), or to (URL, commit); the
    `.gitmodules` file is written for them.
    """
    repository = empty_repository(path, branch=branch)
    repository.commit(with_submodules(files, submodules or {}), message, time=time)
    if tag is not None:
        repository.tag(tag, annotated=f"release {tag}" if annotated else None)
    return repository


def with_submodules(
    files: Mapping[str, Content], submodules: Mapping[str, Repository | tuple[str, str]]
) -> dict[str, Content]:
    """The files, a gitlink for each submodule, and the `.gitmodules` that names their URLs."""
    everything = dict(files)
    text = ""
    for path, where in submodules.items():
        url, commit = (where.url, where.head) if isinstance(where, Repository) else where
        everything[path] = Gitlink(commit)
        text += f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'
    if text:
        everything[".gitmodules"] = text
    return everything


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
