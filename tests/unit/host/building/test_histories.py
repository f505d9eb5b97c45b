"""A base without a history is handed on with one."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from rearch.host.building.histories import with_history
from rearch.host.building.take import StageImage
from rearch.model.platform import parse_platform
from rearch.oci.layout import blob_path, read_image
from tests.support.layouts import File, make_image

ARM64 = parse_platform("arm64")


def test_every_layer_gets_a_line_and_stays_the_same_blob(tmp_path: Path) -> None:
    image = make_image(tmp_path / "base", ARM64, [[File("a")], [File("b")]], compress=True, env=("A=1",))
    stage = StageImage(name="base", layout=tmp_path / "base", image=image)
    told = with_history(stage, tmp_path / "told")
    assert (told.name, told.layout) == ("base", tmp_path / "told")
    assert [line.empty_layer for line in told.image.config.history or ()] == [None, None]
    assert replace(told.image.config, history=None) == image.config
    assert told.image.manifest.layers == image.manifest.layers
    assert told.image.config.platform == ARM64
    for layer in image.manifest.layers:
        assert blob_path(told.layout, layer.digest).samefile(blob_path(stage.layout, layer.digest))
    assert read_image(stage.layout) == image


def test_one_that_has_a_history_is_left_alone(tmp_path: Path) -> None:
    stage = StageImage(name="b", layout=tmp_path / "b", image=make_image(tmp_path / "b", ARM64, [[File("a")]]))
    told = with_history(stage, tmp_path / "told")
    assert with_history(told, tmp_path / "again") is told
    assert not (tmp_path / "again").exists()
