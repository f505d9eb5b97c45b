"""What a publish adopts: asked of flags and stacks, found, and put in the place of what was built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.app.request import Request
from rearch.model.settings import PublishSettings
from rearch.publishing.built import Built
from rearch.report import Reporter, Said

if TYPE_CHECKING:
    from rearch.publishing.originals import Originals

_KEY = b"adopt"


def stacks_that_adopt(request: Request, stacks: Sequence[str]) -> tuple[str, ...]:
    """Those whose stack.yaml may say `adopt`. With --to a publish reads no YAML, but for what these say."""
    return tuple(stack for stack in stacks if _KEY in _text(request.project / "recipes" / stack / "stack.yaml"))


def _text(path: Path) -> bytes:
    """What is built may be of a stack that is gone."""
    return path.read_bytes() if path.is_file() else b""


def with_originals(
    built: Sequence[Built],
    flags: Sequence[str],
    stacks: Mapping[str, PublishSettings],
    originals: Callable[[], Originals],
    report: Reporter,
) -> tuple[Built, ...]:
    """What was built, with what it adopts by the flags and by what its stack says. `originals` is called if need be.

    Errors: BadAdoption, BadReference, NobodyAdopts; those of Originals.find and publishing.adopt.adopt.
    """
    if not flags and not any(settings.adopt for settings in stacks.values()):
        return tuple(built)
    from rearch.planning.publish_adopt import adoptions_of, parse_adoption
    from rearch.publishing.adopt import adopt

    wanted = adoptions_of([one.image.component for one in built], [parse_adoption(text) for text in flags], stacks)
    finder = originals()
    found = {name: [(each, finder.find(each)) for each in adoptions] for name, adoptions in wanted.items()}
    results = []
    for one in built:
        adopted = adopt(one, found.get(one.image.component, ()))
        results.append(adopted.built)
        for platform in adopted.replaced:
            text = f"{one.image.component} {platform}: an adopted image is published, and not the one that was built"
            report(Said(text=text))
    return tuple(results)
