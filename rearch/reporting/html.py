"""HTML as values: what is not Html is text, and text is escaped. So a name from upstream can never become a tag."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

VOID = frozenset(["meta", "link", "br", "wbr"])
# C0 (but tab and line feed), C1, and the marks that turn the direction of text around: a log must not rewrite a page.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_SLASH = re.compile(r"(?<!\blinux)/")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Html:
    """Escaped, and seen()."""
    return Html(html.escape(seen(str(value))))


def seen(value: str) -> str:
    """Text without what cannot be seen: U+FFFD stands for it."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", value)


def el(name: str, *children: object, **attributes: str | bool | None) -> Html:
    """An element. `class_` is class, `aria_label` is aria-label; None and False leave an attribute out."""
    head = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{head}>")
    return Html(f"<{name}{head}>{''.join(_flat(children))}</{name}>")


def _attribute(key: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(value)}"'


def _flat(children: Iterable[object]) -> Iterator[str]:
    for child in children:
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str):
            yield text(child)
        elif isinstance(child, Iterable):
            yield from _flat(child)
        elif child is not None:
            yield text(child)


def table(name: str, caption: object, head: Iterable[object], rows: Iterable[Html]) -> Html:
    """A table in a region of its own that can be focused and scrolled: a phone's page never scrolls sideways."""
    top = el("tr", [each if _is(each, "th") else el("th", each, scope="col") for each in head])
    whole = el("table", el("caption", caption, id=f"{name}-caption"), el("thead", top), el("tbody", list(rows)))
    return el("div", whole, class_="scroll", role="region", aria_labelledby=f"{name}-caption", tabindex="0")


def row(first: object, *cells: object) -> Html:
    """A row whose first cell names it. A cell that is an Html `td` stays as it is."""
    rest = [each if _is(each, "td") else el("td", each) for each in cells]
    return el("tr", el("th", breakable(first) if type(first) is str else first, scope="row"), rest)


def number_head(name: str) -> Html:
    """The head of a column of numbers, which stand at the right."""
    return el("th", name, scope="col", class_="number")


def breakable(name: str) -> Html:
    """A name whose line may end behind a slash, so that it need not end inside a word; `linux/...` stays together."""
    return Html(_SLASH.sub("/<wbr>", text(name)))


def _is(value: object, tag: str) -> bool:
    return isinstance(value, Html) and value.startswith(f"<{tag}")


def link(label: object, address: str | None) -> Html:
    """A link, or the label alone. The page that is opened learns nothing of this one."""
    return text(label) if address is None else el("a", label, href=address, rel="noreferrer noopener")
