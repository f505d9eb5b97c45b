"""The docker builder: a Dockerfile run by an engine's BuildKit (steps.ports.ImageBuilder).

The images to start from are loaded into the engine under private tags, the build's result gets one too; all are
removed at the end, however it ends. BuildKit's own cache stays in the engine: it knows layers by platform and content.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.errors import RearchError
from rearch.host.building.context import check_context
from rearch.host.building.emulation import NoEmulation, this_host, why_not
from rearch.host.building.failure import cannot_run, failure, instructions
from rearch.host.building.names import Planned, planned, with_names
from rearch.host.building.saved import opened
from rearch.host.building.take import StageImage, read_stages, take_image
from rearch.host.docker.client import Builder, BuildTask, asking, build_command, choose, find_clients
from rearch.host.docker.endpoint import find_endpoint
from rearch.host.docker.engine import Engine, connected
from rearch.host.process import Processes
from rearch.model.command import Completed
from rearch.oci.docker_archive import write_docker_archive
from rearch.oci.dockerfile.errors import place
from rearch.oci.order import BuiltImage, ImageOrder
from rearch.steps.ports import Workspace

PRIVATE = "rearch-stage"


class _Job(Struct, frozen=True, kw_only=True):
    """One build, as its parts hand it on."""

    order: ImageOrder
    plan: Planned
    work: Workspace


class DockerBuilder:
    """Builds on the engine of an address; empty: on the one that `environment` or the docker settings name."""

    def __init__(self, engine: str, environment: Mapping[str, str], processes: Processes | None = None) -> None:
        self._engine = engine
        self._environment = environment
        self._processes = processes or Processes()

    def build(self, order: ImageOrder, work: Workspace) -> BuiltImage:
        """Run the Dockerfile, and leave the layers of the result in the order's layout.

        Errors: BadDockerfile, WrongBase (before anything starts), NoBuildClient, NoEngine, EngineRefused,
        EngineUnreachable, EngineFailed, NoEmulation, BuildFailed, WrongResult; those of read_image and make_layer.
        """
        job = _Job(order=order, plan=planned(order, read_stages(order)), work=work)
        check_context(job.plan, order)
        client = choose(find_clients(self._environment.get("PATH", ""), asking(self._environment, self._processes.run)))
        with connected(find_endpoint(self._engine, self._environment), self._processes, self._environment) as engine:
            work.say(f"docker engine {engine.facts.version} at {engine.name}, client {client}")
            self._check_emulation(job, engine)
            with _private_tags(engine, job.plan.used) as tags:
                return self._built(job, engine, client, tags)

    def _check_emulation(self, job: _Job, engine: Engine) -> None:
        """Errors: NoEmulation, where it is known before. A Dockerfile without RUN runs no program of the platform."""
        if job.plan.dockerfile.runs:
            reason = why_not(job.order.platform, engine.facts.runner, this_host())
            if reason:
                raise _no_emulation(job, engine, reason)

    def _built(self, job: _Job, engine: Engine, client: Builder, tags: _Tags) -> BuiltImage:
        order = job.order
        for stage in job.plan.used:
            _load(engine, stage, tags.of[stage.name], order.scratch)
        file = order.scratch / "Dockerfile"
        file.write_text(with_names(job.plan, tags.of))
        task = BuildTask(
            dockerfile=file,
            context=order.context,
            tag=tags.result,
            platform=order.platform,
            args={"SOURCE_DATE_EPOCH": str(order.epoch), **order.args},
            # An engine that was started without a bridge has no default network for RUN.
            network="" if engine.facts.bridge else "host",
        )
        done = job.work.run(build_command(client, task, engine.endpoint, self._environment))
        if done.exit != 0:
            raise _failed(job, engine, done)
        archive = order.scratch / "saved.tar"
        engine.save(tags.result, archive)
        with opened(archive, order.template) as image:
            built = take_image(image, job.plan.used, order)
        archive.unlink()
        return built


class _Tags(Struct, frozen=True, kw_only=True):
    """Private tags: of each stage, and of the result."""

    of: Mapping[str, str]
    result: str


@contextlib.contextmanager
def _private_tags(engine: Engine, stages: Sequence[StageImage]) -> Iterator[_Tags]:
    """Tags that nobody else uses, not even another build of the same; removed at the end."""
    mark = secrets.token_hex(8)
    of = {stage.name: f"{PRIVATE}:{mark}-{number}" for number, stage in enumerate(stages)}
    tags = _Tags(of=of, result=f"{PRIVATE}:{mark}")
    try:
        yield tags
    except BaseException:
        # What went wrong is told; that the engine, which may be why, cannot tidy up either is not.
        with contextlib.suppress(RearchError):
            _remove(engine, tags)
        raise
    _remove(engine, tags)


def _remove(engine: Engine, tags: _Tags) -> None:
    for tag in (tags.result, *tags.of.values()):
        engine.remove(tag)


def _load(engine: Engine, stage: StageImage, tag: str, scratch: Path) -> None:
    archive = scratch / "stage.tar"
    write_docker_archive(stage.layout, stage.image, (tag,), archive)
    engine.load(archive)
    archive.unlink()


def _failed(job: _Job, engine: Engine, done: Completed) -> RearchError:
    """The error for a build that ended badly."""
    if job.plan.dockerfile.runs and cannot_run(done.output):
        return _no_emulation(job, engine, "a program did not start: exec format error")
    return failure(job.order.template, instructions(job.plan.dockerfile), done.output, done.exit)


def _no_emulation(job: _Job, engine: Engine, reason: str) -> NoEmulation:
    where = place(job.order.template, job.plan.dockerfile.runs[0].where.first)
    return NoEmulation(job.order.platform, f"the Docker engine {engine.name}", where, reason)
