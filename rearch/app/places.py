"""Where a run keeps what it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.engine.stamp import environment_cache

if TYPE_CHECKING:
    from rearch.model.settings import Settings


def cache_folder(settings: Settings, environment: Mapping[str, str]) -> Path:
    """The cache: the setting, else rearch/ in the user's cache folder (XDG base directory specification)."""
    if settings.cache:
        return Path(settings.cache).expanduser().absolute()
    return environment_cache(environment)
