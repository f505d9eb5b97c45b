"""What an image is made from, in one digest that is the same on every build host.

A step's key says whether *this* machine has its result: the compiler's archive for the host, an emulator's name are in
it. An inputs digest says whether a *published* image is what the project would make now: sha256 over the same texts
without what the host decides. It is known when the plan is, before anything is fetched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.key import Canonicalizer, canonical
from rearch.model.step import Inputs, SmokeInputs, Step, StepId, SystemOrigin, ToolchainInputs
from rearch.model.step_images import ImageSmokeInputs
from rearch.planning.keys import RULES

# `go version go1.24.4 linux/amd64`: the end names the host.
_HOST = re.compile(r" [a-z0-9]+/[a-z0-9]+\Z")


class Compiler(Struct, frozen=True, kw_only=True):
    """A toolchain wherever it runs. `identity` is that of the host's own compiler, which a version does not pin; of
    a pinned one a digest of the pins for all hosts, since others may build the same version otherwise."""

    kind: str
    version: str
    identity: str = ""


class InputsDigests:
    """The digests of the steps of one plan. `steps` may grow, and has what a step needs before that is asked for."""

    def __init__(self, steps: Mapping[StepId, Step]) -> None:
        self._steps = steps
        self._known: dict[StepId, str] = {}
        self._writer = Canonicalizer()

    def of(self, step: Step) -> str:
        """`sha256:` and 64 digits, over the step and all that it is made from. Asked once, it stays what it was."""
        known = self._known.get(step.id)
        if known is None:
            needs = ",".join(f'"{role}":"{self.at(step.needs[role])}"' for role in sorted(step.needs))
            kind = step.id.kind
            inputs = self._writer.text(anywhere(step.inputs))
            text = f'{{"inputs":{inputs},"needs":{{{needs}}},"rule":{RULES[kind]},"step":"{kind.value}"}}'
            known = self._known[step.id] = _digest(text)
        return known

    def at(self, step: StepId) -> str:
        """The same, of a step of the plan."""
        return self._known.get(step) or self.of(self._steps[step])

    def together(self, needs: Iterable[tuple[str, StepId]], said: Mapping[str, str]) -> str:
        """Of several steps by role, and of what is said of them."""
        return _digest(canonical({"needs": {role: self.at(step) for role, step in needs}, "said": dict(said)}))


def anywhere(inputs: Inputs) -> Inputs | Compiler:
    """The inputs without what depends on the host that would work on them."""
    match inputs:
        case ToolchainInputs(origin=SystemOrigin(identity=identity)):
            return Compiler(kind=inputs.kind, version=inputs.version, identity=_HOST.sub("", identity))
        case ToolchainInputs():
            return Compiler(kind=inputs.kind, version=inputs.version, identity=inputs.everywhere)
        case SmokeInputs() | ImageSmokeInputs():
            return replace(inputs, emulator=None)
    return inputs


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
