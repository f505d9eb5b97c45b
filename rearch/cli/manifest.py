"""The tasks about images that are in registries already: manifest, inspect. They work outside a project, too."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING

from invoke import Context, task

from rearch.cli.door import PROJECT, answer, environment, guarded, no_flag, project_or_here
from rearch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.report import Reporter


@task(
    auto_shortflags=False,
    iterable=["annotation"],
    help={
        "spec": "a spec file, as `manifest-tool push from-spec` takes it",
        "platforms": "instead of --spec, as `push from-args` takes them: linux/amd64,linux/arm/v7",
        "template": "names of the images; ARCH, OS and VARIANT in it are replaced for each platform",
        "target": "name of the index",
        "tags": "more tags for it, as 1.2,1",
        "type": "docker (a manifest list) or oci; default: docker where that can hold it all",
        "ignore-missing": "leave out images that are not there",
        "attestations": "keep or drop; default: keep",
        "annotation": "KEY=VALUE, or index,manifest[linux/arm64],manifest-descriptor:KEY=VALUE; several times",
        "dry-run": "show the index and what differs from what is live; push nothing",
        "json": "print JSON",
        "offline": "touch no network",
        "verbose": "show what is copied, and the number of requests",
        "project": PROJECT,
    },
)
@guarded
def manifest(
    context: Context,
    spec: str = "",
    platforms: str = "",
    template: str = "",
    target: str = "",
    tags: str = "",
    type: str = "",
    ignore_missing: bool = False,
    attestations: str = "keep",
    annotation: list[str] | None = None,
    dry_run: bool = False,
    json: bool = False,
    offline: bool = False,
    verbose: bool = False,
    project: str = "",
) -> int:
    """Join images of registries in an index, as manifest-tool does, and put it under its tags."""
    from rearch.app.manifest import ManifestOrder, make_manifest

    request = _request(context, project, offline=offline)
    order = ManifestOrder(
        spec=spec,
        platforms=platforms,
        template=template,
        target=target,
        tags=tags,
        types=type,
        attestations=attestations,
        annotations=tuple(annotation or ()),
        ignore_missing=ignore_missing,
        dry_run=dry_run,
    )
    found = make_manifest(request, order, _reporter(request, verbose=verbose))
    for line in (json_format.dumps(found.document, indent=1),) if json else found.lines:
        answer(line)
    return ExitCode.OK


@task(
    auto_shortflags=False,
    help={
        "target": "a registry's reference, a layout, an archive on disk, or an image of output/ (NAME or NAME:TAG)",
        "json": "print JSON",
        "raw": "print the bytes of the index or manifest itself",
        "referrers": "also ask what refers to index and images (signatures, SBOMs): one request each",
        "offline": "touch no network",
        "project": PROJECT,
    },
)
@guarded
def inspect(
    context: Context,
    target: str,
    json: bool = False,
    raw: bool = False,
    referrers: bool = False,
    offline: bool = False,
    project: str = "",
) -> int:
    """Show the platforms of an image, with digests, sizes, annotations, attestations and base."""
    no_flag(target, "inspect")
    from rearch.app.inspect import inspect_target, raw_target

    request = _request(context, project, offline=offline)
    if raw and (json or referrers):
        raise UsageError("--raw goes with no other form", hint="leave --json and --referrers out")
    if raw:
        sys.stdout.flush()
        sys.stdout.buffer.write(raw_target(request, target))
        sys.stdout.buffer.flush()
        return ExitCode.OK
    found = inspect_target(request, target, referrers=referrers)
    for line in (json_format.dumps(found.document, indent=1),) if json else found.lines:
        answer(line)
    return ExitCode.VERIFICATION if found.faults else ExitCode.OK


def _request(context: Context, project: str, *, offline: bool) -> Request:
    from rearch.app.request import Request

    flags = {"offline": True} if offline else {}
    return Request(project=project_or_here(context, project), flags=flags, environment=environment())


def _reporter(request: Request, *, verbose: bool) -> Reporter:
    from rearch.host.progress import reporter

    return reporter("plain", sys.stderr, environment(), verbose=verbose, root=request.project)
