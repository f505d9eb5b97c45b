"""A base of Debian packages: two layers, so that a changed account leaves the packages' layer as it is."""

from __future__ import annotations

from datetime import UTC, datetime

from rearch.model.platform import Platform
from rearch.model.step_images import DebianOrigin
from rearch.oci.entry import LayerEntry
from rearch.oci.layer import MadeLayer, make_layer
from rearch.oci.layout import LayoutImage, put_bytes
from rearch.oci.order import dated
from rearch.oci.types import (
    OCI_CONFIG,
    OCI_MANIFEST,
    ImageConfig,
    Manifest,
    PlatformObject,
    RootFs,
    RunConfig,
    document_bytes,
)
from rearch.steps.base_extras import declared_entries
from rearch.steps.base_tree import tree_entries
from rearch.steps.ports import RootFsBuilder, Workspace

# As Debian's own images have it.
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def debian_base(origin: DebianOrigin, platform: Platform, work: Workspace, root_fs: RootFsBuilder) -> LayoutImage:
    """Unpack, add what is declared, write layers, config, manifest. Errors: those of the builder and of extras."""
    tree = work.scratch / "tree"
    tree.mkdir()
    owners = root_fs.unpack(origin, platform, tree, work)
    packages = tuple(tree_entries(tree, owners, origin.time))
    layers = [_layer(packages, work), _layer(declared_entries(origin, tree), work)]
    config = _config(origin, platform, layers)
    described = put_bytes(work.files, document_bytes(config), OCI_CONFIG)
    manifest = Manifest(config=described, layers=tuple(layer.descriptor for layer in layers))
    descriptor = put_bytes(work.files, document_bytes(manifest), OCI_MANIFEST, platform=PlatformObject.of(platform))
    return LayoutImage(descriptor=descriptor, manifest=manifest, config=config)


def _layer(entries: tuple[LayerEntry, ...], work: Workspace) -> MadeLayer:
    return make_layer(entries, layout=work.files, layers=work.caches / "layers", compression="gzip", media_types="oci")


def _config(origin: DebianOrigin, platform: Platform, layers: list[MadeLayer]) -> ImageConfig:
    created = datetime.fromtimestamp(origin.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    count = len(origin.packages)
    release = f" of {origin.suite}" if origin.suite else ""
    return ImageConfig(
        created=created,
        architecture=platform.oci_architecture,
        os=platform.os,
        variant=platform.oci_variant,
        config=RunConfig(env=(_PATH,)),
        rootfs=RootFs(diff_ids=tuple(layer.diff_id for layer in layers)),
        history=(
            dated(f"rearch: {count} Debian packages{release}, unpacked", created),
            dated("rearch: accounts, directories and links", created),
        ),
    )
