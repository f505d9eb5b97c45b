"""The streams that an engine unpacks: the same input gives the same bytes, and tarfile reads them as they are meant."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from rearch.volumes.errors import SourceChanged
from rearch.volumes.streams import stage_stream, swap_stream, tidy_stream
from rearch.volumes.things import File, Folder, Link
from tests.support.volumes import file


def entries(data: bytes) -> list[tuple[str, bytes, int, int, int, int, str]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(each.name, each.type, each.mode, each.uid, each.gid, int(each.mtime), each.linkname) for each in tar]


def test_new_files_lie_in_a_folder_of_their_own_with_a_link_as_a_probe(tmp_path: Path) -> None:
    files = (file(tmp_path, "bin/a", b"1" * 700, owner=(7, 8)), file(tmp_path, "b", b"", mode=0o600))
    data = b"".join(stage_stream(files, 1000))
    assert entries(data) == [
        (".rearch", tarfile.DIRTYPE, 0o700, 0, 0, 1000, ""),
        (".rearch/0", tarfile.REGTYPE, 0o755, 7, 8, 1000, ""),
        (".rearch/1", tarfile.REGTYPE, 0o600, 0, 0, 1000, ""),
        (".rearch/link", tarfile.LNKTYPE, 0o755, 7, 8, 1000, ".rearch/0"),
    ]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        content = tar.extractfile(".rearch/0")
        assert content is not None
        assert content.read() == b"1" * 700
    assert len(data) % 512 == 0


def test_they_come_to_their_places_as_links_without_a_byte(tmp_path: Path) -> None:
    things = (
        Folder(path="bin", mode=0o711, uid=3, gid=4),
        file(tmp_path, "bin/a", b"1" * 100_000, owner=(7, 8)),
        file(tmp_path, "b", b"2", mode=0o644),
        Link(path="current", target="/opt/bin"),
    )
    data = b"".join(swap_stream(things, 5))
    assert entries(data) == [
        ("bin", tarfile.DIRTYPE, 0o711, 3, 4, 5, ""),
        ("bin/a", tarfile.LNKTYPE, 0o755, 7, 8, 5, ".rearch/0"),
        ("b", tarfile.LNKTYPE, 0o644, 0, 0, 5, ".rearch/1"),
        ("current", tarfile.SYMTYPE, 0o777, 0, 0, 5, "/opt/bin"),
    ]
    assert len(data) == 4 * 512 + 1024


def test_the_staging_folder_becomes_a_file_and_the_file_a_link_to_nothing() -> None:
    assert [(name, kind, target) for name, kind, *_, target in entries(b"".join(tidy_stream()))] == [
        (".rearch", tarfile.REGTYPE, ""),
        (".rearch", tarfile.LNKTYPE, ".rearch-none"),
    ]


def test_the_same_files_give_the_same_bytes_whatever_their_times_are(tmp_path: Path) -> None:
    one, two = (file(tmp_path / name, "a", b"1" * 5000) for name in ("one", "two"))
    os.utime(two.source, (1, 1))
    two.source.chmod(0o600)
    assert b"".join(stage_stream((one,), 0)) == b"".join(stage_stream((two,), 0))


@pytest.mark.parametrize("now", [b"12", b"1234", b""])
def test_a_file_that_changed_its_size_ends_the_stream(tmp_path: Path, now: bytes) -> None:
    changed: File = file(tmp_path, "a", b"123")
    changed.source.write_bytes(now)
    with pytest.raises(SourceChanged):
        b"".join(stage_stream((changed,), 0))


def test_a_large_file_is_not_held(tmp_path: Path) -> None:
    large = file(tmp_path, "a", b"x" * (5 << 20))
    assert max(map(len, stage_stream((large,), 0))) <= 1 << 20
