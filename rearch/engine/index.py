"""build.json: what lies in output/bin and output/images, what it was made from, and what it turned out to be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from rearch import __version__
from rearch.engine.images import BuiltIndex, index_entry
from rearch.model.plan import PlannedStep
from rearch.model.step import Artifact, Result

Entry = dict[str, Any]
_NAMED = {"component", "platform", "path"}


class Built(Struct, frozen=True, kw_only=True):
    """One component on one platform that is compiled and verified. `smoke` is passed, `not run`, or none declared."""

    compiled: PlannedStep
    verified: Result
    binaries: Result
    smoke: str


class Index(Struct, frozen=True):
    """What a build.json says. `data`: its bytes, of a torn one, too; none where there is no such file."""

    binaries: tuple[Entry, ...] = ()
    images: tuple[Entry, ...] = ()
    data: bytes = b""


def read_index(path: Path) -> Index:
    """The entries of a build.json; none where there is no such file, or it is torn."""
    data = b""
    try:
        data = path.read_bytes()
        found = json.loads(data)
        binaries, images = found["binaries"], found.get("images", [])
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return Index(data=data)
    return Index(
        _whole(binaries, {"component", "platform", "path"}),
        _whole(images, {"component", "repository", "path"}),
        data,
    )


def _whole(found: object, wanted: set[str]) -> tuple[Entry, ...]:
    entries = found if isinstance(found, list) else []
    return tuple(entry for entry in entries if isinstance(entry, dict) and wanted <= {*entry})


def index_bytes(root: Path, results: Iterable[Built], indexes: Iterable[BuiltIndex], before: Index) -> bytes:
    """The file: entries of these results, and of others whose files are still there."""
    now = [entry for result in results for entry in _entries(result)]
    renewed = {(entry["component"], entry["platform"]) for entry in now}
    kept = [
        entry
        for entry in before.binaries
        if (entry["component"], entry["platform"]) not in renewed and _is_there(root, entry)
    ]
    binaries = sorted([*now, *kept], key=lambda entry: str(entry["path"]))
    whole = {"rearch": __version__, "binaries": binaries, "images": _images(root, indexes, before)}
    return (json.dumps(whole, indent=1, sort_keys=True) + "\n").encode()


def _images(root: Path, indexes: Iterable[BuiltIndex], before: Index) -> list[Entry]:
    now = [index_entry(index) for index in indexes]
    renewed = {entry["path"] for entry in now}
    kept = [
        entry
        for entry in before.images
        if entry["path"] not in renewed and (root / str(entry["path"]) / "index.json").is_file()
    ]
    return sorted([*now, *kept], key=lambda entry: str(entry["path"]))


def _is_there(root: Path, entry: Entry) -> bool:
    path = root / str(entry["path"])
    if "link" in entry:
        return path.is_symlink()
    return path.is_file() and path.stat().st_size == entry.get("size")


def _entries(result: Built) -> Iterator[Entry]:
    step = result.compiled.step.id
    folder = Path("bin") / str(step.platform) / step.subject.rpartition("/")[2]
    elves = result.verified.facts.get("binaries", {})
    for artifact in result.binaries.artifacts:
        name = artifact.path.removeprefix("bin/")
        yield {
            "component": step.subject,
            "platform": str(step.platform),
            "name": name,
            "path": str(folder / name),
            "key": result.compiled.key,
            "smoke": result.smoke,
        } | _content(artifact, elves.get(name))


def _content(artifact: Artifact, elf: object) -> Entry:
    if artifact.target is not None:
        return {"link": artifact.target}
    return {"size": artifact.size, "sha256": artifact.digest, "elf": elf}
