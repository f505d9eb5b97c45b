"""A start of a program, and what it has to answer."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from rearch.model.base import Count, Fault, Flag, FrozenMap, Model, PlatformName, Says, Span, Text, Variable, refuse
from rearch.model.frozen import NOTHING

# Of these alone every text is a regular expression. Most are a version, and compiling one takes 0.1 ms.
_PLAIN = re.compile(r"[\w\s./:;,@=<>'\"-]*")


def _expression(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    try:
        re.compile(value, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression: {error}") from None
    return value


Regex = Annotated[str, AfterValidator(_expression), Says("regular expression (Python)")]


class Smoke(Model):
    """One start of a program, natively or under qemu-user."""

    run: tuple[Text, ...] = Field(
        min_length=1,
        description="Name of an output, and arguments; under `image` the path of a program, and arguments.",
    )
    env: FrozenMap[Variable, Text] = Field(default=NOTHING, description="The whole environment.")
    stdin: Text = Field(default="", description="What it reads.")
    exit: Count = Field(default=0, le=255, description="Exit code that is wanted.")
    expect: Regex | None = Field(default=None, description="What to find in its output.")
    timeout: Span = Field(default=30.0, gt=0, le=3600, description="Longest run.")
    stop: Flag = Field(
        default=False, description="A program that keeps running: end it as soon as `expect` was printed."
    )
    platforms: tuple[PlatformName, ...] | None = Field(default=None, description="Only there; left out: everywhere.")

    @model_validator(mode="after")
    def _stops(self) -> Smoke:
        if self.stop and self.expect is None:
            refuse([Fault(("stop",), "stop waits for the text of `expect`, which is missing", (("expect",),))])
        return self
