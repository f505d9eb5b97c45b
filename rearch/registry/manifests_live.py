"""What a tag names now, beside the index that it is to name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from rearch.formats.printable import printable
from rearch.model.frozen import NOTHING
from rearch.model.reference import Reference
from rearch.oci.join_entries import is_image_entry
from rearch.oci.types import Descriptor, Index, read_document
from rearch.registry.documents import Document


class TagChange(Struct, frozen=True, kw_only=True):
    """One tag. `before` is the digest that it has (None: no such tag), `after` the one that it is to have.

    `changes`: what differs, a line each, where the live document was read.
    """

    reference: Reference
    before: str | None
    after: str
    changes: tuple[str, ...] = ()

    @property
    def action(self) -> str:
        """`new`, `unchanged` or `moved`."""
        return "new" if self.before is None else "unchanged" if self.before == self.after else "moved"

    @property
    def words(self) -> str:
        """For people, in one line."""
        if self.before is None:
            return f"{self.reference}: new"
        if self.before == self.after:
            return f"{self.reference}: names this index already"
        return f"{self.reference}: {_short(self.before)} -> {_short(self.after)}"


def tag_change(reference: Reference, live: Document | None, index: Index, digest: str) -> TagChange:
    """The tag as it is and as it will be. Errors: BadDocument, for a live index that is none."""
    changes = () if live is None or live.digest == digest else tuple(_changes(live, index))
    return TagChange(reference=reference, before=live.digest if live else None, after=digest, changes=changes)


def _changes(live: Document, index: Index) -> Iterator[str]:
    if not live.is_index:
        yield "it is a single image now, and no index"
        return
    before = read_document(Index, live.data, live.name)
    found = [*_platforms(_images(before), _images(index)), *_rest(before, index)]
    yield from found or ["the same images, in another order or with other descriptors"]


def _platforms(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for platform, digest in after.items():
        if platform not in before:
            yield f"{platform} is new: {_short(digest)}"
        elif before[platform] != digest:
            yield f"{platform} {_short(before[platform])} -> {_short(digest)}"
    yield from (f"{platform} goes: {_short(digest)}" for platform, digest in before.items() if platform not in after)


def _rest(before: Index, after: Index) -> Iterator[str]:
    if before.media_type != after.media_type:
        yield f"type {before.media_type} -> {after.media_type}"
    one, other = _count(before), _count(after)
    if one != other:
        yield f"attestations and the like: {one} -> {other}"
    old, new = before.annotations or NOTHING, after.annotations or NOTHING
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield f"annotation {key}: {_value(old.get(key))} -> {_value(new.get(key))}"


def _images(index: Index) -> Mapping[str, str]:
    """Platform -> digest."""
    entries = [entry for entry in index.manifests if is_image_entry(entry)]
    return {_platform(entry): entry.digest for entry in entries}


def _platform(entry: Descriptor) -> str:
    """As one word, whatever the spelling; of an entry without one, its digest."""
    if entry.platform is None:
        return f"(no platform) {_short(entry.digest)}"
    return printable(str(entry.platform.known or entry.platform))


def _count(index: Index) -> int:
    return sum(not is_image_entry(entry) for entry in index.manifests)


def _value(text: str | None) -> str:
    return "(none)" if text is None else repr(text)


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12]
