"""Writes exactly the files of one commit into a folder.

Not through `git archive`, whose export-ignore and export-subst change the content, but through an index of its own:
the index and the work tree are this fetch's, so the shared mirror is only read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from rearch.host.sources.git_errors import GitFailed, GitHostile
from rearch.host.sources.git_mirror import Mirror, MirrorDamaged
from rearch.host.sources.git_streams import Ran
from rearch.host.sources.git_tree import Entry, ObjectMissing, parse_tree


def read_tree(mirror: Mirror, commit: str) -> tuple[Entry, ...]:
    """The files of a commit, checked. Hold the mirror's lock. Errors: GitHostile, MirrorDamaged."""
    listed = mirror.git.run(mirror.path, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    if not listed.ok:
        raise MirrorDamaged(mirror.path, listed.said)
    try:
        return parse_tree(listed.out, mirror.remote.name)
    except ObjectMissing as error:
        raise MirrorDamaged(mirror.path, (f"no content of {error}",)) from None


def write_tree(mirror: Mirror, commit: str, into: Path, index: Path) -> None:
    """Write the files of a commit into an empty folder; of submodules an empty folder. Hold the mirror's lock.

    `index` is a file that does not exist yet. Errors: GitHostile, MirrorDamaged, GitFailed (a full disk).
    """
    extra = {"GIT_DIR": str(mirror.path), "GIT_WORK_TREE": str(into), "GIT_INDEX_FILE": str(index)}
    for args in (("read-tree", commit), ("checkout-index", "--all", "--quiet")):
        ran = mirror.git.run(into, *args, extra=extra)
        if not ran.ok:
            raise _failure(mirror, args[0], ran)


def _failure(mirror: Mirror, action: str, ran: Ran) -> GitHostile | GitFailed | MirrorDamaged:
    text = "\n".join(ran.said)
    if re.search(r"invalid path|beyond a symbolic link", text):
        return GitHostile(mirror.remote.name, "git refuses a path of it", ran.said[-5:])
    if re.search(r"unable to read|missing|corrupt|not a valid object|bad (object|tree)|inflate|loose object", text):
        return MirrorDamaged(mirror.path, ran.said[-5:])
    return GitFailed(mirror.remote.name, action, ran.said[-5:])


def settle(root: Path, url: str, time: int) -> None:
    """Give everything below `root` plain modes and one time, and refuse links that lead out of it.

    Modes are 0755 and 0644, whatever the umask; `time` in seconds since 1970. Errors: GitHostile.
    """
    top = os.path.realpath(root)
    for path in _walk(root):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            _check_link(path, root, top, url)
        else:
            path.chmod(0o755 if stat.S_ISDIR(mode) or mode & 0o100 else 0o644)
        os.utime(path, (time, time), follow_symlinks=False)


def _walk(root: Path) -> Iterator[Path]:
    """Every file, link and folder, each folder after what is in it (writing there changes its time), the root last."""
    for folder, names, files in os.walk(root, topdown=False, onerror=_raise):
        here = Path(folder)
        links = (name for name in names if (here / name).is_symlink())
        yield from (here / name for name in (*files, *links))
        yield here


def _raise(error: OSError) -> None:
    raise error


def _check_link(link: Path, root: Path, top: str, url: str) -> None:
    """The whole chain counts: `a -> b/..` is harmless or not by where `b` leads."""
    target = link.readlink()
    real = os.path.realpath(link)
    # A loop ends nowhere, and so not outside.
    if target.is_absolute() or not (real == top or real.startswith(top + os.sep)):
        shown = f"{str(link.relative_to(root))!r} -> {str(target)!r}"
        raise GitHostile(url, "a symbolic link that leads out of it", (shown,))
