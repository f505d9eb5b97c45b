"""Small values that instructions hold: durations, ports, modes, signals, owners."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rearch.oci.dockerfile.errors import Trouble

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SPAN = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|ms|s|m|h)")
_MILLISECOND = 10**6
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/([A-Za-z]+))?\Z")
_NAMES = """ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM
TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ"""
_SIGNALS = frozenset(_NAMES.split())
_CLAUSE = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)\Z")


def duration(text: str) -> int:
    """`1m30s` -> nanoseconds, as Go's time.ParseDuration reads it. Errors: Trouble; also below 1 ms, as Docker."""
    parts = list(_SPAN.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise Trouble(f"{text!r} is no duration", "write it as 30s, 1m30s or 500ms")
    from fractions import Fraction

    total = int(sum(Fraction(part[1].rstrip(".")) * _UNITS[part[2]] for part in parts))
    if total < _MILLISECOND:
        raise Trouble(f"{text!r} is less than 1ms, the shortest duration")
    return total


def ports(text: str) -> Iterator[str]:
    """`80`, `53/udp`, `8000-8002` -> `80/tcp`, ... as a config has them. Errors: Trouble."""
    found = _PORT.match(text)
    if not found:
        hint = "a port of the host is no part of an image" if ":" in text else "write 80, 53/udp or 8000-8010"
        raise Trouble(f"{text!r} is no port", hint)
    first, last, protocol = int(found[1]), int(found[2] or found[1]), (found[3] or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise Trouble(f"{text!r}: the protocol is tcp, udp or sctp")
    if not 0 < first <= last <= 65535:
        raise Trouble(f"{text!r}: ports go from 1 to 65535, the lower one first")
    yield from (f"{port}/{protocol}" for port in range(first, last + 1))


def signal(text: str) -> str:
    """`SIGTERM`, `TERM`, `SIGRTMIN+3` or `15`, as it was written. Errors: Trouble."""
    name = text.upper().removeprefix("SIG")
    real_time = re.fullmatch(r"RTMIN(\+([0-9]|1[0-5]))?|RTMAX(-([0-9]|1[0-4]))?", name)
    if name in _SIGNALS or real_time or (text.isascii() and text.isdigit() and 0 < int(text) < 65):
        return text
    raise Trouble(f"{text!r} is no signal", "write it as SIGTERM or 15")


class Mode:
    """What --chmod says: octal digits, or symbolic as chmod(1) has it (`u=rwX,go=rX`)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._octal = int(text, 8) if re.fullmatch(r"[0-7]{1,5}", text) else None
        self._clauses = [_CLAUSE.match(part) for part in text.split(",")]
        if (self._octal is None and not all(self._clauses)) or (self._octal or 0) > 0o7777:
            raise Trouble(f"--chmod={text} is no mode", "write it as 0755 or u=rwX,go=rX")

    def of(self, mode: int, *, folder: bool) -> int:
        """The mode of a file or folder that had this one."""
        if self._octal is not None:
            return self._octal
        for clause in self._clauses:
            if clause is not None:
                mode = _clause(mode, clause[1], clause[2], clause[3], folder=folder)
        return mode


def _clause(mode: int, who: str, sign: str, letters: str, *, folder: bool) -> int:
    classes = "ugo" if not who or "a" in who else who
    runs = folder or bool(mode & 0o111)
    bits = {"r": 4, "w": 2, "x": 1, "X": 1 if runs else 0, "s": 0, "t": 0}
    part = 0
    for letter in letters:
        part |= bits[letter]
    change = sum(part << shift for name, shift in (("u", 6), ("g", 3), ("o", 0)) if name in classes)
    if "s" in letters:
        change |= sum(bit for name, bit in (("u", 0o4000), ("g", 0o2000)) if name in classes)
    change |= 0o1000 if "t" in letters else 0
    if sign == "+":
        return mode | change
    if sign == "-":
        return mode & ~change
    kept = sum(0o7 << shift for name, shift in (("u", 6), ("g", 3), ("o", 0)) if name in classes)
    return (mode & ~kept) | change
