"""The tasks of the main job: plan, build, lock."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, task

from rearch.cli.door import answer, environment, guarded, project_root, say, words
from rearch.engine.stamp import Settled, Stamp
from rearch.errors import RearchError, UsageError

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.report import Failed, Reporter

HELP = {
    "arch": "architectures to build for, as arm64,amd64 or arm/v7; default: what the stack says",
    "platform": "the same, spelled linux/arm64,linux/amd64",
    "stack": "stacks to build (folders of recipes/); default: all",
    "only": "components to build, as healthcheck or rancher/healthcheck",
    "jobs": "steps at once; default: the number of CPUs",
    "keep-going": "after a failure go on with what does not depend on it",
    "locked": "resolve nothing: an entry that rearch.lock lacks is an error",
    "offline": "touch no network",
    "fresh": "make everything again from the fetched sources (nothing is thrown away)",
    "dry-run": "print the plan and stop",
    "explain": "with the plan: the fields of each step's inputs that changed",
    "require-smoke": "a smoke check that cannot run here is an error",
    "progress": "auto, plain, tty, json or quiet",
    "output": "folder for results, instead of the project's output/; or docker-archive: also write a file for "
    "`docker load` of each image and platform to output/archives/",
    "junit": "also write the checks as JUnit XML, for a build server",
    "load": "put the images into the Docker engine",
    "verbose": "show reused steps, and every setting with its origin",
    "project": "the project's folder; default: the one around here",
}


EXPORTS = ("docker-archive",)


def _help(*names: str) -> dict[str, str]:
    return {name: HELP[name] for name in names}


Given = str | None


def make_request(
    context: Context, project: str, arch: Given, platform: Given, stack: Given, only: Given, **rest: object
) -> Request:
    """The request that these flags describe; None is a flag that was not given. Errors: UsageError."""
    from rearch.app.request import Request
    from rearch.model.platform import parse_platforms

    named = {"arch": arch, "platform": platform, "stack": stack, "only": only}
    given = {flag: _not_empty(flag, value) for flag, value in named.items()}

    if rest.get("output") in EXPORTS:
        rest["export"] = rest.pop("output")
    flags = {name: rest.pop(name) for name in ("jobs", "offline", "output") if rest.get(name)}
    rest = {name: value for name, value in rest.items() if name not in ("jobs", "offline", "output")}
    return Request(
        project=_mended(project_root(context, project)),
        stacks=words(given["stack"]) or None,
        platforms=parse_platforms(f"{given['arch']},{given['platform']}") or None,
        only=words(given["only"]),
        flags=flags,
        environment=environment(),
        **rest,  # type: ignore[arg-type]
    )


def _mended(root: Path) -> Path:
    """What a killed run left half written is as before, whatever is asked for next. Errors: BadJournal, CannotUndo."""
    if (root / ".rearch.undo").exists():  # engine.undo.JOURNAL, which costs start-up
        from rearch.engine.undo import undo

        for line in undo(root).lines(root):
            say(line)
    return root


def _not_empty(flag: str, value: Given) -> str:
    """A variable of a CI file that is not set must not build everything."""
    if value is not None and not words(value):
        raise UsageError(f"--{flag} is empty", hint=f"name something, or leave --{flag} out")
    return value or ""


def reporter_for(kind: str, request: Request, *, verbose: bool) -> Reporter:
    from rearch.host.progress import reporter

    return reporter(kind, sys.stderr, dict(request.environment), verbose=verbose, root=request.project)


@task(
    auto_shortflags=False,
    help=_help(
        "arch",
        "platform",
        "stack",
        "only",
        "jobs",
        "keep-going",
        "locked",
        "offline",
        "fresh",
        "dry-run",
        "explain",
        "require-smoke",
        "progress",
        "output",
        "load",
        "junit",
        "verbose",
        "project",
    ),
)
@guarded
def build(
    context: Context,
    arch: Given = None,
    platform: Given = None,
    stack: Given = None,
    only: Given = None,
    jobs: str = "",  # text: invoke would meet `--jobs many` with a traceback
    keep_going: bool = False,
    locked: bool = False,
    offline: bool = False,
    fresh: bool = False,
    dry_run: bool = False,
    explain: bool = False,
    require_smoke: bool = False,
    progress: str = "auto",
    output: str = "",
    load: bool = False,
    junit: str = "",
    verbose: bool = False,
    project: str = "",
) -> int:
    """Rebuild the stacks for another architecture: fetch, patch, compile, verify, smoke, images."""
    root = project_root(context, project)
    asked = {"arch": arch, "platform": platform, "stack": stack, "only": only, "output": output, "locked": locked}
    stamp = Stamp(root, asked | {"require_smoke": require_smoke, "jobs": jobs}, environment())
    asks_more = bool(load or junit or output in EXPORTS)
    if not (dry_run or explain or fresh or verbose or asks_more) and progress != "json" and _as_before(stamp, progress):
        return 0
    request = make_request(
        context, str(root), arch, platform, stack, only, jobs=jobs, offline=offline, output=output,
        keep_going=keep_going, locked=locked, fresh=fresh, require_smoke=require_smoke, load=load,
    )  # fmt: skip
    if dry_run or explain:
        return _show_plan(request, progress=progress, explain=explain, verbose=verbose)
    return _build(request, stamp, progress=progress, verbose=verbose, junit=Path(junit) if junit else None)


def _build(request: Request, stamp: Stamp, *, progress: str, verbose: bool, junit: Path | None) -> int:
    from rearch.app.build import warn_not_run
    from rearch.app.report import recorded_build
    from rearch.host.progress import plan_line

    report = reporter_for(progress, request, verbose=verbose)
    if verbose:
        _show_settings(request, report if progress == "json" else None)
    try:
        result = recorded_build(request, report, junit=junit)
    except RearchError as error:
        _show_errors((), (error,), progress)
        return int(error.exit_code)
    if result.is_settled and result.run is not None:
        settled = Settled((plan_line(result.plan), *result.answers), result.run, len(result.plan.steps))
        stamp.leave(watched=result.watched, results=result.records, settled=settled)
    warn_not_run(result, report)
    for line in result.answers:
        answer(line)
    _show_errors(result.failed, result.errors, progress)
    return int(result.exit_code)


def _show_errors(failed: Iterable[Failed], errors: Iterable[RearchError], progress: str) -> None:
    """With --progress json a failed step was an event already, and any other error becomes a line of its own."""
    if progress == "json":
        from rearch.host.progress import error_line

        for error in errors:
            say(error_line(error))
        return
    for step in failed:
        say(step.error.render(step.step))
    for error in errors:
        say(error.render())


def _as_before(stamp: Stamp, progress: str) -> bool:
    """Say again what the last build said, if nothing at all has changed since."""
    from rearch.app.again import note_again

    settled = stamp.settled()
    if settled is None:
        return False
    warning = note_again(settled)
    if progress != "quiet":
        say(settled.answer[0])
    if warning:
        say(f"warning: {warning}")
    for line in settled.answer[1:]:
        answer(line)
    return True


@task(
    auto_shortflags=False,
    help=_help("arch", "platform", "stack", "only", "explain", "locked", "offline", "verbose", "project"),
)
@guarded
def plan(
    context: Context,
    arch: Given = None,
    platform: Given = None,
    stack: Given = None,
    only: Given = None,
    explain: bool = False,
    locked: bool = False,
    offline: bool = False,
    verbose: bool = False,
    project: str = "",
) -> int:
    """Print what a build would do, and why. The same as `build --dry-run`."""
    request = make_request(context, project, arch, platform, stack, only, locked=locked, offline=offline)
    return _show_plan(request, progress="auto", explain=explain, verbose=verbose)


def _show_plan(request: Request, *, progress: str, explain: bool, verbose: bool) -> int:
    from rearch.app.build import plan as make
    from rearch.planning.show import plan_lines

    if verbose:
        _show_settings(request)
    made, state = make(request, reporter_for(progress, request, verbose=verbose))
    for line in plan_lines(made, state if explain else None, everything=verbose):
        answer(line)
    return 0


def _show_settings(request: Request, report: Reporter | None = None) -> None:
    """On stderr, or through a reporter whose stream nobody else may write to."""
    from rearch.app.care import settings_lines
    from rearch.report import Said

    for line in settings_lines(request):
        if report is None:
            say(line)
        else:
            report(Said(text=line, level="detail"))


@task(
    auto_shortflags=False,
    help=_help("stack", "only", "offline", "project")
    | {
        "update": "resolve names again that have an entry, and accept what moved",
        "check": "write nothing; exit 1 when the file is out of date",
        "prune": "drop entries that no recipe needs",
    },
)
@guarded
def lock(
    context: Context,
    stack: Given = None,
    only: Given = None,
    update: bool = False,
    check: bool = False,
    prune: bool = False,
    offline: bool = False,
    project: str = "",
) -> int:
    """Resolve every name (tag, branch, Debian package) to an identity, in rearch.lock."""
    from rearch.app.lock import lock as run

    request = make_request(context, project, None, None, stack, only, offline=offline, update=update)
    report = reporter_for("plain", request, verbose=False)
    return int(run(request, report, check=check, prune=prune))
