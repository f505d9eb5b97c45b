"""What a fix of the catalogue is."""

from __future__ import annotations

import re

from msgspec import Struct

from rearch.model.recipe import Edit
from rearch.model.step import Fix


class KnownFix(Struct, frozen=True, kw_only=True):
    """A cure for an ill of old Go programs on newer compilers or other architectures.

    `summary` completes "this is known: ..."; `about` says why it happens and what the edits do; `tried` on what they
    were tried; `symptom` is a regular expression over compiler or program output that suggests the fix. The count of an
    edit is the least number of matches: a vendored package may be there more than once.
    """

    name: str
    summary: str
    about: str
    tried: str
    symptom: str
    edits: tuple[Edit, ...]

    def __post_init__(self) -> None:
        re.compile(self.symptom)

    @property
    def fix(self) -> Fix:
        """As it enters a patch step, and its key."""
        return Fix(name=self.name, edits=self.edits)
