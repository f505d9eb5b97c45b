"""The flags of instructions: which there are, and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rearch.oci.dockerfile.errors import Trouble, meant
from rearch.oci.dockerfile.lines import Statement
from rearch.oci.dockerfile.words import Flag

# Dockerfile reference, docker/dockerfile 1.x. Those that can be there more than once are in _SEVERAL, those
# that need no value in _BOOLEAN.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "ADD": ("chown", "chmod", "link", "exclude", "keep-git-dir", "checksum", "unpack"),
    "COPY": ("from", "chown", "chmod", "link", "parents", "exclude"),
    "FROM": ("platform",),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "start-interval", "retries"),
    "RUN": ("mount", "network", "security", "device"),
}
_SEVERAL = frozenset({"exclude", "mount", "device"})
_BOOLEAN = frozenset({"link", "parents", "keep-git-dir", "unpack"})


class Flags:
    """The flags of one instruction, checked. Errors: Trouble for an unknown one, one twice, one without its value."""

    def __init__(self, kind: str, flags: Sequence[Flag], statement: Statement) -> None:
        known = KNOWN.get(kind, ())
        self._values: dict[str, list[str]] = {}
        self._places: dict[str, tuple[int, int]] = {}
        for flag in flags:
            if flag.name not in known:
                raise Trouble(f"{kind} has no flag --{flag.name}{meant(flag.name, known)}")
            if flag.name in self._values and flag.name not in _SEVERAL:
                raise Trouble(f"{kind} has --{flag.name} twice")
            if flag.value is None and flag.name not in _BOOLEAN:
                raise Trouble(f"{kind} --{flag.name} has no value", f"write --{flag.name}=VALUE")
            self._values.setdefault(flag.name, []).append("true" if flag.value is None else flag.value)
            self._places[flag.name] = statement.where(flag.at)

    def text(self, name: str) -> str | None:
        """The value; None where the flag is not there. Errors: Trouble for an empty one."""
        values = self._values.get(name)
        if values is None:
            return None
        if not values[0]:
            raise Trouble(f"--{name} has no value", f"write --{name}=VALUE")
        return values[0]

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of a flag that can be there several times."""
        return tuple(self._values.get(name, ()))

    def place(self, name: str) -> tuple[int, int] | None:
        """Line, and column from 0, of the value."""
        return self._places.get(name)

    def flag(self, name: str) -> bool | None:
        """`--link`, `--link=true`, `--link=false`; None where it is not there."""
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in ("true", "false"):
            raise Trouble(f"--{name}={value} is neither true nor false")
        return value.lower() == "true"

    def true(self, name: str) -> bool:
        return self.flag(name) or False

    def all(self) -> tuple[tuple[str, str], ...]:
        """Every flag with its value."""
        return tuple((name, value) for name, values in self._values.items() for value in values)
