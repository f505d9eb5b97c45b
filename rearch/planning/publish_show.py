"""A publish plan for people and for programs: `invoke publish --dry-run`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rearch.planning.publish_compare import short
from rearch.planning.publish_targets import place_name
from rearch.planning.publish_values import (
    Action,
    MergeTag,
    PlannedImage,
    PlannedTag,
    PublishPlan,
    SendBlob,
    SendIndex,
    SendManifest,
    SetTag,
    TagAction,
)


def plan_lines(plan: PublishPlan) -> Iterator[str]:
    """Every tag: what happens to it and why, what differs for each platform; and what has to be sent for that."""
    for image in plan.images:
        yield f"{place_name(image.target, image.repository)}  ({image.image.component})"
        for child in image.image.children:
            if child.origin is not None:
                yield f"  adopts    {child.platform}: {child.origin}"
        for tag in image.tags:
            yield from _tag(tag)
        if image.actions:
            yield f"  sends {_sends(image)}"
    count = sum(len(image.tags) for image in plan.images)
    changed = sum(tag.action is not TagAction.UNCHANGED for image in plan.images for tag in image.tags)
    if changed:
        requests = f", {plan.most_requests} requests at most" if plan.most_requests else ""
        yield f"{changed} of {_count(count, 'tag')} to set{requests}"
    else:
        yield f"nothing to do: {_count(count, 'tag')} as they should be"


def _tag(tag: PlannedTag) -> Iterator[str]:
    of = f" ({tag.platform})" if tag.platform is not None else ""
    match tag.action:
        case TagAction.UNCHANGED:
            where = short(tag.before or "")
        case TagAction.NEW:
            where = f"-> {short(tag.after or '')}"
        case TagAction.MOVED:
            where = f"{short(tag.before or '')} -> {short(tag.after or '')}"
        case TagAction.MERGE:
            where = f"{short(tag.before or '')} -> the two merged"
    yield f"  {tag.action:<9} {tag.place.tag}{of}: {where}: {tag.reason}"
    for change in tag.changes:
        yield f"            {change}"


def _sends(image: PlannedImage) -> str:
    blobs = [action for action in image.actions if isinstance(action, SendBlob)]
    mounted = sum(blob.mount is not None for blob in blobs)
    manifests = sum(isinstance(action, SendManifest) for action in image.actions)
    indexes = sum(isinstance(action, SendIndex | MergeTag) for action in image.actions)
    parts = []
    if blobs:
        size = sum(each.blob.size for each in blobs if each.mount is None)
        more = f", {mounted} of them from another repository" if mounted else ""
        adopted = sum(each.origin is not None for each in blobs)
        more += f", {adopted} of adopted images" if adopted else ""
        parts.append(f"{_count(len(blobs), 'blob')} ({size / 1e6:.1f} MB at most{more})")
    parts += [_count(manifests, "manifest")] if manifests else []
    parts += [_count(indexes, "index", "indexes")] if indexes else []
    tags = sum(isinstance(action, SetTag | MergeTag) for action in image.actions)
    return ", ".join([*parts, _count(tags, "tag")])


def _count(number: int, word: str, several: str = "") -> str:
    return f"{number} {word if number == 1 else several or word + 's'}"


def plan_document(plan: PublishPlan) -> dict[str, Any]:
    """The same in JSON values; digests whole."""
    return {
        "nothing_to_do": plan.is_done,
        "most_requests": plan.most_requests,
        "images": [_image(image) for image in plan.images],
    }


def _image(image: PlannedImage) -> dict[str, Any]:
    return {
        "component": image.image.component,
        "target": str(image.target),
        "repository": place_name(image.target, image.repository),
        "index": image.image.index.digest,
        "adopted": {str(child.platform): str(child.origin) for child in image.image.children if child.origin},
        "tags": [_tag_document(tag) for tag in image.tags],
        "actions": [action_document(action) for action in image.actions],
    }


def _tag_document(tag: PlannedTag) -> dict[str, Any]:
    return {
        "tag": tag.place.tag,
        "platform": str(tag.platform) if tag.platform is not None else None,
        "action": str(tag.action),
        "before": tag.before,
        "after": tag.after,
        "reason": tag.reason,
        "changes": list(tag.changes),
    }


def action_document(action: Action) -> dict[str, Any]:
    """One action; `do` says which."""
    match action:
        case SendBlob():
            found = {"do": "blob", "digest": action.blob.digest, "size": action.blob.size, "ask": action.ask}
            found |= {"from": str(action.origin)} if action.origin is not None else {}
            return found | ({"mount": action.mount} if action.mount else {})
        case SendManifest():
            platform = str(action.platform) if action.platform is not None else None
            return {"do": "manifest", "digest": action.manifest.digest, "platform": platform}
        case SendIndex():
            return {"do": "index", "digest": action.index.digest}
        case MergeTag():
            return {"do": "merge", "tag": action.place.tag, "before": action.before}
        case SetTag():
            return {"do": "tag", "tag": action.place.tag, "digest": action.to.digest, "before": action.before}
