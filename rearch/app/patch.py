"""`patch start`: a component's quilt series as commits on its source."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.patch_base import known_base
from rearch.app.patch_errors import (
    NoSourceToPatch,
    OldBaseUnknown,
    UnsavedWork,
)
from rearch.app.patch_state import KnownPatch, PatchState, read_state, write_state
from rearch.app.prepare import LOCK, load
from rearch.app.request import Request
from rearch.app.upkeep_tree import fetched
from rearch.app.wiring import Adapters
from rearch.engine.lockfile import read_lock
from rearch.errors import RearchError, StepError
from rearch.formats.patch import PatchText, apply_patch
from rearch.formats.tree import remove_tree
from rearch.host.sources.git_run import GitRunner
from rearch.host.sources.worktree import Worktree
from rearch.model.recipe import DebianSource, GitSource, LocalSource
from rearch.model.source import PinnedArchive, PinnedDebian, PinnedGit, PinnedSource
from rearch.model.stack import Component
from rearch.planning.names import pinned_source
from rearch.report import Reporter, Said
from rearch.upkeep.patch_series import (
    header_of,
    message_of,
    signature,
)


class PatchOrder(Struct, frozen=True, kw_only=True):
    """What the flags say. `folder`: the worktree; None: output/patches/<stack>/<component>. `old`: --from."""

    component: str
    folder: Path | None = None
    name: str = ""
    old: str = ""
    fresh: bool = False


class PatchWork(Struct, frozen=True, kw_only=True):
    """Where a worktree stands. `conflicts` wait for somebody; `written`, `removed`, `kept` are names of patches."""

    component: str
    path: Path
    patches: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Desk:
    """One component with its series, and where its worktree is."""

    def __init__(self, request: Request, order: PatchOrder, report: Reporter) -> None:
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
        self.report(Said(text=text))

    def source(self) -> PinnedSource:
        """Errors: NotLocked."""
        return pinned_source(self.component, read_lock(self.request.project / LOCK), {})

    def name(self, path: Path) -> str:
        """A patch's name, as `series` has it."""
        return path.relative_to(self.folder).as_posix()

    def data(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.name(self.request.project / file.path) for file in self.component.patches)

    def series(self) -> bytes | None:
        path = self.folder / "series"
        return path.read_bytes() if path.is_file() else None

    def digest(self) -> str:
        """Of the series and every patch in it."""
        parts = [self.series() or b"", *(f"{file.path} {file.digest}".encode() for file in self.component.patches)]
        return hashlib.sha256(b"\n".join(parts)).hexdigest()

    def worktree(self, path: Path, time: int) -> Worktree:
        return Worktree(GitRunner(self.adapters.git_settings), path, time)


def start(request: Request, order: PatchOrder, report: Reporter) -> PatchWork:
    """Make the worktree, unless it is there as it should be. A patch that no longer applies is merged three-way from
    the source that it was made for; at a conflict the work stops, with marks in the files, and `refresh` goes on.

    Errors: UnsavedWork, OldBaseUnknown, NotLocked, those of fetching; PatchFailed and its kind when a patch does not
    apply to what it was made for either.
    """
    desk = Desk(request, order, report)
    source = desk.source()
    state = read_state(desk.path)
    if desk.path.exists() and not order.fresh:
        _refuse_unsaved(desk, state)
        assert state is not None
        if (state.source, state.series) == (_shown(source), desk.digest()) and not state.pending:
            return _work(desk, state)
    draft = desk.path.with_name(f".{desk.path.name}.new")
    remove_tree(draft)
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        state = _made(desk, draft, source)
        write_state(draft, state)
        remove_tree(desk.path)
        draft.rename(desk.path)
    finally:
        remove_tree(draft)
    return _work(desk, state)


def _refuse_unsaved(desk: Desk, state: PatchState | None) -> None:
    if state is None:
        raise UnsavedWork(desk.path, ["it is not a worktree of ours"])
    tree = desk.worktree(desk.path, state.time)
    found = [*tree.changed(), *(["commits of your own"] if tree.head != state.head else [])]
    if found:
        raise UnsavedWork(desk.path, found[:10])


def _shown(source: PinnedSource) -> str:
    match source:
        case PinnedGit():
            return f"{source.ref} {source.commit}"
        case PinnedArchive():
            return f"{source.url} {source.sha256}"
        case PinnedDebian():
            return f"{source.package} {source.version}"
    raise TypeError(source)


def _time(source: PinnedSource) -> int:
    """Of an archive nothing is known that is the same for everybody."""
    return source.time if isinstance(source, PinnedGit | PinnedDebian) else 0


def _made(desk: Desk, path: Path, source: PinnedSource) -> PatchState:
    tree = desk.worktree(path, _time(source))
    with fetched(desk.adapters, source) as (root, _):
        base = tree.make(root, f"{desk.component.id} {_shown(source)}\n".encode())
    patches = tuple(
        KnownPatch(name=desk.name(desk.request.project / file.path), digest=file.digest, strip=file.strip)
        for file in desk.component.patches
    )
    state = PatchState(
        component=desk.component.id,
        source=_shown(source),
        base=base,
        head=base,
        time=_time(source),
        series=desk.digest(),
        patches=patches,
        pending=tuple(patch.name for patch in patches),
    )
    return _advance(desk, tree, state)


def _advance(desk: Desk, tree: Worktree, state: PatchState) -> PatchState:
    """Apply what is pending, as far as it goes."""
    while state.pending:
        patch = state.known(state.pending[0])
        assert patch is not None
        data = desk.data(patch.name)
        try:
            _apply(desk, tree.path, patch, data)
        except StepError as error:
            state = _with_old(desk, tree, state, error)
            patch = state.known(patch.name)
            assert patch is not None
            conflicts = tree.pick(patch.old)
            desk.say(f"{patch.name}: merged" if not conflicts else f"{patch.name}: conflicts in {', '.join(conflicts)}")
            if conflicts:
                return replace(state, conflicts=conflicts, head=tree.head)
            tree.commit(message_of(patch.name, header_of(data)))
            state = _taken(state, tree, patch, "")
            continue
        commit = tree.commit(message_of(patch.name, header_of(data)), force=True)
        state = _taken(state, tree, patch, signature(header_of(data), tree.diff(commit)))
    return state


def _taken(state: PatchState, tree: Worktree, patch: KnownPatch, sign: str) -> PatchState:
    """A patch without a signature is written anew."""
    patches = tuple(replace(one, signature=sign) if one.name == patch.name else one for one in state.patches)
    return replace(state, patches=patches, pending=state.pending[1:], conflicts=(), head=tree.head)


def _apply(desk: Desk, root: Path, patch: KnownPatch, data: bytes) -> None:
    text = PatchText(patch.name, data, patch.strip)
    apply_patch(root, text, desk.component.recipe.patch.fuzz, desk.adapters.say)


def _with_old(desk: Desk, tree: Worktree, state: PatchState, error: RearchError) -> PatchState:
    """With every patch as a commit on the source that the series was made for."""
    if any(patch.old for patch in state.patches):
        return state
    source = _old_source(desk)
    if source is None:
        raise OldBaseUnknown(desk.component.id, error)
    desk.say(f"{error.summary}; merging from {_shown(source)}")
    olds: dict[str, str] = {}
    with fetched(desk.adapters, source) as (root, _):
        aside = tree.aside(root, f"{desk.component.id} {_shown(source)}\n".encode())
        for patch in state.patches:
            data = desk.data(patch.name)
            _apply(desk, root, patch, data)
            olds[patch.name] = aside.commit(message_of(patch.name, header_of(data)))
        tree.run("update-ref", "refs/rearch/old", aside.head)
    return replace(state, patches=tuple(replace(patch, old=olds[patch.name]) for patch in state.patches))


def _old_source(desk: Desk) -> PinnedSource | None:
    source = desk.component.recipe.source
    if desk.order.old and isinstance(source, GitSource):
        return desk.adapters.git.resolve(source.model_copy(update={"ref": desk.order.old}), None)
    if desk.order.old and isinstance(source, DebianSource):
        return desk.adapters.debian.resolve(source.model_copy(update={"version": desk.order.old}), None)
    return known_base(desk.adapters.cache, desk.request.project, desk.component.id)


def _work(desk: Desk, state: PatchState) -> PatchWork:
    return PatchWork(
        component=state.component,
        path=desk.path,
        patches=tuple(patch.name for patch in state.patches),
        pending=state.pending,
        conflicts=state.conflicts,
    )
