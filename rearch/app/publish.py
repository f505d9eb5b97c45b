"""`publish`: what the last build left, to registries and folders."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.publish_adopt import stacks_that_adopt, with_originals
from rearch.app.publish_world import World
from rearch.app.request import Request
from rearch.model.settings import PublishSettings, Settings
from rearch.planning.publish_targets import LayoutTarget, RegistryTarget, Target, parse_target
from rearch.planning.publish_values import PublishOptions
from rearch.publishing.built import Built, read_built
from rearch.publishing.errors import NoTarget, OfflineRegistry
from rearch.publishing.lag import Lag
from rearch.publishing.outcome import PublishResult
from rearch.publishing.publisher import Publisher
from rearch.publishing.records import check_image_refs, write_records
from rearch.report import Reporter, Said


class PublishOrder(Struct, frozen=True, kw_only=True):
    """What the flags of `publish` say; None and empty: as the stack says. `to`, `tags`, `adopt` as they were written.

    `refresh`: ask again what adopted images are.
    """

    to: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    per_arch: bool = False
    merge: bool = False
    channel: str = ""
    adopt: tuple[str, ...] = ()
    refresh: bool = False
    dry_run: bool = False
    image_refs: Path | None = None


def publish(request: Request, order: PublishOrder, report: Reporter) -> PublishResult:
    """Publish, or with `dry_run` tell what would change. What got through and what did not is in the result.

    Errors: those of read_built and with_originals; NoTarget, BadTarget, BadTags, OfflineRegistry, NoRoomForRefs;
    Interrupted.
    """
    from rearch.config.settings import settings_origins

    settings, _ = settings_origins(request.project, environment=request.environment, flags=request.flags)
    _refuse(request, order, settings)
    output = request.project / settings.output
    with _held(output), World(request, settings, output, report) as world:
        built = read_built(output, stacks=request.stacks, only=request.only, require_smoke=request.require_smoke)
        stacks = _stacks(built, request, order)
        built = with_originals(
            built, order.adopt, stacks, lambda: world.originals(refresh=order.refresh, write=not order.dry_run), report
        )
        _warn(built, report)
        parts = tuple(_parts(built, stacks, request, order))
        if settings.offline:
            _refuse_registries(target for _, options in parts for target in options.targets)
        results = [_publish(part, options, order, world) for part, options in parts]
        result = _joined(results)
        if not order.dry_run:
            write_records(result, output, order.image_refs)
    return result


def _refuse(request: Request, order: PublishOrder, settings: Settings) -> None:
    """What the flags alone show to be impossible, before anything is read. Errors: OfflineRegistry, NoRoomForRefs."""
    if settings.offline:
        _refuse_registries(target_at(text, request.project) for text in order.to)
    if order.image_refs is not None:
        check_image_refs(order.image_refs)


def _refuse_registries(targets: Iterable[Target]) -> None:
    names = dict.fromkeys(target.registry for target in targets if isinstance(target, RegistryTarget))
    if names:
        raise OfflineRegistry(tuple(names))


def _publish(built: Sequence[Built], options: PublishOptions, order: PublishOrder, world: World) -> PublishResult:
    publisher = Publisher(
        built,
        options,
        world.open,
        say=world.say,
        lag=Lag(sleep=world.processes.pause),
        files=world.file,
        show=world.report,
        stop=world.processes.stop,
    )
    return publisher.preview() if order.dry_run else publisher.publish()


def _joined(results: Sequence[PublishResult]) -> PublishResult:
    return PublishResult(
        outcomes=tuple(outcome for result in results for outcome in result.outcomes),
        plans=tuple(plan for result in results for plan in result.plans),
        bytes_sent=sum(result.bytes_sent for result in results),
    )


def _warn(built: Sequence[Built], report: Reporter) -> None:
    for one in built:
        for platform in one.not_started:
            text = f"{one.image.component} {platform}: nobody has started it, the build host could not"
            report(Said(text=text, level="warning"))


def _parts(
    built: Sequence[Built], settings: Mapping[str, PublishSettings], request: Request, order: PublishOrder
) -> Iterator[tuple[tuple[Built, ...], PublishOptions]]:
    """Images that go to the same places under the same tags: all of them with --to, else those of each stack."""
    if order.to:
        yield tuple(built), _options(request, order, PublishSettings(), Path.cwd())
        return
    silent = [stack for stack in settings if not settings[stack].to]
    if silent:
        raise NoTarget(silent)
    for stack in settings:
        own = tuple(one for one in built if one.image.component.rpartition("/")[0] == stack)
        yield own, _options(request, order, settings[stack], request.project)


def _stacks(built: Sequence[Built], request: Request, order: PublishOrder) -> Mapping[str, PublishSettings]:
    """What the stacks of these images say, in their order; with --to only those that may adopt something."""
    stacks = tuple(dict.fromkeys(one.image.component.rpartition("/")[0] for one in built))
    if order.to:
        stacks = stacks_that_adopt(request, stacks)
    if not stacks:
        return {}
    from rearch.app.prepare import load

    project = load(replace(request, stacks=stacks, only=()))
    return {stack.name: stack.publish for stack in project.stacks}


def _options(request: Request, order: PublishOrder, stack: PublishSettings, base: Path) -> PublishOptions:
    """A flag wins over what the stack says; folders are relative to where they are named."""
    return PublishOptions(
        targets=tuple(dict.fromkeys(target_at(text, base) for text in order.to or stack.to)),
        tags=order.tags or stack.tags,
        per_arch=order.per_arch or stack.per_arch,
        merge=order.merge or stack.merge,
        channel=order.channel or stack.channel,
        time=_time(request),
    )


def _time(request: Request) -> int | None:
    if not request.environment.get("SOURCE_DATE_EPOCH"):
        return None
    from rearch.app.prepare import source_date_epoch

    return source_date_epoch(request.environment)


def target_at(text: str, base: Path) -> Target:
    """A target as it was written; a folder is below `base`. Errors: BadTarget."""
    target = parse_target(text)
    if isinstance(target, LayoutTarget):
        return replace(target, path=str(base / Path(target.path).expanduser()))
    return target


@contextmanager
def _held(output: Path) -> Iterator[None]:
    """While we read the layouts no build puts others in their place; other publishes may read them too."""
    folder = output / ".rearch"
    if not folder.is_dir():
        yield  # nothing was built here: read_built says so
        return
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
    finally:
        os.close(file)
