"""What can go wrong while a layer is made."""

from __future__ import annotations

from pathlib import Path

from rearch.errors import StepError
from rearch.formats.archive_errors import shown


class BadLayerEntry(StepError):
    """Something that must not be in a layer: another program would put it elsewhere, or not at all."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{shown(path)} cannot be in a layer: {why}", hint="correct what copies it into the image")


class ContentChanged(StepError):
    """A file is not what it was when the layer was planned."""

    def __init__(self, path: str, content: Path, why: str) -> None:
        self.path = path
        self.content = content
        self.why = why
        super().__init__(
            f"{content} has changed while the layer with {shown(path)} was made: {why}",
            hint="run the same command again, and let nothing else write there",
        )


class ContentUnreadable(StepError):
    """A file that was to go into a layer cannot be read."""

    def __init__(self, path: str, content: Path, why: str) -> None:
        self.path = path
        self.content = content
        self.why = why
        super().__init__(f"{content}, which is to be {shown(path)} in a layer, cannot be read: {why}")
