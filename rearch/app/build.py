"""`plan` and `build`: the main job."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from rearch.app.images import deliver, lost_platforms
from rearch.app.prepare import LOCK, Prepared, load, prepare
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.collect import Output, built
from rearch.engine.executor import Executor, Policy, Summary
from rearch.engine.images import BuiltIndex, built_indexes, forget_layers, place_of
from rearch.engine.index import Built
from rearch.engine.state import ProjectState
from rearch.engine.store import Lease, Store
from rearch.engine.worker import Surroundings, Worker
from rearch.errors import ExitCode, RearchError, StepError, worst
from rearch.model.plan import Action, Plan, PlannedStep
from rearch.model.stack import Project
from rearch.model.step import StepId, StepKind
from rearch.planning.planner import make_plan
from rearch.report import Failed, Planned, Reporter, Said

NOT_RUN = "not run"


class SmokeNotRun(StepError):
    """--require-smoke, and a smoke check could not be run on this host."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(
            "smoke checks were not run, and --require-smoke wants them",
            names,
            "apt-get install qemu-user-static (`invoke doctor` shows what this host can run)",
        )


class BuildResult(Struct, frozen=True, kw_only=True):
    """What a build left. `failed` are steps, `errors` what else is wrong; `written` the files of output/ that are new.

    `answers` is what goes to stdout: folders with binaries, then `layout:tag@digest` of each index.
    `watched` are the files and folders, `records` the results, on which "nothing to do" rests. `run` is the record of
    this very build, where one was left (app/report.py).
    """

    plan: Plan
    results: tuple[Built, ...]
    indexes: tuple[BuiltIndex, ...]
    written: tuple[Path, ...]
    folders: tuple[Path, ...]
    answers: tuple[str, ...]
    failed: tuple[Failed, ...]
    errors: tuple[RearchError, ...]
    watched: tuple[Path, ...]
    records: tuple[Path, ...]
    run: Path | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the next build has nothing to do, and nothing to warn of."""
        complete = not self.errors and not self.failed and not self.plan.to_run
        return complete and not not_run(self.results, self.indexes)

    @property
    def exit_code(self) -> ExitCode:
        return worst((*(failed.error for failed in self.failed), *self.errors))


def plan(request: Request, report: Reporter) -> tuple[Plan, ProjectState]:
    """The plan of a build, and the view of the store that it was made with."""
    project = load(request)
    adapters = Adapters(request, project.settings, report)
    prepared = prepare(request, project, adapters, report, write=False)
    state = _state(adapters)
    return make_plan(prepared.steps, state, fresh=_fresh(request, prepared)), state


def build(request: Request, report: Reporter) -> BuildResult:
    """Make what is missing, collect what is there. Step failures are in the result, not raised."""
    project = load(request)
    adapters = Adapters(request, project.settings, report)
    output = Output(adapters.output, adapters.store)
    output.prepare()
    prepared = prepare(request, project, adapters, report)
    state = _state(adapters)
    with adapters.store.lease() as lease:
        with adapters.store.gate(exclusive=False):
            plan = make_plan(prepared.steps, state, fresh=_fresh(request, prepared))
            if _drop_damaged(plan, adapters.store, output, report):
                plan = make_plan(prepared.steps, state, fresh=_fresh(request, prepared))
            lease.declare(planned.key for planned in plan.steps)
        report(Planned(plan=plan))
        output.show_dockerfiles(plan)
        summary = _execute(plan, lease, request, adapters, report)
        results, indexes = built(plan, adapters.store), built_indexes(plan, adapters.store)
        with output.held():
            before = output.index()
            for text in lost_platforms(indexes, before.images):
                report(Said(text=text, level="warning"))
            written = (*output.collect(results), *output.collect_images(indexes))
            output.write_index(results, indexes, before)
            state.remember(plan)
        delivered = deliver(indexes, request, adapters, report)
    folders = tuple(output.place(result.compiled.step.id) for result in results)
    layouts = tuple(place_of(output.root, index.repository) for index in indexes)
    return BuildResult(
        plan=plan,
        results=results,
        indexes=indexes,
        written=written,
        folders=folders,
        answers=(*map(str, folders), *(_said(index, output) for index in indexes), *delivered.answers),
        failed=summary.failed,
        errors=(*prepared.errors, *_errors(results, indexes, request), *delivered.errors),
        watched=_watched(request, project, prepared, (*folders, *layouts, output.root / "build.json")),
        records=tuple(adapters.store.folder(planned.key) / "result.json" for planned in plan.steps),
    )


def _said(index: BuiltIndex, output: Output) -> str:
    """How a finished index is named on stdout: skopeo takes it behind `oci:`, without the digest."""
    return f"{place_of(output.root, index.repository)}:{index.result.facts['tag']}@{index.digest}"


def _drop_damaged(plan: Plan, store: Store, output: Output, report: Reporter) -> bool:
    """Remove results whose files were written to through their links in output/; whether there were any.

    Layers are linked from image to image and from the folder of layers that were made once, so with a damaged index
    go the images that it joins and what they start from.
    """
    collected = (StepKind.COMPILE, StepKind.INDEX)
    reused = [one for one in plan.steps if one.step.id.kind in collected and one.action is Action.REUSE]
    damaged = [planned for planned in reused if not store.intact(store.load(planned.key))]
    for planned in damaged:
        text = f"{planned.step.id}: its files were changed in place, in output/ or in the cache: they are made again"
        report(Said(text=text, level="warning"))
        if planned.step.id.kind is StepKind.COMPILE:
            output.remove(planned.step.id)
            store.discard(store.folder(planned.key))
        else:
            _drop_images(planned, plan, store)
    return bool(damaged)


def _drop_images(index: PlannedStep, plan: Plan, store: Store) -> None:
    kinds = (StepKind.BASE, StepKind.IMAGE, StepKind.INDEX)
    subject = index.step.id.subject
    for planned in plan.steps:
        own = planned.step.id.subject.partition("+")[0] == subject
        if own and planned.step.id.kind in kinds and store.has(planned.key):
            forget_layers(store, store.load(planned.key))
            store.discard(store.folder(planned.key))


def _watched(request: Request, project: Project, prepared: Prepared, outputs: tuple[Path, ...]) -> tuple[Path, ...]:
    """Everything whose change can change the plan or the output."""
    root = request.project
    facts = prepared.facts
    read = (*project.files, *facts.local_digests, *facts.disk_bases)
    named = (LOCK, "rearch.yaml", "recipes", "toolchains", "templates", *read)
    return (*(root / name for name in dict.fromkeys(named)), *outputs)


def _state(adapters: Adapters) -> ProjectState:
    return ProjectState(adapters.store, adapters.output / ".rearch" / "last.json")


def _fresh(request: Request, prepared: Prepared) -> tuple[StepId, ...]:
    """With --fresh everything is made again, but for what is fetched: that is checked by hash anyway."""
    kept = (StepKind.TOOLCHAIN, StepKind.FETCH, StepKind.SYSROOT, StepKind.BASE)
    return tuple(step.id for step in prepared.steps if step.id.kind not in kept) if request.fresh else ()


def _execute(plan: Plan, lease: Lease, request: Request, adapters: Adapters, report: Reporter) -> Summary:
    if not plan.to_run:
        return Summary(finished=(), failed=(), skipped=())
    adapters.store.sweep()
    around = Surroundings(
        project=request.project,
        logs=adapters.output / "logs",
        caches=adapters.cache,
        limits=adapters.settings.limits.values,
        run=adapters.run_command,
        perform=adapters.performer,
        report=report,
    )
    policy = Policy(jobs=adapters.settings.jobs or len(os.sched_getaffinity(0)), keep_going=request.keep_going)
    return Executor(Worker(adapters.store, lease, around), report, policy, adapters.processes.stop).run(plan)


def not_run(results: tuple[Built, ...], indexes: tuple[BuiltIndex, ...]) -> tuple[str, ...]:
    """The smoke checks that this host could not run: `smoke rancher/agent linux/arm64`."""
    binaries = [result.compiled.step.id for result in results if result.smoke == NOT_RUN]
    images = [
        f"image-smoke {index.step.step.id.subject} {platform}"
        for index in indexes
        for platform in index.starts
        if index.started(platform) == NOT_RUN
    ]
    return (*(f"smoke {step.subject} {step.platform}" for step in binaries), *images)


def _errors(results: tuple[Built, ...], indexes: tuple[BuiltIndex, ...], request: Request) -> tuple[RearchError, ...]:
    missing = not_run(results, indexes)
    return (SmokeNotRun(missing),) if request.require_smoke and missing else ()


def warn_not_run(result: BuildResult, report: Reporter) -> None:
    """Say loudly what nobody has started."""
    for name in not_run(result.results, result.indexes):
        why = (
            "this host cannot start it (its log says why)" if name.startswith("image-") else "no emulator on this host"
        )
        report(Said(text=f"{name}: not run, {why}", level="warning"))
