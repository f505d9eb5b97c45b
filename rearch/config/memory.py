"""What YAML files said when they were read last, by the hash of their text: half of the time of a large plan.

Only faultless files are remembered, and nothing is trusted but the hash: another text, another entry. A memory that
is torn or missing costs the time of reading again.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from rearch.config.yaml_tree import Data

FORMAT = "yaml-1"


class YamlMemory:
    """The parsed files of one project, in one JSON file; without a path it remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._before: dict[str, Data] = {}
        self._now: dict[str, Data] = {}
        if path is not None:
            with suppress(OSError, ValueError):
                found = json.loads(path.read_bytes())
                if isinstance(found, dict) and found.get("format") == FORMAT and isinstance(found.get("files"), dict):
                    self._before = found["files"]

    def recall(self, text: str) -> tuple[str, Data | None]:
        """The text's name here, and its data if it is known."""
        name = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        data = self._before.get(name)
        if data is not None:
            self._now[name] = data
        return name, data

    def learn(self, name: str, data: Data) -> None:
        """Remember what a text says."""
        if self._path is not None and data is not None:
            self._now[name] = data

    def save(self) -> None:
        """Write what is new, without what was not used for long. A disk that refuses is no reason to fail."""
        files = self._before | self._now
        if len(files) > 4 * len(self._now) + 100:
            files = self._now
        if self._path is None or files.keys() == self._before.keys():
            return
        beside = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps({"format": FORMAT, "files": files}))
            beside.replace(self._path)
