"""Builds and publishes that leave a record, and the documents that are made of the records."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch import __version__
from rearch.app.again import PAGE, not_written
from rearch.engine.durable import write_whole
from rearch.engine.history_file import held_history, new_run
from rearch.engine.run_files import last_run, leave_run, read_history
from rearch.engine.runs import NOT_RUN, Recorder, words
from rearch.errors import ExitCode, Interrupted, RearchError, UsageError
from rearch.host.logs import last_lines
from rearch.report import Reporter, Said
from rearch.reporting.record import Reference, Run, StepRun, Version, Words

if TYPE_CHECKING:
    from rearch.app.build import BuildResult
    from rearch.app.publish import PublishOrder
    from rearch.app.request import Request
    from rearch.model.plan import PlannedStep
    from rearch.publishing.outcome import PublishResult
    from rearch.reporting.night_record import Night
    from rearch.reporting.page import Story

LOG_LINES = 40


class NothingToReport(UsageError):
    """No run has left a record in output/."""

    def __init__(self, output: Path) -> None:
        self.output = output
        super().__init__(f"{output} holds no record of a run", hint="build first: `rearch build`")


class ReportOrder(Struct, frozen=True, kw_only=True):
    """Which documents are wanted, and where. `page` None: output/report.html. `markdown` may be `-`, for stdout."""

    page: Path | None = None
    junit: Path | None = None
    prometheus: Path | None = None
    markdown: str = ""
    json: bool = False


class Reported(Struct, frozen=True, kw_only=True):
    """What was written, what goes to stdout, and what is to be told of the records themselves."""

    written: tuple[Path, ...]
    answer: str = ""
    told: tuple[str, ...] = ()


def recorded_build(request: Request, report: Reporter, *, junit: Path | None = None) -> BuildResult:
    """`build`, with its record in output/.rearch/runs, its line in history.jsonl and a new report.html, however it
    ends. With `junit` that file is written, too; one that cannot be written is among the result's errors, where there
    is none that matters more. Errors: those of build; CannotWrite for a `junit` without a folder."""
    from rearch.app.build import build

    if junit is not None:
        _check_folder(junit)
    recorder = Recorder(report)
    run, time = new_run()
    try:
        result = build(request, recorder)
    except (RearchError, KeyboardInterrupt) as error:
        told = error if isinstance(error, RearchError) else Interrupted()
        made = _run(run, "build", time, recorder, int(told.exit_code), errors=(words(told),))
        _leave_failed(request, recorder, made, junit, report)
        raise
    output = _output(request)
    assert output is not None, "a build has read the same settings"
    made = _run(run, "build", time, recorder, int(result.exit_code), errors=tuple(map(words, result.errors)))
    made = _with_results(made, recorder, result, output)
    left = _leave(output, made, report)
    return _with_junit(replace(result, run=left), junit, made, report)


def recorded_publish(
    request: Request, order: PublishOrder, report: Reporter, *, standing: tuple[Reference, ...] = ()
) -> PublishResult:
    """`publish`, with its record, which tells of what is `standing` there already, too. A dry run leaves none. Errors:
    those of publish."""
    from rearch.app.publish import publish

    if order.dry_run:
        return publish(request, order, report)
    recorder = Recorder(report)
    run, time = new_run()
    try:
        result = publish(request, order, recorder)
    except (RearchError, KeyboardInterrupt) as error:
        told = error if isinstance(error, RearchError) else Interrupted()
        made = _run(run, "publish", time, recorder, int(told.exit_code), errors=(words(told),))
        _leave_failed(request, recorder, made, None, report)
        raise
    errors = tuple(words(error, where) for where, error in result.errors)
    made = _run(run, "publish", time, recorder, int(result.exit_code), errors=errors)
    output = _output(request)
    if output is not None:
        _leave(output, replace(made, references=(*standing, *_references(result))), report)
    return result


def record_standing(request: Request, standing: tuple[Reference, ...], report: Reporter) -> None:
    """The record of a publish that had nothing to do, since all of it stands there already."""
    output = _output(request)
    if output is not None:
        run, time = new_run()
        made = _run(run, "publish", time, Recorder(report), 0, errors=())
        _leave(output, replace(made, references=standing), report)


def report_documents(request: Request, order: ReportOrder) -> Reported:
    """Write the report of the last runs. Errors: NothingToReport, CannotWrite, those of the settings."""
    from rearch.config.settings import settings_origins

    settings, _ = settings_origins(request.project, environment=request.environment, flags=request.flags)
    output = request.project / settings.output
    story = _story(output)
    if story.last is None:
        raise NothingToReport(output)
    makers: list[tuple[Path, Callable[[], bytes]]] = [(order.page or output / PAGE, lambda: _page(story))]
    if order.junit is not None:
        makers.append((order.junit, lambda: _junit(story.build or story.last)))
    if order.prometheus is not None:
        makers.append((order.prometheus, lambda: _prometheus(story)))
    if order.markdown and order.markdown != "-":
        makers.append((Path(order.markdown), lambda: _markdown(story).encode()))
    written = tuple(_write(path, make()) for path, make in makers)
    told = (*story.history.told, *_misnamed(order.prometheus))
    return Reported(written=written, answer=_answer(order, story, written), told=told)


def _misnamed(metrics: Path | None) -> tuple[str, ...]:
    """The textfile collector passes over other files without a word (its README)."""
    if metrics is None or metrics.suffix == ".prom":
        return ()
    return (f"{metrics}: node_exporter reads only files that end in .prom",)


def _answer(order: ReportOrder, story: Story, written: Sequence[Path]) -> str:
    if order.markdown == "-":
        return _markdown(story).rstrip("\n")
    if order.json:
        import msgspec

        again = story.history.again(story.build.id) if story.build else ()
        runs = {"build": story.build, "publish": story.publish, "again": again}
        return msgspec.json.format(msgspec.json.encode(runs), indent=1).decode()
    return "\n".join(map(str, written))


class CannotWrite(RearchError):
    """A document of the report could not be written."""

    exit_code = ExitCode.USAGE

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        self.line = f"{path} cannot be written: {error.strerror or error}"
        super().__init__(f"{path} cannot be written", (str(error.strerror or error),), hint="name another place")


def _write(path: Path, data: bytes) -> Path:
    """Whole or not at all; no folder is made for it. Errors: CannotWrite."""
    _check_folder(path)
    try:
        write_whole(path.absolute(), data)
    except OSError as error:
        raise CannotWrite(path, error) from None
    return path


def _check_folder(path: Path) -> None:
    """Before an hour's work, not after it. Errors: CannotWrite."""
    if path == Path("-"):
        raise CannotWrite(
            path, OSError(errno.EINVAL, "it would be a file of that name; stdout is for --markdown alone")
        )
    if not path.absolute().parent.is_dir():
        raise CannotWrite(path, FileNotFoundError(errno.ENOENT, "its folder does not exist"))
    if path.is_dir():
        raise CannotWrite(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))


def _write_junit(path: Path | None, run: Run) -> None:
    if path is not None:
        _write(path, _junit(run))


def _with_junit(result: BuildResult, path: Path | None, run: Run, report: Reporter) -> BuildResult:
    """What was built is answered, and what failed is told, though the document of it has no place."""
    try:
        _write_junit(path, run)
    except CannotWrite as error:
        if result.exit_code is ExitCode.OK:
            return replace(result, errors=(error,))
        report(Said(text=error.line, level="warning"))
    return result


def _run(run: str, command: str, time: int, recorder: Recorder, code: int, *, errors: tuple[Words, ...]) -> Run:
    return Run(
        id=run,
        command=command,
        time=time,
        seconds=round(recorder.seconds, 3),
        exit_code=code,
        rearch=__version__,
        errors=errors,
        warnings=recorder.warnings,
    )


def _with_results(run: Run, recorder: Recorder, result: BuildResult, output: Path) -> Run:
    from rearch.engine.run_facts import binaries, images, versions

    unproven = _not_run(result)
    return replace(
        run,
        steps=_steps(recorder, output, unproven),
        binaries=tuple(binaries(result.results)),
        images=tuple(images(result.indexes)),
        versions=_all_versions(tuple(versions(result.plan)), result.plan.steps, output),
    )


def _steps(recorder: Recorder, output: Path, unproven: Mapping[str, str]) -> tuple[StepRun, ...]:
    def tail(log: Path) -> tuple[str, ...]:
        return last_lines(log, LOG_LINES)

    return tuple(recorder.steps(output, tail, lambda planned: unproven.get(str(planned.step.id))))


def _not_run(result: BuildResult) -> Mapping[str, str]:
    """The checks that this host could not run, by step: why."""
    from rearch.model.step import StepId, StepKind

    found = {
        str(StepId(StepKind.SMOKE, one.compiled.step.id.subject, one.compiled.step.id.platform)): "no emulator here"
        for one in result.results
        if one.smoke == NOT_RUN
    }
    for index in result.indexes:
        for platform in index.starts:
            if index.started(platform) == NOT_RUN:
                found[str(index.step.step.needs[f"start {platform}"])] = "this host cannot start it"
    return found


def _all_versions(now: tuple[Version, ...], steps: Sequence[PlannedStep], output: Path) -> tuple[Version, ...]:
    """A source that is no longer in the cache is not planned while nobody needs it: what it was, the last run says."""
    known = {version.component for version in now}
    lacking = {planned.step.id.subject.partition("+")[0] for planned in steps} - known
    before = last_run(output, read_history(output), "build") if lacking else None
    kept = [version for version in before.versions if version.component in lacking] if before else []
    return tuple(sorted((*now, *kept), key=lambda version: (version.kind == "toolchain", version.component)))


def _references(result: PublishResult) -> tuple[Reference, ...]:
    return tuple(
        Reference(
            component=tag.component,
            reference=tag.reference,
            digest=tag.digest,
            change=tag.how,
            platforms=tuple(tag.platforms),
        )
        for tag in result.tags
    )


def _output(request: Request) -> Path | None:
    """The folder of results; None where the settings cannot be read, or there is no such folder."""
    from rearch.config.settings import settings_origins

    try:
        settings, _ = settings_origins(request.project, environment=request.environment, flags=request.flags)
    except RearchError:
        return None  # the run itself ends with this very error, in words
    output = request.project / settings.output
    return output if output.is_dir() else None


def _leave_failed(request: Request, recorder: Recorder, run: Run, junit: Path | None, report: Reporter) -> None:
    """The record of a run that did not come to its end."""
    output = _output(request)
    whole = replace(run, steps=_steps(recorder, output or Path(), {}))
    if output is not None:
        _leave(output, whole, report)
    try:
        _write_junit(junit, whole)
    except CannotWrite as error:  # the run has an error of its own, which matters more
        report(Said(text=error.line, level="warning"))


def _leave(output: Path, run: Run, report: Reporter) -> Path | None:
    """A report that cannot be written is a warning: the build is what was asked for. The record, where it is."""
    left: Path | None = None
    try:
        left = leave_run(output, run)
        for text in renew_page(output).history.told:
            report(Said(text=text, level="warning"))
    except OSError as error:
        report(Said(text=not_written(error), level="warning"))
    return left


def renew_page(output: Path) -> Story:
    """Write output/report.html from the records; two runs that end at once do it one after the other.
    Errors: OSError."""
    with held_history(output):
        story = _story(output)
        write_whole(output / PAGE, _page(story))
    return story


def _story(output: Path) -> Story:
    from rearch.reporting.page import Story

    history = read_history(output)
    return Story(
        build=last_run(output, history, "build"),
        publish=last_run(output, history, "publish"),
        night=_night(output),
        history=history,
    )


def _night(output: Path) -> Night | None:
    from rearch.engine.nightly import RECORD
    from rearch.reporting.night import read_night

    path = output / RECORD
    return read_night(path.read_bytes()) if path.is_file() else None


def _page(story: Story) -> bytes:
    from rearch.reporting.page import page

    return page(story)


def _junit(run: Run | None) -> bytes:
    from rearch.reporting.junit import junit

    assert run is not None, "a report without any run was refused"
    return junit(run)


def _prometheus(story: Story) -> bytes:
    from rearch.reporting.prometheus import prometheus

    return prometheus(story.build, story.publish, story.history)


def _markdown(story: Story) -> str:
    from rearch.reporting.markdown import markdown
    from rearch.reporting.view import changes

    sizes = changes(story.build, story.history) if story.build else ()
    again = story.history.again(story.build.id) if story.build else ()
    return markdown(story.build, story.publish, sizes, again)
