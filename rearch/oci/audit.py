"""The audit: nothing that is wrong for its platform leaves in an image.

Every ELF file of every layer is read, the base's included, also inside of archives, behind hard links and under
whatever later layers put over it. Layers are read as streams and nothing is unpacked; what was seen in a layer is
remembered by its digest, so that a base is scanned once for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rearch.errors import UsageError
from rearch.model.base import NOTHING
from rearch.model.platform import Platform
from rearch.oci.audit_allowed import excuse
from rearch.oci.audit_config import environment, judge_config
from rearch.oci.audit_judge import Judge
from rearch.oci.audit_report import AuditReport, Excused, Finding
from rearch.oci.audit_scan import scan_layer
from rearch.oci.image_tree import read_tree
from rearch.oci.layout import LayoutImage
from rearch.oci.layout_read import image_descriptors, load_image, read_typed, ref_names
from rearch.oci.types import ImageConfig, Manifest, RunConfig

__all__ = ["AuditReport", "Excused", "Finding", "audit_image", "audit_layout"]


class NothingToAudit(UsageError):
    """A layout in which there is no image for these platforms."""

    def __init__(self, layout: Path, there: Sequence[str]) -> None:
        self.layout = layout
        self.there = tuple(there)
        super().__init__(
            f"{layout} holds no image to audit",
            [f"it has {each}" for each in there],
            "name a folder with an OCI layout, and platforms that it has",
        )


class UnknownImagePlatform(UsageError):
    """An image for a platform that rearch has no table for, so that nothing can be said of its files."""

    def __init__(self, layout: Path, digest: str, platform: str) -> None:
        self.layout = layout
        self.digest = digest
        self.platform = platform
        super().__init__(
            f"{layout}: the image {digest} is for {platform}, which rearch does not know",
            hint="name the platforms to audit",
        )


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

    `allowed`: pattern of paths -> reason (see audit_allowed). `cache` is a folder shared by all runs, None for none.
    `described` is the platform that the index gives the image; `name` and its manifest's `digest` are for the report.
    Errors: those of open_layer and layer_entries for a layer that is damaged or hostile, and of read_tree.
    """
    scans = [scan_layer(layout, layer, cache) for layer in manifest.layers]
    tree = read_tree(layout, manifest.layers, cache)
    config = read_typed(layout, ImageConfig, manifest.config)
    library_path = environment(config.config or RunConfig()).get("LD_LIBRARY_PATH", "")
    judge = Judge(tree, scans, platform, library_path)
    found = (*judge_config(config, described, tree, judge.texts, platform), *judge.findings())
    kept, excused = excuse(found, allowed)
    visible = judge.names
    elves = [(number, seen) for number, layer in enumerate(scans) for seen in layer.elves]
    shown = [seen for number, seen in elves if (number, seen.number) in visible]
    return AuditReport(
        name=name,
        digest=digest,
        platform=platform,
        layers=len(scans),
        files=sum(layer.files for layer in scans),
        elves=sum(not seen.packed for seen in shown),
        hidden=len(elves) - len(shown),
        nested=sum(seen.packed for seen in shown),
        findings=tuple(sorted(kept, key=_order)),
        excused=tuple(sorted(excused, key=lambda each: _order(each.finding))),
    )


def _order(finding: Finding) -> tuple[bool, str, str, int]:
    return finding.severity != "error", finding.path, finding.kind, finding.layer or 0


def audit_layout(
    layout: Path,
    *,
    ref: str = "",
    platforms: Sequence[Platform] = (),
    allowed: Mapping[str, str] = NOTHING,
    cache: Path | None = None,
) -> tuple[AuditReport, ...]:
    """Audit every image of a layout for the platform that it says, or those for `platforms` alone.

    `ref` names one image or index of the layout; empty: all. Errors: as audit_image and read_image; NothingToAudit,
    UnknownImagePlatform.
    """
    images = [load_image(layout, each) for each in image_descriptors(layout, ref)]
    wanted = [image for image in images if not platforms or _platform(image) in platforms]
    if not wanted:
        raise NothingToAudit(layout, sorted({str(image.descriptor.platform) for image in images}))
    return tuple(_audit(layout, image, ref, allowed, cache) for image in wanted)


def _platform(image: LayoutImage) -> Platform | None:
    return image.descriptor.platform.known if image.descriptor.platform else None


def _audit(layout: Path, image: LayoutImage, ref: str, allowed: Mapping[str, str], cache: Path | None) -> AuditReport:
    platform = _platform(image)
    digest = image.descriptor.digest
    if platform is None:
        raise UnknownImagePlatform(layout, digest, str(image.descriptor.platform))
    name = ref or next(iter(ref_names(image.descriptor)), "") or str(layout)
    return audit_image(layout, image.manifest, platform, allowed, cache=cache, name=name, digest=digest)
