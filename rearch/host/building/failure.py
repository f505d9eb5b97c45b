"""Why a build failed: the Dockerfile's line and the end of the output, read from what BuildKit or buildah printed.

Newer clients name the line themselves (`Dockerfile:3`); the one of 20.10 shows the failing instruction alone, as
` > [stage-1 2/2] RUN make:`, and buildah the one that it began last, as
`STEP 2/3: RUN make`: they are looked for in the Dockerfile.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rearch.errors import StepError, TemporaryError
from rearch.oci.dockerfile.instructions import Dockerfile

LINES = 20
_NAMED = re.compile(r"^(?:Dockerfile|[\w./-]*Dockerfile):(\d+)$", re.MULTILINE)
_PARSE = re.compile(r"(?i)dockerfile parse error (?:on )?line (\d+)")
_STEP = re.compile(r"^ > \[[^\]]*\] (.+?):?\s*$", re.MULTILINE)
_BUILDAH = re.compile(r"^(?:\[\d+/\d+\] )?STEP \d+/\d+: (.+)$", re.MULTILINE)
_EXEC_FORMAT = re.compile(r"exec format error|exec user process caused", re.IGNORECASE)
_NETWORK = re.compile(r"failed to do request|dial tcp|i/o timeout|TLS handshake timeout|connection refused")


class BuildFailed(StepError):
    """An engine could not build a Dockerfile. `line` counts from 1; 0 when the output does not tell."""

    def __init__(self, template: str, line: int, instruction: str, output: Sequence[str], exit_: int | None) -> None:
        self.template = template
        self.line = line
        self.instruction = instruction
        self.exit = exit_
        place = f"{template}:{line}" if line else template
        how = "was stopped at its time limit" if exit_ is None else f"exit {exit_}"
        super().__init__(
            f"{place}: {instruction or 'the build'} failed ({how})",
            output,
            hint="the step's log has the whole output",
        )


class BuildWantsNetwork(TemporaryError):
    """The engine could not reach a registry that the build wanted."""

    def __init__(self, template: str, output: Sequence[str]) -> None:
        self.template = template
        super().__init__(
            f"{template}: the engine reached no registry",
            output,
            hint="images to start from are there already: left is `# syntax=`, which the engine fetches itself",
        )


def failure(
    template: str, lines: Sequence[tuple[int, str]], output: str, exit_: int | None
) -> BuildFailed | BuildWantsNetwork:
    """The error for a build that ended so. `lines`: those of `instructions`."""
    end = tuple(last_lines(output))
    number, instruction = failing(lines, output)
    if not instruction and _NETWORK.search(output):
        return BuildWantsNetwork(template, end)
    return BuildFailed(template, number, instruction, end, exit_)


def instructions(dockerfile: Dockerfile) -> tuple[tuple[int, str], ...]:
    """(first line, text) of every instruction from the first FROM on."""
    every = (each for stage in dockerfile.stages for each in (stage.start, *stage.instructions))
    return tuple((each.where.first, each.where.text) for each in every)


def cannot_run(output: str) -> bool:
    """Whether a program did not start because it is for another CPU."""
    return bool(_EXEC_FORMAT.search(output))


def failing(lines: Sequence[tuple[int, str]], output: str) -> tuple[int, str]:
    """The failing instruction's line and text; (0, "") or (0, text) for what cannot be told."""
    if found := _NAMED.search(output) or _PARSE.search(output):
        number = int(found[1])
        before = [each for each in lines if each[0] <= number]
        return (before[-1][0], before[-1][1]) if before else (number, "")
    steps = _STEP.findall(output) or _BUILDAH.findall(output)
    if not steps:
        return 0, ""
    wanted = _plain(steps[-1])
    same = [number for number, text in lines if _plain(text) == wanted]
    # The same words twice: then the words alone are said, and not a line that may be the wrong one.
    return same[0] if len(same) == 1 else 0, wanted


def _plain(text: str) -> str:
    return " ".join(text.split())


def last_lines(output: str, count: int = LINES) -> list[str]:
    """The end of the output, for people: without BuildKit's frame and empty lines."""
    lines = [line.rstrip() for line in output.splitlines()]
    kept = [line for line in lines if line and not line.startswith("------") and not re.match(r"#\d+ sha256:", line)]
    return kept[-count:]
