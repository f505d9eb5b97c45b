"""A folder of OCI layouts as the other side of a publish: one layout for each repository, with tags as names."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from rearch.errors import UsageError
from rearch.model.reference import Reference
from rearch.oci.layout import blob_path, link_blob, put_bytes, read_blob, start_layout, write_index_json
from rearch.oci.layout_blobs import open_blob
from rearch.oci.layout_files import has_size
from rearch.oci.layout_read import read_top, ref_names
from rearch.oci.types import INDEXES, MANIFESTS, REF_NAME, Descriptor, Index, PlatformObject
from rearch.planning.publish_targets import LayoutTarget, TagPlace
from rearch.planning.publish_values import SendBlob
from rearch.publishing.built import pointer
from rearch.publishing.sides import BytesMoved, Named, ignore_moved


class NotALayout(UsageError):
    """A folder with other things in it, where a layout was to be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} holds something else than an OCI layout", hint="name a folder that is empty, or not there yet"
        )


class LayoutSide:
    """The layouts below a target's folder. Other names in them stay, and so do their blobs."""

    def __init__(self, target: LayoutTarget) -> None:
        self._root = Path(target.path)
        self._lock = threading.Lock()

    def tag(self, place: TagPlace) -> str | None:
        found = self._find(place)
        return found.digest if found is not None else None

    def read(self, place: TagPlace) -> Named | None:
        found = self._find(place)
        if found is None:
            return None
        data = read_blob(self._layout(place.repository), found)
        return Named(digest=found.digest, media_type=found.media_type, data=data)

    def read_document(self, repository: str, entry: Descriptor) -> bytes:
        return read_blob(self._layout(repository), entry)

    def read_config(self, repository: str, config: Descriptor) -> bytes:
        return read_blob(self._layout(repository), config)

    def has(self, repository: str, manifest: str) -> bool:
        return blob_path(self._layout(repository), manifest).is_file()

    def take_blob(self, repository: str, order: SendBlob, origin: Reference) -> bool:
        del origin  # a folder shares nothing with a registry
        return has_size(blob_path(self._layout(repository), order.blob.digest), order.blob.size)

    def send_blob(self, repository: str, order: SendBlob, source: Path, moved: BytesMoved = ignore_moved) -> int:
        """Errors: WrongBlob, MissingBlob, of the source; NotALayout."""
        layout = self._started(repository)
        if has_size(blob_path(layout, order.blob.digest), order.blob.size):
            return 0
        if order.origin is None:  # what is not of a layout was hashed by the cache that it comes from
            with open_blob(source.parents[2], pointer(order.blob)):
                pass  # which reads and hashes all of it: a registry compares what comes, and here nobody else does
        link_blob(source, layout, order.blob.digest)
        moved(order.blob.size)
        return order.blob.size

    def put(self, repository: str, data: bytes, media_type: str) -> None:
        put_bytes(self._started(repository), data, media_type)

    def name(self, place: TagPlace, data: bytes, media_type: str, platform: PlatformObject | None) -> None:
        layout = self._started(place.repository)
        entry = put_bytes(layout, data, media_type, platform=platform, annotations={REF_NAME: place.tag})
        with _held(layout):
            others = (each for each in self._top(layout).manifests if place.tag not in ref_names(each))
            # By name: tags are set at once, and the file shall not tell which thread was the quickest.
            write_index_json(layout, sorted([*others, entry], key=ref_names))

    def forget(self, repository: str) -> None:
        """Nothing is remembered."""

    def finish(self, *, well: bool) -> None:
        """Nothing is open."""

    def _layout(self, repository: str) -> Path:
        return self._root / repository

    def _started(self, repository: str) -> Path:
        """The layout, made where there is none yet. Errors: NotALayout."""
        layout = self._layout(repository)
        with self._lock:
            self._start(layout)
        return layout

    def _start(self, layout: Path) -> None:
        if not (layout / "oci-layout").is_file():
            # Folders may be layouts of other repositories: `team` beside `team/tool`.
            if layout.is_dir() and any(each.is_file() and each.name[0] != "." for each in layout.iterdir()):
                raise NotALayout(layout)
            start_layout(layout)

    def _find(self, place: TagPlace) -> Descriptor | None:
        layout = self._layout(place.repository)
        found = (each for each in self._top(layout).manifests if place.tag in ref_names(each))
        return next((each for each in found if each.media_type in (*INDEXES, *MANIFESTS)), None)

    def _top(self, layout: Path) -> Index:
        """What the layout names. One without index.json was begun, and killed before its first tag."""
        if not (layout / "index.json").exists():
            return Index(manifests=())
        return read_top(layout)


@contextlib.contextmanager
def _held(layout: Path) -> Iterator[None]:
    """Two publishes change index.json one after the other."""
    folder = os.open(layout, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
