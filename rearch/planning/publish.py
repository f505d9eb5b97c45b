"""What `invoke publish` will do: decided from what was built and what the tags name now, before anything is sent.

places = questions(images, options)          # one HEAD each
plan = plan_publish(images, options, live)   # live: an answer to each
while plan.to_read: ...                      # with --merge alone: a GET each, then plan again
"""

from __future__ import annotations

from collections.abc import Sequence

from rearch.planning.publish_actions import Holdings, actions_for
from rearch.planning.publish_compare import compare_child, compare_index
from rearch.planning.publish_targets import TagPlace
from rearch.planning.publish_values import (
    Live,
    PlannedImage,
    PlannedTag,
    PublishImage,
    PublishOptions,
    PublishPlan,
    TagAction,
)
from rearch.planning.publish_wishes import Wish, Work, wishes_of


def questions(images: Sequence[PublishImage], options: PublishOptions) -> tuple[TagPlace, ...]:
    """The tags whose present digest `plan_publish` wants to know, each once. Errors: BadTags."""
    return tuple(dict.fromkeys(wish.place for work in wishes_of(images, options) for wish in work.wishes))


def plan_publish(images: Sequence[PublishImage], options: PublishOptions, live: Live) -> PublishPlan:
    """Decide. `live` has an answer to every question: None for a tag that is not there. Errors: BadTags."""
    works = wishes_of(images, options)
    holdings = Holdings(works, live)
    planned = tuple(_planned(work, options, live, holdings) for work in works)
    unread = [tag for image in planned for tag in image.tags if _is_unread(tag, live)]
    return PublishPlan(
        images=planned,
        to_read=tuple(tag.place for tag in unread if tag.action is TagAction.MERGE),
        to_compare=tuple(tag.place for tag in unread if tag.action is TagAction.MOVED),
    )


def _planned(work: Work, options: PublishOptions, live: Live, holdings: Holdings) -> PlannedImage:
    tags = tuple(_tag(wish, work, options, live) for wish in work.wishes)
    actions = actions_for(work, tags, holdings)
    return PlannedImage(image=work.image, target=work.target, repository=work.repository, tags=tags, actions=actions)


def _tag(wish: Wish, work: Work, options: PublishOptions, live: Live) -> PlannedTag:
    now = live[wish.place]
    if wish.child is None:
        found = compare_index(work.image, now, merge=options.merge)
    else:
        found = compare_child(wish.child, now)
    before = now.digest if now is not None else None
    after = {TagAction.MERGE: None, TagAction.UNCHANGED: before}.get(found.action, wish.to.digest)
    return PlannedTag(
        place=wish.place,
        platform=wish.child.platform if wish.child is not None else None,
        before=before,
        after=after,
        action=found.action,
        reason=found.reason,
        changes=found.changes,
    )


def _is_unread(tag: PlannedTag, live: Live) -> bool:
    now = live[tag.place]
    return tag.platform is None and now is not None and now.platforms is None
