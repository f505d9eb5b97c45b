"""Which of a repository's tags are newer than the one that a recipe has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from rearch.model.watch import Scheme, Watch
from rearch.upkeep.versions import LONGEST, Version, guess_scheme, parse_version

TAGS, HEADS = "refs/tags/", "refs/heads/"
_VERSION = r"(?P<version>[0-9][0-9A-Za-z.+~_-]*)"


class Rule(Struct, frozen=True, kw_only=True):
    """How tags are read: a pattern for the whole tag, the scheme of its version, whether pre-releases count.

    `current` is the version that the recipe has, None when it cannot be read; `why` then says so.
    """

    pattern: str
    scheme: Scheme
    pre: bool
    current: Version | None
    why: str = ""


class Tag(Struct, frozen=True, kw_only=True):
    """A tag that the rule can read. `commit` is what it names, tag objects peeled."""

    name: str
    version: Version
    commit: str


class Ranked(Struct, frozen=True, kw_only=True):
    """`newer` tags, the newest last. `unread`: tags that the pattern takes and the scheme cannot read.

    `seen` is the number of tags that could be read.
    """

    newer: tuple[Tag, ...]
    unread: tuple[str, ...] = ()
    seen: int = 0


def rule_of(ref: str, version: str, watch: Watch | None) -> Rule:
    """The rule for a recipe. `ref`: its tag, empty where it has none (a commit, a branch); `version`: as it says.

    Without `watch.tags` a tag looks like `ref` around its version: `release-1.2` watches `release-*`.
    """
    watch = watch or Watch()
    pattern = watch.tags or _pattern(ref, version)
    text = _version_in(pattern, ref) or _version_in(pattern, version) or _bare(version)
    scheme = watch.scheme or guess_scheme(text)
    current = parse_version(scheme, text)
    why = "" if current else f"{text or ref!r} cannot be read as a version of scheme {scheme}"
    pre = watch.pre if watch.pre is not None else bool(current and current.pre)
    return Rule(pattern=pattern, scheme=scheme, pre=pre, current=current, why=why)


def rank_tags(refs: Mapping[str, str], rule: Rule) -> Ranked:
    """The tags after `rule.current`. `refs`: as `git ls-remote` lists them, in full, with `^{}` lines."""
    found, unread = [], []
    for name in tag_names(refs):
        text = _version_in(rule.pattern, name)
        if text is None:
            continue
        version = parse_version(rule.scheme, text)
        if version is None:
            unread.append(name)
        else:
            found.append(Tag(name=name, version=version, commit=commit_of(TAGS + name, refs)))
    return Ranked(newer=_newer(found, rule), unread=tuple(unread), seen=len(found))


def _newer(tags: Iterable[Tag], rule: Rule) -> tuple[Tag, ...]:
    if rule.current is None:
        return ()
    after = [tag for tag in tags if tag.version > rule.current and (rule.pre or not tag.version.pre)]
    # Two tags of one version (v1.0 and v1.0.0): the order of their names decides, on every machine.
    by_name = sorted(after, key=lambda tag: tag.name)
    return tuple(sorted(by_name, key=lambda tag: tag.version))


def tag_names(refs: Mapping[str, str]) -> tuple[str, ...]:
    """All tags of a listing, without `refs/tags/`, sorted."""
    names = (name.removeprefix(TAGS) for name in refs if name.startswith(TAGS) and not name.endswith("^{}"))
    return tuple(sorted(name for name in names if len(name) <= LONGEST))


def commit_of(name: str, refs: Mapping[str, str]) -> str:
    """What a ref (in full) names, tag objects peeled. Errors: KeyError when there is no such ref."""
    return refs.get(f"{name}^{{}}") or refs[name]


def _version_in(pattern: str, tag: str) -> str | None:
    found = re.fullmatch(pattern, tag[:LONGEST])
    return found["version"] if found else None


def _bare(version: str) -> str:
    """`v1.2` -> `1.2`: without what stands before the first digit."""
    return re.sub(r"\A[^0-9]*", "", version)


def _pattern(ref: str, version: str) -> str:
    """The tag with its version left open."""
    bare = _bare(version)
    before, found, after = ref.rpartition(bare) if bare else (ref, "", "")
    if found:
        return re.escape(before) + _VERSION + re.escape(after)
    mark = re.match(r"[^0-9]*", ref or version)
    return (re.escape(mark[0]) if mark and mark[0] else "v?") + _VERSION
