"""What an audit found, as values, as lines for people, and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rearch.model.platform import Platform
from rearch.oci.audit_seen import shown_path

Severity = Literal["error", "warning"]
_SHOWN_DIGEST = 19  # `sha256:` and 12 digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One file (or the config) and everything that is wrong with it.

    `kind` is the class of it: elf, interpreter, library, script, foreign, unread, limit, config, allowed. `path` is
    absolute; a file inside of archives has their names before it, with `!` between. `names` are all paths of the
    image's tree that have this content, empty where it is `hidden` by a later layer (or a later entry of the same one).
    `layer` counts from 0, the lowest; it is None, and `digest` empty, for what is no file of a layer. `what` says what
    was found, `why` what is wrong, a text for each difference.
    """

    severity: Severity
    kind: str
    path: str
    names: tuple[str, ...] = ()
    hidden: bool = False
    layer: int | None = None
    digest: str = ""
    package: str = ""
    what: str
    why: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The first line says what, the second where it comes from."""
        why = "; ".join(self.why)
        # A file for another machine is described by that difference.
        yield f"{self.path}: {why if not self.what or self.what in why else f'{self.what}: {why}'}"
        origin = [f"package {self.package}"] if self.package else []
        if self.layer is not None:
            origin.append(f"layer {self.layer + 1} ({self.digest[:_SHOWN_DIGEST]})")
        if self.hidden:
            origin.append("hidden by a later layer")
        others = [name for name in self.names if self.path != name and not self.path.startswith(f"{name}!")]
        if others:
            origin.append(f"also {', '.join(others)}")
        if origin:
            yield f"  from {', '.join(origin)}"

    def to_json(self) -> dict[str, Any]:
        """JSON values; fields as above."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "path": self.path,
            "names": list(self.names),
            "hidden": self.hidden,
            "layer": self.layer,
            "digest": self.digest,
            "package": self.package,
            "what": self.what,
            "why": list(self.why),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Excused:
    """A finding that the recipe allows; `reason` is the recipe's."""

    finding: Finding
    pattern: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The audit of one image for one platform. `name` and `digest` say which (the manifest's digest).

    `findings`: errors first, then by path. `elves` are ELF files of the tree, `hidden` those that later layers hide,
    `nested` those inside of archives; `files` are all regular files of all layers.
    """

    name: str
    digest: str
    platform: Platform
    layers: int
    files: int
    elves: int
    hidden: int
    nested: int
    findings: tuple[Finding, ...]
    excused: tuple[Excused, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    @property
    def summary(self) -> str:
        """One line: how much was read, and how much of it is wrong."""
        parts = [f"{_count(self.elves, 'ELF file')} in {_count(self.layers, 'layer')} read for {self.platform}"]
        parts += [f"{self.nested} in archives"] if self.nested else []
        parts += [f"{self.hidden} hidden"] if self.hidden else []
        parts += [_count(len(self.errors), "error")] if self.errors else []
        parts += [_count(len(self.warnings), "warning")] if self.warnings else []
        parts += [f"{len(self.excused)} allowed by the recipe"] if self.excused else []
        return ", ".join(parts)

    def lines(self) -> Iterator[str]:
        """The whole report for people."""
        yield f"{self.name}: {self.summary}" if self.name else self.summary
        for group in grouped(self.findings):
            yield from group_lines(group)
        for excuse in self.excused:
            first, *rest = excuse.finding.lines()
            yield f"allowed: {first}"
            yield f"  because {shown_path(excuse.reason)} ({excuse.pattern})"
            yield from rest

    def to_json(self) -> dict[str, Any]:
        """JSON values, always in the same order."""
        return {
            "name": self.name,
            "digest": self.digest,
            "platform": str(self.platform),
            "layers": self.layers,
            "files": self.files,
            "elves": self.elves,
            "hidden": self.hidden,
            "nested": self.nested,
            "findings": [finding.to_json() for finding in self.findings],
            "allowed": [
                {"pattern": each.pattern, "reason": each.reason, "finding": each.finding.to_json()}
                for each in self.excused
            ],
        }


def grouped(findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], ...]:
    """Findings in their order, those together that say one thing of many files: scripts without their interpreter."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for number, finding in enumerate(findings):
        key = (finding.kind, finding.severity, finding.why) if finding.kind == "script" else (number,)
        groups.setdefault(key, []).append(finding)
    return tuple(map(tuple, groups.values()))


def group_lines(group: tuple[Finding, ...]) -> Iterator[str]:
    """One finding in full, or many in one line."""
    finding = group[0]
    if len(group) == 1:
        first, *rest = finding.lines()
        yield f"{finding.severity}: {first}"
        yield from rest
    else:
        yield f"{finding.severity}: {finding.path} and {len(group) - 1} more: {'; '.join(finding.why)}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"
