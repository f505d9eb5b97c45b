"""An engine's config -> ours."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from rearch.host.building.config import instant, joined_history, taken_config
from rearch.model.platform import parse_platform
from rearch.oci.order import ImageOrder
from rearch.oci.types import History, ImageConfig, RootFs, document_bytes, read_document

NOW = "2026-11-22T19:05:36.202049091Z"
# As an engine writes it (20.10, BuildKit), cut down.
ENGINES = {
    "architecture": "arm64",
    "config": {
        "Env": ["PATH=/bin"],
        "Labels": {"io.buildah.version": "1.28.2"},
        "OnBuild": None,
        "User": "",
        "Volumes": {},
    },
    "container": "6a0c",
    "container_config": {"Hostname": "6a0c"},
    "created": NOW,
    "docker_version": "20.10.24",
    "moby.buildkit.buildinfo.v1": "e30=",
    "history": [
        {"created": "1970-01-01T00:08:20Z", "created_by": "base", "comment": "kept"},
        {"created": NOW, "created_by": "COPY file:" + "a1" * 32 + " in /x ", "comment": "FROM localhost/stage0"},
        {"created": NOW, "created_by": "ENV A=b", "empty_layer": True},
    ],
    "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "a" * 64, "sha256:" + "b" * 64]},
}
BASE = ImageConfig(
    architecture="arm64",
    os="linux",
    rootfs=RootFs(diff_ids=("sha256:" + "a" * 64,)),
    history=(History(created="1970-01-01T00:08:20Z", created_by="base", comment="kept"),),
)


def order(platform: str = "arm64") -> ImageOrder:
    here = Path("/nowhere")
    return ImageOrder(
        dockerfile="",
        template="t",
        context=here,
        platform=parse_platform(platform),
        stages={},
        args={},
        epoch=1000,
        compression="gzip",
        media_types="oci",
        layout=here,
        layers=here,
        scratch=here,
        say=print,
    )


def config(**more: object) -> ImageConfig:
    return read_document(ImageConfig, json.dumps({**ENGINES, **more}).encode(), "test")


def test_nothing_tells_of_the_engine_or_the_clock() -> None:
    ours = document_bytes(taken_config(config(), BASE, ("sha256:" + "a" * 64, "sha256:" + "c" * 64), order()))
    assert json.loads(ours) == {
        "created": "1970-01-01T00:16:40Z",
        "architecture": "arm64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "a" * 64, "sha256:" + "c" * 64]},
        "history": [
            {"created": "1970-01-01T00:08:20Z", "created_by": "base", "comment": "kept"},
            {"created": "1970-01-01T00:16:40Z", "created_by": "COPY file in /x "},
            {"created": "1970-01-01T00:16:40Z", "created_by": "ENV A=b", "empty_layer": True},
        ],
    }


def test_the_variant_is_the_orders() -> None:
    ours = taken_config(config(architecture="arm"), None, (), order("arm/v7"))
    assert (ours.architecture, ours.variant) == ("arm", "v7")


def test_history_and_layers_agree_whatever_an_engine_says() -> None:
    created = instant(1000)
    for count in range(5):
        lines = joined_history(config(), None, count, created)
        assert len([line for line in lines if not line.empty_layer]) == count
    bare = replace(BASE, history=None)
    lines = joined_history(config(history=[]), bare, 3, created)
    assert [line.empty_layer for line in lines] == [None, None, None]


def test_an_instant() -> None:
    assert instant(0) == "1970-01-01T00:00:00Z"
    assert instant(1_600_000_000) == "2020-09-13T12:26:40Z"
