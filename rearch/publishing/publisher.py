"""A publish from beginning to end: ask what is there, plan, send, tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from rearch.errors import Interrupted, RearchError
from rearch.model.reference import Reference
from rearch.planning.publish import plan_publish, questions
from rearch.planning.publish_targets import RegistryTarget, TagPlace, Target
from rearch.planning.publish_values import Blob, LiveTag, PlannedImage, PublishOptions, PublishPlan, SendBlob
from rearch.publishing.built import Built
from rearch.publishing.lag import Lag
from rearch.publishing.outcome import PublishResult
from rearch.publishing.phases import THREADS, Alarm, Phases, is_tampering
from rearch.publishing.progress import Sending
from rearch.publishing.work import BlobFiles, Work
from rearch.report import Moved

if TYPE_CHECKING:
    from rearch.publishing.sides import LiveIndex, Side
    from rearch.publishing.tagging import Say

_POLL = 0.5


def side_name(target: Target) -> str:
    """Targets of one registry are one side: they share connections, the journal, and blobs that can be mounted."""
    return target.registry if isinstance(target, RegistryTarget) else str(target)


def _no_files(origin: Reference, blob: Blob) -> Path:
    raise AssertionError(f"{origin}: {blob.digest} is to be fetched, and nobody was to adopt anything")


class _Known(Struct):
    """What the tags name. `failed`: places that could not be asked."""

    live: dict[TagPlace, LiveTag | None] = field(default_factory=dict)
    read: dict[str, LiveIndex] = field(default_factory=dict)
    failed: dict[TagPlace, RearchError] = field(default_factory=dict)


class Publisher:
    """Publishes once. `open_side` makes the side of a target; `stop` ends what is under way, from any thread.

    `files` fetches blobs of adopted images; not needed where nothing is adopted. `show` is told how far it is.
    """

    def __init__(
        self,
        built: Sequence[Built],
        options: PublishOptions,
        open_side: Callable[[Target, threading.Event], Side],
        *,
        say: Say,
        lag: Lag,
        files: BlobFiles = _no_files,
        show: Callable[[Moved], None] = lambda _moved: None,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._built = {one.image.component: one for one in built}
        self._options = options
        self._say = say
        self._lag = lag
        self._files = files
        self._show = show
        self._stop_all = stop
        self._stop = threading.Event()
        self._sides: dict[str, Side] = {}
        for target in options.targets:
            if side_name(target) not in self._sides:
                self._sides[side_name(target)] = open_side(target, self._stop)

    def preview(self) -> PublishResult:
        """What would be done, with the difference to what is live, platform by platform; nothing is sent.

        Errors: BadTags, Interrupted; what could not be asked is in the outcomes.
        """
        known, plan = self._plan(compare=True)
        works = self._works(plan, known)
        good = tuple(work.planned for work in works if work.error is None)
        outcomes = tuple(work.outcome() for work in works if work.error is not None)
        return PublishResult(outcomes=outcomes, plans=(PublishPlan(images=good),))

    def publish(self) -> PublishResult:
        """Do it. Errors: BadTags (before anything is asked), Interrupted; all else is in the outcomes."""
        known, plan = self._plan(compare=False)
        works = self._works(plan, known)
        alarm = Alarm()
        self._check(works, alarm)
        jobs = [self._phases(name, works, known, alarm).run for name in self._sides]
        try:
            self._together(jobs, len(jobs))
        finally:
            for work in works[:1]:  # they share it
                work.sending.end()
        return PublishResult(
            outcomes=tuple(work.outcome() for work in works), bytes_sent=sum(work.sent for work in works)
        )

    def _check(self, works: Sequence[Work], alarm: Alarm) -> None:
        """Before anything is sent: the files of all images with which something is done, on any target."""
        busy = [work for work in works if work.is_busy]
        if not busy:
            return
        from rearch.publishing.check_blobs import BlobCheck

        components = dict.fromkeys(work.built.image.component for work in busy)
        check = BlobCheck([self._built[component] for component in components], self._stop)
        self._together(check.jobs(), THREADS)
        faults = check.faults()
        for work in busy:
            work.error = faults.get(work.built.image.component)
        alarm.because = next((fault for fault in faults.values() if is_tampering(fault)), None)
        alarm.hold_back(busy)

    def _phases(self, name: str, works: Sequence[Work], known: _Known, alarm: Alarm) -> Phases:
        own = [work for work in works if side_name(work.planned.target) == name]
        return Phases(
            self._sides[name],
            own,
            known.read,
            merging=self._options.merge,
            alarm=alarm,
            stop=self._stop,
            say=self._say,
        )

    def _works(self, plan: PublishPlan, known: _Known) -> tuple[Work, ...]:
        actions = (action for planned in plan.images for action in planned.actions)
        sending = Sending((action for action in actions if isinstance(action, SendBlob)), self._show)
        return tuple(
            Work(
                planned=planned,
                built=self._built[planned.image.component],
                side=self._sides[side_name(planned.target)],
                lag=self._lag,
                files=self._files,
                sending=sending,
                error=_failure(planned, known.failed),
            )
            for planned in plan.images
        )

    # --- the plan

    def _plan(self, *, compare: bool) -> tuple[_Known, PublishPlan]:
        images = tuple(one.image for one in self._built.values())
        known = _Known()
        self._ask(known, questions(images, self._options))
        while True:
            plan = plan_publish(images, self._options, known.live)
            wanted = [*plan.to_read, *(plan.to_compare if compare else ())]
            unread = [place for place in wanted if place not in known.failed and str(place) not in known.read]
            if not unread:
                return known, plan
            self._read(known, unread)

    def _ask(self, known: _Known, places: Sequence[TagPlace]) -> None:
        """One question a tag. A place that cannot be asked counts as empty: nothing is done with it anyway."""

        def ask(place: TagPlace) -> None:
            known.live[place] = None
            try:
                digest = self._side(place).tag(place)
            except Interrupted:
                raise
            except RearchError as error:
                known.failed[place] = error
            else:
                known.live[place] = LiveTag(digest=digest) if digest is not None else None

        self._together([partial(ask, place) for place in places], THREADS * len(self._sides))

    def _read(self, known: _Known, places: Sequence[TagPlace]) -> None:
        from rearch.publishing.sides import live_index

        def read(place: TagPlace) -> None:
            try:
                found = live_index(self._side(place), place)
            except Interrupted:
                raise
            except RearchError as error:
                known.failed[place] = error
                return
            if found is None:
                known.live[place] = None  # somebody has removed it meanwhile
            else:
                known.live[place] = LiveTag(digest=found.digest, platforms=found.platforms)
                known.read[str(place)] = found

        self._together([partial(read, place) for place in places], THREADS * len(self._sides))

    def _side(self, place: TagPlace) -> Side:
        return self._sides[side_name(place.target)]

    # --- threads

    def _together(self, jobs: Sequence[Callable[[], None]], threads: int) -> None:
        """All of them, to their end. Errors: the first; the others are told to stop. Ctrl-C is noticed soon."""
        if not jobs:
            return
        with ThreadPoolExecutor(min(threads, len(jobs)), thread_name_prefix="publish") as pool:
            waiting: set[Future[None]] = {pool.submit(job) for job in jobs}
            try:
                while waiting:
                    done, waiting = wait(waiting, timeout=_POLL, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
            except BaseException as error:
                self._stop.set()
                self._stop_all()
                pool.shutdown(cancel_futures=True)
                if isinstance(error, KeyboardInterrupt):
                    raise Interrupted from None
                raise


def _failure(planned: PlannedImage, failed: Mapping[TagPlace, RearchError]) -> RearchError | None:
    """Why nothing can be done with this image on this target."""
    return next((failed[tag.place] for tag in planned.tags if tag.place in failed), None)
