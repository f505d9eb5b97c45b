"""Why a step runs: a comparison of what was hashed then and now, not a guess."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from rearch.model.step import Step

ABSENT = "(nothing)"
_GONE = object()


class Difference(Struct, frozen=True):
    """One field that differs. `path` is written as `inputs.edits[0].replace`; the values are short texts."""

    path: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}: {self.before} -> {self.after}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Every leaf in which two documents differ, in reading order."""
    return tuple(_compare("", before, after))


def _compare(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in (*after, *(name for name in before if name not in after)):
            yield from _compare(f"{path}.{name}" if path else name, before.get(name, _GONE), after.get(name, _GONE))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _compare(f"{path}[{index}]", _item(before, index), _item(after, index))
    elif isinstance(before, str) and isinstance(after, str) and "\n" in before and "\n" in after:
        yield from _compare_lines(path, before, after)
    elif before != after:
        yield Difference(path, _short(before), _short(after))


def _compare_lines(path: str, before: str, after: str) -> Iterator[Difference]:
    """A text of several lines, as a Dockerfile: the lines that differ, by their number now."""
    old, new = before.splitlines(), after.splitlines()
    for what, first, last, start, end in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if what != "equal":
            for index in range(max(last - first, end - start)):
                gone = old[first + index] if first + index < last else _GONE
                come = new[start + index] if start + index < end else _GONE
                yield Difference(f"{path}[{start + index + 1}]", _short(gone), _short(come))


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else _GONE


def _short(value: Any) -> str:
    if value is _GONE:
        return ABSENT
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return repr(text) if isinstance(value, str) else text


def reason_from(step: Step, found: tuple[Difference, ...], now: Mapping[str, Any]) -> str:
    """A clause in words for what differs: what the user changed first, what follows from other steps last."""
    own = [difference for difference in found if not difference.path.startswith("needs.")]
    if own:
        words = list(dict.fromkeys(_words(difference.path, now) for difference in own))
        return " and ".join(words[:2]) + (f" and {len(words) - 2} more" if len(words) > 2 else "")
    roles = [difference.path.removeprefix("needs.") for difference in found]
    needs = [step.needs[role] for role in roles if role in step.needs]
    return "; ".join(f"{need.kind} {need.subject} is new" for need in needs) or "what it needs changed"


_WORDS = {
    "go_version": "the Go version",
    "stamps": "a version stamp",
    "binaries": "the list of binaries",
    "checks": "the smoke checks",
    "emulator": "the emulator",
    "commit": "the commit",
    "version": "the version",
    "sha256": "the sha256",
    "digest": "the folder's content",
    "commands": "a generate command",
    "annotations": "an annotation",
    "args": "a build argument",
    "packages": "the list of packages",
    "context": "the list of files",
    "allowed": "what the audit lets pass",
    "platforms": "the list of platforms",
    "stages": "the list of stages",
}


def _package(path: str, now: Mapping[str, Any]) -> str:
    """The name of the Debian package that a path leads into: `inputs.origin.packages[3].version`."""
    found = re.match(r"inputs\.origin\.packages\[(\d+)\]", path)
    packages = now["inputs"]["origin"].get("packages", []) if found else []
    return str(packages[int(found[1])]["name"]) if found and int(found[1]) < len(packages) else ""


_LISTS = {"edits": ("edit", "file", "of "), "patches": ("patch", "path", "at "), "fixes": ("fix", "name", "")}


def _words(path: str, now: Mapping[str, Any]) -> str:
    fields = path.split(".")
    if fields[0] == "rule":
        return "rearch does this step in another way now"
    name, _, index = fields[min(1, len(fields) - 1)].partition("[")
    number = int(index.partition("]")[0]) if index else 0  # of `commands[0][2]` the first
    if name == "dockerfile":
        return f"line {number} of the Dockerfile changed" if number else "the Dockerfile changed"
    items = now.get("inputs", {}).get(name)
    if name == "origin" and fields[-1] == "digest":
        return "the base image changed"
    if name == "origin" and (package := _package(path, now)):
        return f"package {package} changed"
    item = items[number] if isinstance(items, list) and number < len(items) else None
    if name in _LISTS:
        noun, field, joint = _LISTS[name]
        return f"{noun} {number + 1} {joint}{item[field]} changed" if item else f"{noun} {number + 1} is gone"
    leaf = fields[-1].partition("[")[0]
    return f"{_WORDS.get(name) or _WORDS.get(leaf) or name} changed"
