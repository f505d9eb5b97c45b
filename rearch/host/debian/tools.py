"""This host's apt: whether it is there, how it is set up, and what it may see of the environment."""

from __future__ import annotations

import io
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.errors import UsageError
from rearch.host.process import Processes
from rearch.model.command import Command

Say = Callable[[str], None]

HELPER = Path("/usr/lib/apt/apt-helper")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What apt and its fetchers read: proxies, the user's apt.conf, and where gpgv puts its temporary files.
_NAMES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy", "APT_CONFIG", "HOME", "TMPDIR")


class AptMissing(UsageError):
    """A Debian source or sysroot on a host that has no apt."""

    def __init__(self, program: str) -> None:
        self.program = program
        super().__init__(
            f"Debian packages need apt, this host has none (no {program})",
            hint="build on Debian or Ubuntu, or use an archive or git source",
        )


class UnfitPath(UsageError):
    """A cache folder whose name cannot be written into an apt.conf."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"apt cannot keep its state below {str(path)!r}",
            ("its configuration has no way to write a quotation mark, a backslash or a line break",),
            hint="choose another cache folder: REARCH_CACHE, or `cache:` in rearch.yaml",
        )


class AptTools(Struct, frozen=True, kw_only=True):
    """`native` is the host's Debian architecture; `environment` is all that apt gets to see; `timeout` in seconds."""

    native: str
    sourcelist: Path
    sourceparts: Path
    environment: tuple[tuple[str, str], ...]
    timeout: float
    offline: bool


def apt_environment(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The environment for apt, from the process's own: named variables alone, English messages."""
    names = {*_NAMES, *(name.upper() for name in _NAMES)}
    kept = {name: environ[name] for name in names if name in environ}
    return tuple(sorted({**kept, "PATH": _PATH, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}.items()))


def find_apt(processes: Processes, environ: Mapping[str, str], *, timeout: float, offline: bool) -> AptTools:
    """Ask apt how it is set up. `timeout` is for a server that does not answer. Errors: AptMissing."""
    for program in ("apt-get", "apt-cache", "apt-config"):
        if shutil.which(program, path=_PATH) is None:
            raise AptMissing(program)
    if not HELPER.is_file():
        raise AptMissing(str(HELPER))
    environment = apt_environment(environ)
    names = ("NATIVE", "APT::Architecture", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d")
    command = Command(argv=("apt-config", "shell", *names), cwd=Path("/"), env=environment, timeout=60.0)
    output = io.BytesIO()
    processes.run(command, output)
    words = shlex.split(output.getvalue().decode("utf-8", "replace"))
    found = dict(word.split("=", 1) for word in words if "=" in word)
    if not found.get("NATIVE"):
        raise AptMissing("apt-config that says APT::Architecture")
    return AptTools(
        native=found["NATIVE"],
        sourcelist=Path(found.get("LIST", "/etc/apt/sources.list")),
        sourceparts=Path(found.get("PARTS", "/etc/apt/sources.list.d")),
        environment=environment,
        timeout=timeout,
        offline=offline,
    )


def check_path(path: Path) -> Path:
    """The absolute path, if it can stand between quotation marks in apt.conf(5). Errors: UnfitPath."""
    if set('"\\\n;') & set(str(path)):
        raise UnfitPath(path)
    return path.absolute()
