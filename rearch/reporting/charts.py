"""History plots: static SVG, made by leather, with what a reader of it and the page's own colours need.

leather gives geometry (scales, axes, lines) with fixed colours; here these go, for the page's style sheet sets them
for light and dark, and a title and a description come, for those who hear the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree

from msgspec import Struct

from rearch.reporting.html import Html, text

WIDTH, HEIGHT = 480, 200
# leather gives the last label of an axis half of its room.
BESIDE = 36
# leather rounds the ends of a scale to what reads well: a round width makes the line end where the axis does.
SPAN = 100
_SVG = "http://www.w3.org/2000/svg"
_LONG = re.compile(r"-?[0-9]+\.[0-9]{2,}")
_COLOURS = ("fill", "stroke", "font-family")


class Point(Struct, frozen=True, kw_only=True):
    """`label` stands on the axis below."""

    label: str
    value: float


def line_chart(name: str, title: str, points: Sequence[Point], show: Callable[[float], str]) -> Html:
    """One line over the points, two or more. `name` is unique in the page; `show` words a value."""
    described = (
        f"{len(points)} runs, from {points[0].label} to {points[-1].label}; first {show(points[0].value)}, "
        f"last {show(points[-1].value)}, least {show(min(point.value for point in points))}, "
        f"most {show(max(point.value for point in points))}."
    )
    root = ElementTree.fromstring(_drawn(points, show))  # noqa: S314 - leather made it, a line ago
    root.attrib.clear()
    root.attrib.update(viewBox=f"0 0 {WIDTH + BESIDE} {HEIGHT}", role="img", focusable="false")
    root.attrib["aria-labelledby"] = f"{name}-title {name}-desc"
    for element in root.iter():
        _tidy(element)
    background = root[0][0]
    root[0].remove(background)
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    ours = f'<title id="{text(name)}-title">{text(title)}</title><desc id="{text(name)}-desc">{text(described)}</desc>'
    head = "".join(f' {key}="{text(value)}"' for key, value in root.attrib.items())
    return Html(f"<svg{head}>{ours}{inside}</svg>")


def _drawn(points: Sequence[Point], show: Callable[[float], str]) -> str:
    import leather

    values = [point.value for point in points]
    last = len(points) - 1
    places = [SPAN * number / last for number in range(last + 1)]
    ticks = dict.fromkeys((0, last // 2, last))  # first, middle, last: more would overlap
    labels = {places[number]: points[number].label for number in ticks}
    chart = leather.Chart()
    chart.add_x_scale(0, SPAN)
    chart.add_y_scale(*bounds(values))
    chart.add_x_axis(ticks=list(labels), tick_formatter=lambda value, _index, _count: labels[value])
    chart.add_y_axis(tick_formatter=lambda value, _index, _count: show(float(value)))
    chart.add_line(list(zip(places, values, strict=True)))
    return str(chart.to_svg(width=WIDTH, height=HEIGHT))


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """The ends of the axis: a tenth of the span more on both sides, never below 0, never nothing."""
    low, high = min(values), max(values)
    room = (high - low) / 10 or abs(high) / 10 or 1.0
    return max(0.0, low - room), high + room


def _tidy(element: ElementTree.Element) -> None:
    element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    for name in _COLOURS:
        if element.get(name) != "none":
            element.attrib.pop(name, None)
    for name, value in element.attrib.items():
        element.set(name, _LONG.sub(lambda found: f"{float(found[0]):.1f}", value))
