"""Waiting: how long, how often, and how many at once."""

from __future__ import annotations

import threading

import pytest

from rearch.errors import ExitCode
from rearch.registry.errors import RegistryUnreachable
from rearch.registry.gate import Gate
from rearch.registry.patience import Later, Patience, Tries, keep_trying


class Time:
    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def patience(self, random: float = 1.0) -> Patience:
        return Patience(sleep=self.sleep, clock=lambda: self.at, now=lambda: self.at, random=lambda: random)


def test_pauses_grow_and_differ() -> None:
    low, high = Time().patience(0.0), Time().patience(1.0)
    assert [low.backoff(number) for number in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 15.0]
    assert [high.backoff(number) for number in (1, 2, 3, 9)] == [1.0, 2.0, 4.0, 30.0]
    assert 0.5 <= Patience().backoff(1) <= 1.0


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("5", 5.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 5000, 999999999.0),
        ("²", None),
    ],
)
def test_retry_after(header: str, wanted: float | None) -> None:
    assert Time().patience().retry_after({"Retry-After": header}) == wanted


def test_attempts_end_and_progress_counts_anew() -> None:
    time = Time()
    tries = Tries(time.patience(), "x")
    for _ in range(4):
        tries.failed(Later("h", "why"))
    with pytest.raises(RegistryUnreachable) as caught:
        tries.failed(Later("h", "why"), kept=7)
    assert (caught.value.attempts, caught.value.kept, caught.value.exit_code) == (5, 7, ExitCode.TEMPORARY)
    assert caught.value.retryable
    tries = Tries(time.patience(), "x")
    for _ in range(50):
        tries.failed(Later("h", "why"), progressed=True)
    for _ in range(49):
        tries.failed(Later("h", "why"), progressed=True)
    with pytest.raises(RegistryUnreachable):
        tries.failed(Later("h", "why"), progressed=True)


def test_what_is_asked_for_is_waited_for_and_not_beyond_reason() -> None:
    time = Time()
    tries = Tries(time.patience(), "x")
    tries.failed(Later("h", "why", 42.0))
    tries.failed(Later("h", "why", 0.0))
    assert time.slept == [42.0, 0.0]
    with pytest.raises(RegistryUnreachable, match="cannot be reached now") as caught:
        tries.failed(Later("h", "why", 61.0))
    assert "it asks to wait 61 s" in caught.value.why


def test_keep_trying() -> None:
    time, failures = Time(), [Later("h", "a"), Later("h", "b")]

    def attempt() -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert keep_trying(time.patience(), "x", attempt) == "done"
    assert time.slept == [1.0, 2.0]


def test_a_gate_lets_so_many_through() -> None:
    gate = Gate(2, Time().patience())
    inside, most, lock = [0], [0], threading.Lock()
    first_two = threading.Barrier(2)

    def one() -> None:
        with gate.passing():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            first_two.wait(10)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert most == [2]


def test_a_gate_slows_down_for_all() -> None:
    time = Time()
    gate = Gate(4, time.patience())
    gate.slow_down(10.0)
    gate.slow_down(None)
    gate.slow_down(None)
    gate.slow_down(3600.0)
    assert gate.allowed == 1
    with gate.passing():
        assert time.slept == [10.0]
    with gate.passing():
        assert time.slept == [10.0]
