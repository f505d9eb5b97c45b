"""How much of a publish has gone out."""

from __future__ import annotations

import io
from pathlib import Path

from rearch.host.progress import BarReporter, JsonReporter, PlainReporter
from rearch.planning.publish_values import Blob, SendBlob
from rearch.publishing.progress import Sending
from rearch.report import Moved

BIG = Blob(media_type="layer", digest="sha256:" + "a" * 64, size=1000)
SMALL = Blob(media_type="layer", digest="sha256:" + "b" * 64, size=10)


class Watch:
    def __init__(self) -> None:
        self.now = 0.0
        self.seen: list[Moved] = []

    def __call__(self) -> float:
        return self.now

    def sending(self, *blobs: Blob) -> Sending:
        return Sending((SendBlob(blob=blob, ask=False) for blob in blobs), self.seen.append, self)


def test_all_blobs_count_and_not_every_piece_is_shown() -> None:
    watch = Watch()
    sending = watch.sending(BIG, SMALL)
    big, small = sending.of("x/one", BIG), sending.of("x/two", SMALL)
    big(100)
    big(200)
    watch.now = 1.0
    small(10)
    big(1000)
    assert [(seen.what.split()[0], seen.part, seen.done, seen.total) for seen in watch.seen] == [
        ("x/one", 100, 100, 1010),
        ("x/two", 10, 210, 1010),
        ("x/one", 1000, 1010, 1010),
    ]
    assert watch.seen[0].what == "x/one aaaaaaaaaaaa"
    sending.end()
    assert len(watch.seen) == 3


def test_what_is_sent_twice_counts_once() -> None:
    watch = Watch()
    moved = watch.sending(BIG, SMALL).of("x/one", BIG)
    for done in (1000, 500, 1000):
        watch.now += 1
        moved(done)
    assert [seen.done for seen in watch.seen] == [1000, 500, 1000]


def test_a_publish_that_fails_takes_its_bar_away() -> None:
    watch = Watch()
    sending = watch.sending(BIG)
    sending.of("x/one", BIG)(500)
    sending.end()
    assert (watch.seen[-1].done, watch.seen[-1].total) == (500, 500)


def test_it_is_a_bar_on_a_terminal_a_line_of_json_and_nothing_in_a_log() -> None:
    events = [Moved(what="x/one aaaa", part=done, size=1000, done=done, total=1000) for done in (250, 500, 1000)]
    tty, plain, lines = io.StringIO(), io.StringIO(), io.StringIO()
    bar = BarReporter(tty, verbose=False, root=Path())
    for event in events:
        bar(event)
        PlainReporter(plain, verbose=True, root=Path())(event)
    JsonReporter(lines)(events[0])
    assert "1.00k" in tty.getvalue()
    assert tty.getvalue().endswith("\r")
    assert plain.getvalue() == ""
    assert lines.getvalue() == (
        '{"event": "moved", "what": "x/one aaaa", "part": 250, "size": 1000, "done": 250, "total": 1000}\n'
    )
