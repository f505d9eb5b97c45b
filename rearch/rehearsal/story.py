"""The story, in order: build, the problem, the cure. Every step says what it saw.

rehearse(stage, checklist)          # findings are in the checklist
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from rearch.rehearsal import acts
from rearch.rehearsal.findings import Checklist, Stopped
from rearch.rehearsal.project import HOSTS, write_project
from rearch.rehearsal.server import StandIn
from rearch.rehearsal.stage import EngineHere, Stage, open_emulation, open_engine, open_registry

MACHINE = "this machine has what it takes"
REGISTRY = "a registry"
ENGINE = "a Docker engine"
EMULATION = "programs of the other host run here"
PROJECT = "repositories and a project"
BUILD = "build: programs and images for both hosts"
PUBLISH = "publish: one name for both hosts"
ARCHIVE = "the server has an x86 agent"
NATIVE = "before: the x86 host registers and starts it"
PROBLEM = "before: the ARM host fetches it, and cannot start it"
REFIT = "refit: one archive for both hosts"
CURED = tuple(f"after: the host of {platform} starts its own agent" for platform in HOSTS)
SERVER = "the server saw both apply the archive"
VOLUME = "volumes: the engine's own platform, into a named volume"
FOLDER = "volumes: the other platform, into a folder"
REFUSED = "volumes: programs of the other platform are refused by the engine"
LEFT = "nothing is left in the engine"

STEPS = (
    *(MACHINE, REGISTRY, ENGINE, EMULATION, PROJECT, BUILD, PUBLISH, ARCHIVE, NATIVE, PROBLEM),
    *(REFIT, *CURED, SERVER, VOLUME, FOLDER, REFUSED, LEFT),
)


def rehearse(stage: Stage, checklist: Checklist) -> None:
    """Play it to its end, or to the first step that fails. What was started is ended in any case.

    Errors: Interrupted; those of the clean-up.
    """
    with ExitStack() as stack, suppress(Stopped):
        registry = checklist.step(REGISTRY, partial(open_registry, stage, stack))
        engine = checklist.step(ENGINE, partial(open_engine, stage, stack))
        checklist.step(EMULATION, partial(open_emulation, stage, stack))
        scene = _prepare(stage, stack, checklist, registry, engine)
        _play(scene, checklist)


def _prepare(stage: Stage, stack: ExitStack, checklist: Checklist, registry: str, engine: EngineHere) -> acts.Scene:
    """Build and publish; then a server that has what Rancher's had."""
    project = checklist.step(PROJECT, partial(acts.make_project, stage, registry, write_project))
    if not stage.keep:
        stack.callback(engine.containers.remove_volume, project.volume)
    made = checklist.step(BUILD, partial(acts.build, stage, project))
    checklist.step(PUBLISH, partial(acts.publish, stage, project, registry))
    archive = checklist.step(ARCHIVE, partial(acts.make_archive, stage, made))
    handed = stage.folder / "server"
    handed.mkdir()
    server = stack.enter_context(StandIn(handed, archives={"pyagent": archive}, image=project.image))
    return acts.Scene(stage=stage, project=project, engine=engine, server=server, archive=archive)


def _play(scene: acts.Scene, checklist: Checklist) -> None:
    checklist.step(NATIVE, partial(acts.start_native, scene))
    checklist.step(PROBLEM, partial(acts.show_problem, scene))
    checklist.step(REFIT, partial(acts.refit, scene))
    for name, platform in zip(CURED, HOSTS, strict=True):
        checklist.step(name, partial(acts.start_cured, scene, platform))
    checklist.step(SERVER, partial(acts.ask_server, scene))
    checklist.step(VOLUME, partial(acts.fill_volume, scene))
    checklist.step(FOLDER, partial(acts.fill_folder, scene))
    checklist.step(REFUSED, partial(acts.refuse_foreign, scene))
    if not scene.stage.keep:
        checklist.step(LEFT, partial(acts.leave_nothing, scene))


def how_to_look(folder: Path) -> Sequence[str]:
    """Where things are after --keep, and how to bring the servers back. Pure."""
    return (
        f"everything is below {folder}: project/ (and its output/), upstreams/, server/ (what was handed out)",
        f"the registry again: docker-registry serve {folder}/registry/config.json",
        f"the engine again, if it was started for this: dockerd --data-root {folder}/engine/data "
        f"--exec-root {folder}/engine/exec --pidfile {folder}/engine/dockerd.pid --bridge none --iptables=false "
        f"--host unix://{folder}/engine/docker.sock",
        f"and when you have seen enough: rm -r {folder}",
    )
