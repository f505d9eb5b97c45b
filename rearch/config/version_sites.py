"""Where a component says which version it is: the texts that a new version changes, wherever they stand.

`ref: "v${{ version }}"` leads to `version`, `${{ vars.tag }}` to a variable, which can stand in the recipe, under
`defaults` of the stack or in a file that it includes. A ref or URL in plain text that holds the version moves with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from rearch.config.expressions import MARK
from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.layers import at, merged, origin
from rearch.config.problems import key_path, shown
from rearch.config.recipes import Variant, read_recipe
from rearch.config.stacks import read_stack
from rearch.config.yaml_edit import line_of, replace_scalar
from rearch.config.yaml_tree import Data
from rearch.errors import UsageError

SourceKind: TypeAlias = Literal["git", "archive", "debian", "path"]

_EXPRESSION = re.compile(r"\$\{\{\s*(version|vars\.(\w+))\s*\}\}")


class VersionHidden(UsageError):
    """The version cannot be found, or not be changed by a program."""

    def __init__(self, component: str, place: str, why: str) -> None:
        self.component = component
        self.place = place
        super().__init__(f"{component}: {why}", [f"in {place}"], hint="edit the YAML by hand, then run `invoke lock`")


class Site(Struct, frozen=True, kw_only=True):
    """A scalar of a file of the project: `text` as it is now, `path` inside the file, `line` from 1."""

    file: str
    path: KeyPath
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class VersionSites(Struct, frozen=True, kw_only=True):
    """`version` is the text that says it; None for a Debian source that takes what apt offers.

    Tag or URL are `before` + version + `after` (of an archive's URL nothing is known). `beside` hold the version as
    plain text. `sha256` is the archive's.
    """

    kind: SourceKind
    version: Site | None
    before: str = ""
    after: str = ""
    beside: tuple[Site, ...] = ()
    sha256: Site | None = None

    @property
    def current(self) -> str:
        return self.version.text if self.version else ""

    def edits(self, new: str, sha256: str = "") -> tuple[tuple[Site, str], ...]:
        """What each place has to say for a new version."""
        edits = [(self.version, new)] if self.version else []
        edits += [(site, moved(site.text, self.current, new)) for site in self.beside]
        if self.sha256 is not None and sha256:
            edits.append((self.sha256, sha256))
        return tuple((site, text) for site, text in edits if text != site.text)


def moved(text: str, old: str, new: str) -> str:
    """A text with the version in it replaced, with or without its leading v: URLs often have both."""
    if old.startswith("v") and new.startswith("v"):
        old, new = old[1:], new[1:]
    return _standing(old).sub(lambda _found: new, text)


def _standing(version: str) -> re.Pattern[str]:
    """A version that is no part of a longer one: 1.2 is not in 11.2 nor in 1.2.3."""
    return re.compile(rf"(?<!\d)(?<!\d\.){re.escape(version)}(?!\.?\d)")


def version_sites(root: Path, stack: str, name: str) -> VersionSites:
    """Of a component of a project that is known to be right. Errors: VersionHidden."""
    files = ProjectFiles(root)
    read = read_stack(files, stack)
    if read is None:
        raise VersionHidden(f"{stack}/{name}", f"recipes/{stack}", "its stack cannot be read")
    recipe = read_recipe(files, stack=stack, name=name, file=read.file(name), defaults=read.defaults)
    if recipe is None or files.problems:
        raise VersionHidden(f"{stack}/{name}", f"recipes/{stack}", "its recipe cannot be read")
    return _Sites(files, f"{stack}/{name}", recipe.common).found()


def edited_texts(root: Path, edits: tuple[tuple[Site, str], ...]) -> dict[str, tuple[str, str]]:
    """File -> its text before and after all edits in it. Errors: CannotEdit, Unreadable."""
    files = ProjectFiles(root)
    done: dict[str, tuple[str, str]] = {}
    for site, new in edits:
        before, now = done.get(site.file) or (files.read_text(site.file),) * 2
        done[site.file] = (before, replace_scalar(site.file, now, site.path, new))
    return done


class _Sites:
    def __init__(self, files: ProjectFiles, component: str, variant: Variant) -> None:
        self._files = files
        self._component = component
        self._layers = variant.layers
        self._raw: Mapping[str, Data] = merged(variant.layers)
        self._rendered = variant.rendered.data

    def found(self) -> VersionSites:
        source = self._raw.get("source")
        keys = source if isinstance(source, dict) else {}
        if "git" in keys:
            return self._git()
        if "archive" in keys:
            return self._archive()
        if "debian" in keys:
            version = self._trace(("source", "version"))[0] if "version" in keys else None
            return VersionSites(kind="debian", version=version)
        return VersionSites(kind="path", version=None)

    def _git(self) -> VersionSites:
        site, before, after = self._trace(("source", "ref"))
        said = self._raw.get("version")
        if site.path[-1] != "ref" or not isinstance(said, str):
            return VersionSites(kind="git", version=site, before=before, after=after)
        version = self._trace(("version",))[0]
        return self._beside("git", version, site) or VersionSites(kind="git", version=site)

    def _beside(self, kind: SourceKind, version: Site, plain: Site) -> VersionSites | None:
        """A plain text with the version in it; None when it is not."""
        word = version.text
        hit = _standing(word).search(plain.text) or (
            _standing(word[1:]).search(plain.text) if word.startswith("v") else None
        )
        if hit is None:
            return None
        before, after = plain.text[: hit.start()], plain.text[hit.end() :]
        if hit[0] != word:  # version v1.2 of the tag 1.2: the tags are not what the versions are
            return VersionSites(kind=kind, version=version, beside=(plain,))
        return VersionSites(kind=kind, version=version, before=before, after=after, beside=(plain,))

    def _archive(self) -> VersionSites:
        url = at(dict(self._raw), ("source", "archive"))
        sha256 = self._trace(("source", "sha256"))[0]
        if isinstance(url, str) and MARK in url:
            names = {found[1] for found in _EXPRESSION.finditer(url)}
            name = "version" if "version" in names or not names else sorted(names)[0]
            version = self._named(name)
            return VersionSites(kind="archive", version=version, sha256=sha256)
        plain = self._site(("source", "archive"))
        sites = self._beside("archive", self._trace(("version",))[0], plain)
        if sites is None:
            raise VersionHidden(self._component, str(plain), "the version does not stand in the archive's URL")
        return VersionSites(kind="archive", version=sites.version, beside=sites.beside, sha256=sha256)

    def _named(self, name: str) -> Site:
        return self._trace(("version",) if name == "version" else ("vars", name.removeprefix("vars.")))[0]

    def _trace(self, path: KeyPath) -> tuple[Site, str, str]:
        """The plain text that the value at a path is made of, and what stands before and after it there."""
        before = after = ""
        seen: set[KeyPath] = set()
        while True:
            site = self._site(path)
            if MARK not in site.text or path in seen:
                return site, before, after
            seen.add(path)
            pieces = list(_EXPRESSION.finditer(site.text))
            chosen = [piece for piece in pieces if piece[1] == "version"] or pieces
            if len(chosen) != 1 or site.text.count(MARK) != len(pieces):
                raise VersionHidden(
                    self._component, str(site), f"no single version can be told from {shown(site.text)}"
                )
            piece = chosen[0]
            before += self._filled(site.text[: piece.start()])
            after = self._filled(site.text[piece.end() :]) + after
            path = ("version",) if piece[1] == "version" else ("vars", str(piece[2]))

    def _filled(self, text: str) -> str:
        """The text with the values of its variables."""

        def value(found: re.Match[str]) -> str:
            known = at(self._rendered, ("vars", found[2]) if found[2] else ("version",))
            return known if isinstance(known, str) else found[0]

        return _EXPRESSION.sub(value, text)

    def _site(self, path: KeyPath) -> Site:
        layer = origin(self._layers, path)
        text = at(dict(self._raw), path)
        if layer is None or not isinstance(text, str):
            raise VersionHidden(self._component, key_path(path), f"there is no {key_path(path)}")
        inside = (*layer.prefix, *path)
        line = line_of(self._files.text(layer.file), inside)
        return Site(file=layer.file, path=inside, line=line, text=text)


def lines_changed(before: str, after: str) -> Iterator[tuple[int, str, str]]:
    """The lines that differ, by number from 1 in the text before. A scalar that went over several lines may stand on
    one afterwards: where a side has no such line, it is empty."""
    old, new = before.splitlines(), after.splitlines()
    for kind, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        pairs = zip_longest(old[first:last], new[start:end], fillvalue="") if kind != "equal" else ()
        yield from ((first + number, *pair) for number, pair in enumerate(pairs, 1))
