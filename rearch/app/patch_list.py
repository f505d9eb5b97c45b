"""`patch list|drop`: which patches a component has, whether they apply, and one less."""

from __future__ import annotations

from msgspec import Struct

from rearch.app.patch_desk import Desk, PatchOrder, PatchWork
from rearch.app.patch_errors import NoSuchPatch
from rearch.app.patch_refresh import write_series
from rearch.app.patch_state import read_state
from rearch.app.request import Request
from rearch.app.upkeep_tree import fetched
from rearch.errors import HostileInputError, StepError
from rearch.formats.tree import remove_tree
from rearch.report import Reporter
from rearch.upkeep.patch_series import Made


class ListedPatch(Struct, frozen=True, kw_only=True):
    """A patch: the files that it changes, what is to be said of it (offsets, fuzz), and the error if it fails."""

    name: str
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""


def listed(request: Request, order: PatchOrder, report: Reporter) -> tuple[ListedPatch, ...]:
    """Every patch, tried on the locked source in turn. Errors: NotLocked, those of fetching."""
    desk = Desk(request, order, report)
    if not desk.component.patches:
        return ()
    found = []
    with fetched(desk.adapters, desk.source()) as (root, _):
        for file in desk.component.patches:
            name = desk.name(request.project / file.path)
            notes: list[str] = []
            try:
                done = desk.apply(root, name, desk.data(name), file.strip, notes.append)
            except (StepError, HostileInputError) as error:
                found.append(ListedPatch(name=name, error=error.summary))
            else:
                found.append(ListedPatch(name=name, files=done.files, notes=tuple(notes[:-1])))
    return tuple(found)


def drop(request: Request, order: PatchOrder, report: Reporter) -> PatchWork:
    """Take the patch `order.name` out of the series, when the others apply without it.

    Errors: NoSuchPatch, ForeignFolder, UnsavedWork, WorktreeBusy; PatchFailed and its kind.
    """
    desk = Desk(request, order, report)
    if order.name not in desk.names:
        raise NoSuchPatch(desk.component.id, order.name, desk.names)
    with desk.alone():
        if desk.path.exists():
            desk.refuse_unsaved(read_state(desk.path))
        return _dropped(desk, order.name)


def _dropped(desk: Desk, dropped: str) -> PatchWork:
    left = [file for file in desk.component.patches if desk.name(desk.request.project / file.path) != dropped]
    names = tuple(desk.name(desk.request.project / file.path) for file in left)
    with fetched(desk.adapters, desk.source()) as (root, _):
        for name, file in zip(names, left, strict=True):
            desk.apply(root, name, desk.data(name), file.strip)
    write_series(desk, {}, (dropped,), [Made(name=name, data=b"", kept=True) for name in names])
    remove_tree(desk.path)  # it shows a patch that is no more, and has nothing of its own
    return PatchWork(component=desk.component.id, path=desk.path, patches=names, removed=(dropped,), kept=names)
