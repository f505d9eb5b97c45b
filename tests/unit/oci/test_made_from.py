from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rearch.model.frozen import FrozenDict
from rearch.oci.made_from import INPUTS, config_made_from, entry_annotations, entry_made_from, labelled
from rearch.oci.types import (
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    RootFs,
    RunConfig,
    document_bytes,
    read_document,
)

MADE = "sha256:" + "1" * 64


def entry(digit: str, **more: Any) -> Descriptor:
    return Descriptor(media_type=OCI_MANIFEST, digest="sha256:" + digit * 64, size=1, **more)


def config(run: RunConfig | None = None) -> ImageConfig:
    return ImageConfig(architecture="arm64", os="linux", config=run, rootfs=RootFs(diff_ids=("sha256:" + "2" * 64,)))


def test_an_entry_says_it_of_itself_alone() -> None:
    annotations = entry_annotations(MADE, entry("3").digest)
    assert entry_made_from(entry("3", annotations=annotations)) == MADE
    assert entry_made_from(entry("4", annotations=annotations)) == ""
    assert entry_made_from(entry("3")) == ""
    assert entry_annotations("", entry("3").digest) is None


@pytest.mark.parametrize(
    "run",
    [None, RunConfig(), RunConfig(labels=FrozenDict()), RunConfig(labels=FrozenDict({"a": "b"}), cmd=("x",))],
    ids=["no config", "empty", "no labels", "labels"],
)
def test_a_config_says_it_as_it_is_read_back(run: RunConfig | None) -> None:
    said = labelled(config(run), MADE)
    again = read_document(ImageConfig, document_bytes(said), "config")
    assert config_made_from(again) == config_made_from(said) == MADE
    assert labelled(again, MADE) == again
    assert {*((again.config and again.config.labels) or {})} == {INPUTS, *((run and run.labels) or {})}


def test_what_is_built_from_such_an_image_inherits_the_label_and_does_not_say_it() -> None:
    said = labelled(config(), MADE)
    child = replace(said, rootfs=RootFs(diff_ids=(*said.rootfs.diff_ids, "sha256:" + "5" * 64)))
    assert said.config is not None
    other = replace(said, config=replace(said.config, cmd=("/bin/sh",)))
    assert (config_made_from(child), config_made_from(other)) == ("", "")
    assert config_made_from(labelled(child, "sha256:" + "6" * 64)) == "sha256:" + "6" * 64
    assert INPUTS not in document_bytes(labelled(child, "")).decode()


@pytest.mark.parametrize("text", ["", " ", MADE, f"{MADE} ", f"{MADE} sha256:1"])
def test_a_label_that_is_none_of_ours(text: str) -> None:
    assert config_made_from(config(RunConfig(labels=FrozenDict({INPUTS: text})))) == ""
