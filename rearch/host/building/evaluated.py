"""How a Dockerfile says that its image is started, by our own evaluation of it: no engine is asked.

RUN cannot change any of that, so that it is known without building. For an engine whose own config departs from the
Dockerfile reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from msgspec.structs import replace

from rearch.host.building.names import Planned
from rearch.oci.dockerfile.instructions import Cmd, OnBuild
from rearch.oci.dockerfile.stages import Earlier, Image, Nothing, PlannedStage, Start
from rearch.oci.embedded.config import configured, empty_config, started_config
from rearch.oci.order import ImageOrder
from rearch.oci.types import ImageConfig, RunConfig


def evaluated(plan: Planned, order: ImageOrder) -> RunConfig:
    """The run settings of the last stage, variables put in, triggers of its base carried out."""
    done: dict[int, ImageConfig] = {}
    for stage in plan.stages:
        done[stage.number] = _carried_out(_begun(stage.start, done, plan, order), stage)
    return done[plan.stages[-1].number].config or RunConfig()


def _begun(start: Start, done: Mapping[int, ImageConfig], plan: Planned, order: ImageOrder) -> ImageConfig:
    match start:
        case Nothing():
            return empty_config(order.platform, order.epoch)
        case Image(name):
            base = next(stage.image.config for stage in plan.used if stage.name == name)
            return started_config(base, order.platform, order.epoch)
        case Earlier(number):
            return done[number]
        case _:
            assert_never(start)


def _carried_out(config: ImageConfig, stage: PlannedStage) -> ImageConfig:
    cmd_is_set = False
    for each in stage.instructions:
        config = configured(config, each, cmd_is_set=cmd_is_set)
        cmd_is_set = cmd_is_set or isinstance(each, Cmd)
    # Triggers are for the next build alone ("ONBUILD": they are not inherited by grand-children).
    triggers = tuple(each.trigger for each in stage.instructions if isinstance(each, OnBuild))
    run = replace(config.config or RunConfig(), on_build=triggers or None)
    return replace(config, config=run)
