"""What `outdated` and `bump` take for a newer version of a component, and `nightly` by itself: a recipe's `watch`."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from rearch.model.base import Fault, Flag, FullText, Model, refuse
from rearch.model.nightly import UpdatePolicy
from rearch.model.smoke import Regex

Scheme = Literal["semver", "pep440", "debian", "date", "any"]


class Watch(Model):
    """Which upstream tags are versions, how they are ordered, and which of them a night takes."""

    git: FullText | None = Field(
        default=None, description="Repository whose tags are looked at; left out: that of the source, if it is git."
    )
    tags: Regex | None = Field(
        default=None,
        description="What a whole tag looks like, with the version as the group `(?P<version>...)`; "
        "left out: as the locked tag is spelled around its version.",
    )
    scheme: Scheme | None = Field(
        default=None,
        description="How versions are ordered. `date`: 2024-05-17, 2024.5 or 20240517; `any`: numbers and words in "
        "turn; left out: the first of semver, pep440 and any that can read the current version.",
    )
    pre: Flag | None = Field(
        default=None, description="Whether pre-releases count; left out: only where the current version is one."
    )
    update: UpdatePolicy | None = Field(
        default=None,
        description="What `nightly` brings up to date of this component; left out: as `nightly.update` of rearch.yaml "
        "or `--policy` says. `--policy none` wins over it. An entry of rearch.lock that several components need moves "
        "as the most careful of them says.",
    )

    @model_validator(mode="after")
    def _group(self) -> Watch:
        if self.tags is not None and "version" not in re.compile(self.tags).groupindex:
            refuse([Fault(("tags",), "the pattern has no group (?P<version>...), so nothing says which part counts")])
        return self
