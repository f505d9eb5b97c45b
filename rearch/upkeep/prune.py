"""Which dated tags of a repository go, and which manifests go with them: decided before anything is deleted.

A dated tag goes when it is neither among the newest nor young. What a clock that was wrong has named is no reason to
remove anything: newest is what has the latest days, and what was published last as well. Deleting is by digest
(distribution specification 1.1, "Deleting Manifests"; tags alone are deleted by few registries), and takes every tag of
that digest along: so what any other tag names stays, and so does every image of an index that stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct

# A machine whose clock has jumped by more than this would take all of the repository for old.
LONGEST_PAUSE = 366


class PrunePolicy(Struct, frozen=True, kw_only=True):
    """`keep`: newest nights that stay, at least 1; `days`: younger ones stay, too. `order`: dated tags in the order in
    which this machine has published them, as far as it knows. `sure`: the clock is right, however long the last pause
    was."""

    channel: str
    keep: int
    days: float
    order: tuple[str, ...] = ()
    sure: bool = False


class Dated(Struct, frozen=True, kw_only=True):
    """A dated tag: `nightly-2024-05-17-2` is the second of its day. `suffix`: `_arm64` of a tag for one platform."""

    tag: str
    day: date
    number: int
    suffix: str = ""


class LiveManifest(Struct, frozen=True, kw_only=True):
    """What a tag names. `children`: the digests of all that an index joins, none of an image."""

    digest: str
    children: tuple[str, ...] = ()


class PrunePlan(Struct, frozen=True, kw_only=True):
    """What goes from one repository. `tags`: tag -> digest, the oldest first. `manifests`: digests in the order in
    which they are deleted, indexes before what they join. `spared`: old tags that stay, with the reason."""

    tags: Mapping[str, str]
    manifests: tuple[str, ...]
    spared: Mapping[str, str]


def dated(tag: str, channel: str) -> Dated | None:
    """What a tag of the channel's says; None for any other tag, which is never touched."""
    found = re.fullmatch(
        rf"{re.escape(channel)}-([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:-([2-9]|[1-9][0-9]))?((?:_[a-z0-9]+)*)", tag
    )
    if found is None:
        return None
    try:
        day = date.fromisoformat(found[1])
    except ValueError:
        return None
    return Dated(tag=tag, day=day, number=int(found[2] or 1), suffix=found[3])


def old_tags(tags: Iterable[str], policy: PrunePolicy, today: date) -> tuple[str, ...]:
    """The dated tags that may go, the oldest first. Only their names are looked at, and no clock but `today`: a tag of
    a day that has not come yet (the clock was wrong, then or now) stays."""
    found = [one for tag in tags if (one := dated(tag, policy.channel)) is not None]
    newest = _newest(found, policy, today)
    old = [
        one
        for one in found
        if one.day <= today and (one.day, one.number) not in newest and (today - one.day).days >= policy.days
    ]
    return tuple(one.tag for one in sorted(old, key=lambda one: (one.day, one.number, one.suffix)))


def _newest(found: Iterable[Dated], policy: PrunePolicy, today: date) -> set[tuple[date, int]]:
    """The nights that stay: the latest days, and what was published last, whatever day it was said to be."""
    nights = {(one.day, one.number) for one in found}
    by_day = sorted((night for night in nights if night[0] <= today), reverse=True)
    published = [(one.day, one.number) for tag in policy.order if (one := dated(tag, policy.channel)) is not None]
    last = [night for night in dict.fromkeys(reversed(published)) if night in nights]
    return {*by_day[: policy.keep], *last[: policy.keep]}


def pause(tags: Iterable[str], policy: PrunePolicy, today: date) -> int:
    """Days since the last night before today's, where that is so long ago that the clock may be wrong; else 0."""
    if policy.sure:
        return 0
    earlier = [one.day for tag in tags if (one := dated(tag, policy.channel)) is not None and one.day < today]
    days = (today - max(earlier)).days if earlier else 0
    return days if days > LONGEST_PAUSE else 0


def plan_prune(old: Sequence[str], live: Mapping[str, LiveManifest]) -> PrunePlan:
    """`old` is what old_tags says, `live` what every tag of the repository names."""
    kept = {tag: one for tag, one in live.items() if tag not in old}
    held = {digest: tag for tag, one in sorted(kept.items()) for digest in one.children}
    held |= {one.digest: tag for tag, one in sorted(kept.items())}
    gone = {tag: live[tag] for tag in old if tag in live and live[tag].digest not in held}
    spared = {tag: f"{held[live[tag].digest]} needs it" for tag in old if tag in live and live[tag].digest in held}
    # What a spared tag joins is joined by a kept index or is one of its own: it stays as well.
    needed = {*held, *(child for tag in spared for child in live[tag].children)}
    heads = dict.fromkeys(one.digest for one in gone.values())
    children = dict.fromkeys(child for one in gone.values() for child in one.children if child not in needed)
    return PrunePlan(
        tags={tag: one.digest for tag, one in gone.items()},
        manifests=tuple(dict.fromkeys((*(head for head in heads if head not in children), *children))),
        spared=spared,
    )
