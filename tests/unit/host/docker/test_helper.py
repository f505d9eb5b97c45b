"""The helper container's image, and how old what others left has to be."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from rearch.host.docker.helper import STALE, empty_image, is_stale

NOW = 1_700_000_000


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {each.name: (tar.extractfile(each) or io.BytesIO()).read() for each in tar}


def test_the_image_holds_one_empty_folder_and_what_it_says_of_its_layer_is_true() -> None:
    found = members(empty_image("arm64", "rearch-volume:x"))
    ((entry),) = json.loads(found["manifest.json"])
    assert entry["RepoTags"] == ["rearch-volume:x"]
    config = json.loads(found[entry["Config"]])
    assert config["architecture"] == "arm64"
    layer = found[entry["Layers"][0]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert members(layer) == {"volume": b""}


def test_it_is_the_same_each_time() -> None:
    assert empty_image("amd64", "a:b") == empty_image("amd64", "a:b")


@pytest.mark.parametrize(
    ("mark", "stale"),
    [
        (f"{NOW:010x}-aabb-cc", False),
        (f"{NOW - STALE:010x}-aabb", False),
        (f"{NOW - STALE - 1:010x}-aabb", True),
        (f"{NOW + 99999:010x}-aabb", False),
        ("0000000000-aabb", True),
        ("latest", False),
        ("0000000000", False),
        ("my-own-0000000000-aabb", False),
    ],
)
def test_only_what_is_old_and_ours_is_swept_away(mark: str, stale: bool) -> None:
    assert is_stale(mark, NOW) is stale
