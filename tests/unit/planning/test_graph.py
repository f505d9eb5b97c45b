"""Recipes -> steps: which steps there are, and what each needs."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, Lock, Sysroot, SysrootName
from rearch.model.platform import Platform, parse_platform
from rearch.model.source import DebianFile, DebianPackage
from rearch.model.step import CompileInputs, SmokeInputs, Step, SystemOrigin, ToolchainInputs, VerifyInputs
from rearch.planning.graph import steps_of
from tests.support.plans import AMD64, ARM64, component, facts

ARMHF = parse_platform("armhf")


def _steps(*components: Any, **changes: Any) -> dict[str, Step]:
    return {str(step.id): step for step in steps_of(components, facts(*components, **changes))}


def _go(**changes: Any) -> dict[str, Any]:
    return {"toolchain": "go-test", "go": {"binaries": {"hello": "."}, **changes}}


def test_a_module_fetches_its_modules_once_for_all_platforms() -> None:
    steps = _steps(component(platforms=(ARM64, AMD64), build=_go(layout="module")))
    assert "modules test/hello" in steps
    for platform in (ARM64, AMD64):
        needs = steps[f"compile test/hello {platform}"].needs
        assert {role: str(need) for role, need in needs.items()} == {
            "source": "patch test/hello",
            "go": "toolchain go-test",
            "modules": "modules test/hello",
        }


def test_a_layout_that_is_to_be_detected_may_be_a_module() -> None:
    steps = _steps(component(build=_go()))
    assert "modules test/hello" in steps
    compiled = steps["compile test/hello linux/arm64"].inputs
    assert isinstance(compiled, CompileInputs)
    assert compiled.layout is None


def test_generated_code_is_what_is_compiled() -> None:
    steps = _steps(component(build=_go(layout="gopath", generate=[["go", "generate", "./..."]])))
    assert str(steps["compile test/hello linux/arm64"].needs["source"]) == "generate test/hello linux/arm64"
    assert str(steps["generate test/hello linux/arm64"].needs["source"]) == "patch test/hello"


def _gcc(platform: Platform) -> ToolchainInputs:
    origin = SystemOrigin(path=f"/usr/bin/{platform.arch.triplet}-gcc", identity=f"gcc 12 {platform}")
    return ToolchainInputs(name="gcc-cross", kind="gcc", version="12", host=AMD64, origin=origin)


def test_each_platform_has_its_own_cross_compiler_and_sysroot() -> None:
    cgo = {"toolchain": "gcc-cross", "packages": ["libseccomp-dev"], "link": "dynamic"}
    example = component(platforms=(ARM64, ARMHF), build=_go(layout="gopath", cgo=cgo))
    known = facts(example)
    package = DebianPackage(
        name="libseccomp-dev",
        version="1",
        architecture="arm64",
        file=DebianFile(path="pool/x.deb", size=1, sha256="0" * 64),
    )
    entries = {
        str(SysrootName(platform, ("libseccomp-dev",))): Entry(
            identity=Sysroot(packages=(package,)), needed_by=(example.id,)
        )
        for platform in (ARM64, ARMHF)
    }
    known = replace(
        known,
        lock=Lock(FrozenDict({**known.lock.entries, **entries})),
        cross={("gcc-cross", platform): _gcc(platform) for platform in (ARM64, ARMHF)},
        emulators={ARM64: "qemu", ARMHF: "qemu"},
    )
    steps = {str(step.id): step for step in steps_of((example,), known)}
    compiled = steps["compile test/hello linux/arm/v7"]
    assert str(compiled.needs["cc"]) == "toolchain gcc-cross linux/arm/v7"
    assert str(compiled.needs["sysroot"]) == "sysroot libseccomp-dev linux/arm/v7"
    assert str(steps["smoke test/hello linux/arm/v7"].needs["sysroot"]) == "sysroot libseccomp-dev linux/arm/v7"
    verify = steps["verify test/hello linux/arm/v7"].inputs
    assert isinstance(verify, VerifyInputs)
    assert verify.link == "dynamic"


def test_texts_are_final_in_the_steps() -> None:
    build = _go(
        layout="gopath",
        ldflags=["-X main.commit=${{ short_commit }}"],
        stamps={"main.platform": "${{ platform }}"},
        binaries={"hello-${{ arch }}": "."},
    )
    smoke = [{"run": ["hello-arm64"], "expect": "${{ platform }}", "platforms": ["linux/arm64"]}]
    example = component(build=build | {"go": {**build["go"], "binaries": {"hello-arm64": "."}}}, smoke=smoke)
    steps = _steps(example)
    compiled = steps["compile test/hello linux/arm64"].inputs
    assert isinstance(compiled, CompileInputs)
    assert compiled.stamps == {"main.platform": "linux/arm64"}
    assert "${{" not in "".join(compiled.ldflags)
    smoked = steps["smoke test/hello linux/arm64"].inputs
    assert isinstance(smoked, SmokeInputs)
    assert smoked.checks[0].expect == "linux/arm64"


def test_a_smoke_for_other_platforms_is_no_step_here() -> None:
    smoke = [{"run": ["hello"], "platforms": ["linux/amd64"]}]
    steps = _steps(component(platforms=(ARM64, AMD64), smoke=smoke))
    assert "smoke test/hello linux/amd64" in steps
    assert "smoke test/hello linux/arm64" not in steps
