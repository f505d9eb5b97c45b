"""The task that puts binaries into volumes: volumes."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, task

from rearch.cli.build import HELP, Given, make_request
from rearch.cli.door import answer, environment, guarded, say, words
from rearch.errors import UsageError

if TYPE_CHECKING:
    from rearch.app.volumes import FilledVolume, VolumesOrder, VolumesResult


@task(
    auto_shortflags=False,
    help={
        "only": "volumes to fill, by name; default: all that the stacks declare",
        "arch": "architecture of the binaries, as arm64; default: the engine's own",
        "engine": "Docker engine: unix:///..., tcp://host:2376, ssh://user@host; default: the environment's",
        "to": "a folder instead of an engine: volume V becomes FOLDER/V",
        "no-create": "a volume that is not there is an error",
        "in-use": "write also into a volume that running containers use",
        "dry-run": "tell what would be written, and write nothing",
        "check": "the same; exit 1 when there is something to write",
        "json": "print JSON instead of lines",
        "verbose": "also what is as it should be, and what else is in the volume",
    }
    | {name: HELP[name] for name in ("stack", "progress", "project")},
)
@guarded
def volumes(
    context: Context,
    stack: Given = None,
    only: Given = None,
    arch: Given = None,
    engine: str = "",
    to: str = "",
    no_create: bool = False,
    in_use: bool = False,
    dry_run: bool = False,
    check: bool = False,
    json: bool = False,
    progress: str = "auto",
    verbose: bool = False,
    project: str = "",
) -> int:
    """Put verified binaries into named Docker volumes, here or on another host. Nothing is started."""
    from rearch.app.volumes import VolumesOrder, fill_volumes
    from rearch.host.progress import reporter

    if engine and to:
        raise UsageError("--engine and --to name two places", hint="leave one of them out")
    if only is not None and not words(only):
        raise UsageError("--only is empty", hint="name a volume, or leave --only out")
    request = make_request(context, project, arch, None, stack, None)
    order = VolumesOrder(
        only=words(only or ""),
        engine=engine,
        to=Path(to).expanduser().absolute() if to else None,
        write=not (dry_run or check),
        create=not no_create,
        in_use=in_use,
        names=verbose,
    )
    report = reporter(progress, sys.stderr, environment(), verbose=verbose, root=request.project)
    result = fill_volumes(request, order, report)
    _show(result, order, as_json=json, verbose=verbose)
    out_of_date = check and any(one.new or one.todo for one in result.volumes)
    return int(result.exit_code) or int(out_of_date)


def _show(result: VolumesResult, order: VolumesOrder, *, as_json: bool, verbose: bool) -> None:
    from rearch.volumes.show import change_lines

    if as_json:
        answer(json_format.dumps({"volumes": [_document(one) for one in result.volumes]}, indent=1))
    else:
        for one in result.volumes:
            for line in change_lines(one.name, one.changes, everything=verbose):
                answer(line)
            for name in one.others:
                answer(f"other  {one.name} {name}")
    for volume, error in result.errors:
        say(error.render(volume))
    for one in result.volumes:
        say(_sum(one, order))


def _document(one: FilledVolume) -> dict[str, object]:
    from rearch.volumes.show import change_document

    return {
        "name": one.name,
        "place": one.place,
        "platform": str(one.platform),
        "new": one.new,
        "things": [change_document(change) for change in one.changes],
        "others": list(one.others),
    }


def _sum(one: FilledVolume, order: VolumesOrder) -> str:
    """One line for a log."""
    size = sum(getattr(change.thing, "size", 0) for change in one.todo)
    if not one.todo and not one.new:
        return f"volume {one.name} at {one.place}: nothing to do ({one.platform})"
    done = "written" if order.write else "to write"
    made = (", the volume is new" if order.write else ", the volume would be made") if one.new else ""
    return f"volume {one.name} at {one.place}: {len(one.todo)} {done}, {size / 1e6:.1f} MB ({one.platform}){made}"
