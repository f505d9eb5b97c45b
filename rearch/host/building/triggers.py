"""ONBUILD triggers of the images that stages start from: engines carry them out right behind FROM.

The Dockerfile with its triggers written out is what is evaluated: variables that they set are defined, RUN and COPY
among them are known before an engine starts. They stand on the line of the FROM that brought them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from rearch.oci.dockerfile.instructions import Arg, Copy, Dockerfile, OnBuild, Stage, StageInstruction, Where
from rearch.oci.dockerfile.parse import parse_dockerfile
from rearch.oci.dockerfile.stages import Earlier, Image, Nothing, Outside, Start, plan_stages


def with_triggers(dockerfile: Dockerfile, outside: Outside, images: Mapping[str, Sequence[str]]) -> Dockerfile:
    """The Dockerfile with triggers behind the FROM of each stage that has any. `images`: name -> its triggers.

    Errors: BadDockerfile for a trigger that is no instruction, and for a FROM that names nothing.
    """
    own = any(isinstance(each, OnBuild) for stage in dockerfile.stages for each in stage.instructions)
    if not own and not any(images.values()):
        return dockerfile
    starts = _starts(dockerfile, outside)
    stages = list(dockerfile.stages)
    for number, start in starts.items():
        triggers = tuple(_triggers(start, dockerfile, images))
        if triggers:
            stage = stages[number]
            stages[number] = replace(stage, instructions=(*_parsed(triggers, stage, dockerfile), *stage.instructions))
    return replace(dockerfile, stages=tuple(stages))


def _starts(dockerfile: Dockerfile, outside: Outside) -> dict[int, Start]:
    """What each stage that is built starts from. Its other instructions may want what only a trigger sets."""
    bare = tuple(replace(stage, instructions=tuple(_bare(stage))) for stage in dockerfile.stages)
    planned = plan_stages(replace(dockerfile, stages=bare), outside, lambda _instruction: ())
    return {stage.number: stage.start for stage in planned}


def _bare(stage: Stage) -> Iterator[StageInstruction]:
    """What decides which stages there are, and what build arguments: without texts that hold variables."""
    for each in stage.instructions:
        if isinstance(each, Arg):
            yield replace(each, pairs=tuple((name, None) for name, _ in each.pairs))
        elif isinstance(each, Copy) and each.stage is not None:
            yield Copy(where=each.where, sources=(), target="/", stage=each.stage)


def _triggers(start: Start, dockerfile: Dockerfile, images: Mapping[str, Sequence[str]]) -> Iterator[str]:
    match start:
        case Image(name):
            yield from images[name]
        case Earlier(number):
            inside = dockerfile.stages[number].instructions
            yield from (each.trigger for each in inside if isinstance(each, OnBuild))
        case Nothing():
            pass


def _parsed(triggers: Sequence[str], stage: Stage, dockerfile: Dockerfile) -> Iterator[StageInstruction]:
    text = "\n".join((f"# escape={dockerfile.escape}", "FROM scratch", *triggers, ""))
    template = f"{dockerfile.template}:{stage.start.where.first}: ONBUILD of {stage.start.image}"
    for each in parse_dockerfile(text, template).stages[0].instructions:
        where = Where(first=stage.start.where.first, last=stage.start.where.last, text=each.where.text)
        # No place in the Dockerfile's text: nothing there is to be replaced.
        yield replace(each, where=where, stage_at=None) if isinstance(each, Copy) else replace(each, where=where)
