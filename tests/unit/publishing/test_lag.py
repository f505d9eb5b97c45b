"""Asking again, with growing pauses, up to a limit."""

from __future__ import annotations

from rearch.publishing.lag import Lag


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.now += seconds


def test_a_good_answer_costs_no_time() -> None:
    clock = Clock()
    assert Lag(sleep=clock.sleep, clock=clock).until(lambda: 7, lambda answer: answer == 7) == (7, 0)
    assert clock.pauses == []


def test_pauses_grow_to_the_longest() -> None:
    clock, answers = Clock(), iter(range(100))
    found = Lag(longest=1, sleep=clock.sleep, clock=clock).until(lambda: next(answers), lambda answer: answer == 6)
    assert found == (6, 6)
    assert clock.pauses == [0.1, 0.2, 0.4, 0.8, 1, 1]


def test_the_last_answer_comes_when_time_is_up() -> None:
    clock = Clock()
    answer, again = Lag(limit=2, longest=1, sleep=clock.sleep, clock=clock).until(lambda: 0, bool)
    assert (answer, again) == (0, 5)
    assert clock.now == 2
