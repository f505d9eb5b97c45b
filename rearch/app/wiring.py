"""The adapters of one run, each made when it is first asked for: a plan with nothing to do needs few of them."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.app.request import Request
from rearch.engine.store import Store
from rearch.host.process import Processes
from rearch.model.platform import Platform, host_platform
from rearch.model.stack import Settings
from rearch.steps.ports import Emulator, Ports

if TYPE_CHECKING:
    from rearch.host.debian.resolver import DebianResolver
    from rearch.host.sources.git import GitResolver


def cache_folder(settings: Settings, environment: dict[str, str] | os._Environ[str]) -> Path:
    """The cache: the setting, else rearch/ in the user's cache folder (XDG base directory specification)."""
    if settings.cache:
        return Path(settings.cache).expanduser().absolute()
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rearch"


class Adapters:
    """Everything of the outside world that one run uses."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self.request = request
        self.settings = settings
        self.project = request.project
        self.cache = cache_folder(settings, dict(request.environment))
        self.output = self.project / settings.output
        self.host = host_platform(os.uname().machine)

    @cached_property
    def processes(self) -> Processes:
        return Processes()

    @cached_property
    def store(self) -> Store:
        return Store(self.cache)
