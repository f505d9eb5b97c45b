"""Which steps must not run at the same time.

Two `go build` of one platform that start together both compile the standard packages that neither finds in the
build cache. So there is one lane for each toolchain and platform; figures in docs/architecture.md.
"""

from __future__ import annotations

from rearch.model.step import CompileInputs, Step


def lane(step: Step) -> str | None:
    """Steps of one lane run one after the other; None runs beside anything."""
    if isinstance(step.inputs, CompileInputs):
        return f"{step.needs['go'].subject} {step.inputs.platform}"
    return None
