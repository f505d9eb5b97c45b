"""A description for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rearch.formats.printable import printable
from rearch.model.frozen import NOTHING
from rearch.oci.types import Descriptor, readable
from rearch.registry.describe import Base, DescribedImage, DescribedOther, Description

# Beginning of a predicate type -> what people call it.
_PREDICATES = (
    ("https://slsa.dev/provenance/", "provenance"),
    ("https://spdx.dev/Document", "sbom (SPDX)"),
    ("https://cyclonedx.org/bom", "sbom (CycloneDX)"),
    ("https://slsa.dev/verification_summary/", "verification summary"),
)
_HEAD = ("PLATFORM", "DIGEST", "SIZE", "LAYERS", "ATTESTATIONS", "BASE")


def description_lines(found: Description) -> Iterator[str]:
    """A table of the images with what belongs to them; digests whole, to be copied. Text from others is made safe."""
    yield f"Name:    {found.name}"
    yield f"Digest:  {found.top.digest}"
    yield f"Type:    {found.top.media_type}, {found.top.size} bytes"
    if found.is_index:
        yield from _pairs("", found.annotations)
    yield ""
    yield from _table([_HEAD, *(_row(image) for image in found.images)])
    yield from _section("annotations", (line for image in found.images for line in _annotations(image)))
    yield from _section("beside the images", map(_other, found.others))
    yield from _section("referrers", _referrers(found))
    yield from _section("wrong", found.all_faults)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = [f"  {line}" for line in lines]
    if found:
        yield from ("", f"{title}:", *found)


def _row(image: DescribedImage) -> tuple[str, ...]:
    layers = str(len(image.layers)) if image.config else "-"
    attested = ", ".join(map(_predicate, image.attested)) or "-"
    size = human_size(image.size) if image.config else "-"
    platform = printable(str(image.platform)) if image.platform else "-"
    return platform, image.descriptor.digest, size, layers, attested, _base(image.base) or "-"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _base(base: Base) -> str:
    digest = base.digest[: len("sha256:") + 12]
    return printable("@".join(part for part in (base.name, digest) if part))


def _predicate(predicate: str) -> str:
    known = next((name for start, name in _PREDICATES if predicate.startswith(start)), predicate)
    return printable(known)


def _annotations(image: DescribedImage) -> Iterator[str]:
    who = printable(str(image.platform or image.descriptor.digest))
    yield from _pairs(f"{who} in the index: ", image.descriptor.annotations or NOTHING)
    yield from _pairs(f"{who}: ", image.annotations)


def _pairs(before: str, pairs: Mapping[str, str]) -> Iterator[str]:
    indent = "" if before else "  "
    for key, value in sorted(pairs.items()):
        yield f"{indent}{before}{printable(key)}={printable(value)}"


def _other(other: DescribedOther) -> str:
    about = f" about {other.about}" if other.about else ""
    says = ", ".join(map(_predicate, other.predicates))
    return f"{printable(other.kind)} {other.descriptor.digest}{printable(about)}" + (f": {says}" if says else "")


def _referrers(found: Description) -> Iterator[str]:
    whole = [("index", found.referrers)] if found.is_index else []
    images = [(str(image.platform or image.descriptor.digest), image.referrers) for image in found.images]
    for who, referrers in (*whole, *images):
        for each in referrers:
            kind = printable(each.artifact_type or each.media_type)
            yield f"{printable(who)}: {kind} {each.digest}, {each.size} bytes"


def human_size(size: int) -> str:
    """`980 B`, `12.3 MB`: powers of ten, as registries show them."""
    amount, unit = float(size), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, bigger
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def description_document(found: Description) -> dict[str, Any]:
    """The same in JSON values, nothing left out."""
    return {
        "name": found.name,
        **_descriptor(found.top),
        "annotations": dict(found.annotations),
        "images": [_image(image) for image in found.images],
        "others": [
            {
                **_descriptor(other.descriptor),
                "kind": other.kind,
                "about": other.about or None,
                "predicates": list(other.predicates),
                "faults": list(other.faults),
            }
            for other in found.others
        ],
        "referrers": [_referrer(each) for each in found.referrers],
        "faults": list(found.all_faults),
    }


def _image(image: DescribedImage) -> dict[str, Any]:
    base = {"name": image.base.name or None, "digest": image.base.digest or None}
    return {
        **_descriptor(image.descriptor),
        "platform": readable(image.platform) if image.platform else None,
        "descriptor_annotations": dict(image.descriptor.annotations or {}),
        "annotations": dict(image.annotations),
        "created": image.created or None,
        "total_size": image.size,
        "config": image.config.digest if image.config else None,
        "layers": [_descriptor(layer) for layer in image.layers],
        "base": base if image.base != Base() else None,
        "attestations": list(image.attested),
        "referrers": [_referrer(each) for each in image.referrers],
        "faults": list(image.faults),
    }


def _descriptor(descriptor: Descriptor) -> dict[str, Any]:
    return {"digest": descriptor.digest, "media_type": descriptor.media_type, "size": descriptor.size}


def _referrer(descriptor: Descriptor) -> dict[str, Any]:
    return {
        **_descriptor(descriptor),
        "artifact_type": descriptor.artifact_type,
        "annotations": dict(descriptor.annotations or {}),
    }
