"""The tasks about archives that a server hands to its agents: bundle scan, bundle refit, bundle verify."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Collection, Context, Exit, task

from rearch.cli.build import HELP, Given
from rearch.cli.door import PROJECT, answer, environment, guarded, no_flag, project_or_here, say, words
from rearch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rearch.app.bundle import BundleOrder
    from rearch.app.request import Request
    from rearch.bundle.values import Refitted
    from rearch.model.platform import Platform

_HELP = {
    "archive": "tar (plain, gz, xz, bz2, zst), zip or folder",
    "from_": "instead of a file: address of a Rancher server's API, http://server:8080/v1",
    "item": "with --from: the content item, as pyagent or host-api",
    "arch": "the bundle is for this architecture alone, as arm64",
    "allow": "pattern of paths whose ELF files may stay as they are; may be given again",
    "json": "print JSON instead of a table",
    "stack": HELP["stack"],
    "offline": HELP["offline"],
    "project": PROJECT,
}


def _help(*names: str) -> dict[str, str]:
    return {name: _HELP[name] for name in (*names, "archive", "from_", "item", "allow", "json", "stack", "offline")} | {
        "project": PROJECT
    }


@task(auto_shortflags=False, positional=["archive"], iterable=["allow"], help=_help())
@guarded
def scan(
    context: Context,
    archive: str,
    allow: list[str],
    from_: str = "",
    item: str = "",
    json: bool = False,
    stack: Given = None,
    offline: bool = False,
    project: str = "",
) -> int:
    """List the programs of a bundle: architecture, Go module, and which recipe covers each."""
    from rearch.app.bundle import scan as run
    from rearch.bundle.report import scan_document, scan_lines

    no_flag(archive, "bundle.scan")
    request = _request(context, project, stack, offline=offline)
    found = run(request, _order(archive, from_, item, allow))
    for line in (json_format.dumps(scan_document(found), indent=1),) if json else scan_lines(found):
        answer(line)
    return ExitCode.OK


@task(
    auto_shortflags=False,
    positional=["archive"],
    iterable=["allow"],
    help=_help("arch")
    | {
        "all-hosts": "one archive for all hosts, with a chooser in front of its apply.sh; the default for Rancher's "
        "go-agent and host-api",
        "out": "where to write it; default: output/bundles/NAME",
    },
)
@guarded
def refit(
    context: Context,
    archive: str,
    allow: list[str],
    arch: Given = None,
    all_hosts: bool = False,
    out: str = "",
    from_: str = "",
    item: str = "",
    json: bool = False,
    stack: Given = None,
    offline: bool = False,
    project: str = "",
) -> int:
    """Replace the programs of a bundle by those that `build` made and verified. Its path goes to stdout."""
    from rearch.app.bundle import refit as run

    if all_hosts and arch is not None:
        raise UsageError("--all-hosts and --arch exclude each other", hint="leave one of them out")
    no_flag(archive, "bundle.refit")
    request = _request(context, project, stack, offline=offline)
    place = Path(out) if out else None
    _show(run(request, _order(archive, from_, item, allow, arch=arch, all_hosts=all_hosts, out=place)), as_json=json)
    return ExitCode.OK


@task(
    auto_shortflags=False,
    positional=["archive"],
    iterable=["allow"],
    help=_help("arch") | {"against": "the original: also tell every difference from it"},
)
@guarded
def verify(
    context: Context,
    archive: str,
    allow: list[str],
    against: str = "",
    arch: Given = None,
    from_: str = "",
    item: str = "",
    json: bool = False,
    stack: Given = None,
    offline: bool = False,
    project: str = "",
) -> int:
    """Whether nothing foreign is left in a refitted bundle, nothing else changed, and its sums are right."""
    from rearch.app.bundle import verify as run
    from rearch.bundle.report import verdict_document, verdict_lines

    no_flag(archive, "bundle.verify")
    request = _request(context, project, stack, offline=offline)
    original = Path(against) if against else None
    verdict = run(request, _order(archive, from_, item, allow, arch=arch, against=original))
    for line in (json_format.dumps(verdict_document(verdict), indent=1),) if json else verdict_lines(verdict):
        answer(line)
    count = len(verdict.faults)
    say(f"{verdict.name}: right" if verdict.holds else f"{verdict.name}: {count} fault{'s' * (count != 1)}")
    return ExitCode.OK if verdict.holds else ExitCode.VERIFICATION


def namespace() -> Collection:
    """`bundle.scan` and its like; the command line takes them as two words too."""
    return Collection("bundle", scan, refit, verify)


def without_file(arguments: list[str]) -> list[str]:
    """With --from there is no file to name: its place on the command line is taken by nothing.

    Errors: Exit, for a file beside --from.
    """
    is_bundle = bool(arguments) and arguments[0].startswith("bundle.")
    from_server = any(word == "--from" or word.startswith("--from=") for word in arguments)
    if not (is_bundle and from_server):
        return arguments
    file = _file(arguments)
    if file:
        say(f"error: {file} and --from name two bundles\nhint: leave one of them out")
        raise Exit(code=int(ExitCode.USAGE))
    return [arguments[0], "--archive=", *arguments[1:]]


def _file(arguments: list[str]) -> str:
    """The first word that is neither a flag nor its value; empty where there is none, or a flag is unknown."""
    contexts = {f"bundle.{context.name}": context.flags for context in namespace().to_contexts()}
    flags = contexts.get(arguments[0])
    at = 1
    while flags and at < len(arguments):
        flag, equals, _ = arguments[at].partition("=")
        if not flag.startswith("-"):
            return arguments[at]
        if flag not in flags:
            break
        at += 2 if flags[flag].takes_value and not equals else 1
    return ""


def _request(context: Context, project: str, stack: Given, *, offline: bool) -> Request:
    from rearch.app.request import Request

    if stack is not None and not words(stack):
        raise UsageError("--stack is empty", hint="name a stack, or leave --stack out")
    return Request(
        project=project_or_here(context, project),
        stacks=words(stack or "") or None,
        flags={"offline": True} if offline else {},
        environment=environment(),
    )


def _order(
    archive: str,
    server: str,
    item: str,
    allow: list[str],
    *,
    arch: Given = None,
    all_hosts: bool = False,
    out: Path | None = None,
    against: Path | None = None,
) -> BundleOrder:
    from rearch.app.bundle import BundleOrder

    return BundleOrder(
        archive=Path(archive) if archive else None,
        out=out,
        platform=_platform(arch),
        all_hosts=all_hosts,
        allow=tuple(allow),
        against=against,
        server=server,
        item=item,
    )


def _platform(arch: Given) -> Platform | None:
    from rearch.model.platform import parse_platforms

    if arch is None:
        return None
    found = parse_platforms(arch)
    if len(found) != 1:
        raise UsageError(f"--arch {arch}: one architecture is wanted", hint="as `--arch arm64`")
    return found[0]


def _show(refitted: Refitted, *, as_json: bool) -> None:
    from rearch.bundle.report import refit_document, refit_lines

    if as_json:
        answer(json_format.dumps(refit_document(refitted), indent=1))
    else:
        answer(str(refitted.path))
        for line in refit_lines(refitted):
            say(line)
    for platform in refitted.done.lacking:
        say(f"warning: not every program is built for {platform}: hosts of that kind are refused")
    if refitted.done.machines:
        say(f"one archive for {', '.join(refitted.done.machines)}")
