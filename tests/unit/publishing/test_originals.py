"""What is remembered of originals: whole, of the same reference, or not at all. Without network: asking is an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rearch.model.platform import parse_platform
from rearch.model.reference import parse_reference
from rearch.oci.types import DOCKER_CONFIG, DOCKER_MANIFEST, Descriptor, Manifest, document_bytes
from rearch.planning.publish_adopt import Adoption
from rearch.publishing.adopt_errors import OfflineOriginal
from rearch.publishing.originals import Originals
from rearch.registry.client import RegistryClient

ADOPTION = Adoption(
    component="demo/agent",
    platform=parse_platform("amd64"),
    reference=parse_reference("hub.example.org/rancher/agent:v1"),
)
CONFIG = Descriptor(media_type=DOCKER_CONFIG, digest="sha256:" + "1" * 64, size=2)
MANIFEST = document_bytes(Manifest(media_type=DOCKER_MANIFEST, config=CONFIG, layers=())).decode()
REMEMBERED = {
    "reference": str(ADOPTION.reference),
    "platform": "linux/amd64",
    "media_type": DOCKER_MANIFEST,
    "manifest": MANIFEST,
}


def originals(tmp_path: Path, **more: Any) -> Originals:
    client = RegistryClient(offline=True)
    return Originals(client, tmp_path / "journal", tmp_path / "cache", limit=1, offline=True, say=print, **more)


def remember(tmp_path: Path, found: object) -> None:
    """Under the name that is looked for: of reference and platform."""
    folder = tmp_path / "journal" / "originals"
    folder.mkdir(parents=True)
    (folder / "bfeadd92dc0396fc00cf06e2aab2a280.json").write_text(
        found if isinstance(found, str) else json.dumps(found)
    )


def test_what_is_remembered_is_not_asked_for(tmp_path: Path) -> None:
    remember(tmp_path, REMEMBERED)
    found = originals(tmp_path).find(ADOPTION)
    assert found.data == MANIFEST.encode()
    assert found.document().config == CONFIG
    assert str(found.descriptor(ADOPTION).platform) == "linux/amd64"


@pytest.mark.parametrize(
    "found",
    [
        "{",
        "[" * 5000,
        {},
        REMEMBERED | {"manifest": "{}"},
        REMEMBERED | {"reference": "hub.example.org/other:v1"},
        REMEMBERED | {"platform": "linux/arm64"},
    ],
    ids=["torn", "deep", "empty", "no manifest", "another", "another platform"],
)
def test_what_is_wrong_counts_as_nothing(tmp_path: Path, found: object) -> None:
    remember(tmp_path, found)
    with pytest.raises(OfflineOriginal, match=r"hub\.example\.org/rancher/agent:v1"):
        originals(tmp_path).find(ADOPTION)


def test_refresh_asks_whatever_is_remembered(tmp_path: Path) -> None:
    remember(tmp_path, REMEMBERED)
    with pytest.raises(OfflineOriginal):
        originals(tmp_path, refresh=True).find(ADOPTION)
