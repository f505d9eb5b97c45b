"""Which tags an image gets: `--tag` templates, and tags for single platforms.

| name | what it is | as in |
|---|---|---|
| `tag` | the image's own tag, as in output/images; also what is used where no `--tag` is given | v0.3.8 |
| `version` | version of the component, with _ for what no tag has | v0.3.8 |
| `date` | day of the source's time, or of the time that the run was told, UTC | 2024-05-17 |
| `timestamp` | the same in seconds since 1970 | 1715938200 |
| `commit`, `short_commit` | commit of a git source, and its first seven digits | 1f2e3d4 |
| `channel` | what `--channel` says | nightly |

`date` is the day of what recipes call so: the time of day has colons, which no tag has. It is the source's and not
the clock's, so that a night without a new commit has no new tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from rearch.errors import UsageError
from rearch.model.platform import Platform, parse_platform
from rearch.model.tag import TAG_RULE, is_tag

NAMES = ("tag", "version", "date", "timestamp", "commit", "short_commit", "channel")
# OCI image specification, "Pre-Defined Annotation Keys".
PREFIX = "org.opencontainers.image."
OWN = "${{ tag }}"
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MISSING = {
    "version": "the component has no version",
    "commit": "only a git source has a commit",
    "short_commit": "only a git source has a commit",
    "channel": "say --channel",
    "date": "the image tells no time: set SOURCE_DATE_EPOCH for the build",
    "timestamp": "the image tells no time: set SOURCE_DATE_EPOCH for the build",
}


class BadTags(UsageError):
    """Everything that is wrong with the tags of a publish, for all images. `problems`: each in a line."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(
            "the tags cannot be made",
            self.problems,
            hint=f"in --tag, ${{{{ NAME }}}} can stand for {', '.join(NAMES)}",
        )


def tag_values(own: str, annotations: Mapping[str, str], *, channel: str, time: int | None) -> Mapping[str, str]:
    """Name: text for one image, from its index's own annotations; without those that are not known.

    `time`: seconds since 1970 to use instead of the source's. Errors: none.
    """
    revision = annotations.get(f"{PREFIX}revision", "")
    commit = revision if _COMMIT.fullmatch(revision) else ""
    seconds = _created(annotations.get(f"{PREFIX}created", "")) if time is None else time
    found = {
        "tag": own,
        "version": re.sub(r"[^A-Za-z0-9_.-]", "_", annotations.get(f"{PREFIX}version", "")),
        "commit": commit,
        "short_commit": commit[:7],
        "channel": channel,
        "date": "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d"),
        "timestamp": "" if seconds is None else str(seconds),
    }
    return {name: value for name, value in found.items() if value}


def _created(text: str) -> int | None:
    """Seconds since 1970; None for what is no RFC 3339 time."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return None


def expand_tags(
    templates: Sequence[str], values: Mapping[str, str], *, image: str
) -> tuple[tuple[str, ...], list[str]]:
    """The tags, each once, in their order, and what is wrong with them. `image` is for messages."""
    problems: list[str] = []
    tags = []
    for template in templates or (OWN,):
        wrong = [*_wrong(template, values)]
        text = _EXPRESSION.sub(lambda found: values.get(found[1].strip(), ""), template)
        if not wrong and not is_tag(text):
            wrong.append(f"{text!r} is no tag: {TAG_RULE}")
        problems += [f"{image}: --tag {template!r}: {why}" for why in wrong]
        tags.append(text)
    return tuple(dict.fromkeys(tags)), problems


def _wrong(template: str, values: Mapping[str, str]) -> Iterator[str]:
    for found in _EXPRESSION.finditer(template):
        name = found[1].strip()
        if name not in NAMES:
            yield f"{name!r} is not known{_near(name)}"
        elif name not in values:
            yield f"{name} is not known for this image: {_MISSING.get(name, 'it has none')}"
    if "${{" in _EXPRESSION.sub("", template):
        yield "`${{` is not closed with `}}`"


def _near(name: str) -> str:
    import difflib

    found = difflib.get_close_matches(name.lower(), NAMES, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def arch_tag(tag: str, platform: Platform) -> str:
    """The tag of one platform's image: Rancher's `tag_arm64`, `tag_arm` (its scripts/package, with dapper's ARCH).

    32-bit arm without a variant is arm/v7, for dapper's host and for containerd alike, so arm/v6 is `_arm_v6`: a
    suffix says the same whatever else was built. Rancher's amd64 has no suffix; here the tag without suffix names the
    index, from which amd64 hosts get that image, and alone it is `_amd64`.
    """
    bare = parse_platform(f"{platform.os}/{platform.oci_architecture}") == platform
    variant = "" if bare else f"_{platform.oci_variant}"
    return f"{tag}_{platform.oci_architecture}{variant}"
