"""What `publish` has of the world: the client of registries, journals, and the sides that are made of them."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.app.places import cache_folder
from rearch.app.registries import registry_client
from rearch.app.request import Request
from rearch.host.process import Processes
from rearch.model.settings import Settings
from rearch.planning.publish_targets import LayoutTarget, Target
from rearch.publishing.journal import FOLDER, Journal
from rearch.publishing.registry_side import RegistrySide
from rearch.registry.push import RegistryPusher
from rearch.report import Reporter, Said

if TYPE_CHECKING:  # known when something is adopted, or sent
    from rearch.model.reference import Reference
    from rearch.planning.publish_values import Blob
    from rearch.publishing.originals import Originals
    from rearch.publishing.sides import Side
    from rearch.registry.mount import Mounter


class World:
    """What a publish needs of the world; makes the sides. As a context: what it has opened is closed at the end."""

    def __init__(self, request: Request, settings: Settings, output: Path, report: Reporter) -> None:
        self.processes = Processes()
        self._request = request
        self._settings = settings
        self._output = output
        self.report = report
        self._originals: Originals | None = None
        self._client = registry_client(settings, request.environment, self.processes)
        self._pusher = RegistryPusher(self._client)
        self._mounter = cache(self._make_mounter)
        self._journals: list[Journal] = []

    def open(self, target: Target, stop: threading.Event) -> Side:
        """The side of a target; connections are made when something is asked."""
        if isinstance(target, LayoutTarget):
            from rearch.publishing.layout_side import LayoutSide

            return LayoutSide(target)
        journal = Journal(self._output / FOLDER, target.registry)
        self._journals.append(journal)
        return RegistrySide(target.registry, self._client, self._pusher, journal, mounter=self._mounter, stop=stop)

    def _make_mounter(self) -> Mounter:
        from rearch.registry.mount import Mounter

        return Mounter(self._client, self._settings.mirrors, lambda text: self.say(text, "detail"))

    def originals(self, *, refresh: bool, write: bool) -> Originals:
        """Who finds what is adopted."""
        from rearch.publishing.originals import Originals

        self._originals = Originals(
            self._client,
            self._output / FOLDER,
            cache_folder(self._settings, self._request.environment),
            limit=self._settings.limits.download_bytes,
            refresh=refresh,
            offline=self._settings.offline,
            write=write,
            say=lambda text: self.say(text, "info"),
        )
        return self._originals

    def file(self, origin: Reference, blob: Blob) -> Path:
        """A blob of an adopted image."""
        assert self._originals is not None
        return self._originals.file(origin, blob)

    def say(self, text: str, level: str) -> None:
        """A line for people."""
        self.report(Said(text=text, level=level))

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_error: object) -> None:
        for journal in self._journals:
            journal.close()
        self._client.close()
