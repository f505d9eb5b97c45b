"""One start of a command in an image's own file tree, as a value: what is started, as whom, with which environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

import rearch
from rearch.formats.elf import read_elf
from rearch.model.command import Command
from rearch.model.platform import Platform
from rearch.model.smoke import Smoke
from rearch.oci.audit_config import account, environment, find_program
from rearch.oci.entry import EntryKind
from rearch.oci.image_tree import ImageTree, Missing
from rearch.oci.types import RunConfig
from rearch.steps.ports import Emulator
from rearch.steps.smoke_run import Trial

# Where the emulator lies in the tree while checks run.
HIDDEN = ".rearch"
# Isolated, and without site-packages: the worker imports nothing that is not in Python or beside it.
WORKER = (
    "import sys; sys.path.append(sys.argv.pop(1)); import rearch.steps.image_smoke_worker as w; w.main(*sys.argv[1:])"
)
_SCRIPT_LINE = 256
_SCRIPTS = 4  # as deep as the kernel goes (exec_binprm)
_ACCOUNTS = 1 << 20


class CannotBegin(Exception):
    """The check cannot be started; its text says why. Never leaves this step."""


class Stage(Struct, frozen=True, kw_only=True):
    """An image that was made ready: its tree, that tree on disk, how its containers are started, and by what.

    `emulator` is None on the platform itself; `hidden` is then None too, and else the emulator's path in the tree.
    """

    tree: ImageTree
    root: Path
    run: RunConfig
    platform: Platform
    emulator: Emulator | None
    hidden: str | None


class Identity(Struct, frozen=True, kw_only=True):
    """Who the program is: numbers, and the home of that user."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def prepare(check: Smoke, stage: Stage, folder: Path) -> Trial:
    """Make a check ready in `folder`, which is empty. Errors: CannotBegin."""
    who = identity(stage.tree, stage.root, stage.run.user or "")
    env = {"HOME": who.home} | environment(stage.run) | dict(check.env)
    cwd = stage.run.working_dir or "/"
    found = find_program(stage.tree, check.run[0], env["PATH"], cwd)
    if found is None:
        place = "" if "/" in check.run[0] else f" in any folder of PATH ({env['PATH']})"
        raise CannotBegin(f"there is no {check.run[0]}{place} in the image")
    argv, argv0 = (f"/{found}", *check.run[1:]), check.run[0]
    if stage.hidden is not None and stage.emulator is not None:
        argv, argv0 = _emulated(argv, argv0, stage, stage.hidden)
    request = {
        "root": str(stage.root),
        "stage": str(folder / "mounts"),
        "argv": list(argv),
        "argv0": argv0,
        "env": env,
        "cwd": cwd,
        "uid": who.uid,
        "gid": who.gid,
        "groups": list(who.groups),
        "binfmt": binfmt(stage.platform, stage.emulator) if stage.emulator else None,
    }
    (folder / "mounts").mkdir()
    (folder / "request.json").write_text(json.dumps(request), encoding="ascii")
    return Trial(
        check=check,
        binary=stage.root / found,
        command=_command(check, folder),
        emulator=stage.emulator,
        words=("chroot", str(stage.root), "env", "-i", *(f"{name}={value}" for name, value in env.items()), *argv),
    )


def _command(check: Smoke, folder: Path) -> Command:
    files = (str(folder / "request.json"), str(folder / "report.json"))
    return Command(
        argv=(sys.executable, "-I", "-S", "-c", WORKER, str(Path(rearch.__file__).parents[1]), *files),
        cwd=folder,
        stdin=check.stdin.encode(),
        timeout=check.timeout,
        until=check.expect if check.stop else None,
    )


def _emulated(argv: tuple[str, ...], argv0: str, stage: Stage, hidden: str) -> tuple[tuple[str, ...], str]:
    """qemu-user starts ELF files alone: what the kernel does with `#!` (fs/binfmt_script.c) is done here."""
    assert stage.emulator is not None
    for _ in range(_SCRIPTS):
        line = _first_line(stage.root / argv[0].lstrip("/"))
        if line is None:
            break
        interpreter, _, argument = line.partition(" ")
        found = stage.tree.find(interpreter)
        if isinstance(found, Missing) or not found:
            raise CannotBegin(f"{argv[0]} is a script for {interpreter}, which is not in the image")
        argv = (f"/{found}", *((argument.strip(),) if argument.strip() else ()), argv[0], *argv[1:])
        argv0 = interpreter
    return (f"/{hidden}", *stage.emulator.argv[1:], "-0", argv0, *argv), f"/{hidden}"


def _first_line(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(_SCRIPT_LINE)
    if not start.startswith(b"#!"):
        return None
    return start[2:].partition(b"\n")[0].strip(b" \t").replace(b"\t", b" ").decode("utf-8", "surrogateescape")


def identity(tree: ImageTree, root: Path, user: str) -> Identity:
    """Who `USER` is (moby's rules: names or numbers, `user:group`; a user's other groups only without a group).

    Errors: CannotBegin for a name that the image's accounts do not have.
    """
    name, _, group = (user or "0").partition(":")
    accounts, groups = _text(tree, root, "etc/passwd"), _text(tree, root, "etc/group")
    line = _by_number(accounts, name) if name.isdigit() else account(accounts, name)
    if line is None and not name.isdigit():
        raise CannotBegin(f"the image starts as {name}, and its /etc/passwd has no such user")
    uid = int(name) if name.isdigit() else _number(line, 2)
    gid = _number(line, 3)
    if group:
        named = account(groups, group)
        if named is None and not group.isdigit():
            raise CannotBegin(f"the image starts in the group {group}, and its /etc/group has no such group")
        gid = int(group) if group.isdigit() else _number(named, 2)
    others = () if group or line is None else _others(groups, line[0])
    home = line[5] if line is not None and len(line) > 5 and line[5].startswith("/") else "/"
    return Identity(uid=uid, gid=gid, groups=(gid, *(each for each in others if each != gid)), home=home)


def _text(tree: ImageTree, root: Path, path: str) -> str:
    found = tree.find(path)
    entry = tree.entries.get(found) if isinstance(found, str) else None
    if entry is None or entry.entry.kind is not EntryKind.FILE:
        return ""
    with (root / entry.entry.path).open("rb") as file:
        return file.read(_ACCOUNTS).decode("utf-8", "replace")


def _by_number(accounts: str, number: str) -> tuple[str, ...] | None:
    rows = (tuple(line.split(":")) for line in accounts.splitlines())
    return next((row for row in rows if len(row) >= 4 and row[2] == number), None)


def _number(line: tuple[str, ...] | None, field: int) -> int:
    return int(line[field]) if line is not None and line[field].isdigit() else 0


def _others(groups: str, name: str) -> tuple[int, ...]:
    rows = [line.split(":") for line in groups.splitlines()]
    return tuple(int(row[2]) for row in rows if len(row) >= 4 and row[2].isdigit() and name in row[3].split(","))


def binfmt(platform: Platform, emulator: Emulator) -> dict[str, str]:
    """How the kernel tells a program of this platform (e_ident, e_type and e_machine of ELF), for binfmt_misc.

    EI_OSABI may be anything; e_type is ET_EXEC or ET_DYN, which differ in one bit.
    """
    row = platform.arch
    order: Literal["little", "big"] = "little" if row.little_endian else "big"
    ident = bytes((0x7F, *b"ELF", row.bits // 32, 1 if row.little_endian else 2, 1)) + bytes(9)
    magic = ident + (2).to_bytes(2, order) + row.elf_machine.to_bytes(2, order)
    mask = b"\xff" * 7 + b"\0" + b"\xff" * 8 + (0xFFFE).to_bytes(2, order) + b"\xff\xff"
    return {"magic": magic.hex(), "mask": mask.hex(), "interpreter": emulator.argv[0]}


class Report(Struct, frozen=True, kw_only=True):
    """What the worker says: see there. `means` is empty where this host allows none of them."""

    means: str
    binfmt: bool
    notes: tuple[str, ...]
    error: str | None


def read_report(folder: Path) -> Report | None:
    """None where it was ended before it could write one."""
    try:
        found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    return Report(means=found["means"], binfmt=found["binfmt"], notes=tuple(found["notes"]), error=found.get("error"))


def is_static(program: Path) -> bool:
    """Whether it runs in a tree that has nothing of its own: an emulator has to."""
    facts = read_elf(program)
    return facts is not None and facts.static
