"""Files under tests/snapshots/, rewritten by `invoke dev.snapshots`."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "snapshots"


def assert_snapshot(name: str, text: str) -> None:
    """Compare with the file; with REARCH_SNAPSHOTS=write, write it."""
    path = FOLDER / name
    if os.environ.get("REARCH_SNAPSHOTS") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"no snapshot {name}: run `invoke dev.snapshots` and read the diff"
    assert text == path.read_text(), f"{name} differs: `invoke dev.snapshots` rewrites it"
