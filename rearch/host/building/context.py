"""Whether the context has what COPY and ADD name, asked before an engine starts.

Engines find out late, each in its own words, and none knows a name that is nearly the same. What is looked for and how
is the embedded builder's business, so that all builders refuse the same; what an engine fetches from elsewhere is left
to it, and so are sources that only it can spell out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from msgspec import Struct

from rearch.host.building.names import Planned
from rearch.oci.dockerfile.errors import BadDockerfile, Problem, Trouble
from rearch.oci.dockerfile.instructions import Add, Arg, Copy, Dockerfile, Env, StageInstruction
from rearch.oci.dockerfile.stages import automatic_arguments
from rearch.oci.embedded.context import Context
from rearch.oci.embedded.glob import has_wildcard
from rearch.oci.embedded.sources import find_sources
from rearch.oci.order import ImageOrder

# What ADD fetches (Dockerfile reference, "ADD"): a URL, or a git repository in any of the forms that BuildKit takes.
_REMOTE = re.compile(r"(?:https?|ftp|git|ssh)://|git@|github\.com/", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


class _Wanted(Struct, frozen=True, kw_only=True):
    """What one COPY or ADD takes from the context. `whole`: it takes nothing else."""

    line: int
    sources: tuple[str, ...]
    whole: bool


def check_context(plan: Planned, order: ImageOrder) -> None:
    """Look for every source of the stages that are built. Errors: BadDockerfile, with all that are missing."""
    wanted = tuple(_wanted(plan, order))
    if not wanted:
        return
    context = Context(order.context, order.digests)
    problems = [problem for each in wanted for problem in _problems(each, context)]
    if problems:
        raise BadDockerfile(order.template, problems)


def _problems(wanted: _Wanted, context: Context) -> Iterator[Problem]:
    found = matched = 0
    for text in wanted.sources:
        try:
            matched += len(find_sources(context, text))
            found += 1
        except Trouble as trouble:
            yield trouble.at(wanted.line)
    if wanted.whole and found == len(wanted.sources) and not matched:
        text = f"nothing in {context.name} matches {' '.join(wanted.sources)}"
        yield Problem(wanted.line, text)


def _wanted(plan: Planned, order: ImageOrder) -> Iterator[_Wanted]:
    """Every COPY and ADD that takes something from the context that is known by now."""
    late = _late(plan.dockerfile, order)
    for stage in plan.stages:
        # ARG is not among the instructions of a planned stage; all others are, one for one.
        written = (each for each in plan.dockerfile.stages[stage.number].instructions if not isinstance(each, Arg))
        for raw, final in zip(written, stage.instructions, strict=True):
            if isinstance(final, Add) or (isinstance(final, Copy) and final.stage is None):
                known = tuple(_known(raw, final, late))
                if known:
                    whole = len(known) == len(final.sources) and not final.heredocs
                    yield _Wanted(line=final.where.first, sources=known, whole=whole)


def _known(raw: StageInstruction, final: Copy | Add, late: Set[str]) -> Iterator[str]:
    assert isinstance(raw, Copy | Add), "a planned instruction is the one that was written"
    for written, text in zip(raw.sources, final.sources, strict=True):
        if _mentions(written, late) or (isinstance(final, Add) and _REMOTE.match(text)):
            continue
        # --parents has wildcards of its own (`**`), and a meaning for `/./`.
        if isinstance(final, Copy) and final.parents and has_wildcard(text):
            continue
        yield text


def _late(dockerfile: Dockerfile, order: ImageOrder) -> Set[str]:
    """Variables whose value only the engine knows: BUILDARCH and its like, which are its own machine's, and all that is
    made of them. What a build argument gives is known.
    """
    late = {name for name in automatic_arguments(order.platform) if name.startswith("BUILD")} - order.args.keys()
    inside = (each for stage in dockerfile.stages for each in stage.instructions)
    for each in (*dockerfile.arguments, *inside):
        if isinstance(each, Arg):
            late |= {name for name, value in each.pairs if name not in order.args and _mentions(value or "", late)}
        elif isinstance(each, Env):
            late |= {name for name, value in each.pairs if _mentions(value, late)}
    return late


def _mentions(text: str, names: Set[str]) -> bool:
    return any(name in names for name in _VARIABLE.findall(text))
