"""rearch's own commands, for the rehearsal: each is run as a user would run it on the rehearsal's project."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from rearch.app.build import BuildResult, build
from rearch.app.bundle import BundleOrder, refit, scan, verify
from rearch.app.places import cache_folder
from rearch.app.publish import PublishOrder, publish
from rearch.app.rancher_source import fetch_item
from rearch.app.request import Request
from rearch.app.volumes import VolumesOrder, fill_volumes
from rearch.bundle.errors import words_of
from rearch.errors import RearchError, StepError, VerificationError, worst
from rearch.model.platform import Platform
from rearch.model.step import StepKind
from rearch.rehearsal.ports import Cured, Filled, Made, Source
from rearch.rehearsal.project import Project
from rearch.report import Reporter


class CommandFailed(StepError):
    """A command of the rehearsal ended with errors. `errors` are all of them; it has the exit code of the worst."""

    def __init__(self, command: str, errors: Sequence[tuple[str, RearchError]]) -> None:
        self.command = command
        self.errors = tuple(errors)
        self.exit_code = worst([error for _, error in errors])
        super().__init__(f"`rearch {command}` failed", [error.render(where) for where, error in errors])


class NotVerified(VerificationError):
    """`rearch bundle verify` found something in what `rearch bundle refit` wrote."""

    def __init__(self, archive: Path, faults: Sequence[str]) -> None:
        self.archive = archive
        self.faults = tuple(faults)
        super().__init__(f"{archive.name}: the refit does not hold", self.faults, "this is a bug: please report it")


class RehearsedWorks:
    """`rearch.rehearsal.ports.Works` on a project of its own. `toolchain` is the file of the compiler to use."""

    def __init__(self, request: Request, report: Reporter, toolchain: Path) -> None:
        self._request = request
        self._report = report
        self._toolchain = toolchain

    def _on(self, project: Project) -> Request:
        return replace(self._request, project=project.root)

    def build(self, project: Project) -> Made:
        """`rearch build`. Errors: those of the command; CommandFailed for steps that failed."""
        toolchains = project.root / "toolchains"
        toolchains.mkdir(exist_ok=True)
        shutil.copy(self._toolchain, toolchains)
        result = build(self._on(project), self._report)
        errors = [(str(failed.step), failed.error) for failed in result.failed]
        errors += [("", error) for error in result.errors]
        if errors:
            raise CommandFailed("build", errors)
        return self._made(project, result)

    def _made(self, project: Project, result: BuildResult) -> Made:
        compiler = next(
            (planned.key, record)
            for planned, record in zip(result.plan.steps, result.records, strict=True)
            if planned.step.id.kind is StepKind.TOOLCHAIN
        )
        programs = sorted(path for folder in result.folders for path in folder.iterdir() if path.is_file())
        return Made(
            programs=tuple(str(path.relative_to(project.output)) for path in programs),
            images=tuple(f"{index.repository} {index.digest}" for index in result.indexes),
            compiler=compiler[1].parent / "files" / "go" / "bin" / "go",
            cache=self._cache(project) / "go-build" / compiler[0],
        )

    def _cache(self, project: Project) -> Path:
        from rearch.config.settings import settings_origins

        request = self._on(project)
        settings, _ = settings_origins(project.root, environment=request.environment, flags=request.flags)
        return cache_folder(settings, request.environment)

    def publish(self, project: Project) -> Sequence[str]:
        """`rearch publish`. Errors: those of the command; CommandFailed for what did not get through."""
        request = self._on(project)
        # The registry is a process of ours on the loopback: --offline is about the network.
        flags = {name: value for name, value in request.flags.items() if name != "offline"}
        result = publish(replace(request, flags=flags), PublishOrder(), self._report)
        if result.errors:
            raise CommandFailed("publish", result.errors)
        return tuple(tag.reference for tag in result.tags)

    def refit(self, project: Project, source: Source, folder: Path) -> Cured:
        """`rearch bundle` on what the server hands out. Errors: those of the command and of the source; NotVerified."""
        request = self._on(project)
        original = fetch_item(source.api, source.item, folder, access_key=source.access, secret_key=source.secret)
        target = folder / "refitted" / original.name
        target.parent.mkdir()
        found = scan(request, BundleOrder(archive=original))
        done = refit(request, BundleOrder(archive=original, out=target)).done
        verdict = verify(request, BundleOrder(archive=target, against=original))
        if not verdict.holds:
            raise NotVerified(target, verdict.faults)
        return Cured(
            archive=target,
            before=tuple(f"{_inner(elf.path)}: {words_of(elf)}" for elf in found.elves),
            after=tuple(f"{_inner(put.path)}: {put.what}" for put in done.put),
        )

    def fill_volume(self, project: Project, engine: str, platform: Platform) -> Filled:
        """`rearch volumes --engine`. Errors: those of the command; CommandFailed."""
        return self._fill(project, platform, VolumesOrder(engine=engine))

    def fill_folder(self, project: Project, folder: Path, platform: Platform) -> Filled:
        """`rearch volumes --to`. Errors: those of the command; CommandFailed."""
        return self._fill(project, platform, VolumesOrder(to=folder))

    def _fill(self, project: Project, platform: Platform, order: VolumesOrder) -> Filled:
        result = fill_volumes(replace(self._on(project), platforms=(platform,)), order, self._report)
        if result.errors:
            raise CommandFailed("volumes", result.errors)
        changes = [(volume.name, change) for volume in result.volumes for change in volume.todo]
        return Filled(written=tuple(f"{name}: {change.thing.path} ({platform})" for name, change in changes))


def _inner(path: str) -> str:
    """A path of an archive without its root folder."""
    return path.partition("/")[2] or path
