"""A publish against a side in memory: what is done in which order, what others do meanwhile, what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode, Interrupted, TemporaryError, UsageError
from rearch.model.digest import Digest
from rearch.oci.layout import blob_path
from rearch.oci.types import OCI_INDEX, Index, document_bytes, read_document
from rearch.planning.publish_targets import Target, parse_target
from rearch.planning.publish_values import PublishOptions
from rearch.publishing.built import read_built
from rearch.publishing.check_blobs import BlobCheck
from rearch.publishing.errors import ChangedAfterAudit, HeldBack, NotReadable, PublishedInPart, TagContested
from rearch.publishing.lag import Lag
from rearch.publishing.outcome import PublishResult
from rearch.publishing.publisher import Publisher, side_name
from rearch.publishing.tagging import MOST_TRIES
from rearch.registry.push_errors import SourceChanged
from tests.support.built_output import add_built, make_project
from tests.support.memory_side import MemorySide, failing

ONE = "one.example.org/team"
AGENT = ("team/agent", "v1.0.0")


class Clock:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def publisher(project: Path, sides: Mapping[str, MemorySide], said: list[str] | None = None, **more: Any) -> Publisher:
    clock = Clock()
    targets = tuple(parse_target(text) for text in more.pop("to", (ONE,)))

    def open_side(target: Target, _stop: object) -> MemorySide:
        return sides[side_name(target)]

    return Publisher(
        read_built(project / "output", stacks=None, only=(), require_smoke=False),
        PublishOptions(targets=targets, **more),
        open_side,
        say=lambda text, _level: (said if said is not None else []).append(text),
        lag=Lag(limit=10, sleep=clock.sleep, clock=clock),
    )


def publish(project: Path, side: MemorySide, said: list[str] | None = None, **more: Any) -> PublishResult:
    return publisher(project, {"one.example.org": side}, said, **more).publish()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = make_project(tmp_path)
    add_built(project, "agent")
    return project


def index_at(side: MemorySide, place: tuple[str, str] = AGENT) -> Index:
    return read_document(Index, side.manifests[place[0], side.tags[place]][0], "index")


def platforms_at(side: MemorySide) -> list[str]:
    return [str(entry.platform) for entry in index_at(side).manifests]


def test_blobs_come_first_then_children_then_the_index_then_tags(project: Path) -> None:
    side = MemorySide()
    result = publish(project, side)
    kinds = [call.split()[0] for call in side.calls]
    assert kinds == ["tag", *["blob"] * 6, *["put"] * 2, "put", "has", "name", "tag"]
    assert result.exit_code is ExitCode.OK
    assert side.tags == {AGENT: result.tags[0].digest}
    assert side.ended is True


def test_what_is_there_costs_a_question(project: Path) -> None:
    side = MemorySide()
    first = publish(project, side)
    side.calls.clear()
    second = publish(project, side)
    assert side.calls == ["tag team/agent:v1.0.0"]
    assert [tag.how for tag in (*first.tags, *second.tags)] == ["new", "unchanged"]
    assert second.tags[0].reference == first.tags[0].reference
    assert second.bytes_sent == 0


def test_a_preview_sends_nothing(project: Path) -> None:
    side = MemorySide()
    result = publisher(project, {"one.example.org": side}).preview()
    assert side.calls == ["tag team/agent:v1.0.0"]
    assert [str(tag.place) for tag in result.plans[0].images[0].tags] == [f"{ONE}/agent:v1.0.0"]
    assert result.tags == ()


def test_a_preview_reads_the_index_that_would_go(project: Path) -> None:
    side = MemorySide()
    publish(project, side)
    add_built(project, "agent", ("linux/arm64",), build="2")
    result = publisher(project, {"one.example.org": side}).preview()
    changes = result.plans[0].images[0].tags[0].changes
    assert [line.split()[0] for line in changes] == ["linux/arm64", "linux/amd64"]


def test_readers_that_lag_are_waited_for_and_then_everything_is_looked_at(project: Path) -> None:
    side = MemorySide()
    side.hidden = 3
    result = publish(project, side)
    assert result.exit_code is ExitCode.OK
    assert len({call for call in side.calls if call.startswith("has")}) == 3
    assert max(number for number, call in enumerate(side.calls) if call.startswith("has")) < side.calls.index(
        "name team/agent:v1.0.0"
    )


def test_a_registry_that_never_shows_it_is_told_and_no_tag_is_set(project: Path) -> None:
    side = MemorySide()
    side.hidden = 10_000
    result = publish(project, side)
    [outcome] = result.outcomes
    assert isinstance(outcome.error, NotReadable)
    assert result.exit_code is ExitCode.TEMPORARY
    assert side.tags == {}
    assert side.ended is False


def test_blobs_that_were_lost_are_sent_again(project: Path) -> None:
    side = MemorySide()
    publish(project, side)
    add_built(project, "agent", build="2")
    wanted = set(side.blobs)

    def lose(call: str) -> None:
        if call.startswith("put"):
            side.before = lambda _call: None
            side.blobs.clear()

    side.before = lose
    result = publish(project, side)
    assert result.exit_code is ExitCode.OK
    assert "forget team/agent" in side.calls
    assert len(side.blobs) == 6
    assert set(side.blobs) != wanted


def test_children_that_were_lost_are_sent_again_before_another_tag(project: Path) -> None:
    side = MemorySide()
    digest = publish(project, side).tags[0].digest
    side.manifests = {key: value for key, value in side.manifests.items() if key[1] == digest}
    side.blobs.clear()
    result = publish(project, side, tags=("v1.0.0", "latest"))
    assert result.exit_code is ExitCode.OK
    assert side.tags["team/agent", "latest"] == digest
    assert len(side.manifests) == 3


def test_without_merge_ours_wins_and_it_is_said_what_was_there(project: Path) -> None:
    side, said = MemorySide(), list[str]()
    publish(project, side)
    digest = add_built(project, "agent", build="2")
    calls = 0

    def before(call: str) -> None:
        nonlocal calls
        calls += call.startswith("tag")
        if calls == 2:  # the question, then the read-back
            calls += 1
            side.tags[AGENT] = "sha256:" + "e" * 64

    side.before = before
    result = publish(project, side, said)
    assert result.tags[0].digest == side.tags[AGENT] == digest
    assert len([line for line in said if "sha256:" + "e" * 64 in line]) == 1


def test_a_tag_that_somebody_sets_all_the_time_is_given_up(project: Path) -> None:
    side = MemorySide()

    def before(call: str) -> None:
        if call.startswith("tag") and AGENT in side.tags:
            side.tags[AGENT] = f"sha256:{len(side.calls):064}"

    side.before = before
    [outcome] = publish(project, side).outcomes
    assert isinstance(outcome.error, TagContested)
    assert len([call for call in side.calls if call.startswith("name")]) == MOST_TRIES


def test_a_merge_keeps_what_we_did_not_build(project: Path) -> None:
    side = MemorySide()
    publish(project, side)
    add_built(project, "agent", ("linux/arm/v7",), build="2")
    result = publish(project, side, merge=True)
    assert platforms_at(side) == ["linux/amd64", "linux/arm64", "linux/arm/v7"]
    assert [tag.how for tag in result.tags] == ["merged"]
    assert list(result.tags[0].platforms) == ["linux/amd64", "linux/arm64", "linux/arm/v7"]
    side.calls.clear()
    again = publish(project, side, merge=True)
    assert [call.split()[0] for call in side.calls] == ["tag", "read"]
    assert again.tags[0].reference == result.tags[0].reference


@pytest.mark.parametrize("moment", ["name", "tag"])
def test_a_merge_that_another_builder_undoes_is_done_again(project: Path, moment: str) -> None:
    """The other has read the tag before we write, and writes just before our own write, or just before we look."""
    side = MemorySide()
    publish(project, side)
    add_built(project, "agent", ("linux/arm/v7",), build="2")
    first = index_at(side)
    theirs = document_bytes(replace(first, annotations={"turn": "theirs"}))
    named = False

    def before(call: str) -> None:
        nonlocal named
        named = named or call.startswith("name")
        if named and call.startswith(moment):
            side.before = lambda _call: None
            digest = str(Digest.of(theirs))
            side.manifests["team/agent", digest] = theirs, OCI_INDEX
            side.tags[AGENT] = digest

    side.before = before
    result = publish(project, side, merge=True)
    assert result.exit_code is ExitCode.OK
    assert platforms_at(side) == ["linux/amd64", "linux/arm64", "linux/arm/v7"]
    assert result.tags[0].digest == side.tags[AGENT]


def test_one_target_that_fails_does_not_stop_the_other(project: Path) -> None:
    good, bad = MemorySide(), MemorySide(failing("blob", UsageError("no room")))
    result = publisher(
        project, {"one.example.org": good, "two.example.org": bad}, to=(ONE, "two.example.org/x")
    ).publish()
    assert result.exit_code is ExitCode.PARTIAL
    assert len(good.tags) == 1
    assert bad.tags == {}
    summary = result.errors[-1][1]
    assert isinstance(summary, PublishedInPart)
    assert summary.failed == ("two.example.org/x/agent:v1.0.0",)
    assert summary.done == (result.tags[0].reference,)


def test_one_image_that_fails_does_not_stop_the_other(project: Path) -> None:
    add_built(project, "healthcheck")
    side = MemorySide(failing("blob team/agent", TemporaryError("away")))
    result = publish(project, side)
    assert result.exit_code is ExitCode.PARTIAL
    assert [key for key, _ in side.tags] == ["team/healthcheck"]


@pytest.mark.parametrize(
    ("error", "code"), [(TemporaryError("away"), ExitCode.TEMPORARY), (UsageError("no"), ExitCode.USAGE)]
)
def test_when_nothing_got_through_the_error_gives_the_code(project: Path, error: Any, code: ExitCode) -> None:
    result = publish(project, MemorySide(failing("tag", error)))
    assert result.exit_code is code
    assert [each for _, each in result.errors] == [error]


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("old", ["seen", None])
def test_a_tag_that_could_not_be_read_back_is_not_called_published(project: Path, *, merge: bool, old: object) -> None:
    side = MemorySide()
    if old is not None:
        publish(project, side)
        add_built(project, "agent", ("linux/arm/v7",), build="2")

    def hide(call: str) -> None:
        if call.startswith("name"):
            side.hidden = 10_000

    side.before = hide
    result = publish(project, side, merge=merge)
    [outcome] = result.outcomes
    assert isinstance(outcome.error, NotReadable)
    assert AGENT in side.tags
    assert result.tags == ()
    assert [str(place) for place in outcome.missing] == [f"{ONE}/agent:v1.0.0"]
    assert result.exit_code is ExitCode.TEMPORARY


def layer_of(project: Path, number: int = 0) -> Path:
    """The file of the last layer of an image."""
    built = read_built(project / "output", stacks=None, only=(), require_smoke=False)[number]
    return blob_path(built.layout, built.image.children[0].layers[-1].digest)


def flip(path: Path) -> None:
    """One bit, so that the size stays."""
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("known", [False, True])
def test_a_blob_that_changed_lets_nothing_be_sent(project: Path, *, known: bool) -> None:
    """Also when the registry has the blob, so that nobody reads the file for it."""
    add_built(project, "healthcheck")
    side = MemorySide()
    if known:
        publish(project, side)
        side.tags.clear()
        side.calls.clear()
    layer = layer_of(project)
    flip(layer)
    result = publish(project, side)
    assert result.exit_code is ExitCode.VERIFICATION
    assert side.tags == {}
    assert {call.split()[0] for call in side.calls} == {"tag"}
    changed, held = (error for _, error in result.errors)
    assert isinstance(changed, ChangedAfterAudit)
    assert layer.name in changed.summary
    assert isinstance(held, HeldBack)
    assert side.ended is False


def test_a_blob_that_changed_stops_every_target(project: Path) -> None:
    """One target has the image already: there nothing would be done, and the other still gets nothing."""
    one, two = MemorySide(), MemorySide()
    publish(project, one)
    one.calls.clear()
    flip(layer_of(project))
    sides = {"one.example.org": one, "two.example.org": two}
    result = publisher(project, sides, to=(ONE, "two.example.org/x")).publish()
    assert [tag.how for tag in result.tags] == ["unchanged"]
    assert result.exit_code is ExitCode.VERIFICATION
    assert two.tags == {}
    assert two.blobs == {}


def test_files_are_read_once_and_only_for_images_with_something_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = {f"{name}.example.org": MemorySide() for name in ("one", "two")}
    read: list[Path] = []
    whole = BlobCheck._digest

    def digest(self: BlobCheck, path: Path) -> str:
        read.append(path)
        return whole(self, path)

    monkeypatch.setattr(BlobCheck, "_digest", digest)
    to = (ONE, "two.example.org/x")
    publisher(project, sides, to=to).publish()
    assert len(read) == len(set(read)) == 6
    read.clear()
    add_built(project, "healthcheck")
    publisher(project, sides, to=to).publish()
    assert {path.parents[2].name for path in read} == {"healthcheck"}


def test_a_file_that_changes_while_it_is_sent_stops_all_tags(project: Path) -> None:
    """After the check, which the side notices, as a registry does."""
    add_built(project, "healthcheck")
    layer = layer_of(project)
    side = MemorySide()

    def change(call: str) -> None:
        if call.startswith("blob"):
            side.before = lambda _call: None
            flip(layer)

    side.before = change
    result = publish(project, side)
    assert side.tags == {}
    assert result.exit_code is ExitCode.VERIFICATION
    assert {type(error) for _, error in result.errors} == {SourceChanged, HeldBack}


def test_an_interruption_ends_it_all(project: Path) -> None:
    with pytest.raises(Interrupted):
        publish(project, MemorySide(failing("put", Interrupted())))


def test_a_bug_keeps_its_traceback(project: Path) -> None:
    def before(call: str) -> None:
        if call.startswith("put"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        publish(project, MemorySide(before))
