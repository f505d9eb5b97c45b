"""The expressions that config leaves open because they are known only after locking.

They are plain names: `${{ commit }}`, `${{ date }}`, `${{ arch }}`. The rest was rendered when the YAML was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar, cast

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.platform import Platform
from rearch.model.source import PinnedDebian, PinnedGit, PinnedSource

T = TypeVar("T")
_OPEN = re.compile(r"\$\{\{\s*([a-z_]+)\s*\}\}")


class NotKnown(UsageError):
    """A name that this component's source cannot give."""

    def __init__(self, component: str, name: str) -> None:
        self.component = component
        self.name = name
        hint = {
            "commit": "only a git source has a commit",
            "short_commit": "only a git source has a commit",
            "date": "set SOURCE_DATE_EPOCH: only git and debian sources know a time of their own",
            "timestamp": "set SOURCE_DATE_EPOCH: only git and debian sources know a time of their own",
        }.get(name)
        super().__init__(f"{component}: ${{{{ {name} }}}} is not known for its source", hint=hint)


def upstream_version(debian_version: str) -> str:
    """`1:1.1.1+ds1-3+b2` -> `1.1.1`: no epoch, no Debian revision, no repacking suffix (Debian policy 5.6.12)."""
    version = debian_version.partition(":")[2] or debian_version
    version = version.rpartition("-")[0] or version
    return re.sub(r"[+~.](?:ds|dfsg|repack|really)[0-9.]*.*\Z", "", version)


def source_names(source: PinnedSource, epoch: int | None) -> Mapping[str, str]:
    """Name: text, for one component on every platform. `epoch` is SOURCE_DATE_EPOCH, if it is set."""
    known: dict[str, str] = {}
    if isinstance(source, PinnedGit):
        known |= {"commit": source.commit, "short_commit": source.commit[:7]}
    if isinstance(source, PinnedDebian):
        known["version"] = upstream_version(source.version)
    time = source_time(source, epoch)
    if time is not None:
        known["timestamp"] = str(time)
        known["date"] = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return known


def platform_names(platform: Platform) -> Mapping[str, str]:
    """Name: text, for one platform."""
    variant = platform.oci_variant or ""
    return {"platform": str(platform), "os": platform.os, "arch": platform.oci_architecture, "variant": variant}


def source_time(source: PinnedSource, epoch: int | None) -> int | None:
    """Seconds since 1970 that stand for a source: SOURCE_DATE_EPOCH (reproducible-builds.org), else its own time."""
    if epoch is not None:
        return epoch
    return source.time if isinstance(source, PinnedGit | PinnedDebian) else None


class Expander:
    """Replaces the open names of one component's texts.

    What is the same on every platform comes back as the same object for each, so that keys.py writes it once.
    """

    def __init__(self, component: str, source: PinnedSource, epoch: int | None) -> None:
        self._component = component
        self._source = source_names(source, epoch)
        self._shared: dict[int, tuple[object, object]] = {}
        self._platform: Mapping[str, str] = FrozenDict()
        self._differs = False

    def on(self, platform: Platform) -> Expander:
        """The same, from now on for this platform."""
        self._platform = platform_names(platform)
        return self

    def text(self, value: str) -> str:
        """The text with every open name replaced. Errors: NotKnown."""
        return _OPEN.sub(self._value, value) if "${{" in value else value

    def texts(self, values: tuple[str, ...]) -> tuple[str, ...]:
        return self.once(values, lambda: tuple(map(self.text, values)) if _is_open(values) else values)

    def mapping(self, values: Mapping[str, str]) -> Mapping[str, str]:
        def expanded() -> Mapping[str, str]:
            if not _is_open(values) and not _is_open(values.values()):
                return values
            return FrozenDict({self.text(key): self.text(value) for key, value in values.items()})

        return self.once(values, expanded)

    def once(self, value: T, expanded: Callable[[], T]) -> T:
        """The expansion of a value, made once for all platforms unless it names the platform."""
        found = self._shared.get(id(value))
        if found is not None:
            return cast(T, found[1])
        before, self._differs = self._differs, False
        result = expanded()
        if not self._differs:
            self._shared[id(value)] = (value, result)  # `value` too: its id must stay its own
        self._differs = before or self._differs
        return result

    def _value(self, match: re.Match[str]) -> str:
        name = match[1]
        if name in self._platform:
            self._differs = True
            return self._platform[name]
        try:
            return self._source[name]
        except KeyError:
            raise NotKnown(self._component, name) from None


def _is_open(values: Iterable[str]) -> bool:
    return any("${{" in value for value in values)
