"""`volumes`: verified binaries into the named volumes of an engine, or into folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.request import Request
from rearch.engine.refused import HostError, is_refusal
from rearch.engine.verified import verified_binaries
from rearch.errors import ExitCode, RearchError, UsageError, worst
from rearch.host.docker.endpoint import find_endpoint
from rearch.host.docker.engine import Engine, connected
from rearch.host.docker.helper import Helpers
from rearch.host.docker.volumes import docker_volume, has_volume
from rearch.host.process import Processes
from rearch.host.volume_folder import folder_volume
from rearch.model.platform import Platform
from rearch.report import Reporter, Said
from rearch.volumes.compare import Change, compare, missing
from rearch.volumes.content import Declared, contents, declared
from rearch.volumes.errors import VolumeMissing, WrongEngine
from rearch.volumes.fill import fill
from rearch.volumes.place import Place
from rearch.volumes.things import Content


class VolumesOrder(Struct, frozen=True, kw_only=True):
    """What the flags of `volumes` say. `only`: volumes by name; empty: all. `engine`: an address; empty: the
    environment's. `to`: a folder instead of an engine; volume V becomes FOLDER/V. `write` false: only look. `names`:
    also tell what else is in each volume."""

    only: tuple[str, ...] = ()
    engine: str = ""
    to: Path | None = None
    write: bool = True
    create: bool = True
    in_use: bool = False
    names: bool = False


class FilledVolume(Struct, frozen=True, kw_only=True):
    """`new`: the volume itself was (or would be) made. `others`: what else is in it, where that was asked."""

    name: str
    place: str
    platform: Platform
    new: bool
    changes: tuple[Change, ...]
    others: tuple[str, ...] = ()

    @property
    def todo(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.action != "keep")


class VolumesResult(Struct, frozen=True, kw_only=True):
    """`errors`: the volume that failed, and why."""

    volumes: tuple[FilledVolume, ...]
    errors: tuple[tuple[str, RearchError], ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """A wrong program outranks; else 4 where others got through."""
        code = worst([error for _, error in self.errors])
        partial = bool(self.volumes) and code in (ExitCode.FAILED, ExitCode.TEMPORARY)
        return ExitCode.PARTIAL if partial else code


class NoVolumes(UsageError):
    """None of the stacks declares a volume. `stacks` by name."""

    def __init__(self, stacks: Sequence[str]) -> None:
        self.stacks = tuple(stacks)
        super().__init__(
            f"no volumes are declared in {', '.join(self.stacks) or 'this project'}",
            hint="say which under `volumes:` in recipes/<stack>/stack.yaml",
        )


class UnknownVolume(UsageError):
    """A volume that no stack declares."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        super().__init__(f"no stack declares a volume {name}", hint=f"there are {', '.join(known)}")


class SharedVolume(UsageError):
    """Two stacks declare a volume of one name: neither could know what the other puts there."""

    def __init__(self, name: str, stacks: Sequence[str]) -> None:
        self.name = name
        self.stacks = tuple(stacks)
        super().__init__(f"volume {name} is declared by {' and '.join(stacks)}", hint="name one: --stack")


class WhichPlatform(UsageError):
    """Nothing says for which platform a folder is."""

    def __init__(self, platforms: Sequence[Platform]) -> None:
        self.platforms = tuple(platforms)
        super().__init__(
            "a volume has one platform" if platforms else "which platform is it for?",
            hint="say it: --arch arm64",
        )


def fill_volumes(request: Request, order: VolumesOrder, report: Reporter) -> VolumesResult:
    """Fill the volumes of the request's stacks, or with `write` false tell what would be done.

    Errors: ConfigProblems, NoVolumes, UnknownVolume, SharedVolume, WhichPlatform, NothingBuilt, NotBuilt, WrongEngine
    and those of `connected`, before anything is written. What one volume fails with is in the result, and the
    others go on.
    """
    from rearch.app.prepare import load, source_date_epoch

    if request.platforms is not None and len(request.platforms) != 1:
        raise WhichPlatform(request.platforms)
    project = load(replace(request, platforms=None, only=()))
    volumes = choose(declared(project.stacks, request.project), order.only, [each.name for each in project.stacks])
    binaries = verified_binaries(request.project / project.settings.output)
    with _where(request, order, report) as where:
        wanted = contents(volumes, binaries, where.platform, source_date_epoch(request.environment) or 0)
        for volume, what in wanted.left_out:
            text = f"volume {volume}: {what} is left out: it is not built for {where.platform}"
            report(Said(text=text, level="warning"))
        return _each(wanted.contents, where, order)


class _Where(Struct, frozen=True, kw_only=True):
    """An engine, or a folder, and the platform of what goes there."""

    platform: Platform
    helpers: Helpers | None = None
    folder: Path | None = None


@contextmanager
def _where(request: Request, order: VolumesOrder, report: Reporter) -> Iterator[_Where]:
    asked = request.platforms[0] if request.platforms else None
    if order.to is not None:
        if asked is None:
            raise WhichPlatform(())
        yield _Where(platform=asked, folder=order.to)
        return
    endpoint = find_endpoint(order.engine, request.environment, "--engine")
    with connected(endpoint, Processes(), request.environment) as engine:
        platform = platform_for(engine, asked, report)
        with Helpers(engine) as helpers:
            yield _Where(platform=platform, helpers=helpers)


def platform_for(engine: Engine, asked: Platform | None, report: Reporter) -> Platform:
    """The platform that the binaries have to be for: the engine's own, or another that its kernel may run, with a
    warning. Errors: WrongEngine."""
    own = engine.facts.platform
    if own is None or (asked not in (None, own) and asked.arch_name not in own.arch.also_runs):
        raise WrongEngine(engine.name, str(own or engine.facts.runner.machine), asked or own)
    if asked is not None and asked != own:
        text = f"the engine's kernel is {own}: most of them run {asked} programs, too; this one was not tried"
        report(Said(text=text, level="warning"))
    return asked or own


def choose(volumes: Sequence[Declared], only: Sequence[str], stacks: Sequence[str]) -> tuple[Declared, ...]:
    """The volumes that are asked for; `only` empty: all. Errors: NoVolumes, UnknownVolume, SharedVolume."""
    if not volumes:
        raise NoVolumes(stacks)
    known = tuple(dict.fromkeys(each.name for each in volumes))
    for name in only:
        if name not in known:
            raise UnknownVolume(name, known)
    chosen = tuple(each for each in volumes if not only or each.name in only)
    for each in chosen:
        of = tuple(other.stack for other in chosen if other.name == each.name)
        if len(of) > 1:
            raise SharedVolume(each.name, of)
    return chosen


def _each(wanted: Sequence[Content], where: _Where, order: VolumesOrder) -> VolumesResult:
    done: list[FilledVolume] = []
    errors: list[tuple[str, RearchError]] = []
    for content in wanted:
        try:
            done.append(_one(content, where, order))
        except RearchError as error:
            errors.append((content.volume, error))
        except OSError as error:
            if not is_refusal(error):
                raise
            errors.append((content.volume, HostError(f"volume {content.volume}", error)))
    return VolumesResult(volumes=tuple(done), errors=tuple(errors))


def _one(content: Content, where: _Where, order: VolumesOrder) -> FilledVolume:
    new = not _is_there(content.volume, where)
    if new and not order.create:
        raise VolumeMissing(content.volume, _name(where))
    found = FilledVolume(
        name=content.volume, place=_name(where), platform=content.platform, new=new, changes=missing(content)
    )
    if new and not order.write:
        return found
    with _opened(content.volume, where, order) as place:
        if order.write:
            changes = fill(content, place, in_use=order.in_use)
        else:
            changes = compare(content, place.look, owners=place.sets_owners)
        others = tuple(_others(content, place)) if order.names else ()
    return replace(found, changes=changes, others=others)


def _others(content: Content, place: Place) -> Iterator[str]:
    ours = {thing.path for thing in content.things}
    yield from (name for name in place.names() if name not in ours)


def _name(where: _Where) -> str:
    return where.helpers.engine.name if where.helpers is not None else str(where.folder)


def _is_there(volume: str, where: _Where) -> bool:
    if where.helpers is not None:
        return has_volume(where.helpers.engine, volume)
    assert where.folder is not None
    path = where.folder / volume
    return path.is_symlink() or path.exists()


def _opened(volume: str, where: _Where, order: VolumesOrder) -> AbstractContextManager[Place]:
    if where.helpers is not None:
        return docker_volume(where.helpers, volume, write=order.write, create=order.create)
    assert where.folder is not None
    return folder_volume(where.folder / volume, write=order.write, create=order.create)
