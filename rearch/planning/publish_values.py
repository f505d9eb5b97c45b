"""What `invoke publish` decides on and what it decides, as values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from rearch.model.frozen import FrozenDict
from rearch.model.platform import Platform
from rearch.model.reference import Reference
from rearch.planning.publish_targets import RegistryTarget, TagPlace, Target


class Blob(Struct, frozen=True, kw_only=True):
    """What a descriptor says: `digest` is `sha256:` and 64 digits, `size` in bytes."""

    media_type: str
    digest: str
    size: int


class PublishChild(Struct, frozen=True, kw_only=True):
    """A manifest of the index. `platform` is None for what is no image (attestations). `layers`: the lowest first.

    `origin`: of an image of others that is adopted as it is: where its blobs are, which our layout does not have.
    """

    platform: Platform | None
    manifest: Blob
    config: Blob
    layers: tuple[Blob, ...]
    origin: Reference | None = None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Layers and config, each once."""
        return tuple(dict.fromkeys((*self.layers, self.config)))


class PublishImage(Struct, frozen=True, kw_only=True):
    """An image that was built and audited: what its layout in output/images/ holds.

    `component` is `stack/name`; `repository` its name without registry; `tag` its name in the layout; `annotations`
    those of the index (Docker's types have none: then give those of the plan).
    """

    component: str
    repository: str
    tag: str
    index: Blob
    children: tuple[PublishChild, ...]
    annotations: Mapping[str, str] = FrozenDict()


class PublishOptions(Struct, frozen=True, kw_only=True):
    """What was asked for. `tags` are templates (publish_tags); none: each image's own tag.

    `per_arch`: a tag for each platform beside those of the index. `merge`: keep the platforms of a live index that this
    build does not have. `time`: seconds since 1970 for `${{ date }}`; None: the source's.
    """

    targets: tuple[Target, ...]
    tags: tuple[str, ...] = ()
    per_arch: bool = False
    merge: bool = False
    channel: str = ""
    time: int | None = None


class LiveTag(Struct, frozen=True, kw_only=True):
    """What a tag names now. One HEAD gives the digest.

    `platforms`: platform as the index writes it, normalised -> digest of its image; None where nobody has read the
    index, which takes a GET (PublishPlan.to_read says when that is wanted).
    """

    digest: str
    platforms: Mapping[str, str] | None = None


Live = Mapping[TagPlace, LiveTag | None]


class TagAction(StrEnum):
    """What happens to a tag."""

    UNCHANGED = "unchanged"
    NEW = "new"
    MOVED = "moved"
    MERGE = "merge"


class PlannedTag(Struct, frozen=True, kw_only=True):
    """A tag, where it points and where it will. `after` is None for MERGE: the merged index is known when it was read.

    `platform` is set for the tag of a single image. `changes`: a line for each platform that differs.
    """

    place: TagPlace
    platform: Platform | None
    before: str | None
    after: str | None
    action: TagAction
    reason: str
    changes: tuple[str, ...] = ()


class SendBlob(Struct, frozen=True, kw_only=True):
    """A layer or a config. `ask`: whether it may be there already, so that one HEAD is cheaper than sending.

    `mount`: a repository of the same registry that holds it by then, because an image before this one in the plan
    needs it too; the upload is opened with a mount from there, and sends the bytes only if that is refused.
    `origin`: where it has to be fetched from, if it is not there and cannot be mounted.
    """

    blob: Blob
    ask: bool
    mount: str | None = None
    origin: Reference | None = None


class SendManifest(Struct, frozen=True, kw_only=True):
    """The manifest of a platform, by its digest."""

    manifest: Blob
    platform: Platform | None


class SendIndex(Struct, frozen=True, kw_only=True):
    """The index, by its digest: whoever reads a tag later finds all of it."""

    index: Blob


class MergeTag(Struct, frozen=True, kw_only=True):
    """Read what the tag names, merge (oci/join_merge.py), send the merged index, set the tag; read it again and
    begin anew where somebody moved it meanwhile. `before` is the digest that it had."""

    place: TagPlace
    before: str


class SetTag(Struct, frozen=True, kw_only=True):
    """Let the tag name this manifest or index, which is there by now. `before` is the digest that it had."""

    place: TagPlace
    to: Blob
    before: str | None


Action = SendBlob | SendManifest | SendIndex | MergeTag | SetTag


class PlannedImage(Struct, frozen=True, kw_only=True):
    """One image for one target. `actions` in order: blobs, manifests, index, merged tags, tags; those of one kind can
    go at the same time, and the next kind begins when all of the one before are done."""

    image: PublishImage
    target: Target
    repository: str
    tags: tuple[PlannedTag, ...]
    actions: tuple[Action, ...]

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return not self.actions


class PublishPlan(Struct, frozen=True, kw_only=True):
    """What a publish does.

    `to_read`: tags whose index has to be read before the plan is final (then plan again, with LiveTag.platforms).
    `to_compare`: tags whose index is worth reading for a --dry-run, to tell which platforms differ.
    """

    images: tuple[PlannedImage, ...]
    to_read: tuple[TagPlace, ...] = ()
    to_compare: tuple[TagPlace, ...] = ()

    @property
    def is_done(self) -> bool:
        return all(image.is_done for image in self.images)

    @property
    def most_requests(self) -> int:
        """The requests to registries that the plan may take when nothing goes wrong, beside ping and tokens: the
        questions (one for a tag), and what the actions take if every blob has to be sent."""
        on_registries = [image for image in self.images if isinstance(image.target, RegistryTarget)]
        asked = sum(len(image.tags) for image in on_registries) + len(self.to_read)
        return asked + sum(requests(action) for image in on_registries for action in image.actions)


def requests(action: Action) -> int:
    """How many requests an action takes at most: a blob POST then PUT (OCI distribution specification 1.1), and a GET
    before that where others have it."""
    match action:
        case SendBlob():
            return 2 + action.ask + (action.origin is not None)
        case MergeTag():
            return 3
        case SendManifest() | SendIndex() | SetTag():
            return 1
