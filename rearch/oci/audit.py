"""The audit: nothing that is wrong for its platform leaves in an image.

Every ELF file of every layer is read, the base's included, also inside of archives, behind hard links and under
whatever later layers put over it. Layers are read as streams and nothing is unpacked to disk; what was seen in a layer
is remembered by its digest, so that a base is scanned once for ever, and later only hashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.model.frozen import NOTHING
from rearch.model.platform import Platform
from rearch.oci.audit_allowed import excuse
from rearch.oci.audit_config import environment, judge_config
from rearch.oci.audit_errors import (
    LAYER_ERRORS,
    NothingToAudit,
    Subject,
    UnknownImagePlatform,
    UnreadableImage,
    UnreadableLayer,
)
from rearch.oci.audit_judge import Judge
from rearch.oci.audit_report import AuditReport, Excused, Finding, joined_scripts
from rearch.oci.audit_scan import Scanned, Scanner
from rearch.oci.image_tree import BrokenTree, ImageTree, overlay
from rearch.oci.layout import LayoutImage
from rearch.oci.layout_read import image_descriptors, load_image, read_typed, ref_names
from rearch.oci.types import ImageConfig, Manifest, RunConfig

__all__ = [
    "AuditReport",
    "Excused",
    "Finding",
    "NothingToAudit",
    "UnknownImagePlatform",
    "UnreadableImage",
    "UnreadableLayer",
    "audit_image",
    "audit_layout",
]


def audit_image(
    layout: Path,
    manifest: Manifest,
    platform: Platform,
    allowed: Mapping[str, str],
    *,
    cache: Path | None,
    described: Platform | None = None,
    name: str = "",
    digest: str = "",
) -> AuditReport:
    """Audit one image of a layout for a platform.

    `allowed`: pattern of paths -> reason (see audit_allowed). `cache` is a folder shared by all runs, None for none:
    what is remembered there counts for blobs that are there and whole. `described` is the platform that the index gives
    the image; `name` and its manifest's `digest` are for the report.
    Errors: UnreadableLayer (missing, damaged, hostile), UnreadableImage; those of read_typed for the config.
    """
    order = _Order(manifest=manifest, platform=platform, allowed=allowed, described=described, name=name, digest=digest)
    return _Audit(layout=layout, place=str(layout), scanner=Scanner(layout, cache)).image(order)


class _Order(Struct, frozen=True, kw_only=True):
    """One image to audit; fields as audit_image has them."""

    manifest: Manifest
    platform: Platform
    allowed: Mapping[str, str]
    described: Platform | None
    name: str
    digest: str


class _Audit(Struct, frozen=True, kw_only=True):
    """The audit of a layout; `place` is what people call that."""

    layout: Path
    place: str
    scanner: Scanner

    def image(self, order: _Order) -> AuditReport:
        subject = Subject(layout=self.place, platform=str(order.described or order.platform), digest=order.digest)
        layers = self._layers(order.manifest, subject)
        tree = self._tree(order.manifest, layers, subject)
        config = read_typed(self.layout, ImageConfig, order.manifest.config)
        library_path = environment(config.config or RunConfig()).get("LD_LIBRARY_PATH", "")
        judge = Judge(tree, [layer.seen for layer in layers], order.platform, library_path)
        found = (*judge_config(config, order.described, tree, judge.texts, order.platform), *judge.findings())
        kept, excused = excuse(found, order.allowed)
        return _report(order, judge, kept, excused)

    def _layers(self, manifest: Manifest, subject: Subject) -> list[Scanned]:
        """A layer that the manifest names twice is read once."""
        found: dict[tuple[str, int, str], Scanned] = {}
        keys = [(layer.digest, layer.size, layer.media_type) for layer in manifest.layers]
        for number, (key, layer) in enumerate(zip(keys, manifest.layers, strict=True)):
            if key in found:
                continue
            try:
                found[key] = self.scanner.scan(layer)
            except LAYER_ERRORS as error:
                raise UnreadableLayer(subject, number, layer, error) from error
        return [found[key] for key in keys]

    def _tree(self, manifest: Manifest, layers: Sequence[Scanned], subject: Subject) -> ImageTree:
        try:
            entries = overlay([layer.entries for layer in layers])
        except BrokenTree as error:
            raise UnreadableImage(subject, error) from error
        return ImageTree(self.layout, manifest.layers, entries)


def _report(order: _Order, judge: Judge, kept: Sequence[Finding], excused: Sequence[Excused]) -> AuditReport:
    visible = judge.names
    elves = [(number, seen) for number, layer in enumerate(judge.layers) for seen in layer.elves]
    shown = [seen for number, seen in elves if (number, seen.number) in visible]
    return AuditReport(
        name=order.name,
        digest=order.digest,
        platform=order.platform,
        layers=len(judge.layers),
        files=sum(layer.files for layer in judge.layers),
        elves=sum(not seen.packed for seen in shown),
        hidden=len(elves) - len(shown),
        nested=sum(seen.packed for seen in shown),
        findings=tuple(sorted(joined_scripts(kept), key=_rank)),
        excused=tuple(sorted(excused, key=lambda each: _rank(each.finding))),
    )


def _rank(finding: Finding) -> tuple[bool, str, str, int]:
    return finding.severity != "error", finding.path, finding.kind, finding.layer or 0


def audit_layout(
    layout: Path,
    *,
    ref: str = "",
    platforms: Sequence[Platform] = (),
    allowed: Mapping[str, str] = NOTHING,
    cache: Path | None = None,
    name: str = "",
) -> tuple[AuditReport, ...]:
    """Audit every image of a layout for the platform that it says, or those for `platforms` alone.

    `ref` names one image or index of the layout; empty: all. `name` is what the user calls the layout (an archive that
    was unpacked into a temporary folder), empty for its path; reports of images without a name of their own have it,
    and all errors of the audit. Errors: as audit_image and read_image; NothingToAudit, UnknownImagePlatform.
    """
    images = [load_image(layout, each) for each in image_descriptors(layout, ref)]
    wanted = [image for image in images if not platforms or _platform(image) in platforms]
    audit = _Audit(layout=layout, place=name or str(layout), scanner=Scanner(layout, cache))
    if not wanted:
        raise NothingToAudit(audit.place, sorted({str(image.descriptor.platform) for image in images}))
    return tuple(audit.image(_order_of(audit.place, image, ref, allowed)) for image in wanted)


def _platform(image: LayoutImage) -> Platform | None:
    return image.descriptor.platform.known if image.descriptor.platform else None


def _order_of(place: str, image: LayoutImage, ref: str, allowed: Mapping[str, str]) -> _Order:
    platform = _platform(image)
    digest = image.descriptor.digest
    if platform is None:
        raise UnknownImagePlatform(place, digest, str(image.descriptor.platform))
    name = ref or next(iter(ref_names(image.descriptor)), "") or place
    return _Order(manifest=image.manifest, platform=platform, allowed=allowed, described=None, name=name, digest=digest)
