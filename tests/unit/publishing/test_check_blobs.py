"""Files of images are hashed, each once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rearch.errors import Interrupted
from rearch.oci.layout import blob_path
from rearch.publishing.built import Built, read_built
from rearch.publishing.check_blobs import BlobCheck
from rearch.publishing.errors import ChangedAfterAudit
from rearch.registry.push_errors import CannotReadBlob
from tests.support.built_output import add_built, make_project


@pytest.fixture
def built(tmp_path: Path) -> tuple[Built, ...]:
    project = make_project(tmp_path)
    for name in ("agent", "healthcheck"):
        add_built(project, name)
    return read_built(project / "output", stacks=None, only=(), require_smoke=False)


def blobs(built: Built) -> list[Path]:
    return [blob_path(built.layout, blob.digest) for child in built.image.children for blob in child.blobs]


def check(built: tuple[Built, ...]) -> BlobCheck:
    found = BlobCheck(built, threading.Event())
    for job in found.jobs():
        job()
    return found


def test_what_is_as_it_was_has_no_faults(built: tuple[Built, ...]) -> None:
    assert check(built).faults() == {}


def test_links_to_one_file_are_hashed_once_and_their_fault_is_everybodys(built: tuple[Built, ...]) -> None:
    one, two = (blobs(each) for each in built)
    shared = next(path for path in one if path.name in {other.name for other in two})
    other = next(path for path in two if path.name == shared.name)
    before = len(check(built).jobs())
    other.unlink()
    other.hardlink_to(shared)
    assert len(check(built).jobs()) == before - 1
    data = bytearray(shared.read_bytes())
    data[-1] ^= 1
    shared.write_bytes(data)
    faults = check(built).faults()
    assert set(faults) == {"demo/agent", "demo/healthcheck"}
    for fault, image in zip(faults.values(), built, strict=True):
        assert isinstance(fault, ChangedAfterAudit)
        assert fault.layout == image.layout
        assert shared.name in fault.why


@pytest.mark.parametrize("early", [True, False])
def test_a_file_that_is_gone_is_named(built: tuple[Built, ...], *, early: bool) -> None:
    gone = blobs(built[0])[0]
    if early:
        gone.unlink()
    found = BlobCheck(built, threading.Event())
    jobs = found.jobs()
    gone.unlink(missing_ok=True)
    for job in jobs:
        job()
    faults = found.faults()
    assert set(faults) == {"demo/agent"}
    assert f"{gone.name} is missing" in faults["demo/agent"].summary


def test_a_file_that_cannot_be_read_is_no_tampering(built: tuple[Built, ...]) -> None:
    bad = blobs(built[1])[-1]
    bad.unlink()
    bad.mkdir()
    fault = check(built).faults()["demo/healthcheck"]
    assert isinstance(fault, CannotReadBlob)
    assert fault.path == bad


def test_it_stops_when_it_is_told_to(built: tuple[Built, ...]) -> None:
    stop = threading.Event()
    found = BlobCheck(built, stop)
    stop.set()
    with pytest.raises(Interrupted):
        found.jobs()[0]()
