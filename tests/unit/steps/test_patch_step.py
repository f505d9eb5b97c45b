"""The patch step: layout, order, and what it finds out."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest
from msgspec.structs import replace

from rearch.formats import edit_worker
from rearch.formats.tree import tree_digest
from rearch.model.command import Command, Completed
from rearch.model.digest import Digest
from rearch.model.recipe import Edit
from rearch.model.stack import PatchFile
from rearch.model.step import Fix, PatchInputs, StepKind
from rearch.steps.patch import PatchFileChanged, PlaceEscapes, run_patch
from rearch.steps.ports import Workspace
from tests.support.workspace import log_of, make_need, make_workspace

PLACE = "example.org/stack/tool"
PATCH = b"--- a/main.go\n+++ b/main.go\n@@ -1,2 +1,2 @@\n package main\n-var V = 1\n+var V = 2\n"


def in_process(command: Command) -> Completed:
    request = json.loads(Path(command.argv[-2]).read_text())
    answer = edit_worker.replace_all(request["pattern"], request["replace"], request["files"], request["outs"])
    Path(command.argv[-1]).write_text(json.dumps(answer))
    return Completed(exit=0, output="", seconds=0.0)


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def workspace(tmp_path: Path, files: dict[str, str]) -> Workspace:
    fetched = tmp_path / "fetched"
    write(fetched / "source", {"main.go": "package main\nvar V = 1\n", **files})
    work = make_workspace(tmp_path / "work", needs={"source": make_need(fetched, StepKind.FETCH)})
    return replace(work, run=in_process)


def inputs(
    place: str = PLACE,
    patches: tuple[PatchFile, ...] = (),
    fixes: tuple[Fix, ...] = (),
    edits: tuple[Edit, ...] = (),
) -> PatchInputs:
    return PatchInputs(place=place, patches=patches, fuzz=0, fixes=fixes, edits=edits)


def edit(pattern: str, replace: str, count: int = 1, file: str = "main.go") -> Edit:
    return Edit(file=file, pattern=pattern, replace=replace, count=count, why="because")


def patch_file(project: Path, data: bytes = PATCH) -> PatchFile:
    path = PurePosixPath("recipes/s/patches/tool/one.patch")
    (project / path).parent.mkdir(parents=True)
    (project / path).write_bytes(data)
    return PatchFile(path=path, strip=1, digest=Digest.of(data).hex)


def test_patches_come_before_fixes_before_edits_and_the_fetched_tree_stays(tmp_path: Path) -> None:
    work = workspace(tmp_path, {"vendor/x/y.go": "package y\n"})
    before = tree_digest(tmp_path / "fetched")
    step = inputs(
        patches=(patch_file(work.project),),
        fixes=(Fix(name="known", edits=(edit("V = 2", "V = 3"),)),),
        edits=(edit("V = 3", "V = 4"),),
    )
    outcome = run_patch(step, work)
    root = work.files / "gopath" / "src" / PLACE
    assert (root / "main.go").read_text() == "package main\nvar V = 4\n"
    assert tree_digest(tmp_path / "fetched") == before
    assert (root / "vendor/x/y.go").stat().st_nlink == 2
    assert outcome.facts["applied"] == [
        "patch recipes/s/patches/tool/one.patch: main.go",
        "fix known: 1 in main.go",
        "edit 1: 1 in main.go",
    ]
    assert outcome.note == "1 patch, 1 fix, 1 edit"
    for line in ("one.patch: changed main.go", "fix known: because: 1 replaced", "edit 1: because", "main.go:2: var V"):
        assert line in log_of(work)
    assert list(work.scratch.iterdir()) == []


def test_nothing_to_apply_leaves_links_only(tmp_path: Path) -> None:
    work = workspace(tmp_path, {})
    outcome = run_patch(inputs(), work)
    main = work.files / "gopath/src" / PLACE / "main.go"
    assert main.stat().st_ino == (tmp_path / "fetched/source/main.go").stat().st_ino
    assert (outcome.facts["applied"], outcome.note) == ([], "")


def test_packages_lie_beside_and_the_source_replaces_its_packaged_self(tmp_path: Path) -> None:
    work = workspace(tmp_path, {})
    packages = {
        "src/example.org/other/o.go": "package o\n",
        f"src/{PLACE}/main.go": "package old\n",
        f"src/{PLACE}/left/over.go": "package left\n",
        f"src/{PLACE}-two/t.go": "package t\n",
    }
    write(tmp_path / "fetched/gopath", packages)
    run_patch(inputs(), work)
    src = work.files / "gopath/src"
    assert (src / "example.org/other/o.go").read_text() == "package o\n"
    assert (src / f"{PLACE}-two/t.go").exists()
    assert (src / PLACE / "main.go").read_text() == "package main\nvar V = 1\n"
    assert not (src / PLACE / "left").exists()


@pytest.mark.parametrize(
    ("files", "facts"),
    [
        ({}, ("gopath", False, False, None)),
        ({"go.mod": "module x\n\ngo 1.21\n", "vendor/modules.txt": ""}, ("module", True, False, "1.21")),
        ({"go.mod": "module x\n// go 1.9\ngo 1.22.3 // c\ntoolchain go1.23\n"}, ("module", False, False, "1.22.3")),
        ({"go.mod": "module x\n"}, ("module", False, False, None)),
        ({"Godeps/_workspace/src/a/b.go": "package a\n"}, ("gopath", False, True, None)),
    ],
)
def test_facts(tmp_path: Path, files: dict[str, str], facts: tuple[object, ...]) -> None:
    found = run_patch(inputs(), workspace(tmp_path, files)).facts
    assert (found["layout"], found["vendor"], found["godeps"], found["go_mod_go"]) == facts
    json.dumps(dict(found))


def test_facts_are_of_the_patched_tree(tmp_path: Path) -> None:
    work = workspace(tmp_path, {})
    data = b"--- /dev/null\n+++ b/go.mod\n@@ -0,0 +1,2 @@\n+module x\n+go 1.20\n"
    found = run_patch(inputs(patches=(patch_file(work.project, data),)), work).facts
    assert (found["layout"], found["go_mod_go"]) == ("module", "1.20")


def test_a_patch_file_that_changed_is_an_error(tmp_path: Path) -> None:
    work = workspace(tmp_path, {})
    file = patch_file(work.project)
    path = work.project / file.path
    path.write_bytes(PATCH + b"\n")
    with pytest.raises(PatchFileChanged, match="changed after the plan was made"):
        run_patch(inputs(patches=(file,)), work)
    path.unlink()
    again = replace(work, files=tmp_path / "again")
    with pytest.raises(PatchFileChanged, match="was removed"):
        run_patch(inputs(patches=(file,)), again)


@pytest.mark.parametrize("place", ["../x", "a/../../x", "/etc", ""])
def test_a_place_outside_is_refused(tmp_path: Path, place: str) -> None:
    work = workspace(tmp_path, {})
    with pytest.raises(PlaceEscapes):
        run_patch(inputs(place=place), work)
    assert list(work.files.iterdir()) == []
