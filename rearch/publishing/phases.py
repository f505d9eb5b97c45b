"""All images on one registry (or folder): blobs, mounts, manifests, indexes, tags; each phase when the last is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.engine.refused import HostError, is_refusal
from rearch.errors import Interrupted, RearchError
from rearch.publishing.errors import ChangedAfterAudit, HeldBack
from rearch.publishing.work import Work, is_untouched

if TYPE_CHECKING:  # what sets tags is imported when there is one to set
    from rearch.publishing.sides import LiveIndex, Side
    from rearch.publishing.tagging import Say

THREADS = 4
Job = tuple[Work, Callable[[], None]]


class Alarm(Struct):
    """Set when a file of output/ turned out to be another than was audited: then no target gets a further tag."""

    because: RearchError | None = None

    def hold_back(self, works: Sequence[Work]) -> None:
        """Let nothing more be done for these, where it is set."""
        if self.because is not None:
            for work in works:
                work.error = work.error or HeldBack(work.place, self.because)


class Phases:
    """Runs the works of one side. `live`: tag -> what was read when it was planned. Single use."""

    def __init__(
        self,
        side: Side,
        works: Sequence[Work],
        live: dict[str, LiveIndex],
        *,
        merging: bool,
        alarm: Alarm,
        stop: threading.Event,
        say: Say,
    ) -> None:
        self._side = side
        self._works = works
        self._live = live
        self._merging = merging
        self._alarm = alarm
        self._stop = stop
        self._say = say

    def run(self) -> None:
        """Errors are the works' own; Interrupted when it was stopped."""
        for work in self._works:
            for tag in filter(is_untouched, work.tags):
                live = self._live.get(str(tag.place))
                work.done(tag, tag.after or "", "unchanged", dict(live.platforms) if live is not None else None)
        busy = [work for work in self._works if work.is_busy]
        if busy:
            with ThreadPoolExecutor(THREADS, thread_name_prefix="publish") as pool:
                self._run(pool, busy)
        well = all(work.error is None for work in self._works)
        self._side.finish(well=well)

    def _run(self, pool: ThreadPoolExecutor, works: Sequence[Work]) -> None:
        for mounted in (False, True):
            self._phase(
                pool, ((work, partial(work.send_blob, blob)) for work in works for blob in work.blobs(mounted=mounted))
            )
        self._phase(pool, ((work, partial(work.send_child, child)) for work in works for child in work.children()))
        self._phase(pool, ((work, work.send_index) for work in works if work.sends_index))
        self._alarm.hold_back(works)
        for single in (True, False):
            self._phase(pool, (job for work in works for job in self._tags(work, single=single)))

    def _tags(self, work: Work, *, single: bool) -> Iterable[Job]:
        """Tags of single images first: whoever finds a new index finds those too."""
        from rearch.publishing.tagging import Tagging

        tagging = Tagging(work, self._live, merging=self._merging, say=self._say)
        for tag in work.tags:
            if not is_untouched(tag) and (tag.platform is not None) == single:
                yield work, partial(tagging.set, tag)

    def _phase(self, pool: ThreadPoolExecutor, jobs: Iterable[Job]) -> None:
        """Run these at once. What fails ends its work, and no other."""
        futures: dict[Future[None], Work] = {
            pool.submit(self._one, work, job): work for work, job in jobs if work.error is None
        }
        wait(futures)
        for future, work in futures.items():
            error = _error(future)
            if error is None:
                continue
            if isinstance(error, Interrupted):
                raise error
            work.error = work.error or error
            if is_tampering(error):
                self._alarm.because = self._alarm.because or error

    def _one(self, work: Work, job: Callable[[], None]) -> None:
        if self._stop.is_set():
            raise Interrupted
        if work.error is None:
            job()


def is_tampering(error: RearchError) -> bool:
    """Whether it says that output/ is not what was audited."""
    from rearch.oci.layout_errors import MissingBlob, WrongBlob
    from rearch.registry.push_errors import SourceChanged

    return isinstance(error, ChangedAfterAudit | SourceChanged | WrongBlob | MissingBlob)


def _error(future: Future[None]) -> RearchError | None:
    """What a job failed of. A bug keeps its traceback."""
    try:
        future.result()
    except RearchError as error:
        return error
    except OSError as error:
        if not is_refusal(error):
            raise
        return HostError("publishing", error)
    return None
