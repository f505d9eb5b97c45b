"""The task that hands images on: publish."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, task

from rearch.cli.build import HELP, Given, make_request
from rearch.cli.door import answer, environment, guarded, say
from rearch.errors import UsageError

if TYPE_CHECKING:
    from rearch.app.publish import PublishOrder
    from rearch.publishing.outcome import PublishResult


@task(
    auto_shortflags=False,
    iterable=["to", "tag", "adopt"],
    help={
        "to": "where to: registry/prefix, or oci:FOLDER; several with commas, or again; default: what the stack says",
        "tag": "tag, with ${{ version }}, ${{ date }}, ${{ commit }}, ${{ channel }}, ... in it; may be given again; "
        "default: each image's own",
        "channel": "what ${{ channel }} stands for, as nightly",
        "per-arch": "also a tag for each platform: NAME_arm64, NAME_arm",
        "merge": "keep the platforms of a live index that this build does not have",
        "adopt": "COMPONENT=PLATFORM@REFERENCE: publish that image, as it is, for this platform; may be given again",
        "refresh": "ask again which images adopted references name now",
        "dry-run": "tell the difference with what is live, and send nothing",
        "image-refs": "write each published reference, with its digest, to this file",
        "json": "print JSON instead of references, or of the plan",
    }
    | {name: HELP[name] for name in ("stack", "only", "offline", "require-smoke", "progress", "verbose", "project")},
)
@guarded
def publish(
    context: Context,
    to: list[str],
    tag: list[str],
    adopt: list[str],
    stack: Given = None,
    only: Given = None,
    channel: str = "",
    per_arch: bool = False,
    merge: bool = False,
    refresh: bool = False,
    dry_run: bool = False,
    require_smoke: bool = False,
    image_refs: str = "",
    json: bool = False,
    offline: bool = False,
    progress: str = "auto",
    verbose: bool = False,
    project: str = "",
) -> int:
    """Push what `build` left in output/: audited bytes, children first, tags last. References go to stdout."""
    from rearch.app.publish import PublishOrder
    from rearch.app.report import recorded_publish
    from rearch.host.progress import reporter

    request = make_request(context, project, None, None, stack, only, offline=offline, require_smoke=require_smoke)
    order = PublishOrder(
        to=targets(to),
        tags=_tags(tag),
        per_arch=per_arch,
        merge=merge,
        channel=channel,
        adopt=tuple(adopt),
        refresh=refresh,
        dry_run=dry_run,
        image_refs=Path(image_refs) if image_refs else None,
    )
    report = reporter(progress, sys.stderr, environment(), verbose=verbose, root=request.project)
    result = recorded_publish(request, order, report)
    _show(result, order, as_json=json)
    return int(result.exit_code)


def targets(given: list[str]) -> tuple[str, ...]:
    """Each once. A folder's name can have no comma. Errors: UsageError for a variable of a CI file that is not set."""
    if given and not all(text.strip() for text in given):
        raise UsageError("--to is empty", hint="name a registry or a folder, or leave --to out")
    return tuple(dict.fromkeys(part.strip() for text in given for part in text.split(",") if part.strip()))


def _tags(given: list[str]) -> tuple[str, ...]:
    if any(not text.strip() for text in given):
        raise UsageError("--tag is empty", hint="name a tag, or leave --tag out")
    return tuple(given)


def _show(result: PublishResult, order: PublishOrder, *, as_json: bool) -> None:
    for line in _answers(result, order, as_json=as_json):
        answer(line)
    for where, error in result.errors:
        say(error.render(where))
    if not order.dry_run:
        say(_sum(result))


def _answers(result: PublishResult, order: PublishOrder, *, as_json: bool) -> Iterator[str]:
    from rearch.planning.publish_show import plan_document, plan_lines
    from rearch.publishing.records import publish_document

    if as_json:
        plans = [plan_document(plan) for plan in result.plans]
        yield json_format.dumps({"plans": plans} if order.dry_run else publish_document(result), indent=1)
        return
    for plan in result.plans:
        yield from plan_lines(plan)
    if not order.dry_run:
        yield from (tag.reference for tag in result.tags)


def _sum(result: PublishResult) -> str:
    """One line for a log."""
    new = [tag for tag in result.tags if tag.how != "unchanged"]
    if not new and not result.errors:
        return f"nothing to do: {_count(len(result.tags))} as {_pronoun(len(result.tags))} should be"
    old = len(result.tags) - len(new)
    kept = f"{old} as {_pronoun(old)} {'was' if old == 1 else 'were'}"
    return f"{_count(len(new))} set, {kept}, {result.bytes_sent / 1e6:.1f} MB sent"


def _count(tags: int) -> str:
    return f"{tags} tag{'s' * (tags != 1)}"


def _pronoun(tags: int) -> str:
    return "it" if tags == 1 else "they"
