"""Rules: every name is pinned, and by something that stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from rearch.config.files import KeyPath
from rearch.config.recipes import ReadRecipe
from rearch.model.image import Base, RegistryBase
from rearch.model.lock import ArchiveName, BaseName, DebianName, GitName, Name, PackagesName, SysrootName, ToolName
from rearch.model.recipe import ArchiveSource, GitSource
from rearch.upkeep.lint_values import Finding, LintStack, Place, World

_COMMIT = re.compile(r"[0-9a-fA-F]{40}")
_SHORT = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{7,39}")


def check_pins(world: World) -> Iterator[Finding]:
    yield from _not_locked(world)
    for recipe in world.recipes:
        yield from _refs(world, recipe)
        yield from _bases(world, recipe)
    if world.whole:
        yield from _not_needed(world)


def _not_locked(world: World) -> Iterator[Finding]:
    """A row for each place. A stack of which nothing was ever locked is one row: there is one thing to do."""
    missing, begun = _missing(world)
    for stack in world.stacks:
        places = missing.get(stack.name, {})
        if stack.name not in begun and len(places) > 1:
            yield _never_locked(world, stack, sum(map(len, places.values())))
            continue
        for place, names in places.items():
            more = f", and {len(names) - 1} more" if len(names) > 1 else ""
            text = f"rearch.lock has no {_cut(names[0])}{more}"
            yield Finding(rule="unlocked", place=place, text=text, hint="`rearch lock`, and commit rearch.lock")


def _missing(world: World) -> tuple[dict[str, dict[Place, list[str]]], set[str]]:
    """Names without an entry, by stack and place, each at the first recipe that needs it; and the stacks with one."""
    read = {f"{stack.name}/{one.name}": (stack.name, one) for stack in world.stacks for one in stack.recipes}
    missing: dict[str, dict[Place, list[str]]] = {}
    begun = set[str]()
    for want in world.wanted:
        path = _path(want.name)
        stack, recipe = next((read[who] for who in want.needed_by if who in read), ("", None))
        if path is None or recipe is None:
            continue
        if world.lock.get(want.name) is not None:
            begun.add(stack)
        else:
            places = missing.setdefault(stack, {})
            places.setdefault(world.at(recipe.common, path), []).append(str(want.name))
    return missing, begun


def _never_locked(world: World, stack: LintStack, count: int) -> Finding:
    text = f"nothing of this stack is in rearch.lock yet: {count} names"
    hint = f"`rearch lock --stack {stack.name}`, and commit rearch.lock"
    return Finding(rule="unlocked", place=world.spot(stack.file, ("name",)), text=text, hint=hint)


def _cut(name: str) -> str:
    return name if len(name) <= 90 else name[:87].rpartition(" ")[0] + " ..."


def _path(name: Name) -> KeyPath | None:
    """Where a recipe names it; None for what its YAML pins by a hash of its own."""
    match name:
        case GitName() | DebianName():
            return ("source",)
        case SysrootName():
            return ("build", "go", "cgo", "packages")
        case BaseName() | PackagesName():
            return ("image", "base")
        case ArchiveName() | ToolName():
            return None
    assert_never(name)


def _not_needed(world: World) -> Iterator[Finding]:
    needed = {str(want.name) for want in world.wanted}
    for name in sorted(world.lock.entries.keys() - needed):
        text = f"no recipe needs {_cut(name)}"
        yield Finding(rule="unused-lock", place=Place("rearch.lock"), text=text, hint="`rearch lock --prune`")


def _refs(world: World, recipe: ReadRecipe) -> Iterator[Finding]:
    """Whether a name is a tag cannot be known without asking; what has no digit in it is a branch nearly always."""
    source = recipe.common.recipe.source if recipe.common.recipe else None
    place = world.at(recipe.common, ("source",))
    if isinstance(source, GitSource) and not _COMMIT.fullmatch(source.ref):
        if source.ref.startswith("refs/heads/") or not re.search("[0-9]", source.ref):
            text = f"{source.ref} is a branch, as it looks"
            yield Finding(rule="branch", place=place, text=text, hint="name a tag, or all 40 digits of a commit")
        elif _SHORT.fullmatch(source.ref):
            text = f"{source.ref} looks like part of a commit's hash"
            yield Finding(rule="short-commit", place=place, text=text, hint="write all 40 digits")
    url = source.git if isinstance(source, GitSource) else source.archive if isinstance(source, ArchiveSource) else ""
    if url.startswith(("http://", "git://")):
        text = f"{url.partition('://')[0]} is not encrypted, and nobody has to be who he says"
        yield Finding(rule="plain-http", place=place, text=text, hint="use https")


def _bases(world: World, recipe: ReadRecipe) -> Iterator[Finding]:
    for variant in recipe.variants:
        image = variant.recipe.image if variant.recipe else None
        if image is None:
            continue
        named: list[tuple[KeyPath, Base | None]] = [(("image", "base"), image.base)]
        named += [(("image", "stages", name), base) for name, base in image.stages.items()]
        for path, base in named:
            if isinstance(base, RegistryBase) and _floats(base.registry):
                text = f"{base.registry} is whatever was pushed last"
                hint = "name a version, or a digest"
                yield Finding(rule="floating-base", place=world.at(variant, path), text=text, hint=hint)


def _floats(reference: str) -> bool:
    last = reference.rpartition("/")[2]
    return "@" not in reference and (":" not in last or last.endswith(":latest"))
