"""`nightly`: update, build, publish, prune, report, notify: one command for cron.

Whatever goes wrong in one part is kept, and the next part goes on with what is whole. What ends a night early (YAML
that is wrong, a full disk) is a problem of the night as well: it is recorded, and people are told.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.nightly_end import Ending, Memory
from rearch.app.prepare import load
from rearch.app.wiring import Adapters
from rearch.engine.nightly import NightlyFolder, Refused, alone
from rearch.engine.refused import HostError, is_refusal
from rearch.errors import Interrupted, RearchError
from rearch.model.plan import Plan
from rearch.report import Event, Reporter, Said
from rearch.reporting.night_record import Night, Problem, Stage, problem_of
from rearch.upkeep.nightly import exit_code

if TYPE_CHECKING:
    from rearch.app.nightly_build import Made
    from rearch.app.nightly_publish import NightlyPublish, Sent
    from rearch.app.nightly_standing import Standing
    from rearch.app.nightly_update import Updated
    from rearch.app.request import Request
    from rearch.model.nightly import NightlySettings, NotifyPolicy, UpdatePolicy
    from rearch.model.settings import Settings
    from rearch.model.stack import Project

DAY = 86400.0


class NightlyOrder(Struct, frozen=True, kw_only=True):
    """What the flags of `nightly` say; None and empty: as `nightly:` of rearch.yaml says. `day`: the day in dated tags,
    None: today, UTC. `prune_age` in seconds."""

    to: tuple[str, ...] = ()
    publish: bool = True
    policy: UpdatePolicy | None = None
    prune_keep: int | None = None
    prune_age: float | None = None
    prune_apply: bool = False
    notify: NotifyPolicy | None = None
    dry_run: bool = False
    day: date | None = None


def nightly(request: Request, order: NightlyOrder, report: Reporter) -> Night:
    """One night. Its failures are in the answer. Errors: ConfigProblems of rearch.yaml, NightlyRuns, HostError (no
    place for its own state), Interrupted."""
    from rearch.config.settings import settings_origins

    began = time.monotonic()
    settings, _ = settings_origins(request.project, environment=request.environment, flags=request.flags)
    output = request.project / settings.output
    with alone(output):
        run = _Run(request, order, settings, report)
        night = replace(run.night(), seconds=round(time.monotonic() - began, 3))
        if not order.dry_run:
            run.ending.end(night, run.tried)
    return night


class _Run:
    """One night, while it goes on. What is known so far is in its fields, so that a part that fails loses nothing."""

    def __init__(self, request: Request, order: NightlyOrder, settings: Settings, report: Reporter) -> None:
        self.request = request
        self.order = order
        self.settings = settings
        self.report = _each_once(report) if order.dry_run else report
        self.memory = Memory(NightlyFolder(request.project / settings.output))
        self.told: list[str] = [*self.memory.told]
        self.problems: list[Problem] = []
        self.tried: Updated | None = None
        self.made: Made | None = None
        self.standing: Standing | None = None
        self.sent: Sent | None = None
        self.components: tuple[str, ...] = ()
        self.homeless: frozenset[str] = frozenset()
        self.day = order.day or datetime.now(UTC).date()
        self._night = Night(date=self.day.isoformat())

    @property
    def policy(self) -> NightlySettings:
        return self.settings.nightly

    @property
    def ending(self) -> Ending:
        return Ending(
            request=self.request,
            settings=self.settings,
            notify=self.order.notify or self.policy.notify,
            memory=self.memory,
            report=self.report,
        )

    def night(self) -> Night:
        """Everything but the messages."""
        with self._part(Stage.RUN):
            project = load(self.request)
            self.components = tuple(each.id for stack in project.stacks for each in stack.components if each.asked)
            self._check_places(project)
            updated = self._update(project)
            if self.order.dry_run:
                self._would_build(updated)
            else:
                self._build(project, updated)
            if self.order.publish:
                self._publish()
                self._prune()
        published = self.sent is not None and bool(self.sent.tags)
        return replace(
            self._night,
            exit_code=int(exit_code(self.problems, something_published=published)),
            components=self.components,
            in_part=bool(self.request.stacks or self.request.only),
            whole=self.made.whole if self.made else (),
            as_published=self.standing.components if self.standing else (),
            tags=tuple(sorted(self.sent.tags, key=lambda tag: tag.reference)) if self.sent else (),
            problems=tuple(self.problems),
            told=tuple(dict.fromkeys(self.told)),
        )

    @contextmanager
    def _part(self, stage: Stage) -> Iterator[None]:
        """A part whose failure is a problem of the night, and not its end."""
        try:
            yield
        except Interrupted:
            raise
        except RearchError as error:
            self.problems.append(problem_of(stage, "", error))
        except OSError as error:
            if not is_refusal(error):
                raise
            self.problems.append(problem_of(stage, "", HostError("the machine refused", error)))

    # --- the parts

    def _check_places(self, project: Project) -> None:
        """Before hours of work: a stack that does not say where its images go stops no other. Errors: NoTarget."""
        from rearch.app.nightly_publish import homeless
        from rearch.publishing.errors import NoTarget

        if self.order.publish and not (self.order.to or self.policy.to):
            lost = homeless(project)
            self.homeless = frozenset(name for names in lost.values() for name in names)
            self.problems += [problem_of(Stage.PUBLISH, "", NoTarget([stack])) for stack in lost]

    def _update(self, project: Project) -> Updated:
        from rearch.app.nightly_update import Update

        updated = Update(
            request=self.request,
            adapters=Adapters(self.request, self.settings, self.report),
            folder=self.memory.folder,
            policy=self.order.policy or self.policy.update,
            refused=self.memory.state.refused,
            report=self.report,
            night=self._night.date,
            write=not self.order.dry_run,
        ).run(project)
        self.problems += updated.problems
        self.told += updated.told
        self._night = replace(self._night, updates=updated.changes)
        for change in updated.changes:
            self.report(Said(text=f"updated {change.name}: {change.before} -> {change.after}"))
        return updated

    def _build(self, project: Project, updated: Updated) -> None:
        from rearch.app.nightly_build import build_night

        with self._part(Stage.BUILD):
            self.made = made = build_night(
                self.request, project, updated, self.report, night=self._night.date, standing=self._standing
            )
            self.standing = made.standing
            self.problems += made.problems
            self.told += made.told
            self._night = replace(self._night, updates=made.changes)
            self.memory.keep(refused=_renewed(self.memory.state.refused, made))
            self.tried = updated

    def _standing(self) -> Standing:
        """What need not be built. Without a publish all of it is: who asks for files gets files."""
        from rearch.app.nightly_standing import Channel, Standing, standing

        if not self.order.publish:
            return Standing()
        channel = Channel(to=self.order.to or self.policy.to, tag=self.policy.channel)
        found = standing(self.request, channel, self.report, write=not self.order.dry_run)
        for name in found.components:
            self.report(Said(text=f"{name}: as published, it is not built"))
        return found

    def _would_build(self, updated: Updated) -> None:
        from rearch.app.build import plan
        from rearch.app.nightly_build import remaining

        if updated.changes:
            self.told.append("the plan is that of rearch.lock as it is now, without these updates")
        with self._part(Stage.BUILD):
            self.standing = self._standing()
            left = remaining(self.request, self.components, self.standing)
            made = plan(left, self.report)[0] if left is not None else Plan(steps=())
            self.told.append(f"{len(made.to_run)} of {len(made.steps)} steps would run")

    def _publish(self) -> None:
        images = self._to_publish()
        self.sent = self._as_published()
        if not images:
            self._record_standing()
            return
        from rearch.app.nightly_publish import joined

        with self._part(Stage.PUBLISH):
            how = self._how()
            sent = how.look(images, self.report) if self.order.dry_run else how.publish(images, self.report)
            self.sent = joined(self.sent, sent)
            if not sent.fresh:
                self._record_standing()
            self.problems += sent.problems
            if not sent.problems and not self.order.dry_run:
                self.memory.keep(begun={})

    def _to_publish(self) -> tuple[str, ...]:
        if not self.order.dry_run:
            return tuple(name for name in self.made.images if name not in self.homeless) if self.made else ()
        before = _published_before(self.request, self.settings)
        left_out = {*self.homeless, *(self.standing.components if self.standing else ())}
        return tuple(name for name in before if name in self.components and name not in left_out)

    def _as_published(self) -> Sent | None:
        """What was not built is where it should be: its places are known, and nothing of it is new."""
        from rearch.app.nightly_publish import Sent

        if self.standing is None or not self.standing.components:
            return None
        tags = tuple(tag for tags in self.standing.tags.values() for tag in tags)
        return Sent(tags=tags, places=self.standing.places)

    def _record_standing(self) -> None:
        """For the report; a publish that sends something tells of it, too."""
        from rearch.app.report import record_standing

        if self.standing is not None and self.standing.references and not self.order.dry_run:
            record_standing(self.request, self.standing.references, self.report)

    def _how(self) -> NightlyPublish:
        from rearch.app.nightly_publish import NightlyPublish

        return NightlyPublish(
            request=self.request,
            to=self.order.to or self.policy.to,
            channel=self.policy.channel,
            day=self.day,
            begun=self.memory.state.begun,
            begin=lambda begun: self.memory.write(self.memory.state.with_begun(begun)),
            standing=self.standing.references if self.standing else (),
        )

    def _prune(self) -> None:
        """Where something was published, or everywhere when --prune-apply is given: without anything new not even the
        tags are listed."""
        from rearch.app.nightly_prune import prune
        from rearch.app.registries import registry_client
        from rearch.host.process import Processes
        from rearch.upkeep.prune import PrunePolicy

        if self.sent is None:
            return
        names = self.sent.places if self.order.prune_apply else self.sent.fresh
        places = {place: name for name in names for place in self.sent.places.get(name, ())}
        if not places:
            return
        apply = (self.order.prune_apply or self.policy.prune_apply) and not self.order.dry_run
        age = self.policy.prune_age if self.order.prune_age is None else self.order.prune_age
        policy = PrunePolicy(
            channel=self.policy.channel,
            keep=self.order.prune_keep or self.policy.prune_keep,
            days=age / DAY,
            order=self.memory.state.order,
            sure=self.order.prune_apply,
        )
        with self._part(Stage.PRUNE):
            with registry_client(self.settings, self.request.environment, Processes()) as client:
                pruned = prune(client, places, policy, self.day, apply=apply)
            self.problems += pruned.problems
            self.told += pruned.told
            self._night = replace(self._night, removed=pruned.removed, prune_applied=apply)


def _each_once(report: Reporter) -> Reporter:
    """For a dry run, which plans twice and writes nothing between: a line that was said is not said again."""
    said: set[Said] = set()

    def pass_on(event: Event) -> None:
        if not isinstance(event, Said):
            report(event)
        elif event not in said:
            said.add(event)
            report(event)

    return pass_on


def _renewed(refused: Mapping[str, Refused], made: Made) -> Mapping[str, Refused]:
    """What was refused this night, and before; without what was taken after all."""
    taken = {change.name for change in made.changes if not change.held}
    return {**{name: one for name, one in refused.items() if name not in taken}, **made.refused}


def _published_before(request: Request, settings: Settings) -> Sequence[str]:
    """The images in output/, for a dry run."""
    from rearch.publishing.build_json import image_rows

    return tuple(row.component for row in image_rows(request.project / settings.output / "build.json"))
