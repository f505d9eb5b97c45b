"""Starts one program in another root folder: a process of its own, see WORKER in image_smoke_run.py.

The program sees the folder as its whole file system, no network but a loopback, no other processes, and /dev and /proc;
it has the rights of a container's root at most. Everything it started ends with it, or with this process.
In this order, whatever the kernel allows:

1. namespaces (user, mount, pid, net, ipc, uts): needs no root. Root's own run maps all users, so that programs which
   give up their rights can; another user's maps that user alone, as root. Since Linux 6.7 such a
   namespace has a binfmt_misc of its own: there the emulator is registered, and children run under it as well.
2. the same without the user namespace, as root;
3. chroot alone, as root: the network is the host's.

Its exit code, or the signal it dies of, is the program's own. REPORT (JSON) says how far it came: `means` (empty where
none is allowed), `binfmt` (whether children are emulated), `notes`, and `error` where the program was never started.

REQUEST (JSON): `root`, the folder; `stage`, an empty folder to mount things on; `argv` (the first is a path in the
root), `argv0` (what the program is told to be called), `env`, `cwd`, `uid`, `gid`, `groups`; `binfmt`, null or
`magic`, `mask` (hexadecimal) and `interpreter` (a path outside).

It and the two modules that it imports stand alone: nothing else of rearch, so that starting it takes about 30 ms.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from rearch.steps.image_smoke_kernel import (
    NEWUSER,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_PDEATHSIG,
    SPACES,
    call,
    prctl,
    write,
)
from rearch.steps.image_smoke_world import (
    NOT_STARTED,
    NotStarted,
    Refused,
    as_whom,
    extents,
    folder_in,
    in_new_world,
    make_nodes,
    start,
    wait_for,
)

Means = Callable[[dict[str, Any], dict[str, Any]], int]


def main(request_path: str, report_path: str) -> None:
    """Read the request, run the program by the best means there are, write the report, end as the program ended."""
    request = json.loads(Path(request_path).read_text(encoding="ascii"))
    report: dict[str, Any] = {"means": "", "binfmt": False, "notes": []}
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    status = NOT_STARTED << 8
    try:
        status = by_best_means(request, report)
    except NotStarted as error:
        report["error"] = str(error)
    part = Path(report_path + ".part")
    part.write_text(json.dumps(report), encoding="ascii")
    part.replace(report_path)
    end_as(status)


def end_as(status: int) -> NoReturn:
    """Exit with the same code, or die of the same signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def by_best_means(request: dict[str, Any], report: dict[str, Any]) -> int:
    """The wait status of the program. Errors: NotStarted."""
    means: list[tuple[str, Means]] = [("user namespace", in_user_namespace)]
    if os.geteuid() == 0:
        means += [("namespaces", in_namespaces), ("chroot", in_chroot)]
    for name, run in means:
        report["means"] = name
        try:
            return isolated(run, request, report)
        except Refused as refusal:
            report["notes"].append(f"{name}: {refusal}")
    report["means"] = ""
    raise NotStarted("; ".join(report["notes"]))


def isolated(run: Means, request: dict[str, Any], report: dict[str, Any]) -> int:
    """In a process of its own, which ends with this one: who has left a namespace cannot come back to try another."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with os.fdopen(writer, "wb") as out:
            out.write(json.dumps(answer_of(run, request, report)).encode())
            out.flush()
            os._exit(0)
    os.close(writer)
    end_with_us(child)
    with os.fdopen(reader, "rb") as answer:
        data = answer.read()
    os.waitpid(child, 0)
    end_orphans()
    if not data:  # it was ended from outside
        return signal.SIGKILL
    message = json.loads(data)
    report.update(message["report"])
    if "refused" in message:
        raise Refused(message["refused"])
    if "error" in message:
        raise NotStarted(message["error"])
    return int(message["status"])


def answer_of(run: Means, request: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"status": run(request, report), "report": report}
    except Refused as error:
        return {"refused": str(error), "report": report}
    except (NotStarted, OSError) as error:
        return {"error": str(error), "report": report}


def end_with_us(child: int) -> None:
    """SIGTERM ends the child at once, and all that it started goes with it."""

    def end(_number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)


def end_orphans() -> None:
    """Without a namespace nobody but us ends what a program leaves behind: its orphans become our children."""
    while children := own_children():
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def own_children() -> list[int]:
    """proc(5): the parent is the second field behind the name, which is in parentheses."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(folder.name))
    return found


def in_user_namespace(request: dict[str, Any], report: dict[str, Any]) -> int:
    """All users are root's to map; others map themselves alone."""
    uid, gid = os.geteuid(), os.getegid()
    mapper = Mapper() if uid == 0 else None
    leave(NEWUSER | SPACES)
    try:
        if mapper is not None:
            mapper.map_all()
        else:
            write("/proc/self/setgroups", "deny")
            write("/proc/self/uid_map", f"0 {uid} 1")
            write("/proc/self/gid_map", f"0 {gid} 1")
    except OSError as error:
        raise Refused(f"users cannot be mapped: {error.strerror}") from error
    return as_first_process(request, report)


class Mapper:
    """A child that stays outside of the new namespace: only from there all users can be mapped."""

    def __init__(self) -> None:
        parent = os.getpid()
        reader, self._writer = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._writer)
            code = 1
            if os.read(reader, 1):
                with contextlib.suppress(OSError):
                    for name in ("uid_map", "gid_map"):
                        # All that this namespace has itself, under the same numbers.
                        rows = [(first, first, count) for first, count in extents(name)]
                        write(f"/proc/{parent}/{name}", "".join(f"{a} {b} {count}\n" for a, b, count in rows))
                    code = 0
            os._exit(code)
        os.close(reader)

    def map_all(self) -> None:
        os.write(self._writer, b"x")
        os.close(self._writer)
        _, status = os.waitpid(self._child, 0)
        if status:
            raise PermissionError(errno.EPERM, "not permitted")


def in_namespaces(request: dict[str, Any], report: dict[str, Any]) -> int:
    leave(SPACES)
    return as_first_process(request, report)


def in_chroot(request: dict[str, Any], report: dict[str, Any]) -> int:
    make_nodes(folder_in(request["root"], "dev"))
    child = start(as_whom(request, report))
    report["notes"].append("no namespaces: the network is the host's, /proc is empty")
    return wait_for(child)


def leave(flags: int) -> None:
    """Leave these namespaces for new ones. Errors: Refused."""
    try:
        call("unshare", flags)
    except OSError as error:
        raise Refused(error.strerror or str(error)) from error


def as_first_process(request: dict[str, Any], report: dict[str, Any]) -> int:
    """The first process of the new namespace: when it ends, all the others in it do, whatever they have done."""
    return isolated(in_new_world, request, report)
