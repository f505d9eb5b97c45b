"""One file made from another: a hard link, shared blocks, or a copy, whichever is the cheapest that works."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from pathlib import Path

# _IOW(0x94, 9, int) of linux/fs.h; btrfs, xfs, bcachefs and zfs know it.
FICLONE = 0x40049409
_NO_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EISDIR}
_NO_LINK = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}


def link_file(origin: Path, place: Path) -> None:
    """A hard link, or a copy where there can be none. Errors: FileExistsError, OSError."""
    try:
        os.link(origin, place, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        copy_file(origin, place)


def copy_file(origin: Path, place: Path) -> None:
    """A file of its own with the same content, mode (and the owner's right to write) and time.

    Errors: FileExistsError; OSError. A copy that fails half-way is removed.
    """
    with origin.open("rb") as source, place.open("xb") as target:
        try:
            if not _reflink(source.fileno(), target.fileno()):
                _copy_blocks(source.fileno(), target.fileno())
            found = os.fstat(source.fileno())
            os.fchmod(target.fileno(), stat.S_IMODE(found.st_mode) | stat.S_IWUSR)
            os.utime(target.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
        except BaseException:
            with contextlib.suppress(OSError):
                place.unlink()
            raise


def _reflink(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno not in _NO_REFLINK:
            raise
        return False
    return True


def _copy_blocks(source: int, target: int) -> None:
    """Within the kernel where it can (NFS and xfs then share blocks), else through memory."""
    try:
        while os.copy_file_range(source, target, 1 << 30):
            pass
    except OSError as error:
        if error.errno not in _NO_REFLINK:
            raise
        # Both offsets stand where the kernel stopped.
        with os.fdopen(source, "rb", closefd=False) as reader, os.fdopen(target, "wb", closefd=False) as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
