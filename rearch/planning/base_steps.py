"""What images start from: the names to lock, the steps, and what is said of it in annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from rearch.model.digest import Digest
from rearch.model.frozen import FrozenDict
from rearch.model.image import ArchiveBase, Base, DebianBase, LayoutBase, RegistryBase
from rearch.model.lock import BaseName, Lock, NotLocked, PackagesName, PinnedBase, PinnedPackages
from rearch.model.platform import Platform
from rearch.model.stack import Component
from rearch.model.step import Step, StepId, StepKind
from rearch.model.step_images import BaseInputs, DebianOrigin, DiskOrigin, RegistryOrigin
from rearch.planning.bases import manifest_for
from rearch.planning.facts import Facts
from rearch.planning.image_values import PREFIX


def disk_path(base: LayoutBase | ArchiveBase) -> str:
    """Its path, relative to the project."""
    return base.layout if isinstance(base, LayoutBase) else base.archive


def base_step(base: Base, component: Component, platform: Platform, facts: Facts, name: str) -> Step:
    """The step that has a base ready; `name` is that of the stage."""
    subject = component.id if name == "base" else f"{component.id}+{name}"
    inputs = BaseInputs(platform=platform, origin=_origin(base, platform, facts))
    return Step(id=StepId(StepKind.BASE, subject, platform), inputs=inputs, needs=FrozenDict())


def _origin(base: Base, platform: Platform, facts: Facts) -> RegistryOrigin | DiskOrigin | DebianOrigin:
    match base:
        case RegistryBase():
            pinned = pinned_base(base, facts.lock)
            return RegistryOrigin(reference=base.registry, digest=manifest_for(pinned, platform))
        case LayoutBase():
            return DiskOrigin(path=base.layout, kind="layout", ref=base.ref, digest=facts.disk_bases[base.layout])
        case ArchiveBase():
            return DiskOrigin(path=base.archive, kind="archive", ref=base.ref, digest=facts.disk_bases[base.archive])
        case DebianBase():
            return _debian(base, platform, facts.lock)
    assert_never(base)


def _debian(base: DebianBase, platform: Platform, lock: Lock) -> DebianOrigin:
    name = PackagesName(base.debian, platform, tuple(sorted(base.packages)))
    found = lock.get(name)
    if not isinstance(found, PinnedPackages):
        raise NotLocked([str(name)])
    return DebianOrigin(
        suite=base.debian,
        packages=found.packages,
        accounts=base.accounts,
        links=base.links,
        directories=base.directories,
        ca_certificates=base.ca_certificates,
        time=found.time,
    )


def packages_digest(bases: Mapping[Platform, Base | None], lock: Lock) -> str:
    """sha256 over the Debian packages that images start from, a line each: `stale` compares it with rearch.lock.

    Empty where no platform has a base of Debian packages. Errors: NotLocked.
    """
    lines = [
        f"{platform} {package.name} {package.version} {package.file.sha256}\n"
        for platform, base in sorted(bases.items(), key=lambda item: str(item[0]))
        if isinstance(base, DebianBase)
        for package in _debian(base, platform, lock).packages
    ]
    return str(Digest.of("".join(lines).encode())) if lines else ""


def pinned_base(base: RegistryBase, lock: Lock) -> PinnedBase:
    """Errors: NotLocked."""
    found = lock.get(BaseName(base.registry))
    if not isinstance(found, PinnedBase):
        raise NotLocked([str(BaseName(base.registry))])
    return found


def base_annotations(base: Base | None, platform: Platform, lock: Lock) -> dict[str, str]:
    """`base.name` and `base.digest` of an image: the manifest for its platform (OCI image specification)."""
    if not isinstance(base, RegistryBase):
        return {}
    digest = manifest_for(pinned_base(base, lock), platform)
    return {f"{PREFIX}base.digest": digest, f"{PREFIX}base.name": base.registry}


def index_annotations(base: Base | None, lock: Lock) -> dict[str, str]:
    """The same for an index: the base's own index."""
    if not isinstance(base, RegistryBase):
        return {}
    return {f"{PREFIX}base.digest": pinned_base(base, lock).digest, f"{PREFIX}base.name": base.registry}
