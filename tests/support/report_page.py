"""report.html as a program reads it: the cells of its tables, the headings and text of its sections. No browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

_VOID = frozenset(("meta", "link", "wbr", "br", "hr", "img", "input"))


@dataclass
class Page:
    """`tables`: name -> rows of cells, without the head. `headings` (h3) and `text` by the id of the section (h2) that
    they stand in. What is hidden from a screen reader is left out."""

    tables: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    headings: dict[str, list[str]] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)


def read_page(path: Path) -> Page:
    """Fails where an element is not closed."""
    reader = _Reader()
    reader.feed(path.read_text("utf-8"))
    reader.close()
    assert reader.open == [], reader.open
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self._row: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        self.open.append((tag, dict(attrs)))
        if tag == "tr":
            self._row = []
        elif tag in ("td", "th"):
            self._row.append("")
        elif tag == "h3":
            self.page.headings.setdefault(self._section, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert [name for name, _ in self.open[-1:]] == [tag], f"</{tag}> closes {self.open[-1:]}"
        if tag == "tr" and self._inside("tbody"):
            self.page.tables.setdefault(self._table, []).append(tuple(cell.strip() for cell in self._row))
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if any(attributes.get("aria-hidden") == "true" for _, attributes in self.open):
            return
        if self._inside("td") or self._inside("th"):
            self._row[-1] += data
        if self._inside("h3"):
            self.page.headings[self._section][-1] += data
        self.page.text[self._section] = self.page.text.get(self._section, "") + data

    def _inside(self, tag: str) -> bool:
        return any(name == tag for name, _ in self.open)

    @property
    def _section(self) -> str:
        """The outer section: those inside have no name of their own."""
        return next((at["id"] or "" for name, at in self.open if name == "section" and "id" in at), "")

    @property
    def _table(self) -> str:
        labels = [at["aria-labelledby"] or "" for _, at in self.open if at.get("role") == "region"]
        return labels[-1].removesuffix("-caption") if labels else ""
