"""What the machine refuses: no space, no permission, a read-only disk. No bug, and no fault of a recipe."""

from __future__ import annotations

import errno
from pathlib import Path

from rearch.errors import StepError

_HINTS = {
    errno.ENOSPC: "free some space: `invoke gc` removes results that no run has used for long",
    errno.EDQUOT: "free some space: `invoke gc` removes results that no run has used for long",
    errno.EACCES: "check who owns it: `invoke doctor` names the folders for cache and output",
    errno.EPERM: "check who owns it: `invoke doctor` names the folders for cache and output",
    errno.EROFS: "name other folders: REARCH_CACHE for the cache, --output for results",
    errno.EEXIST: "name another folder: REARCH_CACHE for the cache, --output for results",
    errno.ENOENT: "name another folder: REARCH_CACHE for the cache, --output for results",
    errno.EISDIR: "a folder stands where a file belongs: move it away",
    errno.ENOTDIR: "check REARCH_CACHE and --output: a part of the path is no folder",
}


class HostError(StepError):
    """The machine refused. `what` was being done; `path` is where, when it is known."""

    def __init__(self, what: object, error: OSError) -> None:
        self.what = what
        self.errno = error.errno
        self.path = error.filename2 or error.filename
        where = f" ({self.path})" if self.path else ""
        super().__init__(f"{what}: {error.strerror}{where}", hint=_HINTS.get(error.errno or 0))


def is_refusal(error: OSError) -> bool:
    """Whether an error of the operating system is the machine's doing; any other is a bug of ours."""
    return error.errno in _HINTS and error.errno not in (errno.ENOENT, errno.EEXIST)


def make_folder(path: Path, what: str) -> None:
    """Make a folder that the user has named, and those above it. Errors: HostError, also for a file in its place."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(what, error) from error
