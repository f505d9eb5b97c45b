"""Results of a build -> output/: hard links into the store (copies across file systems), and build.json.

output/bin/<platform>/<component>/<name>
output/images/<repository>/             an OCI layout
output/dockerfiles/<platform>/<component>.Dockerfile
output/build.json
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rearch.engine.durable import write_whole
from rearch.engine.images import BuiltIndex, put_layout
from rearch.engine.index import Built, Index, index_bytes, read_index
from rearch.engine.links import put, remove_others
from rearch.engine.records import digests
from rearch.engine.refused import make_folder
from rearch.engine.store import Store
from rearch.formats.tree import remove_tree
from rearch.model.plan import Plan, PlannedStep
from rearch.model.step import StepId, StepKind
from rearch.model.step_images import ImageInputs

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

    def collect_images(self, indexes: Iterable[BuiltIndex]) -> tuple[Path, ...]:
        """Put the layouts in place. Returns the files that were written."""
        return tuple(path for index in indexes for path in put_layout(index, self.root, self._store))

    def index(self) -> Index:
        """What build.json says now."""
        return read_index(self.root / "build.json")

    def show_dockerfiles(self, plan: Plan) -> None:
        """Leave the rendered Dockerfiles, for people: dockerfiles/<platform>/<component>.Dockerfile."""
        for planned in plan.steps:
            inputs = planned.step.inputs
            if isinstance(inputs, ImageInputs):
                name = f"{planned.step.id.subject.rpartition('/')[2]}.Dockerfile"
                path = self.root / "dockerfiles" / str(inputs.platform) / name
                data = inputs.dockerfile.encode()
                if not path.is_file() or path.read_bytes() != data:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(path, data)

    def write_index(self, results: Iterable[Built], indexes: Iterable[BuiltIndex], before: Index) -> None:
        """Bring build.json up to date with these results; what it says of other results that are there stays.

        `before`: what it says now, read while the output is held.
        """
        data = index_bytes(self.root, results, indexes, before)
        if before.data != data:
            write_whole(self.root / "build.json", data)

    def place(self, step: StepId) -> Path:
        """The folder for a component's binaries on a platform."""
        assert step.platform is not None
        return self.root / "bin" / str(step.platform) / step.subject.rpartition("/")[2]

    def _collect(self, result: Built) -> list[Path]:
        folder = self.place(result.compiled.step.id)
        files = self._store.files(result.compiled.key)
        wanted = {artifact.path.removeprefix("bin/"): artifact for artifact in result.binaries.artifacts}
        folder.mkdir(parents=True, exist_ok=True)
        remove_others(folder, wanted)
        return [folder / name for name, item in wanted.items() if put(files / item.path, folder / name, item)]
