"""The one list of what to do for each kind of step. The type checker holds it against the union."""

from __future__ import annotations

from typing import assert_never

from rearch.model.step import (
    CompileInputs,
    FetchInputs,
    GenerateInputs,
    Inputs,
    ModulesInputs,
    PatchInputs,
    SmokeInputs,
    SysrootInputs,
    ToolchainInputs,
    VerifyInputs,
)
from rearch.model.step_images import AuditInputs, BaseInputs, ImageInputs, ImageSmokeInputs, IndexInputs
from rearch.steps.ports import Outcome, Ports, Workspace


class Performer:
    """Performs steps through these ports. The step's own module is imported when it is needed."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def __call__(self, inputs: Inputs, work: Workspace) -> Outcome:
        match inputs:
            case FetchInputs():
                return self._fetch(inputs, work)
            case ToolchainInputs():
                from rearch.steps.toolchain import run_toolchain

                return run_toolchain(inputs, work, self._ports.tools)
            case SysrootInputs():
                from rearch.steps.sysroot import run_sysroot

                return run_sysroot(inputs, work, self._ports.packages)
            case PatchInputs() | GenerateInputs() | ModulesInputs() | CompileInputs():
                return _build(inputs, work)
            case VerifyInputs() | SmokeInputs() | AuditInputs() | ImageSmokeInputs():
                return self._check(inputs, work)
            case BaseInputs() | ImageInputs() | IndexInputs():
                return self._image(inputs, work)
        assert_never(inputs)

    def _fetch(self, inputs: FetchInputs, work: Workspace) -> Outcome:
        self._ports.sources.fetch(inputs.source, work)
        return Outcome()

    def _check(self, inputs: VerifyInputs | SmokeInputs | AuditInputs | ImageSmokeInputs, work: Workspace) -> Outcome:
        match inputs:
            case VerifyInputs():
                from rearch.steps.verify import run_verify

                return run_verify(inputs, work)
            case SmokeInputs():
                from rearch.steps.smoke import run_smoke

                return run_smoke(inputs, work, self._ports.emulator(inputs.platform))
            case AuditInputs():
                from rearch.steps.audit import run_audit

                return run_audit(inputs, work)
            case ImageSmokeInputs():
                from rearch.steps.image_smoke import run_image_smoke

                return run_image_smoke(inputs, work, self._ports.emulator(inputs.platform))
        assert_never(inputs)

    def _image(self, inputs: BaseInputs | ImageInputs | IndexInputs, work: Workspace) -> Outcome:
        match inputs:
            case BaseInputs():
                from rearch.steps.base import run_base

                return run_base(inputs, work, self._ports.images, self._ports.root_fs)
            case ImageInputs():
                from rearch.steps.image import EMBEDDED, run_image

                ours = inputs.builder == EMBEDDED
                builder = None if ours else self._ports.builder(inputs.builder, inputs.engine)
                return run_image(inputs, work, builder)
            case IndexInputs():
                from rearch.steps.index import run_index

                return run_index(inputs, work)
        assert_never(inputs)


def _build(inputs: PatchInputs | GenerateInputs | ModulesInputs | CompileInputs, work: Workspace) -> Outcome:
    match inputs:
        case PatchInputs():
            from rearch.steps.patch import run_patch

            return run_patch(inputs, work)
        case GenerateInputs():
            from rearch.steps.generate import run_generate

            return run_generate(inputs, work)
        case ModulesInputs():
            from rearch.steps.modules import run_modules

            return run_modules(inputs, work)
        case CompileInputs():
            from rearch.steps.compile import run_compile

            return run_compile(inputs, work)
    assert_never(inputs)
