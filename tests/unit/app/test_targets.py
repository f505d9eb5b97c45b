"""What a name on the command line points at."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.app.targets import Target, image_names, is_reference, local_target


def layout(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "index.json").write_text("{}")
    return folder


def test_layouts_names_in_them_and_images_of_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "output"
    app = layout(output / "images/team/app")
    layout(tmp_path / "mine")
    assert local_target("mine", output) == Target(layout=Path("mine"))
    assert local_target("mine:1.0", output) == Target(layout=Path("mine"), ref="1.0")
    assert local_target("team/app", output) == Target(layout=app, repository="team/app")
    assert local_target("team/app:2", output) == Target(layout=app, ref="2", repository="team/app")
    assert local_target("team", output) is None
    assert local_target("", output) is None
    assert image_names(output) == ("team/app",)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("localhost/x", True),
        ("example.org/x:1", True),
        ("127.0.0.1:5000/x", True),
        ("debian:bookworm", False),
        ("team/app", False),
        ("example.org", False),
    ],
)
def test_a_registry_is_asked_only_for_what_names_one(name: str, asked: bool) -> None:
    assert is_reference(name) is asked
