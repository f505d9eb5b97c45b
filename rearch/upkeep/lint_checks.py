"""Rules: what is not tried, what is let pass, what runs under emulation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rearch.config.recipes import ReadRecipe, Variant
from rearch.model.image import Image
from rearch.upkeep.lint_values import Finding, Place, World

_FROM = re.compile(r"^\s*FROM\s+(?P<flags>(?:--\S+\s+)*)(?P<image>\S+)", re.IGNORECASE)
_RUN = re.compile(r"^\s*RUN\s+(?P<command>.*)", re.IGNORECASE)
_INSTEAD = (
    (r"\bgo\s+(?:build|install)\b|\bmake\b", "cross-compile it: `build.go` of the recipe, or a recipe of its own"),
    (r"\bapt(?:-get)?\s+(?:\S+\s+)*install\b", "`image.base: {debian: ..., packages: [...]}` unpacks packages"),
    (r"\b(?:curl|wget)\b", "fetch it as a source, or in a stage `FROM --platform=$BUILDPLATFORM`, and COPY it"),
)
_OTHERWISE = "do it in a stage `FROM --platform=$BUILDPLATFORM`, and COPY the result"
# For programs that do their work whatever they are told.
_UNSTARTED = "# rearch: ignore=no-smoke WHY"
_WORDLESS = {"todo", "tbd", "fixme", "..."}


def check_checks(world: World) -> Iterator[Finding]:
    for recipe in world.recipes:
        yield from _untried(world, recipe)
        for variant in recipe.variants:
            yield from _allowances(world, variant)
            yield from _expectations(world, variant)
    yield from _runs(world)


def _untried(world: World, recipe: ReadRecipe) -> Iterator[Finding]:
    found = recipe.common.recipe
    if found is None:
        return
    if found.build.go.binaries and not found.smoke and not any(v.recipe and v.recipe.smoke for v in recipe.variants):
        place = world.at(recipe.common, ("build", "go", "binaries"))
        hint = (
            f"smoke: [{{run: [{next(iter(found.build.go.binaries))}, --help], expect: ...}}], or `{_UNSTARTED}` there"
        )
        yield Finding(rule="no-smoke", place=place, text="nothing starts these programs", hint=hint)
    if found.image is not None and not found.image.smoke:
        place = world.at(recipe.common, ("image",))
        hint = "image.smoke: [{run: [/path/of/program, --help]}]"
        yield Finding(rule="no-image-smoke", place=place, text="nothing is started in this image", hint=hint)
    if found.summary.lower().strip(" .") in {*_WORDLESS, found.name} or len(found.summary) < 8:
        place = world.at(recipe.common, ("summary",))
        yield Finding(rule="poor-summary", place=place, text=f"{found.summary!r} says nothing", hint="say what it does")


def _allowances(world: World, variant: Variant) -> Iterator[Finding]:
    """What `verify`, `patch` and `audit` let pass, without need or beyond it."""
    recipe = variant.recipe
    if recipe is None:
        return
    static = recipe.build.go.cgo is None or recipe.build.go.cgo.link == "static"
    for key in ("glibc", "libraries"):
        if static and recipe.verify.link in (None, "static") and getattr(recipe.verify, key) is not None:
            text = f"verify.{key} is about shared libraries, and these binaries are static"
            place = world.at(variant, ("verify", key))
            yield Finding(rule="needless-allowance", place=place, text=text, hint="remove it")
    if recipe.build.go.cgo is None and recipe.verify.link in ("any", "dynamic"):
        text = f"verify.link is {recipe.verify.link}, and without cgo binaries are static"
        place = world.at(variant, ("verify", "link"))
        yield Finding(rule="needless-allowance", place=place, text=text, hint="remove it")
    if recipe.patch.fuzz:
        text = f"patches may be put {recipe.patch.fuzz} lines off what they say"
        place = world.at(variant, ("patch", "fuzz"))
        yield Finding(rule="fuzz", place=place, text=text, hint="refresh the patches, then remove `fuzz`")
    if recipe.image is not None:
        yield from _audit(world, variant, recipe.image)


def _audit(world: World, variant: Variant, image: Image) -> Iterator[Finding]:
    for index, allowed in enumerate(image.audit):
        place = world.at(variant, ("image", "audit", index))
        parts = [part for part in allowed.path.split("/") if part]
        if not parts or "*" in parts[0] or (len(parts) <= 2 and parts[-1] == "**"):
            text = f"{allowed.path} lets most of the image pass"
            yield Finding(rule="wide-allowance", place=place, text=text, hint="name the files")
        elif image.base is None and not any(_could_be(allowed.path, file.to) for file in image.files):
            text = f"no file of the image is at {allowed.path}"
            yield Finding(rule="needless-allowance", place=place, text=text, hint="remove it")


def _could_be(pattern: str, to: str) -> bool:
    """Whether a path that is put at `to`, or below it, can match a pattern, as far as its fixed beginning says."""
    fixed = re.split(r"[*?\[]", pattern)[0]
    return fixed.startswith(to) or to.startswith(fixed)


def _expectations(world: World, variant: Variant) -> Iterator[Finding]:
    recipe = variant.recipe
    checks = [("smoke", recipe.smoke)] if recipe else []
    for key, smokes in checks:
        for index, smoke in enumerate(smokes):
            if smoke.expect is not None and re.compile(smoke.expect, re.MULTILINE).search("") is not None:
                text = f"{smoke.expect!r} is found in an empty output, too"
                place = world.at(variant, (key, index, "expect"))
                yield Finding(
                    rule="empty-expect", place=place, text=text, hint="expect a text that only success prints"
                )


def _runs(world: World) -> Iterator[Finding]:
    """RUN in the project's templates. A template is read as it stands, before Jinja: its places are the file's."""
    builders: dict[str, set[str]] = {}
    for recipe in world.recipes:
        for variant in recipe.variants:
            if variant.recipe is not None and variant.recipe.image is not None:
                image = variant.recipe.image
                builders.setdefault(image.template, set()).add(image.builder)
    for template in world.templates:
        used = builders.get(template.name, set())
        if not used:
            continue
        for line, command in _foreign_runs(template.text):
            hint = next((hint for pattern, hint in _INSTEAD if re.search(pattern, command)), _OTHERWISE)
            place = Place(template.file, line, 1)
            if "embedded" in used:
                text = "RUN, and a recipe builds this template with the embedded builder, which cannot"
                yield Finding(rule="run-embedded", place=place, text=text, hint=f"{hint}; or `image.builder: docker`")
            else:
                text = f"runs under emulation on another CPU: {command[:60]}"
                yield Finding(rule="foreign-run", place=place, text=text, hint=hint)


def _foreign_runs(text: str) -> Iterator[tuple[int, str]]:
    native, pending = False, None
    for number, line in enumerate(text.splitlines(), 1):
        if pending is not None:
            pending = (pending[0], f"{pending[1].rstrip(chr(92))} {line.strip()}")
        elif found := _FROM.match(line):
            native = "$BUILDPLATFORM" in found["flags"].replace("{", "").replace("}", "")
        elif (found := _RUN.match(line)) and not native:
            pending = (number, found["command"])
        if pending is not None and not line.rstrip().endswith("\\"):
            yield pending
            pending = None
