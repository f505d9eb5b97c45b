"""A series becomes commits: each patch applied as the build does, or merged from the source that it was made for."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from rearch.app.patch_base import known_base
from rearch.app.patch_desk import Desk
from rearch.app.patch_errors import OldBaseUnknown
from rearch.app.patch_state import KnownPatch, PatchState
from rearch.app.upkeep_tree import fetched
from rearch.errors import RearchError, StepError
from rearch.host.sources.worktree import Worktree
from rearch.model.recipe import DebianSource, GitSource
from rearch.model.source import PinnedArchive, PinnedDebian, PinnedGit, PinnedLocal, PinnedSource
from rearch.upkeep.patch_series import header_of, message_of, signature


def source_text(source: PinnedSource) -> str:
    """A source in words that name it exactly: what a worktree shows, and its first commit's message."""
    match source:
        case PinnedGit():
            return f"{source.ref} {source.commit}"
        case PinnedArchive():
            return f"{source.url} {source.sha256}"
        case PinnedDebian():
            return f"{source.package} {source.version}"
        case PinnedLocal():
            raise TypeError(source)
    assert_never(source)


def base_message(desk: Desk, source: PinnedSource) -> bytes:
    """Of the commit that is the source."""
    return f"{desk.component.id} {source_text(source)}\n".encode()


def advance(desk: Desk, tree: Worktree, state: PatchState) -> PatchState:
    """Apply what is pending, as far as it goes: to the end, or to the first patch that is merged with conflicts.

    Errors: OldBaseUnknown; those of fetching the old source; those of apply_patch for a patch that does not apply to
    what it was made for either.
    """
    while state.pending:
        patch = state.known(state.pending[0])
        assert patch is not None
        data = desk.data(patch.name)
        try:
            desk.apply(tree.path, patch.name, data, patch.strip)
        except StepError as error:
            state = _merged(desk, tree, _with_old(desk, tree, state, error), patch.name)
            if state.conflicts:
                return state
            continue
        commit = tree.commit(message_of(patch.name, header_of(data)), force=True)
        state = taken(state, tree, patch, signature(header_of(data), tree.diff(commit)))
    return state


def taken(state: PatchState, tree: Worktree, patch: KnownPatch, sign: str) -> PatchState:
    """The state when HEAD is the commit of the first pending patch. One without a signature is written anew."""
    patches = tuple(replace(one, signature=sign) if one.name == patch.name else one for one in state.patches)
    return replace(state, patches=patches, pending=state.pending[1:], conflicts=(), undecided=(), head=tree.head)


def _merged(desk: Desk, tree: Worktree, state: PatchState, name: str) -> PatchState:
    patch = state.known(name)
    assert patch is not None
    conflicts = tree.pick(patch.old)
    if conflicts:
        desk.say(f"{name}: conflicts in {', '.join(conflicts)}")
        undecided = tuple(file for file in conflicts if not tree.has_marks(file))
        return replace(state, conflicts=conflicts, undecided=undecided, head=tree.head)
    desk.say(f"{name}: merged")
    tree.commit(message_of(name, header_of(desk.data(name))))
    return taken(state, tree, patch, "")


def _with_old(desk: Desk, tree: Worktree, state: PatchState, error: RearchError) -> PatchState:
    """With every patch as a commit on the source that the series was made for."""
    if any(patch.old for patch in state.patches):
        return state
    source = _old_source(desk)
    if source is None:
        raise OldBaseUnknown(desk.component.id, error)
    desk.say(f"{error.summary}; merging from {source_text(source)}")
    olds: dict[str, str] = {}
    with fetched(desk.adapters, source) as (root, _):
        aside = tree.aside(root, base_message(desk, source))
        for patch in state.patches:
            data = desk.data(patch.name)
            desk.apply(root, patch.name, data, patch.strip)
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
