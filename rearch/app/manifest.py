"""`manifest`: an index from images that registries have already, as manifest-tool makes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rearch.app.places import cache_folder
from rearch.app.request import Request
from rearch.errors import UsageError
from rearch.formats.printable import printable
from rearch.model.publish import ManifestSpec
from rearch.report import Reporter, Said

if TYPE_CHECKING:
    from rearch.model.settings import Settings
    from rearch.oci.join_entries import Taken
    from rearch.oci.types import Types
    from rearch.registry.client import RegistryClient
    from rearch.registry.manifests import IndexPlan, JoinOptions
    from rearch.registry.manifests_copy import ImageCopier, Needed
    from rearch.registry.manifests_live import TagChange

TYPES = ("docker", "oci")
ATTESTATIONS = ("keep", "drop")


class BadManifestFlags(UsageError):
    """Flags that do not go together, or have no such value."""

    def __init__(self, why: str, hint: str) -> None:
        self.why = why
        super().__init__(why, hint=hint)


class ManifestOrder(Struct, frozen=True, kw_only=True):
    """The flags. Either `spec` (a file), or `platforms`, `template`, `target` and perhaps `tags`.

    `types`: docker, oci or nothing; `attestations`: keep or drop; `annotations`: LEVELS:KEY=VALUE.
    """

    spec: str = ""
    platforms: str = ""
    template: str = ""
    target: str = ""
    tags: str = ""
    types: str = ""
    attestations: str = "keep"
    annotations: tuple[str, ...] = ()
    ignore_missing: bool = False
    dry_run: bool = False


class ManifestAnswer(Struct, frozen=True, kw_only=True):
    """For stdout: `lines` for people and scripts, `document` the same as JSON values."""

    lines: tuple[str, ...]
    document: dict[str, Any]


def make_manifest(request: Request, order: ManifestOrder, report: Reporter) -> ManifestAnswer:
    """Read the images, join them, and put the index; with `dry_run` only say what would be put.

    Errors: BadManifestFlags, BadManifestSpec, BadManifestArguments, BadAnnotation; those of plan_index and push_index.
    """
    from rearch.app.registries import registry_client
    from rearch.config.settings import settings_origins
    from rearch.host.process import Processes
    from rearch.registry.manifests import plan_index

    spec, options = read_order(order), _options(order)
    settings, _ = settings_origins(request.project, environment=request.environment, flags=request.flags)
    with registry_client(settings, request.environment, Processes()) as client:
        copier = _copier(client, settings, request, spec, report)

        def warn(text: str) -> None:
            report(Said(text=printable(text), level="warning"))

        plan = plan_index(client, spec, options, is_home=copier.is_home, warn=warn)
        if order.dry_run:
            return _dry(plan, client, copier)
        answer = _push(plan, copier, report)
        report(Said(text=f"{client.requests} requests", level="detail"))
        return answer


def read_order(order: ManifestOrder) -> ManifestSpec:
    """What the flags say. Errors: BadManifestFlags, BadManifestSpec, BadManifestArguments, BadAnnotation."""
    from rearch.app.manifest_annotations import annotated
    from rearch.config.manifest_spec import from_args, read_manifest_spec

    arguments = {"platforms": order.platforms, "template": order.template, "target": order.target}
    given = [name for name, value in arguments.items() if value]
    if bool(order.spec) == bool(given):
        why = f"--spec and --{given[0]} exclude each other" if order.spec else "nothing says what to join"
        raise BadManifestFlags(why, "either --spec FILE.yml, or --platforms, --template and --target")
    if order.spec and order.tags:
        raise BadManifestFlags("--spec and --tags exclude each other", "more tags stand under `tags` in the spec")
    if order.spec:
        return annotated(read_manifest_spec(Path(order.spec)), order.annotations)
    missing = [f"--{name}" for name, value in arguments.items() if not value]
    if missing:
        raise BadManifestFlags(f"{' and '.join(missing)} must be given too", "--platforms, --template and --target")
    return annotated(from_args(order.platforms, order.template, order.target, order.tags), order.annotations)


def _options(order: ManifestOrder) -> JoinOptions:
    from rearch.registry.manifests import JoinOptions

    _one_of("type", order.types, ("", *TYPES))
    _one_of("attestations", order.attestations, ATTESTATIONS)
    types: Types | None = "oci" if order.types == "oci" else "docker" if order.types == "docker" else None
    keep = order.attestations == "keep"
    return JoinOptions(types=types, ignore_missing=order.ignore_missing, keep_attestations=keep)


def _one_of(flag: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BadManifestFlags(f"--{flag} {value}: no such value", f"one of {', '.join(filter(None, known))}")


def _copier(
    client: RegistryClient, settings: Settings, request: Request, spec: ManifestSpec, report: Reporter
) -> ImageCopier:
    from rearch.registry.manifests_copy import ImageCopier
    from rearch.registry.push import RegistryPusher

    return ImageCopier(
        client,
        RegistryPusher(client),
        spec.target,
        mirrors=settings.mirrors,
        cache=cache_folder(settings, request.environment),
        limit=settings.limits.download_bytes,
        say=lambda text: report(Said(text=text, level="detail")),
    )


def _push(plan: IndexPlan, copier: ImageCopier, report: Reporter) -> ManifestAnswer:
    from rearch.registry.manifests import push_index

    pushed = push_index(plan, copier)
    for tag in pushed.tags:
        report(Said(text=tag.words))
    blobs = pushed.copied
    if blobs.mounted or blobs.sent:
        report(Said(text=f"{blobs.mounted} blobs mounted, {blobs.sent} sent ({_size(blobs.size)})"))
    copied = {"mounted": blobs.mounted, "sent": blobs.sent, "there": blobs.there, "bytes": blobs.size}
    document = _document(plan, pushed.tags) | {"blobs": copied}
    return ManifestAnswer(lines=(plan.answer,), document=document)


def _dry(plan: IndexPlan, client: RegistryClient, copier: ImageCopier) -> ManifestAnswer:
    from rearch.registry.manifests import live_tags

    tags, needed = live_tags(plan, client), copier.needed(plan.copies)
    document = _document(plan, tags) | {"copies": [_copy(each) for each in needed]}
    lines = (*_table(plan), *_tag_lines(tags), *map(_copy_line, needed), plan.answer)
    return ManifestAnswer(lines=lines, document=document)


def _table(plan: IndexPlan) -> Iterator[str]:
    """The index that would be put."""
    yield f"{plan.index.media_type}, {len(plan.data)} bytes"
    for key, value in (plan.index.annotations or {}).items():
        yield f"  {printable(f'{key}={value}')}"
    for taken in plan.joined.taken:
        yield f"  {_what(taken):<14} {taken.descriptor.digest}  from {taken.source}"
        for key, value in (taken.descriptor.annotations or {}).items():
            yield f"  {'':<14} {printable(f'{key}={value}')}"


def _what(taken: Taken) -> str:
    return printable(str(taken.descriptor.platform)) if taken.is_image else "attestation"


def _tag_lines(tags: Sequence[TagChange]) -> Iterator[str]:
    for tag in tags:
        yield tag.words
        yield from (f"  {change}" for change in tag.changes)


def _copy_line(needed: Needed) -> str:
    size = _size(sum(blob.size for blob in needed.blobs))
    come = f" with {len(needed.blobs)} blobs ({size} at most)" if needed.blobs else ""
    return f"copies {needed.copy.source}{come}"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _document(plan: IndexPlan, tags: Sequence[TagChange]) -> dict[str, Any]:
    import json

    return {
        "digest": plan.digest,
        "size": len(plan.data),
        "media_type": plan.index.media_type,
        "index": json.loads(plan.data),
        "notes": list(plan.joined.notes),
        "tags": [
            {
                "reference": str(tag.reference),
                "action": tag.action,
                "before": tag.before,
                "after": tag.after,
                "changes": list(tag.changes),
            }
            for tag in tags
        ],
    }


def _copy(needed: Needed) -> dict[str, Any]:
    blobs = [{"digest": blob.digest, "size": blob.size} for blob in needed.blobs]
    return {"source": str(needed.copy.source), "digest": needed.copy.descriptor.digest, "blobs": blobs}
