"""Archives that the usual programs write, of a tree with everything in it that they can write."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rearch.formats.archive import extract
from rearch.formats.archive_errors import LimitExceeded
from rearch.formats.tree import tree_digest
from rearch.model.limits import Limits
from tests.support.needs import need_program

PACKINGS = {"plain": "", "gz": "--gzip", "bz2": "--bzip2", "xz": "--xz", "zst": "--zstd"}
PROGRAMS = {"gz": ("gzip", "gzip"), "bz2": ("bzip2", "bzip2"), "xz": ("xz", "xz-utils"), "zst": ("zstd", "zstd")}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder `top` with long names, names of other bytes, links of both kinds, an empty folder and an x bit."""
    top = tmp_path / "in/top"
    deep = top / ("d" * 90) / ("é" * 60)
    deep.mkdir(parents=True)
    (top / "empty").mkdir()
    (deep / os.fsdecode(b"latin-\xe9")).write_bytes(bytes(range(256)) * 1000)
    (top / "run").write_text("#!/bin/sh\n")
    (top / "run").chmod(0o755)
    (top / "hard").hardlink_to(top / "run")
    (top / ("l" * 120)).symlink_to("empty/../run")
    (deep / "up").symlink_to("../../" + "empty/./" * 15)
    for path in (top, *top.rglob("*")):
        os.utime(path, (1_500_000_000, 1_500_000_000), follow_symlinks=False)
    return top


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("layout", ["gnu", "oldgnu", "posix"])
def test_gnu_tar(layout: str, packing: str, tree: Path, tmp_path: Path) -> None:
    tar = need_program("tar", "tar")
    if packing in PROGRAMS:
        need_program(*PROGRAMS[packing])
    argv = [tar, f"--format={layout}", "-C", str(tree.parent), "-cf", str(tmp_path / "x"), "top"]
    subprocess.run([word for word in (*argv[:1], PACKINGS[packing], *argv[1:]) if word], check=True)
    extract(tmp_path / "x", tmp_path / "out", limits=Limits(), strip=1)
    assert tree_digest(tmp_path / "out") == tree_digest(tree)
    assert (tmp_path / "out/run").samefile(tmp_path / "out/hard")
    assert {path.lstat().st_mtime for path in (tmp_path / "out").rglob("*")} == {1_500_000_000}


def test_gnu_tar_through_a_pipe(tree: Path, tmp_path: Path) -> None:
    argv = [need_program("tar", "tar"), "-C", str(tree.parent), "-czf", "-", "top"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as packer:
        assert packer.stdout is not None
        extract(packer.stdout, tmp_path / "out", limits=Limits(), strip=1)
    assert packer.returncode == 0
    assert tree_digest(tmp_path / "out") == tree_digest(tree)


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 30)
    for layout in ("gnu", "posix"):
        argv = [
            need_program("tar", "tar"),
            f"--format={layout}",
            "-C",
            str(tmp_path),
            "-Scf",
            str(tmp_path / "x"),
            "holes",
        ]
        subprocess.run(argv, check=True)
        with pytest.raises(Exception, match="sparse file"):
            extract(tmp_path / "x", tmp_path / layout, limits=Limits())


@pytest.mark.parametrize("method", ["store", "deflate", "bzip2"])
def test_info_zip(method: str, tree: Path, tmp_path: Path) -> None:
    argv = [need_program("zip", "zip"), "-qry", "-Z", method, str(tmp_path / "x.zip"), "top"]
    subprocess.run(argv, check=True, cwd=tree.parent)
    extract(tmp_path / "x.zip", tmp_path / "out", limits=Limits(), strip=1)
    assert tree_digest(tmp_path / "out") == tree_digest(tree)


class Pipe(io.RawIOBase):
    """Takes bytes, and cannot seek."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.data += data
        return len(data)


def test_python_zip_through_a_pipe(tmp_path: Path) -> None:
    """Sizes stand behind the files there, and in the form of zip64."""
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("top/a", "top/b"):
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                file.write(name.encode() * 10_000)
    extract(io.BytesIO(bytes(pipe.data)), tmp_path / "out", limits=Limits(), strip=1)
    assert (tmp_path / "out/b").read_bytes() == b"top/b" * 10_000


def test_a_zip_of_more_entries_than_16_bits_count(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        for number in range(66_000):
            archive.writestr(f"{number}/", b"")
    with pytest.raises(LimitExceeded, match="more than 65999 entries"):
        extract(tmp_path / "x", tmp_path / "out", limits=Limits(archive_entries=65_999), strip=1)
