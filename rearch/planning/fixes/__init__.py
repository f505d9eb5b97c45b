"""The catalogue of fixes that ship with rearch: `fixes: [NAME]` in a recipe, `invoke fixes` to list them."""

from __future__ import annotations

from collections.abc import Mapping

from rearch.model.frozen import FrozenDict
from rearch.model.step import Fix
from rearch.planning.fixes.build_tag import BUILD_TAG_ARM64
from rearch.planning.fixes.codec import CODEC_BASE64
from rearch.planning.fixes.cpuinfo import CPUINFO_ARM
from rearch.planning.fixes.known import KnownFix
from rearch.planning.fixes.syscalls import DUP2_ARM64, SETNS_ARM64, SETNS_MISSING_ARM64

__all__ = ["FIXES", "KnownFix", "shipped_fixes"]

FIXES: Mapping[str, KnownFix] = FrozenDict(
    (fix.name, fix)
    for fix in (CODEC_BASE64, CPUINFO_ARM, BUILD_TAG_ARM64, SETNS_ARM64, SETNS_MISSING_ARM64, DUP2_ARM64)
)


def shipped_fixes() -> Mapping[str, Fix]:
    """Name: what enters a patch step, for the planner."""
    return FrozenDict((name, known.fix) for name, known in FIXES.items())
