"""The task for cron: nightly."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast, get_args

from invoke import Context, task

from rearch.cli.build import HELP, Given, make_request
from rearch.cli.door import answer, environment, guarded, say
from rearch.errors import UsageError

if TYPE_CHECKING:
    from rearch.app.nightly import NightlyOrder
    from rearch.model.nightly import NotifyPolicy, UpdatePolicy
    from rearch.reporting.night_record import Night


@task(
    auto_shortflags=False,
    iterable=["to"],
    help={
        "to": "where images go: registry/prefix, or oci:FOLDER; may be given again; default: rearch.yaml, the stacks",
        "no-publish": "stop before anything is published",
        "policy": "what is brought up to date: none, branches, patch, minor or all; default: rearch.yaml",
        "prune-keep": "newest dated tags of a repository that are kept",
        "prune-age": "younger dated tags are kept, too: 30d, 12h",
        "prune-apply": "remove old dated tags, everywhere; else it is told what would be removed",
        "notify": "when messages are sent: change, always or never; default: rearch.yaml",
        "date": "the day in dated tags, as 2024-05-17; default: today, UTC",
        "dry-run": "tell what would be done; write and send nothing",
        "json": "print the record of the night instead of references",
    }
    | {
        name: HELP[name]
        for name in ("arch", "platform", "stack", "only", "jobs", "require-smoke", "progress", "verbose", "project")
    },
)
@guarded
def nightly(
    context: Context,
    to: list[str],
    arch: Given = None,
    platform: Given = None,
    stack: Given = None,
    only: Given = None,
    jobs: str = "",
    no_publish: bool = False,
    policy: str = "",
    prune_keep: str = "",
    prune_age: str = "",
    prune_apply: bool = False,
    notify: str = "",
    date: str = "",
    dry_run: bool = False,
    json: bool = False,
    require_smoke: bool = False,
    progress: str = "auto",
    verbose: bool = False,
    project: str = "",
) -> int:
    """Update, build, publish, prune, report, notify: what a machine does every night."""
    from rearch.app.nightly import NightlyOrder
    from rearch.app.nightly import nightly as run
    from rearch.cli.publish import targets
    from rearch.host.progress import reporter
    from rearch.model.nightly import NotifyPolicy, UpdatePolicy
    from rearch.upkeep.nightly import parse_date

    request = make_request(
        context, project, arch, platform, stack, only, jobs=jobs, require_smoke=require_smoke, keep_going=True
    )
    order = NightlyOrder(
        to=targets(to),
        publish=not no_publish,
        policy=cast("UpdatePolicy | None", _one_of("policy", policy, get_args(UpdatePolicy))),
        prune_keep=_count("prune-keep", prune_keep),
        prune_age=_span("prune-age", prune_age),
        prune_apply=prune_apply,
        notify=cast("NotifyPolicy | None", _one_of("notify", notify, get_args(NotifyPolicy))),
        dry_run=dry_run,
        day=parse_date(date) if date else None,
    )
    report = reporter(progress, sys.stderr, environment(), verbose=verbose, root=request.project)
    night = run(request, order, report)
    _show(night, order, as_json=json)
    return night.exit_code


def _one_of(flag: str, given: str, known: tuple[str, ...]) -> str | None:
    if given and given not in known:
        raise UsageError(f"--{flag}: {given!r} is not known", hint=f"it is {', '.join(known)}")
    return given or None


def _count(flag: str, given: str) -> int | None:
    if given and (not given.isascii() or not given.isdecimal() or not 0 < len(given) < 10 or int(given) < 1):
        raise UsageError(f"--{flag}: {given!r} is no number from 1", hint="at least the newest is kept")
    return int(given) if given else None


def _span(flag: str, given: str) -> float | None:
    from rearch.model.base import parse_span

    try:
        return parse_span(given) if given else None
    except ValueError as error:
        raise UsageError(f"--{flag}: {given!r}: {error}") from None


def _show(night: Night, order: NightlyOrder, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        answer(msgspec.json.format(msgspec.json.encode(night), indent=1).decode())
    else:
        for tag in night.new_tags:
            answer(tag.reference)
    for text in night.told:
        say(text)
    for one in night.removed:
        say(f"{'removed' if night.prune_applied else 'would remove'} {one.reference}")
    for problem in night.problems:
        say("\n".join((f"error: {problem.words}", *(f"  {line}" for line in problem.details))))
        if problem.hint:
            say(f"hint: {problem.hint}")
    say(_sum(night, order))


def _tags(night: Night, order: NightlyOrder) -> str:
    """A dry run knows those of images that are built."""
    return f"{len(night.new_tags)} tags {'to set for what is built' if order.dry_run else 'set'}"


def _sum(night: Night, order: NightlyOrder) -> str:
    """One line for cron's mail."""
    held = sum(bool(change.held) for change in night.updates)
    parts = [
        f"{len(night.updates) - held} updated" + (f", {held} held back" if held else ""),
        *([] if order.dry_run else [f"{len(night.whole)} of {len(night.components)} whole"]),
        *([f"{len(night.as_published)} as published"] if night.as_published else []),
        _tags(night, order) if order.publish else "not published",
    ]
    ending = f"{len(night.problems)} problems" if night.problems else "nothing failed"
    return f"{night.date}: {', '.join(parts)}; {ending}"
