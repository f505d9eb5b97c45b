"""The base step: what an image starts from, as a layout with one image of the platform."""

from __future__ import annotations

import json
from typing import assert_never

from msgspec.structs import replace

from rearch.errors import VerificationError
from rearch.model.platform import Platform
from rearch.model.step_images import BaseInputs, DebianOrigin, DiskOrigin, RegistryOrigin
from rearch.oci.base_layers import check_base_layers
from rearch.oci.layout import (
    LayoutImage,
    blob_path,
    load_image,
    read_blob,
    start_layout,
    write_index_json,
)
from rearch.oci.types import OCI_MANIFEST, Descriptor, PlatformObject
from rearch.steps.base_debian import debian_base
from rearch.steps.context import FileChanged
from rearch.steps.layout_artifacts import layout_artifacts
from rearch.steps.ports import ImagePuller, Outcome, RootFsBuilder, Workspace


class WrongBase(VerificationError):
    """A base whose config names another platform than the one that it was locked for."""

    def __init__(self, name: str, platform: Platform, found: str) -> None:
        self.name = name
        self.platform = platform
        self.found = found
        super().__init__(
            f"the base {name} is for {found}, not for {platform}",
            hint="its publisher labelled it wrongly: take another base, or the one of this platform by its digest",
        )


def run_base(inputs: BaseInputs, work: Workspace, images: ImagePuller, root_fs: RootFsBuilder) -> Outcome:
    """Leave a layout with one image in `work.files`.

    Facts: `name` (what it was made of), `digest` (of the manifest), `packages` ([name, version, architecture] of each
    Debian package; of other bases none is known without reading the layers).
    The layers of a base from elsewhere are read once, here: the step's key covers all that they depend on.
    Errors: those of the ports, of load_disk_image and check_base_layers; WrongBase, FileChanged.
    """
    start_layout(work.files)
    match inputs.origin:
        case RegistryOrigin():
            name = inputs.origin.reference
            image = _pulled(inputs.origin, inputs.platform, work, images)
        case DiskOrigin():
            name = f"{inputs.origin.path}{f' ({inputs.origin.ref})' if inputs.origin.ref else ''}"
            image = _from_disk(inputs.origin, inputs.platform, work)
        case DebianOrigin():
            name = f"Debian packages of {inputs.origin.suite}" if inputs.origin.suite else "Debian packages"
            image = debian_base(inputs.origin, inputs.platform, work, root_fs)
        case _:
            assert_never(inputs.origin)
    _check_platform(image, inputs.platform, name)
    if not isinstance(inputs.origin, DebianOrigin):  # that one was just made, and hashed on the way
        check_base_layers(work.files, image, name, work.caches / "layers", work.progress)
    write_index_json(work.files, [_labelled(image, inputs.platform)])
    packages = inputs.origin.packages if isinstance(inputs.origin, DebianOrigin) else ()
    facts = {
        "name": name,
        "digest": image.descriptor.digest,
        "packages": [[package.name, package.version, package.architecture] for package in packages],
    }
    return Outcome(facts=facts, note=image.descriptor.digest, artifacts=layout_artifacts(work.files))


def _pulled(origin: RegistryOrigin, platform: Platform, work: Workspace, images: ImagePuller) -> LayoutImage:
    images.pull(origin, platform, work.files, work)
    size = blob_path(work.files, origin.digest).stat().st_size
    unknown = Descriptor(media_type=OCI_MANIFEST, digest=origin.digest, size=size)
    says = json.loads(read_blob(work.files, unknown)).get("mediaType", OCI_MANIFEST)
    return load_image(work.files, replace(unknown, media_type=says))


def _from_disk(origin: DiskOrigin, platform: Platform, work: Workspace) -> LayoutImage:
    from rearch.oci.disk_image import disk_digest, load_disk_image

    path = work.project / origin.path
    image = load_disk_image(path, origin.kind, origin.ref, platform, work.files, limits=work.limits)
    # Afterwards: what was read is what was planned with.
    if disk_digest(path, origin.kind) != origin.digest:
        raise FileChanged(origin.path)
    return image


def _check_platform(image: LayoutImage, platform: Platform, name: str) -> None:
    """The config has the last word on what an image is for. Old images for ARM name no variant there."""
    config = image.config
    same = (config.os, config.architecture) == (platform.os, platform.oci_architecture)
    if config.platform != platform and not (same and config.variant is None):
        found = PlatformObject(architecture=config.architecture, os=config.os, variant=config.variant)
        raise WrongBase(name, platform, str(found))


def _labelled(image: LayoutImage, platform: Platform) -> Descriptor:
    descriptor = image.descriptor
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        platform=PlatformObject.of(platform),
    )
