"""Text from a file that somebody else made, safe to show on a terminal and to write as JSON."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with everything that a terminal would act upon written as an escape (`\\x1b`)."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
