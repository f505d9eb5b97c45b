"""Answers that several threads want are asked for once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

from rearch.errors import RearchError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Once(Generic[K, V]):
    """A function whose answer for a key, an error too, is kept. The first thread asks, the others wait for it."""

    def __init__(self, ask: Callable[[K], V]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._answers: dict[K, Future[V]] = {}

    def __call__(self, key: K) -> V:
        """Errors: those of the function."""
        with self._lock:
            mine = key not in self._answers
            answer = self._answers.setdefault(key, Future())
        if mine:
            try:
                answer.set_result(self._ask(key))
            except RearchError as error:
                answer.set_exception(error)
            except BaseException as error:  # a bug: whoever waits must not wait for ever
                answer.set_exception(error)
                raise
        return answer.result()
