"""A component's source on disk, for a look: fetched into a folder of its own, and what no longer applies to it."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct

from rearch.app.sources import Sources
from rearch.app.wiring import Adapters
from rearch.engine.scratch import scratch as scratch_folder
from rearch.errors import HostileInputError, RearchError, StepError
from rearch.formats.edit import EditTools, apply_edit
from rearch.formats.patch import PatchText, apply_patch
from rearch.model.command import Command, Completed
from rearch.model.recipe import Edit
from rearch.model.source import PinnedSource
from rearch.model.stack import Component
from rearch.model.step import Fix
from rearch.steps.ports import Workspace


class Tried(Struct, frozen=True, kw_only=True):
    """`applied`: a line for each patch, fix and edit; `failures` of those that do not apply."""

    applied: tuple[str, ...]
    failures: tuple[RearchError, ...]


@contextmanager
def workspace(adapters: Adapters) -> Iterator[Workspace]:
    """A workspace as a step has one, gone at the end."""

    def run(command: Command) -> Completed:
        return adapters.run_command(command, io.BytesIO(), adapters.settings.limits.values.log_bytes)

    with scratch_folder(adapters.cache) as top:
        files, scratch, caches = (top / name for name in ("files", "scratch", "caches"))
        for folder in (files, scratch, caches):
            folder.mkdir()
        yield Workspace(
            files=files,
            scratch=scratch,
            caches=caches,
            project=adapters.project,
            needs={},
            run=run,
            say=adapters.say,
            progress=lambda *_: None,
            limits=adapters.settings.limits.values,
        )


@contextmanager
def fetched(adapters: Adapters, source: PinnedSource) -> Iterator[tuple[Path, Workspace]]:
    """The folder with a source's tree, which may be written to. Errors: as steps.ports.SourceFetcher."""
    with workspace(adapters) as work:
        Sources(adapters).fetch(source, work)
        yield work.files / "source", work


def try_changes(root: Path, component: Component, fixes: Mapping[str, Fix], work: Workspace) -> Tried:
    """Apply patches, fixes and edits in the order of the patch step, each, so that all that fail are told at once."""
    applied: list[str] = []
    failures: list[RearchError] = []

    def attempt(what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except (StepError, HostileInputError) as error:
            failures.append(error)
        else:
            applied.append(what)

    for file in component.patches:
        text = PatchText(str(file.path), (work.project / file.path).read_bytes(), file.strip)
        attempt(f"patch {file.path.name}", partial(apply_patch, root, text, component.recipe.patch.fuzz, work.say))
    for name in component.recipe.fixes:
        for number, edit in enumerate(fixes[name].edits, 1):
            attempt(f"fix {name}, {number}", partial(_edit, root, edit, f"fix {name}", work, at_least=True))
    for number, edit in enumerate(component.recipe.edits, 1):
        attempt(f"edit {number}: {edit.why}", partial(_edit, root, edit, f"edit {number}", work, at_least=False))
    return Tried(applied=tuple(applied), failures=tuple(failures))


def _edit(root: Path, edit: Edit, who: str, work: Workspace, *, at_least: bool) -> None:
    scratch = Path(tempfile.mkdtemp(dir=work.scratch))
    apply_edit(root, edit, EditTools(run=work.run, scratch=scratch), who=who, at_least=at_least)
