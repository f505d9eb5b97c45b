"""What `invoke publish` will do: decided from what was built and what the tags name now, before anything is sent.

`questions` says which tags to ask for (one HEAD each), `plan_publish` decides from the answers. A tag that names what it
should costs no more than its question; a manifest that a tag of the same repository names (or the index that it names)
is there with its blobs, because a registry takes no manifest before its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rearch.planning.publish_compare import compared
from rearch.planning.publish_tags import BadTags, arch_tag, expand_tags, tag_values
from rearch.planning.publish_targets import LayoutTarget, TagPlace, Target, place_name
from rearch.planning.publish_values import (
    Action,
    Blob,
    Live,
    LiveTag,
    MergeTag,
    PlannedImage,
    PlannedTag,
    PublishChild,
    PublishImage,
    PublishOptions,
    PublishPlan,
    SendBlob,
    SendIndex,
    SendManifest,
    SetTag,
    TagAction,
)
from rearch.model.publish import is_tag


@dataclass(frozen=True, slots=True)
class _Wish:
    """A tag that shall name something: a child of the image, or its index."""

    place: TagPlace
    child: PublishChild | None
    to: Blob


@dataclass(frozen=True, slots=True)
class _Work:
    """One image on one target."""

    image: PublishImage
    target: Target
    repository: str
    wishes: tuple[_Wish, ...]


def questions(images: Sequence[PublishImage], options: PublishOptions) -> tuple[TagPlace, ...]:
    """The tags whose present digest `plan_publish` wants to know. Errors: BadTags."""
    return tuple(wish.place for work in _works(images, options) for wish in work.wishes)


def plan_publish(images: Sequence[PublishImage], options: PublishOptions, live: Live) -> PublishPlan:
    """Decide. `live` has an answer to every question: None for a tag that is not there. Errors: BadTags."""
    works = _works(images, options)
    planned = {id(work): _tags(work, options, live) for work in works}
    there = _there(works, live)
    holders = _Holders()
    for work in works:
        if work.image.index.digest in there[work.target, work.repository]:
            holders.add(work.target, work.repository, _blobs(work.image.children))
    made = []
    for work in works:
        tags = planned[id(work)]
        actions = tuple(_actions(work, tags, there[work.target, work.repository], holders))
        made.append(
            PlannedImage(
                image=work.image, target=work.target, repository=work.repository, tags=tags, actions=actions
            )
        )
    unread = [tag for image in made for tag in image.tags if _is_unread(tag, live)]
    return PublishPlan(
        images=tuple(made),
        to_read=tuple(tag.place for tag in unread if tag.action is TagAction.MERGE),
        to_compare=tuple(tag.place for tag in unread if tag.action is TagAction.MOVED),
    )


def _is_unread(tag: PlannedTag, live: Live) -> bool:
    now = live[tag.place]
    return tag.platform is None and now is not None and now.platforms is None
