"""Values of flags for completion: names that are in the project's folders. No YAML is read, so that Tab is quick."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Files of recipes/<stack>/ that are no recipes.
_NO_RECIPE = ("stack.yaml",)

# Flags that take several values with commas between.
_LISTS = ("--arch", "--platform", "--stack", "--only")


def offered(flag: str, word: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """The whole words that `word` may become; of a list all that stands before its last comma is kept, and is not
    offered again. () for one that is whole: it may have a blank behind it, which is not told here, and then what
    follows it is wanted.
    """
    before, comma, last = word.rpartition(",") if flag in _LISTS else ("", "", word)
    taken = before.split(",")
    if last in values and last not in taken:
        return ()
    return tuple(f"{before}{comma}{each}" for each in values if each not in taken)


def values_of(flag: str, project: str) -> tuple[str, ...]:
    """What may stand behind a flag; () where the shell's names of files, or nothing, are as good."""
    match flag:
        case "--arch" | "--platform":
            from rearch.model.platform import PLATFORMS

            return tuple(sorted(str(each) if flag == "--platform" else each.arch_name for each in PLATFORMS))
        case "--stack":
            return tuple(sorted(folder.name for folder in _stacks(project)))
        case "--only":
            return tuple(sorted({name for folder in _stacks(project) for name in _components(folder)}))
        case "--progress":
            return ("auto", "json", "plain", "quiet")
        case _:
            return ()


def first_values(task: str, project: str) -> tuple[str, ...]:
    """What may stand first behind a task; () where that has no names."""
    match task:
        case "setup":
            from rearch.model.setup import SetupKind

            return tuple(kind.value for kind in SetupKind)
        case "bump" | "patch.start" | "patch.refresh" | "patch.drop" | "patch.list":
            return values_of("--only", project)
        case _:
            return ()


def _stacks(project: str) -> Iterator[Path]:
    """The folders of recipes/ of the project that is named, else of the one around here."""
    named = project or os.environ.get("REARCH_PROJECT", "")
    here = Path(named).expanduser() if named else Path.cwd()
    for folder in (here,) if named else (here, *here.parents):
        if (folder / "recipes").is_dir():
            yield from (each for each in (folder / "recipes").iterdir() if (each / "stack.yaml").is_file())
            return


def _components(folder: Path) -> Iterator[str]:
    return (path.stem for path in folder.glob("*.yaml") if path.name not in _NO_RECIPE)
