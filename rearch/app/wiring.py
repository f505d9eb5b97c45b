"""The adapters of one run, each made when it is first asked for: a plan with nothing to do needs few of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

from rearch.app.places import cache_folder
from rearch.app.request import Request
from rearch.engine.store import Store
from rearch.host.emulators import Emulators
from rearch.host.process import Processes
from rearch.model.command import Command, Completed
from rearch.model.platform import Platform, host_platform
from rearch.model.settings import GoSettings, Settings
from rearch.model.stack import Component
from rearch.model.step import Fix, Inputs, ToolchainInputs
from rearch.model.toolchain import Toolchain
from rearch.report import Reporter, Said
from rearch.steps.ports import Outcome, Workspace

if TYPE_CHECKING:
    from rearch.host.debian.apt import HostApt
    from rearch.host.debian.resolve import DebianResolver
    from rearch.host.sources.git_resolve import GitResolver
    from rearch.host.sources.git_run import GitSettings
    from rearch.planning.facts import Rendered
    from rearch.registry.client import RegistryClient
    from rearch.registry.resolve import BaseResolver
    from rearch.steps.ports import Emulator, ImageBuilder, Ports


class Adapters:
    """Everything of the outside world that one run uses."""

    def __init__(self, request: Request, settings: Settings, report: Reporter) -> None:
        self.request = request
        self.settings = settings
        self.report = report
        self.environment = request.environment
        self.project = request.project
        self.cache = cache_folder(settings, request.environment)
        self.output = self.project / settings.output
        self.host = host_platform(os.uname().machine)
        self.processes = Processes()
        self.store = Store(self.cache)
        self.emulators = Emulators.of_this_host(request.environment.get("PATH", os.defpath))

    def say(self, text: str) -> None:
        """A line that is shown with --verbose."""
        self.report(Said(text=text, level="detail"))

    @cached_property
    def git_settings(self) -> GitSettings:
        from rearch.host.sources.git_run import GitSettings

        return GitSettings(
            cache=self.cache,
            mirrors=self.settings.mirrors,
            offline=self.settings.offline,
            timeout=self.settings.timeout,
            limit=self.settings.step_timeout,
            environment=self.environment,
            processes=self.processes,
        )

    @cached_property
    def git(self) -> GitResolver:
        from rearch.host.sources.git_resolve import GitResolver

        return GitResolver(self.git_settings, self.say)

    @cached_property
    def apt(self) -> HostApt:
        from rearch.host.debian.apt import HostApt

        return HostApt(
            self.cache,
            self.processes,
            self.environment,
            timeout=self.settings.timeout,
            offline=self.settings.offline,
            archives=self.settings.debian_archives,
            say=self.say,
        )

    @cached_property
    def debian(self) -> DebianResolver:
        from rearch.host.debian.resolve import DebianResolver

        return DebianResolver(self.apt)

    def local_digest(self, folder: str) -> str:
        """The tree digest of a folder of the project."""
        from rearch.host.sources.local import local_digest

        return local_digest(self.project / folder)

    def toolchain(self, toolchain: Toolchain, platform: Platform | None) -> ToolchainInputs:
        """A toolchain for this host; `platform` for a C compiler of which there is one for each target."""
        from rearch.host.tools_system import toolchain_inputs

        return toolchain_inputs(toolchain, self.host, platform, path=self.environment.get("PATH"))

    def fixes(self, components: Iterable[Component]) -> Mapping[str, Fix]:
        """The fixes that ship with rearch, if one of these components names any."""
        if not any(component.recipe.fixes for component in components):
            return {}
        from rearch.planning.fixes import shipped_fixes

        return shipped_fixes()

    def go_settings(self, settings: Settings) -> GoSettings:
        """Where modules come from: the setting, else what the environment says, else Go's own default."""
        return GoSettings(
            proxy=settings.go.proxy or self.environment.get("GOPROXY", ""),
            sumdb=settings.go.sumdb or self.environment.get("GOSUMDB", ""),
        )

    def run_command(self, command: Command, log: IO[bytes], limit: int) -> Completed:
        """Run a step's command; without a limit of its own it gets the setting's."""
        if command.timeout is None:
            from msgspec.structs import replace

            command = replace(command, timeout=self.settings.step_timeout)
        return self.processes.run(command, log, limit)

    @cached_property
    def performer(self) -> Callable[[Inputs, Workspace], Outcome]:
        from rearch.steps.perform import Performer

        return Performer(self._ports())

    def _ports(self) -> Ports:
        from rearch.app.sources import Sources
        from rearch.host.debian.root_fs import DebianRootFs
        from rearch.host.debian.unpack import DebianPackages
        from rearch.host.tools import Tools
        from rearch.registry.pull import RegistryPuller
        from rearch.steps.ports import Ports

        return Ports(
            sources=Sources(self),
            tools=Tools(
                self.cache,
                self.environment,
                mirrors=self.settings.mirrors,
                offline=self.settings.offline,
                timeout=self.settings.timeout,
            ),
            packages=DebianPackages(self.apt),
            emulator=self._emulator,
            images=RegistryPuller(self.registry, self.cache),
            root_fs=DebianRootFs(self.apt),
            builder=self.builder,
        )

    def builder(self, name: str, engine: str) -> ImageBuilder:
        """The image builder of that name; `engine` is where the docker builder works."""
        if name == "buildah":
            from rearch.host.buildah import BuildahBuilder

            return BuildahBuilder(self.environment)
        from rearch.host.docker.builder import DockerBuilder

        return DockerBuilder(engine, self.environment, self.processes)

    @cached_property
    def registry(self) -> RegistryClient:
        """The client for all registries of the run; a login is looked for when one asks for it."""
        from rearch.app.registries import registry_client

        return registry_client(self.settings, self.environment, self.processes)

    @cached_property
    def bases(self) -> BaseResolver:
        from rearch.registry.resolve import BaseResolver

        return BaseResolver(self.registry)

    def render(self, template: str, values: Mapping[str, Any]) -> Rendered:
        """A Dockerfile from a template."""
        from rearch.config.templates import render_template
        from rearch.planning.facts import Rendered

        found = render_template(self.project, template, values)
        return Rendered(path=found.path, text=found.text)

    def _emulator(self, platform: Platform) -> Emulator | None:
        return None if self.emulators.native(platform) else self.emulators.find(platform)
