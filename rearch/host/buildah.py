"""The buildah builder (steps.ports.ImageBuilder): RUN without a daemon.

buildah works in a storage of its own below the order's scratch folder, so that no two builds meet and nothing stays
behind. It runs as root, or as a user with subordinate ids (/etc/subuid): it maps them to give files their owners.
All instructions become one layer; buildah dates it by --timestamp, and then it is taken over like any engine's. How the
container is started is taken from the Dockerfile itself: buildah 1.28 departs from its reference there.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import RearchError, StepError
from rearch.host.building.context import check_context
from rearch.host.building.emulation import NoEmulation, this_host, why_not
from rearch.host.building.evaluated import evaluated
from rearch.host.building.failure import cannot_run, failure, instructions
from rearch.host.building.histories import with_history
from rearch.host.building.names import Planned, planned, with_names
from rearch.host.building.saved import opened
from rearch.host.building.take import EngineImage, StageImage, read_stages, take_image
from rearch.model.command import Command, Completed
from rearch.oci.dockerfile.errors import place
from rearch.oci.embedded.context import IGNORE_FILE
from rearch.oci.order import BuiltImage, ImageOrder
from rearch.steps.ports import Workspace

RESULT, ARCHIVE, IGNORED = "localhost/rearch-result:result", "result.tar", "ignored"
_PASSED = ("PATH", *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"))


class NoSubordinateIds(StepError):
    """A user who is not root, and has no ids to give files other owners."""

    def __init__(self, user: str) -> None:
        self.user = user
        super().__init__(
            f"buildah cannot work for the user {user}, who has no subordinate ids (/etc/subuid, /etc/subgid)",
            hint=f"`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`, or run as root, or "
            "use `builder: embedded` (no RUN) or docker",
        )


class BuildahFailed(StepError):
    """buildah failed in what is not the Dockerfile's business."""

    def __init__(self, doing: str, done: Completed) -> None:
        self.doing = doing
        self.exit = done.exit
        super().__init__(f"buildah could not {doing} (exit {done.exit})", done.output.splitlines()[-10:])


class Storage(Struct, frozen=True, kw_only=True):
    """Where buildah works: `folder` is its working folder, with the storage and all that it is told of."""

    folder: Path

    def command(self, environment: Mapping[str, str], *words: str) -> Command:
        """buildah with this storage, and nothing of the user's or the host's settings of it that matter here."""
        kept = {name: environment[name] for name in _PASSED if name in environment}
        env = {**kept, "HOME": str(self.folder), "TMPDIR": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}
        options = (f"--root={self.folder}/storage", f"--runroot={self.folder}/run", "--storage-driver=vfs")
        return Command(argv=("buildah", *options, *words), cwd=self.folder, env=tuple(sorted(env.items())))


class BuildahBuilder:
    """Builds with the buildah on PATH of `environment`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def build(self, order: ImageOrder, work: Workspace) -> BuiltImage:
        """Run the Dockerfile, and leave the layers of the result in the order's layout.

        Errors: BadDockerfile, WrongBase (before anything starts), ToolMissing, NoSubordinateIds, NoEmulation,
        BuildFailed, BuildahFailed, WrongResult; those of read_image and make_layer.
        """
        plan = planned(order, read_stages(order))
        check_context(plan, order)
        _check_host(order, plan)
        with self._storage(order, work) as storage:
            plan = replace(plan, used=tuple(_told(plan.used, storage)))
            self._run(storage, order, plan, work)
            with opened(storage.folder / ARCHIVE, order.template) as image:
                return take_image(_said_by(plan, order, image), plan.used, order)

    @contextmanager
    def _storage(self, order: ImageOrder, work: Workspace) -> Iterator[Storage]:
        """A storage, removed at the end: without root, its files belong to others, and only buildah can do it."""
        folder = order.scratch / "buildah"
        folder.mkdir()
        (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        storage = Storage(folder=folder)
        try:
            yield storage
        finally:
            if os.geteuid() != 0:
                work.run(storage.command(self._environment, "unshare", "rm", "-rf", "storage", "run"))

    def _run(
        self,
        storage: Storage,
        order: ImageOrder,
        plan: Planned,
        work: Workspace,
    ) -> None:
        """Build, and write the result as a docker archive."""
        names = {}
        for number, stage in enumerate(plan.used):
            # A relative path: buildah makes a name of it, and names have no capitals.
            (storage.folder / f"stage{number}").symlink_to(stage.layout.absolute(), target_is_directory=True)
            names[stage.name] = f"oci:stage{number}"
        (storage.folder / "Dockerfile").write_text(with_names(plan, names))
        rules = order.context / IGNORE_FILE
        (storage.folder / IGNORED).write_bytes(rules.read_bytes() if rules.exists() else b"")
        done = work.run(storage.command(self._environment, *build_words(order)))
        if done.exit != 0:
            raise _failed(order, plan, done)
        push = ("push", "--signature-policy=policy.json", RESULT, f"docker-archive:{ARCHIVE}")
        pushed = work.run(storage.command(self._environment, *push))
        if pushed.exit != 0:
            raise BuildahFailed("write its result", pushed)


def _told(stages: Sequence[StageImage], storage: Storage) -> Iterator[StageImage]:
    for number, stage in enumerate(stages):
        yield with_history(stage, storage.folder / f"told{number}")


def _said_by(plan: Planned, order: ImageOrder, built: EngineImage) -> EngineImage:
    """The result, started as the Dockerfile says. buildah 1.28 wraps commands into /bin/sh -c whatever SHELL says,
    writes a range of ports as one port, moves variables that the base has behind its others, leaves out the
    WorkingDir `/` of scratch, and drops the `=` of ENV and LABEL in ONBUILD triggers.
    """
    return replace(built, config=replace(built.config, config=evaluated(plan, order)))


def build_words(order: ImageOrder) -> tuple[str, ...]:
    """`buildah bud` and its options (buildah-build(1)); paths are relative to the storage's folder."""
    args = {"SOURCE_DATE_EPOCH": str(order.epoch), **order.args}
    return (
        "bud",
        "--isolation=chroot",
        "--layers=false",
        # OCI's config has no HEALTHCHECK, SHELL and ONBUILD, so that buildah would drop them.
        "--format=docker",
        "--identity-label=false",
        "--signature-policy=policy.json",
        f"--timestamp={order.epoch}",
        f"--platform={order.platform}",
        *(f"--build-arg={name}={value}" for name, value in sorted(args.items())),
        f"--tag={RESULT}",
        "--file=Dockerfile",
        # By itself, buildah would look for a .containerignore first, which no other builder knows.
        f"--ignorefile={IGNORED}",
        str(order.context.absolute()),
    )


def _check_host(order: ImageOrder, plan: Planned) -> None:
    """Errors: NoSubordinateIds, NoEmulation (a Dockerfile without RUN runs no program of the platform)."""
    if os.geteuid() != 0 and not _has_subordinate_ids(user := _user()):
        raise NoSubordinateIds(user)
    if plan.dockerfile.runs:
        here = this_host()
        reason = why_not(order.platform, here, here)
        if reason:
            raise _no_emulation(order, plan, reason)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _has_subordinate_ids(user: str) -> bool:
    """subuid(5): a line for the user, by name or number."""
    mine = {user, str(os.geteuid())}
    for file in (Path("/etc/subuid"), Path("/etc/subgid")):
        lines = file.read_text().splitlines() if file.exists() else []
        if not any(line.partition(":")[0] in mine for line in lines):
            return False
    return True


def _failed(order: ImageOrder, plan: Planned, done: Completed) -> RearchError:
    if plan.dockerfile.runs and cannot_run(done.output):
        return _no_emulation(order, plan, "a program did not start: exec format error")
    return failure(order.template, instructions(plan.dockerfile), done.output, done.exit)


def _no_emulation(order: ImageOrder, plan: Planned, reason: str) -> NoEmulation:
    where = place(order.template, plan.dockerfile.runs[0].where.first)
    return NoEmulation(order.platform, "this host", where, reason)
