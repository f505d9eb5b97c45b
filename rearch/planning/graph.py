"""Recipes -> steps: pure, and in an order in which each step comes after those that it needs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.lock import SysrootName
from rearch.model.platform import Platform
from rearch.model.source import PinnedSource
from rearch.model.stack import Component
from rearch.model.step import (
    CompileInputs,
    FetchInputs,
    Fix,
    GenerateInputs,
    ModulesInputs,
    PatchInputs,
    SmokeInputs,
    Step,
    StepId,
    StepKind,
    SysrootInputs,
    ToolchainInputs,
    VerifyInputs,
)
from rearch.planning.expand import Expander, source_time
from rearch.planning.facts import Facts
from rearch.planning.graph_smoke import checks_here
from rearch.planning.images import component_images
from rearch.planning.inputs import InputsDigests
from rearch.planning.names import pinned_source, pinned_sysroot, sysroot_packages


def steps_of(components: Iterable[Component], facts: Facts) -> tuple[Step, ...]:
    """All steps for these components, on the platforms that their recipes are for; a shared toolchain stands once.

    Images come last: they take binaries of several components.
    """
    components = tuple(components)
    steps: dict[StepId, Step] = {}
    for component in components:
        for step in _component_steps(component, facts):
            steps.setdefault(step.id, step)
    digests = InputsDigests(steps)
    for component in components:
        if component.asked and component.recipe.image is not None:
            for step in component_images(component, facts, steps, digests):
                steps.setdefault(step.id, step)
    return tuple(steps.values())


def _component_steps(component: Component, facts: Facts) -> Iterator[Step]:
    source = pinned_source(component, facts.lock, facts.local_digests)
    fetched = Step(id=StepId(StepKind.FETCH, component.id), inputs=FetchInputs(source=source), needs=FrozenDict())
    yield fetched
    patched = _patch(component, facts, fetched.id)
    yield patched
    expand = Expander(component.id, source, facts.epoch)
    for platform, recipe in component.recipes.items():
        if not recipe.build.go.binaries:
            continue  # scripts and the like: an image takes them from the patched source
        yield from _platform_steps(_Build(component, platform, source, expand, facts), patched.id)


class _Build:
    """One component on one platform: what its steps have in common."""

    def __init__(
        self, component: Component, platform: Platform, source: PinnedSource, expand: Expander, facts: Facts
    ) -> None:
        self.component = component
        self.platform = platform
        self.recipe = component.recipes[platform]
        self.facts = facts
        self.go = self.recipe.build.go
        self.source = source
        self.expand = expand.on(platform)
        self.toolchain = facts.toolchains[self.recipe.build.toolchain]

    def id(self, kind: StepKind) -> StepId:
        return StepId(kind, self.component.id, self.platform)


def _platform_steps(build: _Build, tree: StepId) -> Iterator[Step]:
    go = _toolchain(build.toolchain)
    yield go
    needs = {"source": tree, "go": go.id}
    for step in _before_compile(build, needs):
        yield step
        needs[_ROLES[step.id.kind]] = step.id
    compiled = Step(id=build.id(StepKind.COMPILE), inputs=_compile_inputs(build), needs=FrozenDict(needs))
    yield compiled
    yield from _after_compile(build, needs, compiled.id)


_ROLES = {
    StepKind.GENERATE: "source",
    StepKind.MODULES: "modules",
    StepKind.TOOLCHAIN: "cc",
    StepKind.SYSROOT: "sysroot",
}


def _before_compile(build: _Build, needs: Mapping[str, StepId]) -> Iterator[Step]:
    """What compiling needs besides the patched source and Go; `needs` grows as the caller takes each step."""
    if build.go.generate:
        yield _generate(build, needs)
    if build.go.layout != "gopath":
        yield _modules(build, needs)
    if build.go.cgo:
        yield _c_toolchain(build)
    packages = sysroot_packages(build.recipe)
    if packages:
        yield _sysroot(build.platform, packages, build.facts)


def _after_compile(build: _Build, needs: Mapping[str, StepId], compiled: StepId) -> Iterator[Step]:
    verified = Step(
        id=build.id(StepKind.VERIFY), inputs=_verify_inputs(build), needs=FrozenDict({"binaries": compiled})
    )
    yield verified
    smoke = _smoke_inputs(build)
    if smoke.checks:
        roles = {"binaries": compiled, "verified": verified.id}
        roles |= {role: needs[role] for role in ("sysroot",) if role in needs}
        yield Step(id=build.id(StepKind.SMOKE), inputs=smoke, needs=FrozenDict(roles))


def _toolchain(tool: ToolchainInputs) -> Step:
    return Step(id=StepId(StepKind.TOOLCHAIN, tool.name), inputs=tool, needs=FrozenDict())


def _c_toolchain(build: _Build) -> Step:
    """zig is one compiler for all platforms; of cross gcc a host has one for each."""
    tool = _c_compiler(build)
    platform = build.platform if tool.kind == "gcc" else None
    return Step(id=StepId(StepKind.TOOLCHAIN, tool.name, platform), inputs=tool, needs=FrozenDict())


def _c_compiler(build: _Build) -> ToolchainInputs:
    assert build.go.cgo is not None
    name = build.go.cgo.toolchain
    return build.facts.cross.get((name, build.platform)) or build.facts.toolchains[name]


def place_of(component: Component) -> str:
    """Where a component's source lies below gopath/src."""
    return component.recipe.build.go.import_path or component.name


def _patch(component: Component, facts: Facts, source: StepId) -> Step:
    recipe = component.recipe
    inputs = PatchInputs(
        place=place_of(component),
        patches=component.patches,
        fuzz=recipe.patch.fuzz,
        fixes=tuple(_fix(component, name, facts.fixes) for name in recipe.fixes),
        edits=recipe.edits,
    )
    return Step(id=StepId(StepKind.PATCH, component.id), inputs=inputs, needs=FrozenDict({"source": source}))


class UnknownFix(UsageError):
    """A recipe names a fix that rearch does not ship."""

    def __init__(self, component: str, name: str, known: Iterable[str]) -> None:
        self.component = component
        self.name = name
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "`invoke fixes` tells what each one cures"
        super().__init__(f"{component}: no fix is called {name!r}", [f"known: {', '.join(names)}"], hint)


def _fix(component: Component, name: str, known: Mapping[str, Fix]) -> Fix:
    try:
        return known[name]
    except KeyError:
        raise UnknownFix(component.id, name, known) from None


def _generate(build: _Build, needs: Mapping[str, StepId]) -> Step:
    # Not for one platform: the commands run on the build host, and all platforms share what they make.
    inputs = GenerateInputs(
        place=place_of(build.component),
        directory=build.go.directory,
        commands=tuple(build.expand.texts(command) for command in build.go.generate),
        env=build.expand.mapping(build.go.env),
    )
    roles = {role: needs[role] for role in ("source", "go")}
    return Step(id=build.id(StepKind.GENERATE), inputs=inputs, needs=FrozenDict(roles))


def _modules(build: _Build, needs: Mapping[str, StepId]) -> Step:
    inputs = ModulesInputs(
        place=place_of(build.component),
        directory=build.go.directory,
        proxy=build.facts.go.proxy,
        sumdb=build.facts.go.sumdb,
    )
    step_id = StepId(StepKind.MODULES, build.component.id, build.platform if build.go.generate else None)
    return Step(id=step_id, inputs=inputs, needs=FrozenDict({role: needs[role] for role in ("source", "go")}))


def _sysroot(platform: Platform, packages: tuple[str, ...], facts: Facts) -> Step:
    name = SysrootName(platform, packages)
    inputs = SysrootInputs(packages=pinned_sysroot(name, facts.lock).packages, platform=platform)
    return Step(id=StepId(StepKind.SYSROOT, "+".join(sorted(packages)), platform), inputs=inputs, needs=FrozenDict())


def _compile_inputs(build: _Build) -> CompileInputs:
    go, expand = build.go, build.expand
    return CompileInputs(
        platform=build.platform,
        go_version=build.toolchain.version,
        requires=go.requires,
        place=place_of(build.component),
        layout=go.layout,
        directory=go.directory,
        binaries=expand.mapping(go.binaries),
        links=expand.mapping(go.links),
        tags=expand.texts(go.tags),
        ldflags=expand.texts(go.ldflags),
        stamps=expand.mapping(go.stamps),
        strip=go.strip,
        env=expand.mapping(go.env),
        cgo_kind=_c_compiler(build).kind if go.cgo else None,
        cgo_link=go.cgo.link if go.cgo else None,
        source_date_epoch=source_time(build.source, build.facts.epoch) or 0,
    )


def _verify_inputs(build: _Build) -> VerifyInputs:
    check = build.recipe.verify
    link = check.link or (build.go.cgo.link if build.go.cgo else "static")
    return VerifyInputs(
        platform=build.platform,
        names=tuple(sorted(build.expand.texts(tuple(build.go.binaries)))),
        link=link,
        glibc=check.glibc,
        libraries=check.libraries,
    )


def _smoke_inputs(build: _Build) -> SmokeInputs:
    checks = checks_here(build.recipe.smoke, build.platform, build.expand)
    return SmokeInputs(platform=build.platform, checks=checks, emulator=build.facts.emulators[build.platform])
