"""The words for URLs, under the name by which host/ knows them."""

from __future__ import annotations

from rearch.formats.urls import MIRROR_HINT, OfflineError, host_of, masked, rewrite

__all__ = ["MIRROR_HINT", "OfflineError", "host_of", "masked", "rewrite"]
