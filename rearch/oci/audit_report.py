"""What an audit found, as values, as lines for people, and as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.platform import Platform
from rearch.oci.audit_seen import shown_path

Severity = Literal["error", "warning"]
_SHOWN_DIGEST = 19  # `sha256:` and 12 digits
_SHOWN_FILES = 3  # of those that one finding stands for; JSON has all


class Finding(Struct, frozen=True, kw_only=True):
    """One file (or the config) and everything that is wrong with it.

    `kind` is the class of it: elf, interpreter, library, script, foreign, unread, limit, behind, config, allowed.
    `path` is absolute; a file inside of archives has their names before it, with `!` between. `names` are all paths of
    the image's tree that have this content, empty where it is `hidden` by a later layer (or a later entry of the same).
    `layer` counts from 0, the lowest; it is None, and `digest` empty, for what is no file of a layer. `what` says what
    was found (of a script: the interpreter that it wants), `why` what is wrong, a text for each difference. `files` are
    the paths of all files that one finding stands for, where it stands for several: `path` is the first of them, and
    `names` are those of all.
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
    files: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The first line says what, the second where it comes from."""
        why = "; ".join(self.why)
        if self.files:
            yield f"{why}: {_several(self.files)}"
            yield from self._origin(())
            return
        # A file for another machine is described by that difference.
        yield f"{self.path}: {why if not self.what or self.what in why else f'{self.what}: {why}'}"
        yield from self._origin([n for n in self.names if self.path != n and not self.path.startswith(f"{n}!")])

    def _origin(self, others: Sequence[str]) -> Iterator[str]:
        origin = [f"package {self.package}"] if self.package else []
        if self.layer is not None:
            origin.append(f"layer {self.layer + 1} ({self.digest[:_SHOWN_DIGEST]})")
        if self.hidden:
            origin.append("hidden by a later layer")
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
            "files": list(self.files or (self.path,)),
        }


class Excused(Struct, frozen=True, kw_only=True):
    """A finding that the recipe allows; `reason` is the recipe's."""

    finding: Finding
    pattern: str
    reason: str


class AuditReport(Struct, frozen=True, kw_only=True):
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
        for finding in self.findings:
            first, *rest = finding.lines()
            yield f"{finding.severity}: {first}"
            yield from rest
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


def joined_scripts(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding for all scripts of one package (and layer) that want one missing interpreter, in place of the first.

    After what is allowed was taken out: that is a matter of each file.
    """
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for number, each in enumerate(findings):
        key = (each.kind, each.severity, each.what, each.package, each.layer) if each.kind == "script" else (number,)
        groups.setdefault(key, []).append(each)
    return tuple(group[0] if len(group) == 1 else _joined(group) for group in groups.values())


def _joined(group: Sequence[Finding]) -> Finding:
    files = tuple(sorted(each.path for each in group))
    names = tuple(dict.fromkeys(name for each in sorted(group, key=lambda each: each.path) for name in each.names))
    package = f" of package {group[0].package}" if group[0].package else ""
    why = f"{len(group)} scripts{package} want {group[0].what}, which is not in the image"
    return replace(group[0], path=files[0], names=names, files=files, why=(why,))


def _several(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN_FILES} more" if len(paths) > _SHOWN_FILES else ""
    return ", ".join(paths[:_SHOWN_FILES]) + more


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"
