"""A Dockerfile whose names of images are put in place of the order's: FROM base -> FROM rearch-stage:0a1b....

Only the names change. Lines stay where they are: what an engine says of line 7 is true of the template's line 7.
What is a stage, an image or an undefined variable is decided as for the embedded builder, before anything starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from rearch.host.building.take import StageImage
from rearch.host.building.triggers import with_triggers
from rearch.oci.dockerfile.instructions import Copy, Dockerfile, Stage
from rearch.oci.dockerfile.parse import parse_dockerfile
from rearch.oci.dockerfile.stages import Image, Outside, PlannedStage, plan_stages
from rearch.oci.embedded.config import empty_config, environment, started_config
from rearch.oci.order import ImageOrder
from rearch.oci.types import RunConfig

_WORD = re.compile(r"\S+")
_MOUNT_FROM = re.compile(r"(--mount=(?:[^\s]*,)?from=)([^\s,]+)")


class Planned(Struct, frozen=True, kw_only=True):
    """A Dockerfile that can be built: read, its stages decided. `used`: the images that it names, by name."""

    text: str
    dockerfile: Dockerfile
    stages: tuple[PlannedStage, ...]
    used: tuple[StageImage, ...]


class _Mention(Struct, frozen=True):
    """An image of the order, named at this line (from 1) and column (from 0)."""

    line: int
    column: int
    image: str


def planned(order: ImageOrder, images: Sequence[StageImage]) -> Planned:
    """Read the order's Dockerfile, and decide what it starts from. Errors: BadDockerfile, with all problems."""
    by_name = {image.name: image for image in images}

    def start(name: str) -> Mapping[str, str]:
        if name not in by_name:
            return environment(empty_config(order.platform, order.epoch))
        return environment(started_config(by_name[name].image.config, order.platform, order.epoch))

    outside = Outside(args=order.args, platform=order.platform, images=frozenset(by_name), environment=start)
    triggers = {name: (image.image.config.config or RunConfig()).on_build or () for name, image in by_name.items()}
    dockerfile = with_triggers(parse_dockerfile(order.dockerfile, order.template), outside, triggers)
    stages = plan_stages(dockerfile, outside, lambda _instruction: ())  # engines refuse for themselves
    named = {mention.image for mention in _mentions(dockerfile, stages, by_name)} | _mounted(dockerfile, by_name)
    return Planned(
        text=order.dockerfile,
        dockerfile=dockerfile,
        stages=stages,
        used=tuple(image for image in images if image.name in named),
    )


def with_names(plan: Planned, names: Mapping[str, str]) -> str:
    """The Dockerfile's text with `names` put in: the order's name -> what the engine knows."""
    lines = plan.text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    mentions = _mentions(plan.dockerfile, plan.stages, names)
    # From the back: what is changed does not move what is still to be changed.
    for mention in sorted(mentions, key=lambda each: (each.line, each.column), reverse=True):
        line = lines[mention.line - 1]
        word = _WORD.match(line, mention.column)
        assert word is not None, "the parser said that a name is here"
        lines[mention.line - 1] = line[: mention.column] + names[mention.image] + line[word.end() :]
    for run in plan.dockerfile.runs:
        for number in range(run.where.first - 1, run.where.last):
            lines[number] = _MOUNT_FROM.sub(lambda found: found[1] + names.get(found[2], found[2]), lines[number])
    return "\n".join(lines)


def _mentions(
    dockerfile: Dockerfile, stages: Sequence[PlannedStage], names: Mapping[str, object]
) -> Iterator[_Mention]:
    """Every FROM and COPY --from that names one of the images.

    In stages that the last one does not need, and that buildah builds all the same, as far as it can be seen.
    """
    decided = {stage.number: stage for stage in stages}
    for stage in dockerfile.stages:
        above = {each.start.name for each in dockerfile.stages[: stage.number]}
        plan = decided.get(stage.number)
        for image, (line, column), is_start in _named(stage):
            if plan is not None:
                found = plan.start if is_start else plan.sources.get(image)
                name = found.name if isinstance(found, Image) else None
            else:
                name = image if image in names and image.lower() not in above else None
            if name is not None:
                yield _Mention(line, column, name)


def _named(stage: Stage) -> Iterator[tuple[str, tuple[int, int], bool]]:
    """What a stage calls the images that it starts from or copies from: (text, place, whether it is FROM's)."""
    yield stage.start.image, stage.start.image_at, True
    for each in stage.instructions:
        if isinstance(each, Copy) and each.stage is not None and each.stage_at is not None:
            yield each.stage, each.stage_at, False


def _mounted(dockerfile: Dockerfile, names: Mapping[str, object]) -> set[str]:
    """The images that RUN --mount=from= names."""
    options = (value for run in dockerfile.runs for name, value in run.flags if name == "mount")
    words = (word.partition("=") for value in options for word in value.split(","))
    return {value for key, _, value in words if key == "from" and value in names}
