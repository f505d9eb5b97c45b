"""The tasks that look at images: audit, validate."""

from __future__ import annotations

import json as json_format
import sys

from invoke import Context, task

from rearch.cli.build import Given, make_request
from rearch.cli.door import answer, environment, guarded, no_flag, say
from rearch.errors import ExitCode

PROJECT = "the project's folder; default: the one around here"


@task(
    auto_shortflags=False,
    help={
        "target": "a layout, an archive on disk, an image of output/ (NAME or NAME:TAG), or a registry's reference",
        "arch": "only these, as arm64,amd64",
        "platform": "the same in OCI's spelling, as linux/arm/v7",
        "json": "print JSON",
        "offline": "touch no network",
        "project": PROJECT,
    },
)
@guarded
def audit(
    context: Context,
    target: str,
    arch: Given = None,
    platform: Given = None,
    json: bool = False,
    offline: bool = False,
    project: str = "",
) -> int:
    """Read every ELF file of every layer of an image, and compare it with the platform it is labelled for."""
    no_flag(target, "audit")
    from rearch.app.images import audit_target
    from rearch.host.progress import reporter

    request = make_request(context, project, arch, platform, None, None, offline=offline)
    progress = reporter("plain", sys.stderr, environment(), verbose=False, root=request.project)
    reports = audit_target(request, target, progress)
    if json:
        answer(json_format.dumps([report.to_json() for report in reports], indent=1))
    else:
        for line in (line for report in reports for line in report.lines()):
            answer(line)
    return ExitCode.VERIFICATION if any(report.errors for report in reports) else ExitCode.OK


@task(
    auto_shortflags=False,
    help={"target": "a layout, or an image of output/", "json": "print JSON", "project": PROJECT},
)
@guarded
def validate(context: Context, target: str, json: bool = False, project: str = "") -> int:
    """Recompute every digest, size and diff ID of a layout, and list all faults at once."""
    no_flag(target, "validate")
    from rearch.app.images import validate_target
    from rearch.host.progress import reporter

    request = make_request(context, project, None, None, None, None)
    progress = reporter("plain", sys.stderr, environment(), verbose=False, root=request.project)
    faults = validate_target(request, target, progress)
    if json:
        rows = [{"place": fault.place, "text": fault.text, "warning": fault.warning} for fault in faults]
        answer(json_format.dumps(rows, indent=1))
    else:
        for fault in faults:
            answer(str(fault))
    wrong = [fault for fault in faults if not fault.warning]
    say(f"{target}: {len(wrong)} fault{'s' if len(wrong) != 1 else ''}" if wrong else f"{target}: whole")
    return ExitCode.VERIFICATION if wrong else ExitCode.OK
