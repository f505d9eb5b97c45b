"""What a published image says it was made from (planning/inputs.py), bound to the bytes that it says it of.

An OCI index says it in an annotation of each entry, `<inputs> <digest of the entry>`: tools that put another image in
an entry's place keep its annotations. Docker's types have none: there the config has a label, `<inputs> <digest of the
config without this label>`, for whatever is built FROM an image inherits its labels. So neither can be true of another.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from rearch.model.digest import Digest
from rearch.model.frozen import FrozenDict
from rearch.oci.types import Descriptor, ImageConfig, RunConfig, document_bytes

INPUTS = "io.github.rearch.inputs"


def entry_annotations(made_from: str, digest: str) -> Mapping[str, str] | None:
    """The annotations of an index's entry; None where there is nothing to say."""
    return FrozenDict({INPUTS: f"{made_from} {digest}"}) if made_from else None


def entry_made_from(entry: Descriptor) -> str:
    """What an entry was made from; empty where it does not say, or says it of something else."""
    made_from, _, digest = (entry.annotations or {}).get(INPUTS, "").partition(" ")
    return made_from if digest == entry.digest else ""


def labelled(config: ImageConfig, made_from: str) -> ImageConfig:
    """The config with its label. Without anything to say the one that a base may have left goes."""
    plain = _plain(config)
    if not made_from:
        return plain
    run = plain.config or RunConfig()
    labels = {**(run.labels or {}), INPUTS: f"{made_from} {_seal(plain)}"}
    return replace(plain, config=replace(run, labels=FrozenDict(sorted(labels.items()))))


def config_made_from(config: ImageConfig) -> str:
    """What an image was made from, by its config; empty where it does not say, or says it of something else."""
    labels = (config.config.labels if config.config is not None else None) or {}
    made_from, _, seal = labels.get(INPUTS, "").partition(" ")
    return made_from if seal and seal == _seal(_plain(config)) else ""


def _plain(config: ImageConfig) -> ImageConfig:
    run = config.config
    if run is None or INPUTS not in (run.labels or {}):
        return config
    left = {name: value for name, value in (run.labels or {}).items() if name != INPUTS}
    return replace(config, config=replace(run, labels=FrozenDict(left) or None))


def _seal(plain: ImageConfig) -> str:
    """The same for labels that are left out and for none, since both are read from an image with this label alone."""
    run = plain.config or RunConfig()
    whole = replace(plain, config=replace(run, labels=run.labels or None))
    return str(Digest.of(document_bytes(whole)))
