"""`patch refresh`: the commits of a worktree as a quilt series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from rearch.app.patch_base import forget_base
from rearch.app.patch_desk import Desk, PatchOrder, PatchWork
from rearch.app.patch_errors import (
    ConflictsLeft,
    FixupLeft,
    HistoryBent,
    NameWanted,
    NotTheLast,
    NotTheSame,
    NoWorktree,
    OwnSeriesTouched,
    RebaseOpen,
    SeriesChanged,
    Undecided,
)
from rearch.app.patch_replay import advance, taken
from rearch.app.patch_state import KnownPatch, PatchState, read_state, write_state
from rearch.app.request import Request
from rearch.engine.rewrite import Rewrite, rewrite
from rearch.engine.scratch import scratch
from rearch.formats.patch import PatchText, apply_patch
from rearch.host.sources.worktree import Worktree
from rearch.report import Reporter
from rearch.upkeep.patch_series import (
    Made,
    PatchTwice,
    check_name,
    header_of,
    joined,
    message_of,
    series_text,
    signature,
    told,
)

# A Debian source's own series, and what quilt keeps while it is applied.
_OWN_SERIES = ("debian/patches/", ".pc/")
_WAITING = ("fixup! ", "squash! ", "amend! ")


def refresh(request: Request, order: PatchOrder, report: Reporter) -> PatchWork:
    """Write the commits of the worktree as the series: a commit that is as it was keeps its patch to the byte.

    Errors: NoWorktree, WorktreeBusy, SeriesChanged, ConflictsLeft, Undecided, NameWanted, NotTheLast, HistoryBent,
    RebaseOpen, FixupLeft, OwnSeriesTouched, PatchTwice, BadPatchName, PatchUnreadable (binary files), NotTheSame,
    ChangedMeanwhile. Then no patch was written.
    """
    desk = Desk(request, order, report)
    with desk.alone():
        state = read_state(desk.path)
        if state is None:
            raise NoWorktree(desk.component.id, desk.path)
        if state.series != desk.digest():
            raise SeriesChanged(desk.component.id, str(desk.folder.relative_to(request.project)))
        tree = desk.worktree(desk.path, state.time)
        if any((tree.folder / name).exists() for name in ("rebase-merge", "rebase-apply", "MERGE_HEAD")):
            raise RebaseOpen(desk.path)
        if state.pending:
            state = _resumed(desk, tree, state)
            write_state(desk.path, state)
            if state.pending:
                return desk.work(state)
        return _saved(desk, tree, state)


def _saved(desk: Desk, tree: Worktree, state: PatchState) -> PatchWork:
    _commit_changes(tree, desk.order.name)
    made = _patches(desk, tree, state)
    _check(desk, tree, state, made)
    work = _write(desk, state, made)
    forget_base(desk.adapters.cache, desk.request.project, desk.component.id)
    again = Desk(desk.request, desk.order, desk.report)
    write_state(desk.path, _settled(again, tree, state))
    return replace(work, left_out=tree.ignored())


def _resumed(desk: Desk, tree: Worktree, state: PatchState) -> PatchState:
    """The merge that somebody has finished, whether it was committed or not, and those after it."""
    marked = [name for name in state.conflicts if tree.has_marks(name)]
    if marked:
        raise ConflictsLeft(marked)
    open_ = [name for name in tree.unmerged() if name in state.undecided]
    if open_:
        raise Undecided(open_)
    if not tree.contains(state.head):
        raise HistoryBent(tree.path)
    if tree.head != state.head:
        tree.rewind(state.head)
    patch = state.known(state.pending[0])
    assert patch is not None
    tree.commit(message_of(patch.name, header_of(desk.data(patch.name))))
    return advance(desk, tree, taken(state, tree, patch, ""))


def _commit_changes(tree: Worktree, name: str) -> None:
    """Changes without a commit go into the last patch, or into one of their own."""
    files = tree.changed()
    if not files:
        return
    last = _last(tree)
    if not name:
        raise NameWanted(files, last)
    check_name(name)
    commits = [told(tree.message(commit))[0] for commit in tree.commits(_root(tree))]
    if name == last:
        tree.amend()
    elif name in commits:
        raise NotTheLast(name, last)
    else:
        tree.commit(message_of(name, b""))


def _root(tree: Worktree) -> str:
    return tree.text("rev-list", "--max-parents=0", "HEAD").split()[0]


def _last(tree: Worktree) -> str:
    return told(tree.message("HEAD"))[0] if tree.head != _root(tree) else ""


def _patches(desk: Desk, tree: Worktree, state: PatchState) -> tuple[Made, ...]:
    """The new series. A kept patch's bytes are those of its file."""
    if not tree.contains(state.base):
        raise HistoryBent(tree.path)
    seen: dict[str, str] = {}
    found = []
    for commit in tree.commits(state.base):
        name, header = _named(tree, state, commit)
        if name in seen:
            raise PatchTwice(name, (seen[name], commit))
        seen[name] = commit
        diff = tree.diff(commit)
        known = state.known(name)
        kept = known is not None and known.signature == signature(header, diff)
        if not kept and desk.is_debian:
            _leave_own_series(tree, commit, name)
        if diff or kept:
            found.append(Made(name=name, data=desk.data(name) if kept else joined(header, diff), kept=kept))
    return tuple(found)


def _named(tree: Worktree, state: PatchState, commit: str) -> tuple[str, bytes]:
    """(name, header) of a commit. Errors: FixupLeft, BadPatchName."""
    message = tree.message(commit)
    subject = message.partition(b"\n")[0].decode("utf-8", "replace")
    if subject.startswith(_WAITING):
        raise FixupLeft(subject, commit)
    name, header = told(message)
    if state.known(name) is None:
        check_name(name)
    return name, header


def _leave_own_series(tree: Worktree, commit: str, name: str) -> None:
    files = [file for file in tree.differing(f"{commit}^", commit) if file.startswith(_OWN_SERIES)]
    if files:
        raise OwnSeriesTouched(name, files)


def _check(desk: Desk, tree: Worktree, state: PatchState, made: Sequence[Made]) -> None:
    """Base and series have to give the work tree. Errors: NotTheSame, those of apply_patch."""
    with scratch(desk.adapters.cache) as place:
        root = place / "tree"
        root.mkdir()
        tree.export(state.base, root, place / "index")
        for patch in made:
            known = state.known(patch.name)
            if known is not None and patch.kept:
                desk.apply(root, patch.name, patch.data, known.strip)
            else:
                apply_patch(root, PatchText(patch.name, patch.data, 1), 0, desk.adapters.say)
        given, wanted = tree.tree_at(root, place / "index2"), tree.tree_of("HEAD")
        if given != wanted:
            raise NotTheSame(tree.path, tree.differing(given, wanted))


def _write(desk: Desk, state: PatchState, made: Sequence[Made]) -> PatchWork:
    names = [patch.name for patch in made]
    fresh = [patch for patch in made if not patch.kept]
    removed = tuple(patch.name for patch in state.patches if patch.name not in names)
    write_series(desk, {patch.name: patch.data for patch in fresh}, removed, made)
    return PatchWork(
        component=state.component,
        path=desk.path,
        patches=tuple(names),
        written=tuple(patch.name for patch in fresh),
        removed=removed,
        kept=tuple(patch.name for patch in made if patch.kept),
    )


def write_series(desk: Desk, data: dict[str, bytes], removed: Sequence[str], patches: Sequence[Made]) -> None:
    """The patches, then the series that names them, then what it no longer names: all of it or nothing."""
    old = desk.series()
    text = series_text((old or b"").decode(), patches, desk.component.recipe.patch.strip)
    files = {desk.folder / name: Rewrite(old=_bytes(desk.folder / name), new=new) for name, new in data.items()}
    files[desk.folder / "series"] = Rewrite(old=old, new=text.encode() or None)
    files |= {desk.folder / name: Rewrite(old=desk.data(name), new=None) for name in removed}
    rewrite(desk.request.project, files)
    if desk.folder.is_dir() and not any(desk.folder.iterdir()):
        desk.folder.rmdir()


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _settled(desk: Desk, tree: Worktree, state: PatchState) -> PatchState:
    """After a refresh every commit is a patch."""
    signs = {}
    for commit in tree.commits(state.base):
        name, header = told(tree.message(commit))
        signs[name] = signature(header, tree.diff(commit))
    patches = tuple(
        KnownPatch(
            name=desk.name(desk.request.project / file.path),
            digest=file.digest,
            strip=file.strip,
            signature=signs[desk.name(desk.request.project / file.path)],
        )
        for file in desk.component.patches
    )
    return replace(state, head=tree.head, series=desk.digest(), patches=patches, pending=(), conflicts=(), undecided=())
