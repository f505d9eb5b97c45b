"""The copies that an overlay hands out."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.host.rancher import overlay_items
from rearch.host.rancher.archive import read_content
from rearch.host.rancher.errors import BadSums
from rearch.host.rancher.overlay_items import Offers
from rearch.host.rancher.repack import Packed, pack_content
from rearch.model.limits import Limits


def _archive(path: Path, text: bytes, version: bytes | None = None) -> Path:
    files = [Packed(path="apply.sh", data=text, mode=0o755)]
    if version is not None:
        files.append(Packed(path="version", data=version))
    pack_content(path, "root", tuple(files))
    return path


def _offers(tmp_path: Path, archive: Path) -> Offers:
    (tmp_path / "scratch").mkdir()
    return Offers({"pyagent": archive}, tmp_path / "scratch", Limits())


def test_one_copy_for_each_version(tmp_path: Path) -> None:
    offers = _offers(tmp_path, _archive(tmp_path / "a.tar.gz", b"one"))
    first, second = offers.file("pyagent", "1"), offers.file("pyagent", "2")
    assert [read_content(path, "x", Limits()).version for path in (first, second)] == ["1", "2"]
    assert offers.file("pyagent", "1") == first


@pytest.mark.parametrize("version", [None, "7"])
def test_what_says_the_right_version_is_handed_out_as_it_is(tmp_path: Path, version: str | None) -> None:
    archive = _archive(tmp_path / "a.tar.gz", b"one", b"7\n")
    assert _offers(tmp_path, archive).file("pyagent", version).read_bytes() == archive.read_bytes()


def test_a_new_refit_is_seen_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "a.tar.gz", b"one")
    offers = _offers(tmp_path, archive)
    first = offers.file("pyagent", "1")
    _archive(archive, b"two")
    assert offers.file("pyagent", "1") != first
    pack_content(archive, "root", ())
    with pytest.raises(BadSums):
        offers.file("pyagent", "1")


def test_old_copies_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay_items, "_COPIES", 2)
    offers = _offers(tmp_path, _archive(tmp_path / "a.tar.gz", b"one"))
    paths = [offers.file("pyagent", version) for version in ("1", "2", "1", "3")]
    assert [path.exists() for path in paths] == [True, False, True, True]
    assert len(list((tmp_path / "scratch").iterdir())) == 2
    assert offers.file("pyagent", "2").exists(), "and is made again when it is wanted"
