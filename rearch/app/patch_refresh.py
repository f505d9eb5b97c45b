"""`patch refresh`: the commits of a worktree as a quilt series."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from rearch.app.patch import Desk, PatchOrder, PatchWork, _advance, _taken, _work
from rearch.app.patch_base import forget_base
from rearch.app.patch_errors import (
    ConflictsLeft,
    HistoryBent,
    NameWanted,
    NotTheLast,
    NotTheSame,
    NoWorktree,
    RebaseOpen,
    SeriesChanged,
)
from rearch.app.patch_state import KnownPatch, PatchState, read_state, write_state
from rearch.app.request import Request
from rearch.engine.rewrite import Rewrite, rewrite
from rearch.formats.patch import PatchText, apply_patch
from rearch.formats.tree import remove_tree
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


def refresh(request: Request, order: PatchOrder, report: Reporter) -> PatchWork:
    """Write the commits of the worktree as the series: a commit that is as it was keeps its patch to the byte.

    Errors: NoWorktree, SeriesChanged, ConflictsLeft, NameWanted, NotTheLast, HistoryBent, RebaseOpen, PatchTwice,
    BadPatchName, PatchUnreadable (binary files), NotTheSame, ChangedMeanwhile. Then no patch was written.
    """
    desk = Desk(request, order, report)
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
            return _work(desk, state)
    _commit_changes(tree, order.name)
    made = _patches(tree, state)
    _check(desk, tree, state, made)
    work = _write(desk, state, made)
    forget_base(desk.adapters.cache, request.project, desk.component.id)
    desk = Desk(request, order, report)
    write_state(desk.path, _settled(desk, tree, state))
    return work


def _resumed(desk: Desk, tree: Worktree, state: PatchState) -> PatchState:
    """The merge that somebody has finished, and those after it."""
    marked = [name for name in state.conflicts if _has_marks(tree.path / name)]
    if marked:
        raise ConflictsLeft(marked)
    patch = state.known(state.pending[0])
    assert patch is not None
    tree.commit(message_of(patch.name, header_of(desk.data(patch.name))))
    return _advance(desk, tree, _taken(state, tree, patch, ""))


def _has_marks(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return any(line.startswith((b"<<<<<<< ", b">>>>>>> ")) for line in file)


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


def _patches(tree: Worktree, state: PatchState) -> tuple[tuple[Made, bytes], ...]:
    """(patch, its new bytes); a kept one's bytes are those of its file."""
    if not tree.contains(state.base):
        raise HistoryBent(tree.path)
    seen: dict[str, str] = {}
    found = []
    for commit in tree.commits(state.base):
        name, header = told(tree.message(commit))
        if state.known(name) is None:
            check_name(name)
        if name in seen:
            raise PatchTwice(name, (seen[name], commit))
        seen[name] = commit
        diff = tree.diff(commit)
        known = state.known(name)
        kept = known is not None and known.signature == signature(header, diff)
        if diff or kept:
            found.append((Made(name=name, data=joined(header, diff), kept=kept), diff))
    return tuple(found)


def _check(desk: Desk, tree: Worktree, state: PatchState, made: Sequence[tuple[Made, bytes]]) -> None:
    """Base and series have to give the work tree. Errors: NotTheSame, those of apply_patch."""
    with _scratch(desk) as place:
        root = place / "tree"
        root.mkdir()
        tree.export(state.base, root, place / "index")
        for patch, _ in made:
            known = state.known(patch.name)
            data = desk.data(patch.name) if patch.kept else patch.data
            strip = known.strip if known is not None and patch.kept else 1
            fuzz = desk.component.recipe.patch.fuzz if patch.kept else 0
            apply_patch(root, PatchText(patch.name, data, strip), fuzz, desk.adapters.say)
        if tree.tree_at(root, place / "index2") != tree.tree_of("HEAD"):
            raise NotTheSame(tree.path)


@contextmanager
def _scratch(desk: Desk) -> Iterator[Path]:
    place = desk.adapters.cache / "upkeep"
    place.mkdir(parents=True, exist_ok=True)
    top = Path(tempfile.mkdtemp(dir=place))
    try:
        yield top
    finally:
        remove_tree(top)


def _write(desk: Desk, state: PatchState, made: Sequence[tuple[Made, bytes]]) -> PatchWork:
    patches = [patch for patch, _ in made]
    names = [patch.name for patch in patches]
    fresh = [patch for patch in patches if not patch.kept]
    removed = tuple(patch.name for patch in state.patches if patch.name not in names)
    write_series(desk, {patch.name: patch.data for patch in fresh}, removed, patches)
    return PatchWork(
        component=state.component,
        path=desk.path,
        patches=tuple(names),
        written=tuple(patch.name for patch in fresh),
        removed=removed,
        kept=tuple(patch.name for patch in patches if patch.kept),
    )


def write_series(desk: Desk, data: dict[str, bytes], removed: Sequence[str], patches: Sequence[Made]) -> None:
    """The patches, then the series that names them, then what it no longer names: all of it or nothing."""
    old = desk.series()
    text = series_text((old or b"").decode(), patches, desk.component.recipe.patch.strip)
    files = {desk.folder / name: Rewrite(old=_bytes(desk.folder / name), new=new) for name, new in data.items()}
    files[desk.folder / "series"] = Rewrite(old=old, new=text.encode() or None)
    files |= {desk.folder / name: Rewrite(old=desk.data(name), new=None) for name in removed}
    rewrite(files)
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
    return replace(state, head=tree.head, series=desk.digest(), patches=patches, pending=(), conflicts=())
