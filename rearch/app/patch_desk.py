"""What the tasks of the patch workflow share: their order, a component with its series, and its worktree."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.patch_errors import ForeignFolder, NoSourceToPatch, UnsavedWork, WorktreeBusy
from rearch.app.patch_state import PatchState
from rearch.app.prepare import LOCK, load
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.lockfile import read_lock
from rearch.formats.patch import AppliedPatch, PatchText, Say, apply_patch
from rearch.host.sources.git_run import GitRunner
from rearch.host.sources.worktree import Worktree
from rearch.model.recipe import DebianSource, LocalSource
from rearch.model.source import PinnedSource
from rearch.model.stack import Component
from rearch.planning.names import pinned_source
from rearch.report import Reporter, Said

_SHOWN = 10


class PatchOrder(Struct, frozen=True, kw_only=True):
    """What the flags say. `folder`: the worktree; None: output/patches/<stack>/<component>. `old`: --from."""

    component: str
    folder: Path | None = None
    name: str = ""
    old: str = ""
    fresh: bool = False


class PatchWork(Struct, frozen=True, kw_only=True):
    """Where a worktree stands. `conflicts` wait for somebody; `written`, `removed`, `kept` are names of patches.

    `left_out`: new files that no patch has, since the source's .gitignore names them.
    """

    component: str
    path: Path
    patches: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class Desk:
    """One component with its series, and where its worktree is."""

    def __init__(self, request: Request, order: PatchOrder, report: Reporter) -> None:
        """Errors: ConfigProblems, NoSourceToPatch."""
        self.request = request
        self.order = order
        project = load(replace(request, only=(order.component,)))
        self.component: Component = next(
            one for stack in project.stacks for one in stack.components if order.component in (one.id, one.name)
        )
        if isinstance(self.component.recipe.source, LocalSource):
            raise NoSourceToPatch(self.component.id)
        self.adapters = Adapters(request, project.settings, report)
        self.report = report
        self.path = (order.folder or self.adapters.output / "patches" / self.component.id).absolute()
        self.folder = request.project / self.component.folder / "patches" / self.component.name

    def say(self, text: str) -> None:
        """A line for whoever waits."""
        self.report(Said(text=text))

    def source(self) -> PinnedSource:
        """Errors: NotLocked."""
        return pinned_source(self.component, read_lock(self.request.project / LOCK), {})

    @property
    def is_debian(self) -> bool:
        """Whether the source has a series of its own, which is applied to what we start from."""
        return isinstance(self.component.recipe.source, DebianSource)

    def name(self, path: Path) -> str:
        """A patch's name, as `series` has it."""
        return path.relative_to(self.folder).as_posix()

    def data(self, name: str) -> bytes:
        """A patch's bytes."""
        return (self.folder / name).read_bytes()

    @property
    def names(self) -> tuple[str, ...]:
        """The patches of the series, in order."""
        return tuple(self.name(self.request.project / file.path) for file in self.component.patches)

    def series(self) -> bytes | None:
        """The bytes of `series`; None where there is none."""
        path = self.folder / "series"
        return path.read_bytes() if path.is_file() else None

    def digest(self) -> str:
        """Of the series and every patch in it."""
        parts = [self.series() or b"", *(f"{file.path} {file.digest}".encode() for file in self.component.patches)]
        return hashlib.sha256(b"\n".join(parts)).hexdigest()

    def apply(self, root: Path, name: str, data: bytes, strip: int, say: Say | None = None) -> AppliedPatch:
        """One patch, with the fuzz that the recipe allows. Errors: as formats.patch.apply_patch."""
        fuzz = self.component.recipe.patch.fuzz
        return apply_patch(root, PatchText(name, data, strip), fuzz, say or self.adapters.say)

    def worktree(self, path: Path, time: int) -> Worktree:
        """The repository at `path`."""
        return Worktree(GitRunner(self.adapters.git_settings), path, time)

    def work(self, state: PatchState) -> PatchWork:
        """Where the worktree stands, for whoever asked."""
        return PatchWork(
            component=state.component,
            path=self.path,
            patches=tuple(patch.name for patch in state.patches),
            pending=state.pending,
            conflicts=state.conflicts,
            undecided=state.undecided,
        )

    def refuse_foreign(self, state: PatchState | None) -> None:
        """Errors: ForeignFolder for what we did not make, but for an empty folder."""
        if state is None and not (self.path.is_dir() and not any(self.path.iterdir())):
            raise ForeignFolder(self.path)

    def refuse_unsaved(self, state: PatchState | None, *, stays: bool = False) -> None:
        """Before the worktree is taken away, or with `stays` before it is given out as it was made.

        Errors: as refuse_foreign; UnsavedWork for one that holds changes or commits of its user; where it would go,
        ignored files, branches and stashes count too.
        """
        self.refuse_foreign(state)
        if state is None:
            return
        tree = self.worktree(self.path, state.time)
        found = [*tree.changed(), *(["commits of your own"] if tree.head != state.head else [])]
        if not stays:
            found += [*(f"{name} (.gitignore names it)" for name in tree.ignored()), *tree.elsewhere()]
        if found:
            raise UnsavedWork(self.path, found[:_SHOWN])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One task at a time works on a worktree. Errors: WorktreeBusy."""
        folder = self.adapters.cache / "patches"
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        with (folder / f"{name}.lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WorktreeBusy(self.path) from None
            yield
