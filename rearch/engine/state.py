"""What a project remembers between runs, under output/: which key each step had last.

Deleting it costs nothing but the reasons of the next plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rearch.engine.durable import write_whole
from rearch.engine.store import Store
from rearch.model.plan import Plan
from rearch.model.step import StepId


class ProjectState:
    """A planner's view of the store (planning.planner.StoreView), with this project's memory."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path
        self._last: dict[str, str] | None = None

    def has(self, key: str) -> bool:
        return self._store.has(key)

    def last_key(self, step: StepId) -> str | None:
        return self._read().get(str(step))

    def document(self, key: str) -> Mapping[str, Any] | None:
        return self._store.document(key)

    def remember(self, plan: Plan) -> None:
        """Note the keys of all steps whose result is there now."""
        self._last = None  # another run in this project may have written since the plan was made
        before = self._read()
        now = before | {str(planned.step.id): planned.key for planned in plan.steps if self._store.has(planned.key)}
        if now != before:
            self._last = now
            write_whole(self._path, (json.dumps(now, indent=0, sort_keys=True) + "\n").encode())

    def _read(self) -> dict[str, str]:
        if self._last is None:
            try:
                found = json.loads(self._path.read_bytes())
            except (FileNotFoundError, ValueError):
                found = {}
            self._last = found if isinstance(found, dict) else {}
        return self._last
