"""What has to be sent so that tags can name it, in an order in which no reader finds a part missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rearch.planning.publish_targets import LayoutTarget, RegistryTarget, Target
from rearch.planning.publish_values import (
    Action,
    Blob,
    Live,
    MergeTag,
    PlannedTag,
    PublishChild,
    SendBlob,
    SendIndex,
    SendManifest,
    SetTag,
    TagAction,
)
from rearch.planning.publish_wishes import Work

Repository = tuple[Target, str]


class Holdings:
    """What the repositories of the targets hold, as far as the tags tell, and as the plan will have it.

    `live`: the answers. A repository without any tag of those asked for may be new: nothing is asked there.
    """

    def __init__(self, works: Iterable[Work], live: Live) -> None:
        self._manifests: dict[Repository, set[str]] = {}
        self._tagged: set[Repository] = set()
        self._blobs: dict[str, dict[str, str]] = {}
        self._sent: dict[tuple[str, str], set[str]] = {}
        for work in works:
            self._read(work, live)
        for work in works:
            if self.has(work, work.image.index):
                self._hold(work, _blobs(work.image.children))

    def _read(self, work: Work, live: Live) -> None:
        here = self._manifests.setdefault((work.target, work.repository), set())
        for now in filter(None, (live[wish.place] for wish in work.wishes)):
            self._tagged.add((work.target, work.repository))
            here |= {now.digest, *(now.platforms or {}).values()}
