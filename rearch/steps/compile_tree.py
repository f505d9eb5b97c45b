"""How the source lies: in a GOPATH or as a module, vendored or not, and where go is to be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from rearch.model.step import CompileInputs, GenerateInputs, ModulesInputs
from rearch.steps.compile_errors import TreeNotFound
from rearch.steps.ports import Need

Layout = Literal["gopath", "module"]


class Tree(Struct, frozen=True, kw_only=True):
    """`folder` is where go runs. `import_path` is what it is called in a GOPATH. `workspace` is a vendored go.work.

    `gopath` are the GOPATH's folders, first one first. `mod` is the value of -mod for modules, else None.
    """

    layout: Layout
    folder: Path
    import_path: str
    gopath: tuple[Path, ...]
    mod: Literal["vendor", "readonly"] | None = None
    workspace: Path | None = None


def find_tree(
    inputs: CompileInputs | GenerateInputs | ModulesInputs, layout: str | None, files: Path, facts: Mapping[str, object]
) -> Tree:
    """Look at the tree in `files` (a patch step's). `facts` of that step may know the layout. Errors: TreeNotFound."""
    # The real path: go compares its working folder, which the kernel tells without links, with GOPATH.
    gopath = (files / "gopath").resolve()
    root = gopath / "src" / inputs.place
    folder = root if inputs.directory == "." else root / inputs.directory
    if not folder.is_dir():
        raise TreeNotFound(inputs.directory, sorted(path.name for path in root.iterdir()))
    if (layout or _detected(folder, inputs.directory, facts)) == "module":
        return _module(folder, inputs.place, gopath)
    path = inputs.place if inputs.directory == "." else f"{inputs.place}/{inputs.directory}"
    godeps = folder / "Godeps" / "_workspace"
    roots = (godeps, gopath) if (godeps / "src").is_dir() else (gopath,)
    return Tree(layout="gopath", folder=folder, import_path=path, gopath=roots)


def find_source(need: Need, inputs: CompileInputs | GenerateInputs | ModulesInputs, layout: str | None = None) -> Tree:
    """The tree of a source step's result."""
    return find_tree(inputs, layout, need.files, need.result.facts)


def _detected(folder: Path, directory: str, facts: Mapping[str, object]) -> str:
    known = facts.get("layout") if directory == "." else None
    return str(known) if known else "module" if (folder / "go.mod").is_file() else "gopath"


def _module(folder: Path, place: str, gopath: Path) -> Tree:
    """vendor/ is used when `go mod vendor` (or `go work vendor`) made it, whatever go.mod's version defaults to."""
    listed = folder / "vendor" / "modules.txt"
    vendored = listed.is_file()
    workspace = folder / "go.work"
    first = _first_line(listed) if vendored and workspace.is_file() else ""
    return Tree(
        layout="module",
        folder=folder,
        import_path=place,
        gopath=(gopath,),
        mod="vendor" if vendored else "readonly",
        workspace=workspace if first.startswith("## workspace") else None,
    )


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline()


_GO_LINE = re.compile(r"^[ \t]*(go|toolchain)[ \t]+(?:go)?([0-9][\w.]*)", re.MULTILINE)


def go_lines(go_mod: str) -> Mapping[str, str]:
    """`go` and `toolchain` of a go.mod (https://go.dev/ref/mod#go-mod-file-go), as versions without `go`."""
    return {match[1]: match[2] for match in _GO_LINE.finditer(go_mod)}
