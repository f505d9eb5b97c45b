"""`rehearse`: the whole story on this machine, with rearch's own commands on a project in a temporary folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from rearch.app.rehearse_works import RehearsedWorks
from rearch.app.request import Request
from rearch.errors import UsageError
from rearch.host.emulators import Emulators
from rearch.host.process import Processes
from rearch.model.platform import Platform
from rearch.rehearsal.findings import Checklist, Finding, Rehearsed, Seen, Stopped
from rearch.rehearsal.lacks import MachineLacks, install, missing, packages_of
from rearch.rehearsal.project import HOSTS, TOOLCHAIN
from rearch.rehearsal.stage import Stage, engine_of
from rearch.rehearsal.story import LEFT, MACHINE, STEPS, how_to_look, rehearse
from rearch.report import Reporter

PREFIX = "rearch-rehearsal-"


class NoToolchain(UsageError):
    """The project around here does not have the compiler that the rehearsal builds with."""

    def __init__(self, place: Path) -> None:
        self.place = place
        super().__init__(
            f"{place}: no such file; the rehearsal builds with it",
            hint="run it in a checkout of rearch, or name one: --project DIR",
        )


class RehearseOrder(Struct, frozen=True, kw_only=True):
    """What the flags of `rehearse` say. `engine`: its URL, empty for the one that answers, else one of its own."""

    engine: str = ""
    keep: bool = False
    install: bool = False


def run_rehearsal(
    request: Request, order: RehearseOrder, report: Reporter, tell: Callable[[Finding], None]
) -> Rehearsed:
    """Play the story; `tell` is called with each finding as it is made. What failed is in the result.

    Errors: NoToolchain, RemoteEngine, BadEngine, UnknownContext; Interrupted.
    """
    toolchain = request.project / "toolchains" / f"{TOOLCHAIN}.yaml"
    if not toolchain.is_file():
        raise NoToolchain(toolchain)
    engine = engine_of(order.engine, request.environment)
    processes = Processes()
    steps = [step for step in STEPS if step != LEFT] if order.keep else STEPS
    checklist = Checklist(steps, time.monotonic, tell)
    try:
        emulate = checklist.step(MACHINE, partial(_look, request, order, engine, processes))
    except Stopped:
        return checklist.result()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    stage = Stage(
        folder=folder,
        token=folder.name.removeprefix(PREFIX).replace("_", "-").lower(),
        engine=engine,
        emulate=emulate,
        environment=request.environment,
        processes=processes,
        works=RehearsedWorks(request, report, toolchain),
        keep=order.keep,
    )
    try:
        rehearse(stage, checklist)
    finally:
        processes.stop()
        if not order.keep:
            shutil.rmtree(folder)
    return checklist.result(how_to_look(folder) if order.keep else ())


def _look(request: Request, order: RehearseOrder, engine: str, processes: Processes) -> Seen[tuple[Platform, ...]]:
    """What this machine lacks is an error, or is installed; the platforms that have to be emulated.

    Errors: MachineLacks, NotInstalled.
    """
    path = request.environment.get("PATH", os.defpath)
    emulators = Emulators.of_this_host(path)
    emulate = tuple(platform for platform in HOSTS if not emulators.native(platform))
    find = partial(_is_program, path)
    ask = partial(missing, emulate, engine=bool(engine), root=os.geteuid() == 0, find=find)
    lacks = ask()
    done: Sequence[str] = ()
    if lacks and order.install:
        done = packages_of(lacks)
        if done:
            install(done, processes, request.environment)
        lacks = ask()
    if lacks:
        raise MachineLacks(lacks)
    return Seen(emulate, (f"installed {' '.join(done)}",) if done else ("nothing is missing",))


def _is_program(path: str, name: str) -> bool:
    return shutil.which(name, path=path) is not None
