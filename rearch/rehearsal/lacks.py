"""What a rehearsal needs of the machine, what of it is missing, and how to get it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.errors import StepError, TemporaryError
from rearch.host.process import Processes
from rearch.model.command import Command
from rearch.model.platform import Platform

Find = Callable[[str], bool]
_PASSED = ("PATH", "HOME", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_APT = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=120")


class Lack(Struct, frozen=True, kw_only=True):
    """Something that is missing. `package` is Debian's; empty where no package is the cure."""

    what: str
    needed_for: str
    package: str = ""


class MachineLacks(StepError):
    """The rehearsal cannot begin. `lacks` is all of it at once."""

    def __init__(self, lacks: Sequence[Lack]) -> None:
        self.lacks = tuple(lacks)
        packages = packages_of(lacks)
        install = f"apt-get install {' '.join(packages)}" if packages else ""
        again = "run it again as root" if any(not lack.package for lack in lacks) else ""
        super().__init__(
            "this machine lacks what the rehearsal needs",
            [f"{lack.what}: {lack.needed_for}" for lack in lacks],
            hint="; ".join(filter(None, (f"`{install}`, or `rearch rehearse --install`" if install else "", again))),
        )


class NotInstalled(TemporaryError):
    """apt-get did not install the packages. `said` is the end of what it printed."""

    def __init__(self, packages: Sequence[str], said: str) -> None:
        self.packages = tuple(packages)
        self.said = said
        super().__init__(
            f"apt-get could not install {' '.join(packages)}",
            said.strip().splitlines()[-8:],
            hint="run it by hand, and look at /etc/apt/sources.list",
        )


def missing(emulated: Sequence[Platform], *, engine: bool, root: bool, find: Find) -> tuple[Lack, ...]:
    """What is missing. `engine`: an engine was named, so that none is started; `emulated`: the platforms whose programs
    the machine does not run itself; `find(program)` says whether a program is on PATH. Pure."""
    return tuple(_each(emulated, engine=engine, root=root, find=find))


def _each(emulated: Sequence[Platform], *, engine: bool, root: bool, find: Find) -> Iterator[Lack]:
    if not root:
        yield Lack(what="root", needed_for="a Docker engine of its own, and emulators that the kernel knows")
    if not find("git"):
        yield Lack(what="git", needed_for="the repositories that stand for upstream's", package="git")
    if not find("docker-registry"):
        yield Lack(what="docker-registry", needed_for="the registry that hosts pull from", package="docker-registry")
    if not engine and not (find("dockerd") and find("containerd")):
        yield Lack(what="dockerd", needed_for="the engine of the hosts", package="docker.io")
    for platform in emulated:
        program = f"qemu-{platform.arch.qemu}-static"
        if not find(program):
            yield Lack(what=program, needed_for=f"programs of {platform}", package="qemu-user-static")
    if emulated and not find("update-binfmts"):
        yield Lack(what="update-binfmts", needed_for="emulation inside containers", package="binfmt-support")


def packages_of(lacks: Sequence[Lack]) -> tuple[str, ...]:
    """The packages that cure it, each once."""
    return tuple(dict.fromkeys(lack.package for lack in lacks if lack.package))


def install(packages: Sequence[str], processes: Processes, environment: Mapping[str, str]) -> None:
    """Have apt-get install them; services that come with them are not started. Errors: NotInstalled, ToolMissing."""
    kept = {name: environment[name] for name in _PASSED if name in environment}
    env = tuple(sorted({**kept, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}.items()))
    for words in (("update",), ("install", "-y", "--no-install-recommends", *packages)):
        done = processes.run(Command(argv=(*_APT, *words), cwd=Path("/"), env=env, timeout=900.0))
        if done.exit != 0:
            raise NotInstalled(packages, done.output)
