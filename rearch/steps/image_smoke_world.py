"""The new root folder from the inside: mounts, devices, loopback, and the program itself."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from rearch.steps.image_smoke_kernel import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    PR_CAPBSET_DROP,
    PR_SET_PDEATHSIG,
    call,
    mount,
    prctl,
    write,
)

CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, BIND, RAW, AUDIT_WRITE, SETFCAP = (
    0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 29, 31,
)  # fmt: skip
# What moby gives to a container's root (oci/caps/defaults.go), but for making devices and changing the root again.
KEPT = {CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, BIND, RAW, AUDIT_WRITE, SETFCAP}
DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
HOSTNAME = b"rearch"
NOT_STARTED = 125


class Refused(Exception):
    """The kernel does not allow this means: try the next."""


class NotStarted(Exception):
    """The program cannot be started, by whatever means."""


def in_new_world(request: dict[str, Any], report: dict[str, Any]) -> int:
    """Mounts, the loopback, the program. Errors: Refused, NotStarted."""
    stage = Path(request["stage"])
    try:
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        mount("tmpfs", str(stage), "tmpfs", MS_NOSUID, "mode=0755,size=1g")
        request = request | {"root": fresh_root(request["root"], stage, report)}
        mount_devices(folder_in(request["root"], "dev"), stage / "dev")
    except OSError as error:
        raise Refused(str(error)) from error
    with noted(report, "/proc is empty"):
        mount("proc", str(folder_in(request["root"], "proc")), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    with noted(report, "no loopback"):
        raise_loopback()
    with noted(report, "the host's name is seen"):
        call("sethostname", HOSTNAME, len(HOSTNAME))
    if request["binfmt"] is not None and report["means"] == "user namespace":
        with noted(report, "children are not emulated"):
            register(request["binfmt"], stage / "binfmt")
            report["binfmt"] = True
    return wait_for(start(as_whom(request, report)))


def as_whom(request: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """The request, for root where the user or the group is none of this namespace's."""
    wanted = (("uid_map", request["uid"]), ("gid_map", request["gid"]))
    missing = [number for name, number in wanted if not any(a <= number < a + count for a, count in extents(name))]
    if missing:
        report["notes"].append(f"it ran as root: who started rearch has no account {missing[0]} to give")
        request = request | {"uid": 0, "gid": 0, "groups": None}
    with contextlib.suppress(OSError):
        if Path("/proc/self/setgroups").read_text().startswith("deny"):
            request = request | {"groups": None}
    return request


def extents(name: str) -> list[tuple[int, int]]:
    """The first number and the count of each range of this namespace (user_namespaces(7), uid_map and gid_map)."""
    rows = [line.split() for line in Path("/proc/self", name).read_text().splitlines()]
    return [(int(row[0]), int(row[2])) for row in rows]


@contextlib.contextmanager
def noted(report: dict[str, Any], what: str) -> Iterator[None]:
    """Go on without it, and say so."""
    try:
        yield
    except OSError as error:
        report["notes"].append(f"{what} ({error.strerror or error})")


def fresh_root(root: str, stage: Path, report: dict[str, Any]) -> str:
    """What a program writes lies in memory and is gone with it: every start finds the files as the image has them."""
    upper, work, merged = (stage / name for name in ("upper", "work", "merged"))
    for folder in (upper, work, merged):
        folder.mkdir()
    lower = root.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    for extra in (",userxattr", ""):
        with contextlib.suppress(OSError):
            mount("overlay", str(merged), "overlay", 0, options + extra)
            return str(merged)
    report["notes"].append("no overlay: what it writes, the next check finds")
    return root


def folder_in(root: str, name: str) -> Path:
    """A folder of the root, whatever the image has under this name: the tree is a copy, and nothing runs in it yet."""
    path = Path(root, name)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        path.unlink()
    path.mkdir(exist_ok=True)
    return path


def mount_devices(folder: Path, stage: Path) -> None:
    """The host's harmless devices, in a folder of their own: in a user namespace nobody can make any."""
    stage.mkdir()
    for name in DEVICES:
        place = stage / name
        place.touch()
        mount(f"/dev/{name}", str(place), "", MS_BIND)
    for name, target in LINKS.items():
        (stage / name).symlink_to(target)
    (stage / "shm").mkdir()
    (stage / "shm").chmod(0o1777)
    mount(str(stage), str(folder), "", MS_BIND | MS_REC)


def make_nodes(folder: Path) -> None:
    """Devices where they can be made, else files: /dev/null has to be there for shell scripts."""
    for name, minor in DEVICES.items():
        place = folder / name
        if not os.path.lexists(place):
            try:
                os.mknod(place, stat.S_IFCHR, os.makedev(1, minor))
            except OSError:
                place.touch()
            place.chmod(0o666)


def raise_loopback() -> None:
    """netdevice(7): flags of `lo`, which a new network namespace has switched off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def register(handler: dict[str, str], place: Path) -> None:
    """Documentation/admin-guide/binfmt-misc.rst; F: the interpreter is opened now, by its path out here."""

    def escaped(digits: str) -> str:
        return "".join(f"\\x{digits[index : index + 2]}" for index in range(0, len(digits), 2))

    place.mkdir()
    mount("binfmt_misc", str(place), "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    line = f":rearch:M::{escaped(handler['magic'])}:{escaped(handler['mask'])}:{handler['interpreter']}:F"
    write(str(place / "register"), line)


def start(request: dict[str, Any]) -> int:
    """The program's process. Errors: NotStarted, Refused (the root cannot be changed)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become(request)
        except Refused as error:
            os.write(writer, b"-" + str(error).encode())
        except OSError as error:
            os.write(writer, b"+" + (error.strerror or str(error)).encode())
        os._exit(NOT_STARTED)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        data = answer.read()
    if not data:  # closed by the program's start
        return child
    os.waitpid(child, 0)
    raise (Refused if data[:1] == b"-" else NotStarted)(data[1:].decode())


def become(request: dict[str, Any]) -> NoReturn:
    """Be the program. Errors: Refused, OSError."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.chroot(request["root"])
    except OSError as error:
        raise Refused(error.strerror or str(error)) from error
    Path(request["cwd"]).mkdir(parents=True, exist_ok=True)
    os.chdir(request["cwd"])
    drop_capabilities()
    if request["groups"] is not None:
        os.setgroups(request["groups"])
    os.setgid(request["gid"])
    os.setuid(request["uid"])
    os.umask(0o022)
    os.execve(request["argv"][0], [request["argv0"], *request["argv"][1:]], request["env"])  # noqa: S606


def drop_capabilities() -> None:
    """What is not in the bounding set no program gets, root's neither (capabilities(7))."""
    for number in range(64):
        if number not in KEPT:
            try:
                prctl(PR_CAPBSET_DROP, number)
            except OSError as error:
                if error.errno == errno.EINVAL:  # the kernel knows no more of them
                    return
                raise


def wait_for(child: int) -> int:
    """The wait status of the program. The first process of a namespace gets the orphans, too."""
    while True:
        ended, status = os.wait()
        if ended == child:
            return status
