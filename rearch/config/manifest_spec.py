"""manifest-tool's two ways to say what is joined: a spec file, and the arguments of `push from-args`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.problems import ConfigProblems, Problem
from rearch.config.translate import Target, Wrong, validate
from rearch.errors import UsageError
from rearch.model.publish import (
    ManifestSpec,
    SpecManifest,
    SpecPlatform,
    platform_problems,
)
from rearch.model.reference import NO_LOGIN, BadReference, hide_login, parse_reference
from rearch.model.tag import TAG_RULE, is_tag

_WORDS = ("ARCH", "OS", "VARIANT")
# The key stays, and what follows up to the last @ of no digest goes: a password may have blanks and colons.
_LINE_LOGIN = re.compile(r"""(?P<key>^\s*(?:-\s+)*(?:[\w"']+\s*:\s+)?["']?)(?P<login>.+)(?=@(?!sha256:))""")


class BadManifestSpec(ConfigProblems):
    """Everything that is wrong in a spec file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__(problems)
        self.hint = self.hint and "schema/manifest-spec.json describes every key"


class BadManifestArguments(UsageError):
    """Everything that is wrong in --platforms, --template, --target and --tags. `problems`: each in a line."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(
            "the images to join are not said well",
            self.problems,
            "as in --platforms linux/amd64,linux/arm/v7 --template example.org/a:1-ARCHVARIANT --target example.org/a",
        )


def read_manifest_spec(path: Path) -> ManifestSpec:
    """Read a spec file of manifest-tool, wherever it lies.

    Every scalar is text (`architecture: 386`, `tags: [3.6, 3]`). Unlike manifest-tool, which takes the first and drops
    the others, a second document is refused. Errors: BadManifestSpec, with everything that is wrong.
    """
    try:
        place = Path(os.path.realpath(path))
    except ValueError:
        raise BadManifestSpec([Problem(file=str(path), line=0, column=0, text="no file can have that name")]) from None
    files = ProjectFiles(place.parent)
    spec = _checked(files, place.name)
    if spec is None or files.problems:
        raise BadManifestSpec(_shown(problem, path) for problem in files.problems)
    return spec


def without_value(wrong: Wrong) -> Wrong:
    """The error without the value that it quotes, perhaps cut before the @, where that holds a login."""
    return replace(wrong, after=f": {NO_LOGIN}") if NO_LOGIN in wrong.after else wrong


def _shown(problem: Problem, path: Path) -> Problem:
    """The problem under the name that the user gave the file, and without a login that stands in its line."""
    return replace(problem, file=str(path), source=line_without_login(problem.source))


def line_without_login(source: str) -> str:
    """A line of YAML with stars for what may be a login before an image's name; as long as before."""
    return _LINE_LOGIN.sub(lambda found: found["key"] + "*" * len(found["login"]), source)


def _checked(files: ProjectFiles, name: str) -> ManifestSpec | None:
    data = files.yaml(name)
    if data is None:
        return None
    spec, wrongs = validate(ManifestSpec, data)
    for wrong in wrongs:
        path: KeyPath = wrong.path[:-1] if wrong.target is Target.MISSING else wrong.path
        say = files.key if wrong.target is Target.KEY else files.value
        say(name, path, without_value(wrong).sentence(), wrong.hint)
    return spec


def from_args(
    platforms: Sequence[str] | str, template: str, target: str, tags: Sequence[str] | str = ()
) -> ManifestSpec:
    """What manifest-tool's `push from-args` takes.

    `platforms`: `os/arch` or `os/arch/variant`, also as one text with commas. In `template` the first ARCH, then the
    first OS, then the first VARIANT is replaced (v2/cmd/manifest-tool/push.go); a platform without a variant leaves
    nothing in its place. `tags` are more tags of the target. Errors: BadManifestArguments, with all that is wrong.
    """
    problems: list[str] = []
    read = [found for text in _split(platforms) if (found := _platform(text, problems)) is not None]
    if not _split(platforms):
        problems.append("--platforms is empty")
    images = [_image(template, platform, problems) for platform in read]
    problems += [*_same_platforms(read), *_same_names(template, read, images), *_target(target), *_tags(tags)]
    if problems:
        raise BadManifestArguments(problems)
    manifests = tuple(
        SpecManifest(image=image, platform=platform) for image, platform in zip(images, read, strict=True)
    )
    return ManifestSpec(image=target, tags=tuple(_split(tags)), manifests=manifests)


def _split(words: Sequence[str] | str) -> list[str]:
    listed = [words] if isinstance(words, str) else words
    return [part.strip() for word in listed for part in word.split(",") if part.strip()]


def _platform(text: str, problems: list[str]) -> SpecPlatform | None:
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        problems.append(f"--platforms: {text!r} is not os/arch or os/arch/variant")
        return None
    system, architecture, variant = (*parts, "")[:3]
    found = [*platform_problems(system, architecture, variant)]
    problems += [f"--platforms: {text}: {problem}" for problem in found]
    return None if found else SpecPlatform(os=system, architecture=architecture, variant=variant)


def _image(template: str, platform: SpecPlatform, problems: list[str]) -> str:
    """The name for one platform."""
    image = template
    for word, value in zip(_WORDS, (platform.architecture, platform.os, platform.variant), strict=True):
        image = image.replace(word, value, 1)
    try:
        parse_reference(image)
    except BadReference as error:
        why = f"at character {error.at + 1}, {error.why}"
        problems.append(
            f"--template: {hide_login(image)!r} for {platform} is no reference: {why}{_why(template, platform, image)}"
        )
    return image


def _why(template: str, platform: SpecPlatform, image: str) -> str:
    if "VARIANT" in template and not platform.variant:
        return f"; VARIANT is empty for {platform}: write ARCHVARIANT, or name the images in a spec file"
    left = [word for word in _WORDS if word in image]
    return f"; {' and '.join(left)} is replaced once alone" if left else ""


def _same_names(template: str, platforms: Sequence[SpecPlatform], images: Sequence[str]) -> Iterator[str]:
    first: dict[str, SpecPlatform] = {}
    for image, platform in zip(images, platforms, strict=True):
        other = first.setdefault(image, platform)
        if other.key != platform.key:
            missing = next(
                (word for word in _WORDS if word not in template and _differs(word, other, platform)), "ARCH"
            )
            yield f"--template gives {hide_login(image)} for {other} and for {platform}: put {missing} into it"


def _differs(word: str, one: SpecPlatform, other: SpecPlatform) -> bool:
    field = {"ARCH": "architecture", "OS": "os", "VARIANT": "variant"}[word]
    return bool(getattr(one, field) != getattr(other, field))


def _same_platforms(platforms: Sequence[SpecPlatform]) -> Iterator[str]:
    first: dict[tuple[str, ...], SpecPlatform] = {}
    for platform in platforms:
        if platform.key in first:
            yield f"--platforms: {platform} stands there twice, first as {first[platform.key]}"
        first.setdefault(platform.key, platform)


def _target(target: str) -> Iterator[str]:
    try:
        reference = parse_reference(target)
    except BadReference as error:
        yield f"--target: {hide_login(target)!r} is no reference: at character {error.at + 1}, {error.why}"
        return
    if reference.digest is not None:
        yield "--target: a digest cannot be written to: name a tag"


def _tags(tags: Sequence[str] | str) -> Iterator[str]:
    for tag in _split(tags):
        if not is_tag(tag):
            yield f"--tags: {tag!r} is no tag: {TAG_RULE}"
