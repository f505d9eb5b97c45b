"""What a server can do wrong, on purpose."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class FaultKind(Enum):
    """UNAUTHORIZED 401; MISSING 404; BUSY 503; HTML a page with status 200; EMPTY status 200 and no byte; CUT half of
    what was announced; GARBAGE bytes that are no archive; SLOW a pause before the answer; SILENT the connection is
    closed without an answer."""

    UNAUTHORIZED = "unauthorized"
    MISSING = "missing"
    BUSY = "busy"
    HTML = "html"
    EMPTY = "empty"
    CUT = "cut"
    GARBAGE = "garbage"
    SLOW = "slow"
    SILENT = "silent"


class Fault(Struct, frozen=True, kw_only=True):
    """One wrong answer; `seconds` for SLOW."""

    kind: FaultKind
    seconds: float = 0.0
