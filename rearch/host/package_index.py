"""Which versions of a package there are: asked through pip, which knows where this host is to look.

`pip index versions` lists what could be installed on a platform, and downloads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from rearch.errors import StepError, TemporaryError
from rearch.formats.urls import OfflineError
from rearch.host.process import Processes
from rearch.host.tools_pip import NETWORK, find_pip, last_lines, pip_environment, platform_tags
from rearch.model.command import Command, Completed
from rearch.model.platform import Platform

_VERSIONS = re.compile(r"^Available versions: (.+)$", re.MULTILINE)
_TIMEOUT = 120.0


class IndexSilent(TemporaryError):
    """pip's index does not answer."""

    def __init__(self, package: str, output: str) -> None:
        self.package, self.output = package, output
        super().__init__(
            f"pip cannot list the versions of {package}: its index does not answer",
            last_lines(output),
            "try again later, or point pip to an index that answers (`pip config set global.index-url URL`)",
        )


class NoSuchPackage(StepError):
    """pip's index answers, and has nothing of the name for the platform."""

    def __init__(self, package: str, host: Platform, output: str) -> None:
        self.package, self.host, self.output = package, host, output
        hint = f"`pip index versions {package}` shows what pip finds; a toolchain's `pypi` names the package"
        super().__init__(f"pip's index has no {package} for {host}", last_lines(output), hint)


class PackageIndex:
    """Asks pip. `environment` is the process's: pip sees what tools_pip.py lets through."""

    def __init__(self, environment: Mapping[str, str], processes: Processes, *, offline: bool) -> None:
        self._environment = environment
        self._processes = processes
        self._offline = offline

    def versions(self, package: str, host: Platform) -> tuple[str, ...]:
        """The versions (PEP 440; no pre-releases) with a wheel for `host`, in pip's order, the newest first.

        Errors: OfflineError, NoPip, IndexSilent, NoSuchPackage.
        """
        if self._offline:
            raise OfflineError("the list of versions", f"{package} (pip)")
        pip = find_pip(package, self._environment.get("PATH"))
        done = self._processes.run(versions_command(pip, package, host, self._environment))
        found = _VERSIONS.search(done.output)
        if done.exit != 0 or found is None:
            raise _failure(package, host, done)
        return tuple(found[1].split(", "))


def versions_command(pip: tuple[str, ...], package: str, host: Platform, environment: Mapping[str, str]) -> Command:
    """List what has a wheel for `host`, whatever interpreter runs pip."""
    argv = (*pip, "index", "versions", "--no-input", "--disable-pip-version-check", "--only-binary=:all:")
    # Without a retry pip says nothing of a connection that failed, only that there is no such package.
    argv += ("--retries=2",)
    return Command(
        argv=(*argv, *platform_tags(host), "--", package),
        cwd=Path("/"),  # pip must not take a folder of the project for the package
        env=pip_environment(environment),
        timeout=_TIMEOUT,
    )


def _failure(package: str, host: Platform, done: Completed) -> IndexSilent | NoSuchPackage:
    if done.exit is None or NETWORK.search(done.output):
        return IndexSilent(package, done.output)
    return NoSuchPackage(package, host, done.output)
