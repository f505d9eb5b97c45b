"""The tables of the report: matrix, sizes, versions, what was published, audits, and the failures with their logs."""

from __future__ import annotations

from collections.abc import Iterator

from rearch.reporting.html import Html, breakable, el, link, number_head, row, table
from rearch.reporting.links import upstream
from rearch.reporting.record import Image, Outcome, Reference, Run, StepRun, Version, Words
from rearch.reporting.view import Cell, Change, Matrix, difference, failures, human, matrix

SIGNS = {
    Outcome.FAILED: "\N{MULTIPLICATION X}",
    Outcome.NOT_STARTED: "\N{WHITE CIRCLE}",
    Outcome.NOT_RUN: "!",
    Outcome.MADE: "\N{CHECK MARK}",
    Outcome.REUSED: "=",
}


def state(outcome: Outcome) -> Html:
    """An outcome as sign and word; the colour only repeats it."""
    sign = el("span", SIGNS[outcome], aria_hidden="true")
    return el("span", sign, " ", str(outcome), class_=f"state {outcome.replace(' ', '-')}")


def matrix_part(run: Run) -> Html:
    """Component x platform."""
    found = matrix(run)
    if not found.components:
        return el("p", "No step was planned.")
    rows = [row(name, *(_cell(found, name, platform) for platform in found.platforms)) for name in found.components]
    caption = "Each component on each platform: how it came out, and why"
    return table("matrix", caption, ("Component", *found.platforms), rows)


def _cell(found: Matrix, component: str, platform: str) -> Html:
    cell: Cell | None = found.cells.get((component, platform))
    if cell is None:
        return el("td", el("span", "\N{EN DASH}", aria_hidden="true"), el("span", " no steps", class_="quiet"))
    return el("td", state(cell.outcome), el("span", cell.reason, class_="why"))


def failures_part(run: Run, publish: Run | None = None) -> Html:
    """Every error of the build and of the last publish with what can be done, and the end of its log."""
    parts = [*(_failure(step, number) for number, step in enumerate(failures(run))), *map(_error, run.errors)]
    parts += [_error(words, "publish: ") for words in (publish.errors if publish else ())]
    warnings = [el("li", text) for text in (*run.warnings, *(publish.warnings if publish else ()))]
    told = el("section", el("h3", "Warnings"), el("ul", warnings)) if warnings else None
    if not parts and told is None:
        return el("p", "Nothing failed, and nothing is warned of.")
    return Html("".join(filter(None, (*parts, told))))


def _failure(step: StepRun, number: int) -> Html:
    words = step.error or Words(summary="it failed")
    shown: list[Html] = [el("h3", step.id), _words(words)]
    if step.excerpt:
        name = f"log-{number}"
        title = el("p", f"The last {len(step.excerpt)} lines of ", el("code", step.log or "its log"), id=name)
        log = el("pre", "\n".join(step.excerpt), role="region", aria_labelledby=name, tabindex="0")
        shown += [title, log]
    return el("section", shown)


def _error(words: Words, before: str = "") -> Html:
    return el("section", el("h3", before, words.where or "The whole run"), _words(words))


def _words(words: Words) -> Html:
    hint = el("p", el("strong", "Hint: "), words.hint) if words.hint else None
    details = el("ul", [el("li", line) for line in words.details]) if words.details else None
    return Html("".join(filter(None, (el("p", words.summary, class_="failed"), details, hint))))


def sizes_table(changes: tuple[Change, ...]) -> Html:
    """Bytes of every binary and image, beside what they were."""
    if not changes:
        return el("p", "No binary and no image came out of this run.")
    rows = [
        row(
            each.size.component,
            each.size.platform,
            f"{each.size.what} {each.size.name}",
            el("td", human(each.size.bytes), class_="number"),
            el("td", difference(each), class_="number"),
        )
        for each in changes
    ]
    head = ("Component", "Platform", "What", number_head("Size"), number_head("Change"))
    return table("sizes", "Sizes, and the change since it was last built", head, rows)


def versions_part(run: Run) -> Html:
    """Where everything comes from, with links to upstream."""
    if not run.versions:
        return el("p", "No source was part of this run.")
    rows = [row(one.component, one.kind, one.version, _identity(one)) for one in run.versions]
    return table("versions", "Sources and toolchains", ("Component", "Kind", "Version", "Identity"), rows)


def _identity(version: Version) -> Html:
    address = upstream(version.kind, version.url, version.identity)
    return link(el("code", version.identity), address) if address else el("code", version.identity)


def published_part(run: Run | None) -> Html:
    """What stands where, by digest."""
    if run is None:
        return el("p", "Nothing was published from here yet.")
    rows = [_reference(one) for one in run.references]
    head = ("Component", "Reference", "Digest", "State", "Platforms")
    shown = table("published", "References and digests", head, rows) if rows else el("p", "No tag was set.")
    count = len(run.errors)
    words = f"{count} error{'s' * (count != 1)}: this is not all that was to be published."
    return Html((el("p", el("a", words, href="#failures")) if count else "") + shown)


def _reference(one: Reference) -> Html:
    name = one.reference.partition("@")[0]
    return row(one.component, el("code", breakable(name)), el("code", one.digest), one.change, ", ".join(one.platforms))


def audits_part(run: Run) -> Html:
    """What the audit of every image found."""
    if not run.images:
        return el("p", "No image came out of this run.")
    rows = [
        row(
            image.component,
            image.platform,
            el("code", f"{image.repository}:{image.tag}"),
            _elves(image),
            list(_findings(image)) or "none",
            image.smoke,
        )
        for image in run.images
    ]
    head = ("Component", "Platform", "Image", "Architecture", "Findings", "Started")
    return table("audits", "Every ELF file of every layer against its image's platform", head, rows)


def _elves(image: Image) -> str:
    if image.elves is None:
        return "not known"
    return f"{image.elves} ELF files, all as labelled" + (" but those allowed" if image.allowed else "")


def _findings(image: Image) -> Iterator[Html]:
    for text in image.warnings:
        yield el("span", "warning: ", text, class_="why warning")
    for text in image.allowed:
        yield el("span", "allowed: ", text, class_="why")
