"""What an image says of itself, and what its template is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rearch.errors import UsageError
from rearch.model.image import Image, ImageFile
from rearch.model.platform import Platform
from rearch.model.source import PinnedDebian, PinnedGit, PinnedSource
from rearch.model.stack import Component
from rearch.planning.expand import Expander, upstream_version

if TYPE_CHECKING:
    from rearch.planning.facts import Facts
    from rearch.planning.images import OnPlatform

PREFIX = "org.opencontainers.image."
OWN = "io.github.rearch."
TOOLCHAIN, PACKAGES = f"{OWN}toolchain", f"{OWN}packages"
"""What no standard annotation says: `go-1.27 1.27.3`, and a digest over the Debian packages of the base."""


def described(component: Component, source: PinnedSource, expand: Expander, epoch: int) -> dict[str, str]:
    """The standard annotations (OCI image specification, "Pre-Defined Annotation Keys") that need no base."""
    recipe = component.recipe
    version = expand.text(recipe.version) if recipe.version else ""
    found = {
        "title": component.name,
        "description": recipe.summary.strip(),
        "created": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": version or (upstream_version(source.version) if isinstance(source, PinnedDebian) else ""),
        "revision": revision(source),
        "source": source_url(source),
    }
    return {PREFIX + name: value for name, value in sorted(found.items()) if value}


def toolchain_annotation(component: Component, platforms: Iterable[Platform], facts: Facts) -> dict[str, str]:
    """The compilers that the component's own programs are made with, for `stale`; nothing where there are none."""
    names = {component.recipes[one].build.toolchain for one in platforms if component.recipes[one].build.go.binaries}
    said = ", ".join(f"{name} {facts.toolchains[name].version}" for name in sorted(names))
    return {TOOLCHAIN: said} if said else {}


class BadTag(UsageError):
    """A tag that no registry takes."""

    def __init__(self, component: str, tag: str) -> None:
        self.component = component
        self.tag = tag
        super().__init__(
            f"{component}: image.tag: {tag!r} is no tag",
            hint="a tag has letters, digits and _ . -, starts with no . or -, and has at most 128 characters",
        )


def image_tag(image: Image, component: str, version: str, expand: Expander) -> str:
    """The tag: as the recipe says, else made of the version (OCI distribution specification, <reference>)."""
    tag = expand.text(image.tag) if image.tag is not None else re.sub(r"[^A-Za-z0-9_.-]", "_", version)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag):
        raise BadTag(component, tag)
    return tag


def revision(source: PinnedSource) -> str:
    """The exact state of the source: a commit, a Debian version, a digest."""
    match source:
        case PinnedGit():
            return source.commit
        case PinnedDebian():
            return source.version
    return f"sha256:{getattr(source, 'sha256', None) or getattr(source, 'digest', '')}"


def source_url(source: PinnedSource) -> str:
    """Where a person can read it."""
    match source:
        case PinnedGit():
            return source.url
        case PinnedDebian():
            return f"https://sources.debian.org/src/{source.package}/{source.version}/"
    return str(getattr(source, "url", ""))


def place_of(file: ImageFile, platform: Platform) -> str:
    """Where a file stands in the build context: binaries as buildx users lay them out, `linux/arm64/name`."""
    if file.binary is not None:
        folder = f"{platform}/{file.component}" if file.component else str(platform)
        return f"{folder}/{file.binary}"
    return f"source/{file.source}" if file.source is not None else f"files/{file.file}"


def template_values(on: OnPlatform, labels: Mapping[str, str]) -> Mapping[str, Any]:
    """The names that a template can use: docs/images.md lists them."""
    image, expand, platform = on.image, on.expand, on.platform
    return {
        "component": on.component.name,
        "version": labels.get(f"{PREFIX}version", ""),
        "summary": on.component.recipe.summary,
        "repository": image.repository,
        "tag": image_tag(image, on.component.id, labels.get(f"{PREFIX}version", ""), expand),
        "platform": str(platform),
        "os": platform.os,
        "arch": platform.oci_architecture,
        "variant": platform.oci_variant or "",
        "base": "base" if image.base is not None else "scratch",
        "stages": list(image.stages),
        "files": [_file(file, on) for file in image.files],
        "entrypoint": _words(image.entrypoint, expand),
        "cmd": _words(image.cmd, expand),
        "env": dict(expand.mapping(image.env)),
        "labels": dict(sorted(labels.items())),
        "user": expand.text(image.user),
        "workdir": expand.text(image.workdir or ""),
        "ports": list(image.ports),
        "volumes": list(image.volumes),
        "stop_signal": image.stop_signal,
        "healthcheck": _healthcheck(on),
        "args": list(image.args),
        "values": dict(expand.mapping(image.values)),
    }


def _file(file: ImageFile, on: OnPlatform) -> dict[str, str]:
    mode = file.mode or ("0755" if file.binary is not None else "")
    return {"place": place_of(file, on.platform), "to": on.expand.text(file.to), "mode": mode, "owner": file.owner}


def _words(words: tuple[str, ...] | None, expand: Expander) -> list[str] | None:
    return None if words is None else list(expand.texts(words))


def _healthcheck(on: OnPlatform) -> dict[str, Any] | None:
    check = on.image.healthcheck
    if check is None:
        return None
    return check.model_dump() | {"test": list(on.expand.texts(check.test))}
