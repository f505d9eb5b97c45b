"""Images that are there already -> the index that joins them. No I/O: whoever asks has read the sources.

The rules are manifest-tool's (v2/pkg/registry/push.go of github.com/estesp/manifest-tool), with these differences:
an index whose spec names a platform gives the images of that platform alone; platforms are compared after
normalisation; and what manifest-tool would drop or write wrongly in silence is an error or a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.frozen import NOTHING, FrozenDict
from rearch.oci.join_entries import Joined, OneImage, Taken, WholeIndex, entries_of, image_of, same_platform
from rearch.oci.join_errors import NoAnnotationsInDockerList, NothingToJoin, OciInDockerList, PlatformTwice
from rearch.oci.types import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, Index, Types


class JoinedIndex(Struct, frozen=True, kw_only=True):
    """The index, where each of its entries is to be fetched from (in the index's order), and what is worth telling."""

    index: Index
    taken: tuple[Taken, ...]
    notes: tuple[str, ...]

    @property
    def images(self) -> tuple[Taken, ...]:
        """Without attestations and the like."""
        return tuple(each for each in self.taken if each.is_image)


def join(
    sources: Sequence[Joined],
    *,
    types: Types,
    annotations: Mapping[str, str] = NOTHING,
    keep_attestations: bool = True,
) -> JoinedIndex:
    """The index of these sources: images in the order given, then attestations of images that are in it.

    `types`: an OCI index holds images of both types; Docker's manifest list holds Docker's alone, and no annotations.
    What is not the image's own (its annotations in a source index) is dropped there with a note; what the spec says is
    an error. Errors: those of join_errors (exit code 2).
    """
    notes: list[str] = []
    taken = [*_taken(sources, notes)]
    images = [each for each in taken if each.is_image]
    if not images:
        raise NothingToJoin
    _check_unique(images)
    if types == "docker":
        _check_docker(sources, images, annotations)
        images = [*_without_annotations(images, notes)]
    others = [*_others(taken, images, notes, keep=keep_attestations, docker=types == "docker")]
    entries = (*images, *others)
    index = Index(
        media_type=DOCKER_INDEX if types == "docker" else OCI_INDEX,
        manifests=tuple(each.descriptor for each in entries),
        annotations=FrozenDict(sorted(annotations.items())) or None,
    )
    return JoinedIndex(index=index, taken=entries, notes=tuple(notes))


def types_for(sources: Sequence[Joined], annotations: Mapping[str, str] = NOTHING) -> Types:
    """The types to use where nobody says: Docker's, as manifest-tool, where they can hold all of it; else OCI's."""
    if annotations or any(source.annotations for source in sources):
        return "oci"
    taken = _taken(sources, [])
    return "docker" if all(each.descriptor.media_type == DOCKER_MANIFEST for each in taken) else "oci"


def _taken(sources: Iterable[Joined], notes: list[str]) -> Iterator[Taken]:
    for source in sources:
        match source:
            case OneImage():
                taken, note = image_of(source)
                notes += [note] if note else []
                yield taken
            case WholeIndex():
                yield from entries_of(source)
            case _:
                assert_never(source)


def _check_unique(images: Iterable[Taken]) -> None:
    """Also two sources that are the same image: whoever joins them means another one."""
    seen: dict[tuple[str, ...], Taken] = {}
    for image in images:
        platform = image.descriptor.platform
        assert platform is not None
        first = seen.setdefault(same_platform(platform), image)
        if first is not image:
            raise PlatformTwice(str(platform), _place(first), _place(image))


def _place(taken: Taken) -> str:
    return f"{taken.source} ({taken.descriptor.digest})"


def _check_docker(sources: Iterable[Joined], images: Iterable[Taken], annotations: Mapping[str, str]) -> None:
    places = [*(["the index"] if annotations else ()), *(source.name for source in sources if source.annotations)]
    if places:
        raise NoAnnotationsInDockerList(places)
    oci = [_place(each) for each in images if each.descriptor.media_type != DOCKER_MANIFEST]
    if oci:
        raise OciInDockerList(oci)


def _without_annotations(images: Iterable[Taken], notes: list[str]) -> Iterator[Taken]:
    for image in images:
        if image.descriptor.annotations:
            notes.append(f"{_place(image)}: its annotations are left out: Docker's types have none")
        yield replace(image, descriptor=replace(image.descriptor, annotations=None))


def _others(
    taken: Iterable[Taken], images: Iterable[Taken], notes: list[str], *, keep: bool, docker: bool
) -> Iterator[Taken]:
    """Attestations in the order of their images, then what names no image; each beside its image or not at all."""
    order = {image.descriptor.digest: number for number, image in enumerate(images)}
    found = [each for each in taken if not each.is_image]
    for each in sorted(found, key=lambda each: order.get(each.about, len(order))):
        what = f"{each.source}: the attestation {each.descriptor.digest}" if each.about else _place(each)
        if not keep:
            notes.append(f"{what} is left out, as asked")
        elif docker:
            notes.append(f"{what} is left out: Docker's types cannot mark it")
        elif each.about not in order:
            notes.append(f"{what} is left out: the image that it is about is not joined")
        else:
            yield each
