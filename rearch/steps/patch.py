"""The patch step: the source at its place in a GOPATH, with patches, then fixes, then edits applied.

The tree is made of hard links into the store, and every change replaces a file: what was fetched stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from rearch.errors import HostileInputError, StepError
from rearch.formats.edit import AppliedEdit, EditTools, apply_edit
from rearch.formats.patch import PatchText, apply_series
from rearch.formats.tree import clone_tree, remove_tree
from rearch.model.digest import Digest
from rearch.model.recipe import Edit
from rearch.model.stack import PatchFile
from rearch.model.step import Fix, PatchInputs
from rearch.steps.ports import Outcome, Workspace

_GO_LINE = re.compile(r"^[ \t]*go[ \t]+([0-9]\S*)", re.MULTILINE)
_SHOWN = 5


class PatchFileChanged(StepError):
    """A patch file is not the one that the plan was made from."""

    def __init__(self, path: PurePosixPath, wanted: str, found: str | None) -> None:
        self.path = path
        self.wanted = wanted
        self.found = found
        what = "was removed" if found is None else "changed"
        super().__init__(
            f"{path} {what} after the plan was made",
            details=[f"planned with {wanted}", f"found {found or 'nothing'}"],
            hint="run the same command again: it plans with the file as it is now",
        )


class PlaceEscapes(HostileInputError):
    """An import path that leads out of the GOPATH."""

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(
            f"import path {place!r} leads out of the GOPATH", hint="write it as github.com/owner/repository"
        )


def run_patch(inputs: PatchInputs, work: Workspace) -> Outcome:
    """Lay out `gopath/src/<place>` and change it.

    Facts: layout ("module" where a go.mod is at the root, else "gopath"), vendor and godeps (whether there is such a
    folder), go_mod_go (the version that go.mod names, or None), applied (one line for each patch, fix and edit).
    Errors: PatchFileChanged, PlaceEscapes, and those of formats/patch.py and formats/edit.py.
    """
    root = _lay_out(inputs.place, work)
    applied = [*_patches(inputs, root, work), *_fixes(inputs.fixes, root, work), *_edits(inputs.edits, root, work)]
    return Outcome(facts={**tree_facts(root), "applied": applied}, note=_note(inputs))


def _note(inputs: PatchInputs) -> str:
    counts = (("patch", len(inputs.patches)), ("fix", len(inputs.fixes)), ("edit", len(inputs.edits)))
    return ", ".join(f"{count} {word}{_plural(word, count)}" for word, count in counts if count)


def _plural(word: str, count: int) -> str:
    if count == 1:
        return ""
    return "s" if word == "edit" else "es"


def _lay_out(place: str, work: Workspace) -> Path:
    """The source replaces the packaged copy of itself, and lies beside every other package."""
    if not place or place.startswith("/") or ".." in place.split("/") or "\0" in place:
        raise PlaceEscapes(place)
    need = work.needs["source"]
    inside = f"src/{place}"
    root = work.files / "gopath" / inside
    clone_tree(need.files / "source", root, how="link")
    packages = need.files / "gopath"
    if packages.is_dir():
        clone_tree(
            packages,
            work.files / "gopath",
            how="link",
            ignore=lambda path: path == inside or path.startswith(f"{inside}/"),
        )
    return root


def _patches(inputs: PatchInputs, root: Path, work: Workspace) -> Iterator[str]:
    # All are read before the first is applied, so that a changed file is told before anything else.
    texts = [_patch_text(file, work.project) for file in inputs.patches]
    for done in apply_series(root, texts, inputs.fuzz, work.say):
        yield f"patch {done.name}: {', '.join(done.files) or 'was in the source already'}"


def _patch_text(file: PatchFile, project: Path) -> PatchText:
    path = project / file.path
    data = path.read_bytes() if path.is_file() else None
    found = None if data is None else str(Digest.of(data))
    wanted = str(Digest.parse(file.digest))
    if data is None or found != wanted:
        raise PatchFileChanged(file.path, wanted, found)
    return PatchText(str(file.path), data, file.strip)


def _fixes(fixes: tuple[Fix, ...], root: Path, work: Workspace) -> Iterator[str]:
    for fix in fixes:
        for edit in fix.edits:
            yield _edit(edit, root, work, f"fix {fix.name}", at_least=True)


def _edits(edits: tuple[Edit, ...], root: Path, work: Workspace) -> Iterator[str]:
    for number, edit in enumerate(edits, 1):
        yield _edit(edit, root, work, f"edit {number}", at_least=False)


def _edit(edit: Edit, root: Path, work: Workspace, who: str, *, at_least: bool) -> str:
    scratch = work.scratch / "edit"
    scratch.mkdir()
    tools = EditTools(run=work.run, scratch=scratch)
    done = apply_edit(root, edit, tools, who=who, at_least=at_least)
    remove_tree(scratch)
    _say(done, edit, work, who)
    return f"{who}: {done.count} in {', '.join(done.files)}"


def _say(done: AppliedEdit, edit: Edit, work: Workspace, who: str) -> None:
    work.say(f"{who}: {edit.why}: {done.count} replaced in {', '.join(done.files)}")
    for place in done.places[:_SHOWN]:
        work.say(f"  {place}")


def tree_facts(root: Path) -> dict[str, Any]:
    """What the compile step wants to know of a source tree; see run_patch."""
    go_mod = root / "go.mod"
    is_module = go_mod.is_file() and not go_mod.is_symlink()
    named = _GO_LINE.search(go_mod.read_text(encoding="utf-8", errors="replace")) if is_module else None
    return {
        "layout": "module" if is_module else "gopath",
        "vendor": (root / "vendor").is_dir(),
        "godeps": (root / "Godeps" / "_workspace" / "src").is_dir(),
        "go_mod_go": named[1] if named else None,
    }
