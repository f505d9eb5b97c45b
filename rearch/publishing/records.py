"""What a publish leaves for programs: output/publish.json, output/digests.txt, and the file of --image-refs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rearch import __version__
from rearch.engine.durable import write_whole
from rearch.publishing.outcome import Outcome, PublishResult

PUBLISH = "publish.json"
DIGESTS = "digests.txt"


def check_image_refs(path: Path) -> None:
    """Whether the file can be written when all is published; no folder is made. Errors: NoRoomForRefs."""
    from rearch.publishing.errors import NoRoomForRefs

    folder = path.absolute().parent
    if not folder.is_dir():
        raise NoRoomForRefs(path, f"there is no folder {folder}")
    if path.is_dir():
        raise NoRoomForRefs(path, "it is a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NoRoomForRefs(path, f"the folder {folder} cannot be written to")


def write_records(result: PublishResult, output: Path, image_refs: Path | None) -> None:
    """Write them, with what did not get through: those who read them later do not see the exit code."""
    _renew(output / PUBLISH, (json.dumps(publish_document(result), indent=1, sort_keys=True) + "\n").encode())
    _renew(output / DIGESTS, digest_lines(result).encode())
    if image_refs is not None:
        write_whole(image_refs.absolute(), "".join(f"{tag.reference}\n" for tag in result.tags).encode())


def publish_document(result: PublishResult) -> dict[str, Any]:
    """Every tag with digest and platforms, and every failure."""
    return {"rearch": __version__, "images": [_outcome(outcome) for outcome in result.outcomes]}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    tags = [
        {
            "reference": tag.reference,
            "tag": tag.place.tag,
            "digest": tag.digest,
            "change": tag.how,
            "index": tag.is_index,
            "platforms": dict(tag.platforms),
        }
        for tag in outcome.tags
    ]
    found: dict[str, Any] = {"component": outcome.component, "repository": outcome.place, "tags": tags}
    if outcome.adopted:
        found["adopted"] = dict(outcome.adopted)
    if outcome.error is not None:
        found |= {"error": outcome.error.summary, "missing": [str(place) for place in outcome.missing]}
    return found


def digest_lines(result: PublishResult) -> str:
    """`<64 digits>  <reference>`, as sha256sum writes it: what `subject-checksums` of GitHub's attest action reads."""
    lines = (f"{tag.digest.removeprefix('sha256:')}  {tag.place}\n" for tag in result.tags)
    return "".join(lines)


def _renew(path: Path, data: bytes) -> None:
    """An unchanged file is not written: two fsyncs are most of what a publish with nothing to do takes."""
    if not path.is_file() or path.read_bytes() != data:
        write_whole(path, data)
