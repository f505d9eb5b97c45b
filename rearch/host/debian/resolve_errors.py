"""Why apt cannot resolve what was asked of it."""

from __future__ import annotations

from rearch.errors import StepError, UsageError
from rearch.host.debian.state import Answer


class UnmetBuildDependencies(StepError):
    """apt cannot find what a source package builds with."""

    def __init__(self, package: str, version: str, said: tuple[str, ...]) -> None:
        self.package = package
        self.version = version
        super().__init__(
            f"{package} {version}: apt cannot resolve what it builds with",
            said,
            hint="this host's apt lacks a suite or component that has it (contrib, backports?)",
        )


class UnmetDependencies(StepError):
    """apt cannot find what packages of a sysroot depend on."""

    def __init__(self, names: tuple[str, ...], architecture: str, said: tuple[str, ...]) -> None:
        self.names = names
        self.architecture = architecture
        super().__init__(
            f"apt cannot resolve what {', '.join(names)} depend on for {architecture}",
            said,
            hint="try fewer packages, or another suite in this host's apt",
        )


class VirtualPackage(UsageError):
    """Names that several packages provide: which one is wanted has to be said."""

    def __init__(self, names: tuple[str, ...], suite: str, said: tuple[str, ...]) -> None:
        self.names = names
        self.suite = suite
        super().__init__(
            f"{', '.join(names)}: a virtual package of {suite}, which several packages provide",
            said,
            hint="name one of those that provide it under `packages` in the recipe",
        )


def complaint(answer: Answer) -> tuple[str, ...]:
    """What apt says of a problem: a table on the one stream (`x : Depends: y but ...`), a verdict on the other."""
    lines = (line.strip() for line in answer.text.splitlines())
    return (*[line for line in lines if line and not line.endswith("...")][-10:], *answer.said)
