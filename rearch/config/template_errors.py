"""What can be wrong with a template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from rearch.config.problems import shown, suggestion
from rearch.errors import UsageError


class NoTemplate(UsageError):
    """A recipe asks for a template that neither the project nor rearch has."""

    def __init__(self, name: str, known: Iterable[str], folder: str) -> None:
        self.name = name
        self.known = tuple(known)
        near = suggestion(name, self.known)
        super().__init__(
            f"there is no template {shown(name)}",
            [f"looked for: {folder}/{shown(name)}.Dockerfile.j2", f"known: {', '.join(self.known) or 'none'}"],
            hint=near if near and near.startswith("did") else "write that file, or name one of these in `template:`",
        )


class Place(Struct, frozen=True):
    """A line of a template; `source` is its text, where it is known."""

    path: str
    line: int
    source: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class BadTemplate(UsageError):
    """A template that cannot be rendered. `places`: the outermost first, the line that is wrong last."""

    def __init__(self, places: Sequence[Place], text: str, hint: str | None = None) -> None:
        self.places = tuple(places)
        self.text = text
        wrong = self.places[-1]
        lines = [f"    {shown(wrong.source.strip(), 110)}"] if wrong.source.strip() else []
        called = [f"called at {place}" for place in reversed(self.places[:-1])]
        super().__init__(
            f"{wrong}: {shown(text, 300)}", [*lines, *called], hint or "docs/images.md says what templates can use"
        )
