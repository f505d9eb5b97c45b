"""Indexes of a build -> output/images/<repository>/ and the entries of build.json.

A layout there holds what the last build made, whole: blobs first, index.json last, blobs that nobody names removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from rearch.engine.links import put, remove_others
from rearch.engine.store import Store
from rearch.model.plan import Plan, PlannedStep
from rearch.model.step import Result, StepId, StepKind
from rearch.model.step_images import IndexInputs

FOLDER = "images"
INDEX = "index.json"


class BuiltIndex(Struct, frozen=True, kw_only=True):
    """An index with everything that it joins, every check passed. `images`, `audits`, `starts`: by platform."""

    step: PlannedStep
    result: Result
    images: Mapping[str, Result]
    audits: Mapping[str, Result]
    starts: Mapping[str, Result]

    @property
    def repository(self) -> str:
        return str(self.result.facts["repository"])

    @property
    def digest(self) -> str:
        return str(self.result.facts["digest"])

    @property
    def name(self) -> str:
        """`repository:tag`."""
        return f"{self.repository}:{self.result.facts['tag']}"

    def started(self, platform: str) -> str:
        """`passed`, `not run`, or `none declared`."""
        result = self.starts.get(platform)
        return str(result.facts["outcome"]) if result is not None else "none declared"


def built_indexes(plan: Plan, store: Store) -> tuple[BuiltIndex, ...]:
    """Every index of the plan that is in the store: it was made after all its checks had passed."""
    by_id = {planned.step.id: planned for planned in plan.steps}
    found = (planned for planned in plan.steps if planned.step.id.kind is StepKind.INDEX)
    return tuple(_built(planned, by_id, store) for planned in found if store.has(planned.key))


def _built(planned: PlannedStep, by_id: Mapping[StepId, PlannedStep], store: Store) -> BuiltIndex:
    inputs = planned.step.inputs
    assert isinstance(inputs, IndexInputs)

    def results(role: str) -> Mapping[str, Result]:
        names = {str(platform): planned.step.needs.get(f"{role} {platform}") for platform in inputs.platforms}
        keys = {name: by_id[need].key for name, need in names.items() if need is not None and need in by_id}
        return {name: store.load(key) for name, key in keys.items() if store.has(key)}

    return BuiltIndex(
        step=planned,
        result=store.load(planned.key),
        images=results("image"),
        audits=results("audit"),
        starts=results("start"),
    )


def place_of(root: Path, repository: str) -> Path:
    """The layout of a repository in output/."""
    return root / FOLDER / repository


def put_layout(index: BuiltIndex, root: Path, store: Store) -> tuple[Path, ...]:
    """Put a layout in place; what is there already is not touched. Returns the files that were written."""
    folder, files = place_of(root, index.repository), store.files(index.step.key)
    artifacts = sorted(index.result.artifacts, key=lambda artifact: artifact.path == INDEX)
    written = [folder / item.path for item in artifacts if put(files / item.path, folder / item.path, item)]
    blobs = {Path(item.path).name for item in artifacts if item.path.startswith("blobs/")}
    remove_others(folder / "blobs" / "sha256", blobs)
    return tuple(written)


def forget_layers(store: Store, result: Result) -> None:
    """Let the layers of a damaged result be made again: their blobs are linked into it."""
    for item in result.artifacts:
        (store.root.parent / "layers" / "blobs" / Path(item.path).name).unlink(missing_ok=True)


def index_entry(index: BuiltIndex) -> dict[str, Any]:
    """The entry of build.json."""
    return {
        "component": index.step.step.id.subject,
        "repository": index.repository,
        "tag": index.result.facts["tag"],
        "digest": index.digest,
        "path": f"{FOLDER}/{index.repository}",
        "key": index.step.key,
        "platforms": list(_platforms(index)),
    }


def _platforms(index: BuiltIndex) -> Iterator[dict[str, Any]]:
    for platform, digest in index.result.facts["platforms"].items():
        image, audit = index.images.get(platform), index.audits.get(platform)
        yield {
            "platform": platform,
            "digest": digest,
            "size": image.facts["size"] if image else None,
            "layers": image.facts["layers"] if image else None,
            "audit": {key: value for key, value in audit.facts.items() if key != "checked"} if audit else None,
            "smoke": index.started(platform),
        }
