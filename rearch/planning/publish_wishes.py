"""Which tags are to name what: every image on every target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from rearch.model.tag import TAG_RULE, is_tag
from rearch.planning.publish_tags import BadTags, arch_tag, expand_tags, tag_values
from rearch.planning.publish_targets import TagPlace, Target
from rearch.planning.publish_values import Blob, PublishChild, PublishImage, PublishOptions


class Wish(Struct, frozen=True, kw_only=True):
    """A tag that shall name the image of one platform, or, where `child` is None, the index."""

    place: TagPlace
    child: PublishChild | None
    to: Blob


class Work(Struct, frozen=True, kw_only=True):
    """One image on one target. `repository` is the target's, prefix included."""

    image: PublishImage
    target: Target
    repository: str
    wishes: tuple[Wish, ...]


def wishes_of(images: Sequence[PublishImage], options: PublishOptions) -> tuple[Work, ...]:
    """Target by target, in the order of the images. Errors: BadTags, for all images and tags."""
    problems: list[str] = []
    tags = [_named(image, options, problems) for image in images]
    works = [
        _work(image, target, named)
        for target in dict.fromkeys(options.targets)
        for image, named in zip(images, tags, strict=True)
    ]
    problems += _collisions(works)
    if problems:
        raise BadTags(problems)
    return tuple(works)


Named = tuple[tuple[str, PublishChild | None], ...]


def _named(image: PublishImage, options: PublishOptions, problems: list[str]) -> Named:
    """The tags of an image with what they name: platforms first, so that the index's tags move last."""
    values = tag_values(image.tag, image.annotations, channel=options.channel, time=options.time)
    tags, wrong = expand_tags(options.tags, values, image=image.component)
    problems += wrong
    single = [*_per_arch(image, tags)] if options.per_arch and not wrong else []
    for tag, child in single:
        if not is_tag(tag):
            problems.append(f"{image.component}: {tag!r} for {child.platform} is no tag: {TAG_RULE}")
    return (*single, *((tag, None) for tag in tags))


def _per_arch(image: PublishImage, tags: Iterable[str]) -> Iterator[tuple[str, PublishChild]]:
    for tag in tags:
        for child in image.children:
            if child.platform is not None:
                yield arch_tag(tag, child.platform), child


def _work(image: PublishImage, target: Target, named: Named) -> Work:
    repository = target.repository(image.repository)
    wishes = [
        Wish(
            place=TagPlace(target=target, repository=repository, tag=tag),
            child=child,
            to=image.index if child is None else child.manifest,
        )
        for tag, child in named
    ]
    return Work(image=image, target=target, repository=repository, wishes=tuple(dict.fromkeys(wishes)))


def _collisions(works: Iterable[Work]) -> Iterator[str]:
    """A tag that two images would have, or an index and one of its images (`--tag v1 --tag v1_arm64 --per-arch`)."""
    first: dict[TagPlace, tuple[Wish, Work]] = {}
    for work in works:
        for wish in work.wishes:
            other, of = first.setdefault(wish.place, (wish, work))
            if (other.to.digest, of.image.component) != (wish.to.digest, work.image.component):
                yield f"{wish.place} would name two images: {_what(other, of)} and {_what(wish, work)}"


def _what(wish: Wish, work: Work) -> str:
    return f"{work.image.component} ({'index' if wish.child is None else wish.child.platform})"
