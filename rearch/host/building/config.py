"""The config of what an engine built, as ours: dated, for the platform, without what tells of the engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice

from msgspec.structs import replace

from rearch.oci.order import ImageOrder
from rearch.oci.types import History, ImageConfig, RootFs, RunConfig

# Labels that builders write about themselves.
_ENGINES_OWN = ("io.buildah.version",)
# buildah's `COPY file:<digest> in /x`: the digest is one over times, too.
_CONTENT = re.compile(r"\b(file|dir|multi):[0-9a-f]{64}\b")


def taken_config(
    built: ImageConfig, base: ImageConfig | None, diff_ids: Sequence[str], order: ImageOrder
) -> ImageConfig:
    """The config of an engine's image, with these diff IDs. Fields that OCI does not know are gone already: reading
    it left them out (`container`, `docker_version`, `moby.buildkit.*`)."""
    created = instant(order.epoch)
    return ImageConfig(
        created=created,
        author=built.author,
        architecture=order.platform.oci_architecture,
        os=order.platform.os,
        variant=order.platform.oci_variant,
        config=_run_config(built.config),
        rootfs=RootFs(diff_ids=tuple(diff_ids)),
        history=joined_history(built, base, len(diff_ids), created),
    )


def instant(epoch: int) -> str:
    """Seconds since 1970 as RFC 3339 writes them."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _run_config(built: RunConfig | None) -> RunConfig | None:
    """How it is started; what is empty counts as left out, for engines differ in that."""
    if built is None:
        return None
    labels = {name: value for name, value in (built.labels or {}).items() if name not in _ENGINES_OWN}
    kept = {name: getattr(built, name) for name in RunConfig.__struct_fields__}
    kept["labels"] = labels
    return RunConfig(**{name: value for name, value in kept.items() if value not in (None, "", (), {})})


def joined_history(built: ImageConfig, base: ImageConfig | None, layers: int, created: str) -> tuple[History, ...]:
    """The base's history as it was, then a line for each instruction; one that is not `empty_layer` for each layer.

    Builders that make one layer of all instructions call the others empty. Where lines and layers do not
    agree, which the specification allows a base without a history, the layers get lines without an instruction.
    """
    inherited = (base.history or ()) if base else ()
    below = len(base.rootfs.diff_ids) if base else 0
    bottom = _fitted(inherited, below, created)
    new = tuple(_line(line, created) for line in islice(built.history or (), len(inherited), None))
    return bottom + _fitted(new, layers - below, created)


def _line(line: History, created: str) -> History:
    text = None if line.created_by is None else _CONTENT.sub(r"\1", line.created_by)
    return History(created=created, created_by=text, author=line.author, empty_layer=line.empty_layer)


def _fitted(lines: Sequence[History], layers: int, created: str) -> tuple[History, ...]:
    """The lines, as many of them not empty as there are layers: missing ones are added, surplus ones called empty."""
    fitted = []
    left = layers
    for line in lines:
        surplus = not line.empty_layer and left == 0
        left -= 0 if line.empty_layer or surplus else 1
        fitted.append(replace(line, empty_layer=True) if surplus else line)
    return (*fitted, *(History(created=created) for _ in range(left)))
