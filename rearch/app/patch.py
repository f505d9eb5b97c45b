"""`patch start`: a component's quilt series as commits on its source."""

from __future__ import annotations

from pathlib import Path

from rearch.app.patch_desk import Desk, PatchOrder, PatchWork
from rearch.app.patch_replay import advance, base_message, source_text
from rearch.app.patch_state import KnownPatch, PatchState, read_state, write_state
from rearch.app.request import Request
from rearch.app.upkeep_tree import fetched
from rearch.formats.tree import remove_tree
from rearch.model.source import PinnedDebian, PinnedGit, PinnedSource
from rearch.report import Reporter


def start(request: Request, order: PatchOrder, report: Reporter) -> PatchWork:
    """Make the worktree, unless it is there as it should be. A patch that no longer applies is merged three-way from
    the source that it was made for; at a conflict the work stops, with marks in the files, and `refresh` goes on.

    Errors: ForeignFolder, UnsavedWork, WorktreeBusy, OldBaseUnknown, NotLocked, those of fetching; PatchFailed and its
    kind when a patch does not apply to what it was made for either.
    """
    desk = Desk(request, order, report)
    source = desk.source()
    with desk.alone():
        state = read_state(desk.path)
        if desk.path.exists() and order.fresh:
            desk.refuse_foreign(state)
        elif desk.path.exists():
            stays = state is not None and _is_up_to_date(desk, source, state)
            desk.refuse_unsaved(state, stays=stays)
            if state is not None and stays:
                return desk.work(state)
        return desk.work(_remade(desk, source))


def _is_up_to_date(desk: Desk, source: PinnedSource, state: PatchState) -> bool:
    """Whether it shows what is locked, with the whole series as it is."""
    return (state.source, state.series) == (source_text(source), desk.digest()) and not state.pending


def _remade(desk: Desk, source: PinnedSource) -> PatchState:
    """Beside its place, then in it: whatever fails, the worktree that was there stays."""
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
    return state


def _made(desk: Desk, path: Path, source: PinnedSource) -> PatchState:
    tree = desk.worktree(path, _time(source))
    with fetched(desk.adapters, source) as (root, _):
        base = tree.make(root, base_message(desk, source))
    patches = tuple(
        KnownPatch(name=desk.name(desk.request.project / file.path), digest=file.digest, strip=file.strip)
        for file in desk.component.patches
    )
    state = PatchState(
        component=desk.component.id,
        source=source_text(source),
        base=base,
        head=base,
        time=_time(source),
        series=desk.digest(),
        patches=patches,
        pending=tuple(patch.name for patch in patches),
    )
    return advance(desk, tree, state)


def _time(source: PinnedSource) -> int:
    """Of an archive nothing is known that is the same for everybody."""
    return source.time if isinstance(source, PinnedGit | PinnedDebian) else 0
