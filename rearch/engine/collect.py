"""Results of a build -> output/: hard links into the store (copies across file systems), and build.json.

output/bin/<platform>/<component>/<name>
output/build.json
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rearch.engine.durable import write_whole
from rearch.engine.index import Built, index_bytes, read_index
from rearch.engine.records import digests
from rearch.engine.refused import make_folder
from rearch.engine.store import Store
from rearch.formats.tree import remove_tree
from rearch.model.plan import Plan, PlannedStep
from rearch.model.step import Artifact, StepId, StepKind

TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder holds results of rearch and can be deleted.\n"


def built(plan: Plan, store: Store) -> tuple[Built, ...]:
    """What may be handed out: every compile whose verify (and smoke, where there is one) is in the store."""
    by_id = {planned.step.id: planned for planned in plan.steps}
    return tuple(
        found
        for planned in plan.steps
        if planned.step.id.kind is StepKind.COMPILE and (found := _built(planned, by_id, store)) is not None
    )


def _built(compiled: PlannedStep, by_id: Mapping[StepId, PlannedStep], store: Store) -> Built | None:
    subject, platform = compiled.step.id.subject, compiled.step.id.platform
    verify = by_id.get(StepId(StepKind.VERIFY, subject, platform))
    smoke = by_id.get(StepId(StepKind.SMOKE, subject, platform))
    checks = [step for step in (verify, smoke) if step is not None]
    if verify is None or not all(store.has(step.key) for step in (compiled, *checks)):
        return None
    binaries, verified = store.load(compiled.key), store.load(verify.key)
    smoked = store.load(smoke.key) if smoke else None
    if any(check is not None and check.facts["checked"] != digests(binaries) for check in (verified, smoked)):
        return None  # made again with other bytes, and the check of those has failed
    outcome = str(smoked.facts["outcome"]) if smoked else "none declared"
    return Built(compiled=compiled, verified=verified, binaries=binaries, smoke=outcome)


class Output:
    """The folder of results."""

    def __init__(self, root: Path, store: Store) -> None:
        self.root = root
        self._store = store

    def prepare(self) -> None:
        """Make the folder, tagged so that backups leave it out (bford.info/cachedir)."""
        if not (self.root / "CACHEDIR.TAG").exists():
            make_folder(self.root, "the folder for results")
            (self.root / "CACHEDIR.TAG").write_text(TAG)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Two runs in one project put their results in place one after the other."""
        lock = self.root / ".rearch" / "lock"
        lock.parent.mkdir(exist_ok=True)
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def remove(self, step: StepId) -> None:
        """Take a component's binaries for a platform away."""
        remove_tree(self.place(step))

    def collect(self, results: Iterable[Built]) -> tuple[Path, ...]:
        """Put the binaries in place; what is there already is not touched. Returns the files that were written."""
        written: list[Path] = []
        for result in results:
            written += self._collect(result)
        return tuple(written)

    def write_index(self, results: Iterable[Built]) -> None:
        """Bring build.json up to date with these results; what it says of other binaries that are there stays."""
        path = self.root / "build.json"
        data = index_bytes(self.root, results, read_index(path))
        if not path.exists() or path.read_bytes() != data:
            write_whole(path, data)

    def place(self, step: StepId) -> Path:
        """The folder for a component's binaries on a platform."""
        assert step.platform is not None
        return self.root / "bin" / str(step.platform) / step.subject.rpartition("/")[2]

    def _collect(self, result: Built) -> list[Path]:
        folder = self.place(result.compiled.step.id)
        files = self._store.files(result.compiled.key)
        wanted = {artifact.path.removeprefix("bin/"): artifact for artifact in result.binaries.artifacts}
        folder.mkdir(parents=True, exist_ok=True)
        for stranger in folder.iterdir():
            if stranger.name not in wanted:
                remove_tree(stranger)
        return [
            folder / name for name, artifact in wanted.items() if _put(files / artifact.path, folder / name, artifact)
        ]


def _put(source: Path, target: Path, artifact: Artifact) -> bool:
    """Link (or copy) one file under its final name; False when it is there."""
    if artifact.target is not None:
        if target.is_symlink() and os.readlink(target) == artifact.target:  # noqa: PTH115 - the text, unresolved
            return False
        remove_tree(target)
        target.symlink_to(artifact.target)
        return True
    if _same(source, target):
        return False
    beside = target.with_name(f".{target.name}.new")
    try:
        _link(source, beside)
        if target.is_dir() and not target.is_symlink():
            remove_tree(target)  # a rename replaces files alone
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return True


def _link(source: Path, beside: Path) -> None:
    remove_tree(beside)  # what a killed run left
    try:
        os.link(source, beside)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, beside)


def _same(source: Path, target: Path) -> bool:
    try:
        there, ours = target.stat(follow_symlinks=False), source.stat()
    except FileNotFoundError:
        return False
    if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
        return True
    return (there.st_size, there.st_mtime_ns, there.st_mode) == (ours.st_size, ours.st_mtime_ns, ours.st_mode)
