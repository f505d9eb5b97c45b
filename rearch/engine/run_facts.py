"""What a build left, as a run's record has it: binaries, images with their audits, versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from rearch.engine.images import BuiltIndex, index_entry
from rearch.engine.index import Built
from rearch.formats.urls import masked
from rearch.model.plan import Plan, PlannedStep
from rearch.model.source import PinnedArchive, PinnedDebian, PinnedGit, PinnedLocal, PinnedSource
from rearch.model.step import ArchiveOrigin, FetchInputs, PypiOrigin, SystemOrigin, ToolchainInputs
from rearch.reporting.record import Binary, Image, Version


def binaries(results: Iterable[Built]) -> Iterator[Binary]:
    """Every program, without the links to it."""
    for result in results:
        own = result.compiled.step.id
        for artifact in result.binaries.artifacts:
            if artifact.target is None:
                yield Binary(
                    component=own.subject,
                    platform=str(own.platform),
                    name=artifact.path.removeprefix("bin/"),
                    size=artifact.size,
                    sha256=artifact.digest,
                )


def images(indexes: Iterable[BuiltIndex]) -> Iterator[Image]:
    """Every platform of every index."""
    for index in indexes:
        entry = index_entry(index)
        for one in entry["platforms"]:
            audit = one["audit"] or {}
            yield Image(
                component=entry["component"],
                platform=one["platform"],
                repository=entry["repository"],
                tag=entry["tag"],
                digest=one["digest"],
                size=one["size"],
                layers=None if one["layers"] is None else len(one["layers"]),
                elves=audit.get("elves"),
                warnings=tuple(audit.get("warnings", ())),
                allowed=tuple(audit.get("allowed", ())),
                smoke=one["smoke"],
            )


def versions(plan: Plan) -> Iterator[Version]:
    """The source of each component and each toolchain, as the plan pins them."""
    for planned in plan.steps:
        found = _version(planned)
        if found is not None:
            yield found


def _version(planned: PlannedStep) -> Version | None:
    inputs, subject = planned.step.inputs, planned.step.id.subject
    if isinstance(inputs, FetchInputs):
        return _source(subject, inputs.source)
    if isinstance(inputs, ToolchainInputs):
        return _toolchain(inputs)
    return None


def _source(component: str, source: PinnedSource) -> Version:
    match source:
        case PinnedGit():
            return Version(
                component=component, kind="git", version=source.ref, identity=source.commit, url=masked(source.url)
            )
        case PinnedArchive():
            name = masked(source.url).rpartition("/")[2]
            return Version(
                component=component, kind="archive", version=name, identity=source.sha256, url=masked(source.url)
            )
        case PinnedDebian():
            return Version(
                component=component,
                kind="debian",
                version=f"{source.package} {source.version}",
                identity=source.version,
                url=source.package,
            )
        case PinnedLocal():
            return Version(component=component, kind="local", version=source.path, identity=source.digest)
    assert_never(source)


def _toolchain(inputs: ToolchainInputs) -> Version:
    origin = inputs.origin
    match origin:
        case PypiOrigin():
            identity, url = origin.sha256, ""
        case ArchiveOrigin():
            identity, url = origin.sha256, masked(origin.url)
        case SystemOrigin():
            identity, url = origin.identity, ""
        case _:
            assert_never(origin)
    return Version(component=inputs.name, kind="toolchain", version=inputs.version, identity=identity, url=url)
