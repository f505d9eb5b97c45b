from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from rearch.engine.nightly import NightlyFolder
from rearch.reporting.night import night_part, read_night
from rearch.reporting.night_record import Change, Night, Problem, Removed, Stage
from rearch.reporting.page import Story, page

HOSTILE = "<script>alert(1)</script>"
NIGHT = Night(
    date="2024-05-17",
    exit_code=4,
    updates=(
        Change(name="version of s/a", before="v1", after="v2", needed_by=("s/a",), held="it broke", files=("a.yaml",)),
    ),
    removed=(Removed(reference="r.example.org/a:nightly-2024-05-01", digest="sha256:0"),),
    problems=(
        Problem(stage=Stage.UPDATE, component="s/a", summary=HOSTILE, details=("line one",), hint="mend it"),
        Problem(stage=Stage.PRUNE, component="", summary="no"),
    ),
    told=("something else",),
)


def test_the_file_that_a_night_writes_is_the_one_that_is_read(tmp_path: Path) -> None:
    NightlyFolder(tmp_path).record(NIGHT)
    found = read_night((tmp_path / "nightly.json").read_bytes())
    assert found == NIGHT
    text = night_part(found)
    assert "<script" not in text
    for said in (
        "update: s/a",
        "prune: the whole night",
        "&lt;script&gt;",
        "line one",
        "mend it",
        "it broke",
        "a.yaml",
    ):
        assert said in text
    assert "would be removed" in text
    assert "were removed" in night_part(replace(found, prune_applied=True))
    assert b'id="night"' in page(Story(build=None, night=found))
    assert b'id="night"' not in page(Story(build=None))


def test_a_torn_record_is_no_night() -> None:
    whole = json.dumps({"date": "2024-05-17"}).encode()
    assert read_night(whole) == Night(date="2024-05-17")
    assert [read_night(whole[:end]) for end in range(len(whole))] == [None] * len(whole)
