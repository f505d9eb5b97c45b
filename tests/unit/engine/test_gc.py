"""What the collection of garbage counts."""

from __future__ import annotations

import os
from pathlib import Path

from rearch.engine.gc import collect_garbage
from rearch.engine.store import Store
from rearch.model.step import Result, StepKind


def _result(store: Store, key: str, *, used: float, link: Path | None = None) -> Path:
    scratch = store.root / "scratch" / key[:4]
    (scratch / "files").mkdir(parents=True)
    blob = scratch / "files" / "blob"
    if link is None:
        blob.write_bytes(bytes(1 << 20))
    else:
        os.link(link, blob)
    store.commit(Result(key=key, kind=StepKind.IMAGE, artifacts=(), facts={}), {}, scratch)
    os.utime(store.folder(key) / "result.json", (used, used))
    return store.files(key) / "blob"


def test_a_blob_that_results_share_counts_once_and_for_the_one_that_was_used_last(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = _result(store, "a" * 64, used=1000.0)
    _result(store, "b" * 64, used=2000.0, link=blob)
    (tmp_path / "elsewhere").mkdir()
    os.link(blob, tmp_path / "elsewhere" / "output")  # what output/ links to counts as much
    kept = collect_garbage(store, tmp_path, max_age=None, quota=None)
    assert 1 << 20 <= kept.kept_bytes < (1 << 20) + 100_000
    old = collect_garbage(store, tmp_path, max_age=None, quota=(1 << 20) + 50_000, dry_run=True)
    assert [item.key for item in old.removed] in ([], ["a" * 64])
    assert sum(item.size for item in old.removed) < 50_000
    both = collect_garbage(store, tmp_path, max_age=None, quota=1000)
    assert [item.key for item in both.removed] == ["a" * 64, "b" * 64]
