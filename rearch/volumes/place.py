"""The protocol of what is filled: a volume of an engine, or a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from rearch.model.volumes import STAGING
from rearch.volumes.things import File, Found, Thing


class Place(Protocol):
    """One volume while it is looked at and filled. `path`s are relative to its top.

    New files are staged first, in a folder of the same file system, so that a full disk or a broken connection is met
    before anything old is touched; then all are put into their places at once.
    """

    @property
    def name(self) -> str:
        """For people: the volume, and where it is."""

    @property
    def sets_owners(self) -> bool:
        """Whether owners can be set here (a folder: root alone can)."""

    def look(self, path: str, *, brief: bool = False) -> Found | None:
        """What is at the path, links not followed; None: nothing. `brief`: of a folder it is enough that it is one; its
        mode and owner may be left 0 (an engine needs a program of its own to tell an owner)."""

    def users(self) -> tuple[str, ...]:
        """Names of running containers that use it."""

    def names(self) -> Iterator[str]:
        """Everything in it."""

    def stage(self, files: Sequence[File], mtime: int) -> None:
        """Write each file to `staged(number)`, with its mode, owner and time. Errors: VolumeFull."""

    def swap(self, things: Sequence[Thing], mtime: int) -> None:
        """Put the things into their places. Files are those that were staged, in the same order."""

    def tidy(self) -> None:
        """Take the staging folder away, if it is there."""


def staged(number: int) -> str:
    """Where file `number` of `stage` lies until it is put into its place."""
    return f"{STAGING}/{number}"
