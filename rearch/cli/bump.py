"""The task that takes another version of a component: bump."""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING

from invoke import Context, task

from rearch.cli.build import HELP, Given, make_request, reporter_for
from rearch.cli.door import answer, guarded, no_flag, say
from rearch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rearch.upkeep.bump import Level


@task(
    auto_shortflags=False,
    positional=["component"],
    help={
        "component": "the component, as healthcheck or rancher/healthcheck",
        "to": "this version, or its tag; default: the newest patch release",
        "minor": "the newest version with the same first number",
        "latest": "the newest version",
        "dry-run": "try everything, and write nothing",
        "force": "also when patches or edits do not apply: `patch start` merges them then",
        "json": "print JSON instead of lines",
    }
    | {name: HELP[name] for name in ("offline", "verbose", "project")},
)
@guarded
def bump(
    context: Context,
    component: str,
    to: Given = None,
    minor: bool = False,
    latest: bool = False,
    dry_run: bool = False,
    force: bool = False,
    json: bool = False,
    offline: bool = False,
    verbose: bool = False,
    project: str = "",
) -> int:
    """Change a component's version in the YAML and in rearch.lock, when its patches and edits apply to the new one."""
    from rearch.app.bump import BumpOrder
    from rearch.app.bump import bump as run
    from rearch.upkeep.bump import bump_document, bump_lines

    no_flag(component, "bump")
    if to == "":  # a script whose variable is empty must not get the newest
        raise UsageError("--to names no version", hint="leave it out for the newest patch release")
    if sum((to is not None, minor, latest)) > 1:
        raise UsageError("--to, --minor and --latest exclude each other", hint="leave all but one out")
    request = make_request(context, project, None, None, None, None, offline=offline)
    level: Level = "latest" if latest else "minor" if minor else "patch"
    order = BumpOrder(component=component, to=to or "", level=level, dry_run=dry_run, force=force)
    done = run(request, order, reporter_for("plain", request, verbose=verbose))
    for line in (json_format.dumps(bump_document(done), indent=1),) if json else bump_lines(done):
        answer(line)
    if done.failures:
        say(f"next: `rearch patch start {done.component}` merges the patches; correct edits by hand")
    elif done.wrote:
        say("next: build it, then commit the YAML and rearch.lock together")
    return ExitCode.OK
