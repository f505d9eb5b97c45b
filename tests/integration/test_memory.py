"""Memory does not grow with the size: an archive is fetched, hashed and unpacked in a process of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.archives import END, Member, tar_member
from tests.support.web import serve

MIB = 1 << 20
# For the whole process, the interpreter and its imports included: VmHWM of proc(5). (ru_maxrss is no measure here: it
# starts with what pytest's process had when it forked.)
MOST_MEMORY = 150 * MIB
# 2 GB are promised, and take a minute on a slow disk: REARCH_TEST_ARCHIVE_MIB=2048 runs them.
SIZE = int(os.environ.get("REARCH_TEST_ARCHIVE_MIB", "256")) * MIB

PROGRAM = textwrap.dedent(
    """
    import re, sys
    from pathlib import Path
    from rearch.formats.tree import tree_digest
    from rearch.host.sources.archive import ArchiveSources
    from rearch.model.source import PinnedArchive
    from rearch.model.limits import Limits
    from rearch.steps.ports import Workspace

    base, url, sha256 = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    (base / "files").mkdir(parents=True)
    work = Workspace(
        files=base / "files", scratch=base, caches=base, project=base, needs={}, run=None, say=lambda line: None,
        progress=lambda *step: None, limits=Limits(archive_ratio=1_000_000),
    )
    ArchiveSources(base / "cache").fetch(PinnedArchive(url=url, sha256=sha256, strip=0), work)
    print(sum(path.stat().st_size for path in (base / "files").rglob("*") if path.is_file()))
    print(len(tree_digest(base / "files")))
    print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
    """
)


def plain(path: Path) -> None:
    """Written as holes where the file system can."""
    header = tar_member(Member(name="big", size=SIZE))
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + SIZE + len(END))


def zstd(path: Path) -> None:
    """With a window of 64 MiB, far above what the usual levels have."""
    import zstandard

    window = zstandard.ZstdCompressionParameters(window_log=26, compression_level=1)
    block = os.urandom(MIB)
    size = min(SIZE, 256 * MIB)
    with path.open("wb") as file, zstandard.ZstdCompressor(compression_params=window).stream_writer(file) as writer:
        writer.write(tar_member(Member(name="big", size=size)))
        for _ in range(size // MIB):
            writer.write(block)
        writer.write(END)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A folder whose large files go when the test ends, not three runs later."""
    from rearch.formats.tree import remove_tree

    yield tmp_path
    remove_tree(tmp_path)


@pytest.mark.parametrize(("make", "size"), [(plain, SIZE), (zstd, min(SIZE, 256 * MIB))], ids=["plain", "zstd"])
def test_fetch_hash_and_unpack_in_bounded_memory(make: Callable[[Path], None], size: int, room: Path) -> None:
    archive = room / "served/big"
    archive.parent.mkdir()
    make(archive)
    with serve(archive.parent) as address:
        argv = [sys.executable, "-c", PROGRAM, str(room / "work"), f"{address}/big", sha256_of(archive)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300)
    unpacked, digest, peak = (int(line) for line in done.stdout.split())
    assert unpacked == size
    assert digest == 64
    assert peak < MOST_MEMORY
