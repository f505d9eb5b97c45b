"""The record of a result, as JSON and as a value."""

from __future__ import annotations

import json

from rearch.model.frozen import FrozenDict
from rearch.model.step import Artifact, Result, StepKind


def result_bytes(result: Result) -> bytes:
    """The record's file, the same bytes for the same result."""
    plain = {
        "key": result.key,
        "kind": str(result.kind),
        "artifacts": [_artifact_out(artifact) for artifact in result.artifacts],
        "facts": result.facts,
    }
    return (json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_result(data: bytes) -> Result:
    """The value of a record that `result_bytes` wrote."""
    plain = json.loads(data)
    return Result(
        key=plain["key"],
        kind=StepKind(plain["kind"]),
        artifacts=tuple(Artifact(**artifact) for artifact in plain["artifacts"]),
        facts=FrozenDict(plain["facts"]),
    )


def _artifact_out(artifact: Artifact) -> dict[str, object]:
    plain = {"path": artifact.path, "size": artifact.size, "digest": artifact.digest, "mode": artifact.mode}
    return plain | ({"target": artifact.target} if artifact.target is not None else {})


def digests(result: Result) -> dict[str, str]:
    """Path: sha256 of each file of a result."""
    return {artifact.path: artifact.digest for artifact in result.artifacts}
