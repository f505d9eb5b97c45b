"""Keys: sha256 over the canonical JSON of a step's document and the keys of what it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from rearch.model.key import Canonicalizer, canonical, document
from rearch.model.step import Step, StepId, StepKind

# Raised by one when a change to a step's code changes what it makes from the same inputs.
RULES: Mapping[StepKind, int] = {
    StepKind.TOOLCHAIN: 1,
    StepKind.FETCH: 1,
    StepKind.PATCH: 1,
    StepKind.GENERATE: 1,
    StepKind.MODULES: 1,
    StepKind.SYSROOT: 1,
    StepKind.COMPILE: 1,
    StepKind.VERIFY: 2,
    StepKind.SMOKE: 2,
    StepKind.BASE: 1,
    StepKind.IMAGE: 1,
    StepKind.AUDIT: 1,
    StepKind.IMAGE_SMOKE: 1,
    StepKind.INDEX: 1,
}


def step_document(step: Step, keys: Mapping[StepId, str]) -> dict[str, Any]:
    """The readable form of what a step is made from. The subject's name is not in it: equal work is done once."""
    return {
        "step": str(step.id.kind),
        "rule": RULES[step.id.kind],
        "inputs": document(step.inputs),
        "needs": {role: keys[need] for role, need in step.needs.items()},
    }


def key_of(readable: Mapping[str, Any]) -> str:
    """The key of a document: 64 hexadecimal digits."""
    return hashlib.sha256(canonical(readable).encode()).hexdigest()


def keys_of(steps: Iterable[Step]) -> dict[StepId, str]:
    """The key of each step, which must come after those that it needs. The same as `key_of(step_document(...))`."""
    keys: dict[StepId, str] = {}
    writer = Canonicalizer()
    for step in steps:
        kind = step.id.kind
        needs = ",".join(f'"{role}":"{keys[step.needs[role]]}"' for role in sorted(step.needs))
        inputs = writer.text(step.inputs)
        text = f'{{"inputs":{inputs},"needs":{{{needs}}},"rule":{RULES[kind]},"step":"{kind.value}"}}'
        keys[step.id] = hashlib.sha256(text.encode()).hexdigest()
    return keys
