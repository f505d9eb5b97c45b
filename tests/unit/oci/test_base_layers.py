"""The layers of a base against its config: count, diff IDs and names, in one reading that is remembered."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode
from rearch.model.digest import Digest
from rearch.model.platform import parse_platform
from rearch.oci.base_layers import BadBaseLayer, WrongBaseDiffId, WrongLayerCount, check_base_layers
from rearch.oci.image_tree_index import recall
from rearch.oci.layout import LayoutImage, blob_path, put_bytes
from rearch.oci.layout_errors import WrongBlob
from rearch.oci.types import OCI_LAYER, RootFs
from tests.support.layouts import File, Thing, make_image, make_tar

ARM64 = parse_platform("arm64")
ZEROS = f"sha256:{'0' * 64}"
LAYERS: list[list[Thing]] = [[File("a", b"a" * 3000)], [File("b", b"b"), File(".wh.a")]]


def base(
    folder: Path, layers: Sequence[Sequence[Thing]] = LAYERS, diff_ids: Sequence[str] | None = None
) -> LayoutImage:
    image = make_image(folder / "base", ARM64, layers, compress=True)
    if diff_ids is None:
        return image
    config = replace(image.config, rootfs=RootFs(diff_ids=tuple(diff_ids)))
    return LayoutImage(descriptor=image.descriptor, manifest=image.manifest, config=config)


def check(folder: Path, image: LayoutImage) -> list[tuple[str, int, int, str]]:
    moves: list[tuple[str, int, int, str]] = []
    check_base_layers(folder / "base", image, "here", folder / "cache", lambda *move: moves.append(move))
    return moves


def test_a_right_base_is_remembered(tmp_path: Path) -> None:
    image = base(tmp_path)
    moves = check(tmp_path, image)
    names = [[entry.path for entry in recall(tmp_path / "cache", layer) or ()] for layer in image.manifest.layers]
    assert names == [["a"], ["b", ".wh.a"]]
    first, second = image.manifest.layers
    ends = {label: done for label, done, _total, _unit in moves}
    assert ends == {f"layer {first.hex[:12]}": 10240, f"layer {second.hex[:12]}": 10240}


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_config_with_too_few_or_too_many(tmp_path: Path, number: int) -> None:
    right = base(tmp_path)
    with pytest.raises(WrongLayerCount) as caught:
        check(tmp_path, base(tmp_path, diff_ids=[ZEROS] * number))
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert caught.value.summary == f"the base here has 2 layer(s), and its config names {number}"
    assert f"layer 2: '{right.manifest.layers[1].digest}'" in caught.value.details
    assert len(caught.value.details) == 2 + number


def test_a_list_without_an_end_is_cut_off() -> None:
    error = WrongLayerCount("here", (ZEROS,), (ZEROS,) * 5000)
    assert len(error.details) == 22
    assert error.details[-1] == "... and 4980 more"


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_diff_id_of_something_else(tmp_path: Path, wrong: int) -> None:
    image = base(tmp_path)
    found = image.config.rootfs.diff_ids[wrong]
    says = [ZEROS if number == wrong else each for number, each in enumerate(image.config.rootfs.diff_ids)]
    with pytest.raises(WrongBaseDiffId) as caught:
        check(tmp_path, base(tmp_path, diff_ids=says))
    layer = image.manifest.layers[wrong].digest
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert caught.value.summary == f"the base here: layer {wrong + 1} ({layer}) is not what its config says"
    assert caught.value.details == (
        f"the config's diff ID is '{ZEROS}'",
        f"the layer's tar has the digest {found}",
    )


def test_the_digest_of_the_compressed_bytes_is_no_diff_id(tmp_path: Path) -> None:
    digests = [layer.digest for layer in base(tmp_path).manifest.layers]
    with pytest.raises(WrongBaseDiffId):
        check(tmp_path, base(tmp_path, diff_ids=digests))


@pytest.mark.parametrize("path", ["../x", "/x", "a\nb", "a/" * 129 + "b"])
def test_a_hostile_name_is_told_with_layer_and_digest(tmp_path: Path, path: str) -> None:
    image = base(tmp_path, [[File("a")], [File("b"), File(path)]])
    layer = image.manifest.layers[1]
    with pytest.raises(BadBaseLayer) as caught:
        check(tmp_path, image)
    error = caught.value
    assert error.exit_code is ExitCode.VERIFICATION
    assert error.summary.startswith(f"the base here: layer 2 ({layer.digest}): ")
    assert (error.number, error.layer, error.entry) == (2, layer.digest, path)
    assert error.hint == "take the base from its source again, or another base"
    assert recall(tmp_path / "cache", layer) is None


def test_a_layer_that_ends_too_early(tmp_path: Path) -> None:
    image = base(tmp_path, [[File("a", bytes(range(256)) * 100)]])
    data = gzip.compress(make_tar([File("x", b"x" * 3000)]), mtime=0)[:-20]
    layer = put_bytes(tmp_path / "base", data, f"{OCI_LAYER}+gzip")
    cut = LayoutImage(
        descriptor=image.descriptor,
        manifest=replace(image.manifest, layers=(layer,)),
        config=image.config,
    )
    with pytest.raises(BadBaseLayer, match="ends in the middle of a compressed stream") as caught:
        check(tmp_path, cut)
    assert f"the base here: layer 1 ({layer.digest})" in caught.value.summary


def test_a_damaged_blob_is_not_remembered(tmp_path: Path) -> None:
    image = base(tmp_path, [[File("a")]])
    layer = image.manifest.layers[0]
    blob = blob_path(tmp_path / "base", layer.digest)
    blob.chmod(0o644)
    other = bytearray(blob.read_bytes())
    other[4] ^= 1  # the time in gzip's header: the tar is the same
    blob.write_bytes(other)
    with pytest.raises(WrongBlob):
        check(tmp_path, image)
    assert recall(tmp_path / "cache", layer) is None


def test_a_layer_that_is_not_compressed(tmp_path: Path) -> None:
    image = make_image(tmp_path / "base", ARM64, LAYERS)
    check(tmp_path, image)
    assert image.config.rootfs.diff_ids == tuple(str(Digest.of(make_tar(things))) for things in LAYERS)
