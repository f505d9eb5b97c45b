"""Content archives as an agent judges them, and copies that say another version."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats.archive_errors import ArchiveError, BadName, DuplicateEntry, TruncatedArchive
from rearch.host.rancher.archive import Content, read_content
from rearch.host.rancher.errors import BadSums, NotGzip
from rearch.host.rancher.repack import Packed, pack_content, with_version
from rearch.model.limits import Limits

FILES = (Packed(path="apply.sh", data=b"#!/bin/sh\n", mode=0o755), Packed(path="bin/agent", data=b"\x7fELF"))


def _good(folder: Path) -> Path:
    pack_content(folder / "a.tar.gz", "root", FILES)
    return folder / "a.tar.gz"


def _read(path: Path) -> Content:
    return read_content(path, "the archive", Limits())


def _members(path: Path) -> dict[str, tuple[bytes, int, bytes]]:
    with tarfile.open(path) as tar:
        found = {}
        for each in tar:
            file = tar.extractfile(each) if each.isreg() else None
            found[each.name] = (file.read() if file else b"", each.mode, each.type)
        return found


def _changed(path: Path, changes: dict[str, bytes | None], extra: tuple[tarfile.TarInfo, ...] = ()) -> Path:
    """The archive with files replaced, removed (None) or added, its sums left as they were."""
    members = {name: value for name, value in _members(path).items() if value[2] == tarfile.REGTYPE}
    for name, data in changes.items():
        members.pop(name, None)
        if data is not None:
            members[name] = (data, 0o644, tarfile.REGTYPE)
    with tarfile.open(path, "w:gz") as tar:
        for name, (data, mode, _) in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
        for info in extra:
            tar.addfile(info)
    return path


def test_a_good_one(tmp_path: Path) -> None:
    content = _read(_good(tmp_path))
    assert (content.root, content.files, content.version, content.up_to_date) == ("root", 2, None, False)
    digest = hashlib.sha1(b"\x7fELF", usedforsecurity=False).hexdigest()
    assert content.sums.splitlines()[1].decode() == f"{digest} *root/bin/agent"


def test_same_files_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first, second = _good(tmp_path), _good(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    assert not list(tmp_path.glob(".a*")), "nothing is left beside it"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"root/bin/agent": b"other"}, "root/bin/agent has sha1 "),
        ({"root/bin/agent": None}, "SHA1SUMS names root/bin/agent, which is not there"),
        ({"root/SHA1SUMS": None}, "root/SHA1SUMS is missing"),
        ({"root/SHA1SUMSSUM": None}, "root/SHA1SUMSSUM is missing"),
        ({"root/SHA1SUMS": b""}, "SHA1SUMS has lines that are no sums"),
        ({"root/SHA1SUMS": b"what is this\n"}, "SHA1SUMS has lines that are no"),
        ({"root/SHA1SUMSSUM": b"0" * 40 + b" *root/SHA1SUMS\n"}, "root/SHA1SUMS has sha1 "),
        ({"root/SHA1SUMSSUM": b"0" * 40 + b" *root/apply.sh\n"}, "SHA1SUMSSUM does not cover SHA1SUMS"),
        ({"other/file": b""}, "it has 2 roots: other, root"),
        ({"loose": b""}, "it has 2 roots: loose, root"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_an_agent_would_refuse(tmp_path: Path, changes: dict[str, bytes | None], words: str) -> None:
    with pytest.raises(BadSums) as error:
        _read(_changed(_good(tmp_path), changes))
    assert any(problem.startswith(words) for problem in error.value.problems), error.value.problems


def test_files_that_no_sum_covers_are_no_fault(tmp_path: Path) -> None:
    """sha1sum -c does not see them, and the server may add `version` so."""
    path = _changed(_good(tmp_path), {"root/version": b"7\n", "root/uptodate": b""})
    assert (_read(path).version, _read(path).up_to_date) == ("7", True)


def test_sums_follow_links(tmp_path: Path) -> None:
    link, hard = tarfile.TarInfo("root/apply.sh"), tarfile.TarInfo("root/bin/agent")
    link.type, link.linkname = tarfile.SYMTYPE, "bin/../real"
    hard.type, hard.linkname = tarfile.LNKTYPE, "root/agent"
    changes: dict[str, bytes | None] = {
        "root/apply.sh": None,
        "root/real": FILES[0].data,
        "root/bin/agent": None,
        "root/agent": FILES[1].data,
    }
    assert _read(_changed(_good(tmp_path), changes, (link, hard))).files == 2
    link.linkname = "apply.sh"  # to itself
    with pytest.raises(BadSums, match="refuse"):
        _read(_changed(_good(tmp_path), changes, (link, hard)))


@pytest.mark.parametrize(
    ("name", "kind"), [("../x", BadName), ("/x", BadName), ("root/apply.sh", DuplicateEntry)], ids=str
)
def test_hostile_entries(tmp_path: Path, name: str, kind: type[ArchiveError]) -> None:
    with pytest.raises(kind):
        _read(_changed(_good(tmp_path), {}, (tarfile.TarInfo(name),)))


def test_what_is_no_gzip_or_not_all_of_it(tmp_path: Path) -> None:
    path = _good(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(TruncatedArchive):
        _read(path)
    path.write_bytes(lzma.compress(gzip.decompress(whole)))
    with pytest.raises(NotGzip):
        _read(path)
    path.write_bytes(b"")
    with pytest.raises(ArchiveError, match="is empty"):
        _read(path)


def test_a_version_is_added_and_nothing_else_changes(tmp_path: Path) -> None:
    path = _good(tmp_path)
    with_version(path, tmp_path / "v.tar.gz", _read(path), "42")
    assert _read(tmp_path / "v.tar.gz").version == "42"
    before, after = _members(path), _members(tmp_path / "v.tar.gz")
    assert [name for name in after if name not in before] == ["root/version"]
    assert {name for name in before if before[name] != after[name]} == {"root/SHA1SUMS", "root/SHA1SUMSSUM"}
    assert list(before) == list(after)[:-1]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}x", fullmatch=True), st.binary(max_size=300), min_size=1, max_size=6
    ),
    st.lists(st.from_regex(r"[0-9a-f-]{1,40}", fullmatch=True), min_size=1, max_size=3),
)
def test_whatever_is_packed_can_say_any_version(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], versions: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    path = folder / "0.tar.gz"
    pack_content(path, "r", tuple(Packed(path=name, data=data) for name, data in sorted(files.items())))
    for number, version in enumerate(versions):
        target = folder / f"{number + 1}.tar.gz"
        with_version(path, target, _read(path), version)
        content = _read(target)
        assert (content.version, content.files) == (version, len(files) + 1)
        path = target
    members = _members(path)
    assert {name: members[f"r/{name}"][0] for name in files} == files
