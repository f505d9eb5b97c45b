"""A wheel through pip: pip knows where this host is to look (index, proxies, certificates), so we need not.

Only `pip download` runs: nothing of the package is installed or executed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from rearch.errors import StepError, TemporaryError, VerificationError
from rearch.formats.urls import OfflineError, masked
from rearch.model.command import Command, Completed
from rearch.model.platform import Platform
from rearch.model.step import PypiOrigin, ToolchainInputs
from rearch.steps.ports import Workspace

# What pip reads of the environment besides PIP_*: https://pip.pypa.io/en/stable/topics/configuration/ and
# .../topics/https-certificates/; proxies as requests reads them. PATH: pip may be a script that looks for its Python.
_INHERITED: tuple[str, ...] = (
    "HOME",
    "LANG",
    "NETRC",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
_INHERITED += ("XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "VIRTUAL_ENV")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

# The pin decides which file it is; these only have to let pip consider it (PEP 600, PEP 656).
_GLIBC = tuple(f"manylinux_2_{minor}" for minor in range(43, 4, -1))
_TAGS = (*_GLIBC, "manylinux2014", "manylinux2010", "manylinux1", "musllinux_1_2", "musllinux_1_1", "linux")

_WRONG_HASH = re.compile(r"DO NOT MATCH THE HASHES")
_FOUND_HASH = re.compile(r"Got\s+([0-9a-f]{64})")
NETWORK = re.compile(
    r"Retrying \(Retry|Connection(?:Error| aborted| refused| reset)|Max retries exceeded|Read ?timed? ?out"
    r"|ReadTimeoutError|ConnectTimeout|Temporary failure in name resolution|Name or service not known"
    r"|NewConnectionError|ProxyError|SSLError|\b(?:429|50[0-9]) (?:Server|Client) Error|IncompleteRead",
    re.IGNORECASE,
)
_LAST = 8


class NoPip(StepError):
    """There is no pip to fetch a wheel with."""

    def __init__(self, wanted_for: str) -> None:
        self.wanted_for = wanted_for
        super().__init__(
            f"{wanted_for} comes as a wheel, and there is no pip to fetch it with",
            (f"neither {sys.executable} has it as a module, nor is there a pip3 or pip on PATH",),
            hint=f"`{sys.executable} -m ensurepip`, or `apt-get install python3-pip`",
        )


class IndexUnreachable(TemporaryError):
    """pip's index does not answer."""

    def __init__(self, wheel: str, output: str) -> None:
        self.wheel = wheel
        self.output = output
        super().__init__(
            f"pip cannot fetch {wheel}: its index does not answer",
            last_lines(output),
            hint="try again later, or point pip to an index that answers (`pip config set global.index-url URL`)",
        )


class WheelNotFound(StepError):
    """pip's index answers, and has no such wheel."""

    def __init__(self, wheel: str, host: Platform, output: str) -> None:
        self.wheel = wheel
        self.host = host
        self.output = output
        super().__init__(
            f"pip finds no {wheel} for {host}",
            last_lines(output),
            hint=f"`pip index versions {wheel.partition('==')[0]}` lists what the index has",
        )


class WrongWheel(VerificationError):
    """The index has another file than the one that is pinned."""

    def __init__(self, tool: ToolchainInputs, wheel: str, wanted: str, found: str | None) -> None:
        self.tool = tool.name
        self.wheel = wheel
        self.wanted = wanted
        self.found = found
        details = (f"wanted sha256 {wanted}",) + ((f"found  sha256 {found}",) if found else ())
        super().__init__(
            f"toolchain {tool.name}: {wheel} for {tool.host} is not the file that is pinned",
            details,
            hint=f"find out who changed it before you change the pin in toolchains/{tool.name}.yaml",
        )


class PipFetch:
    """Fetches one wheel at a time."""

    def __init__(self, environment: Mapping[str, str], *, offline: bool) -> None:
        self._environment = environment
        self._offline = offline

    def fetch(self, tool: ToolchainInputs, into: Path, work: Workspace) -> None:
        """Put the wheel of `tool` at `into`. Errors: those above, and OfflineError."""
        assert isinstance(tool.origin, PypiOrigin)
        if self._offline:
            raise OfflineError(f"the wheel of toolchain {tool.name}", f"{_wheel(tool.origin)} (pip)")
        folder = work.scratch / "wheels"
        folder.mkdir()
        requirements = work.scratch / "requirements.txt"
        requirements.write_text(f"{_wheel(tool.origin)} --hash=sha256:{tool.origin.sha256}\n")
        work.progress("download", 0, 0, "B")
        pip = find_pip(f"toolchain {tool.name}", self._environment.get("PATH"))
        done = work.run(download_command(pip, tool.host, requirements, folder, self._environment))
        wheels = tuple(folder.glob("*.whl"))
        if done.exit != 0 or len(wheels) != 1:
            raise _failure(tool, tool.origin, done)
        shutil.move(wheels[0], into)


def find_pip(wanted_for: str, path: str | None) -> tuple[str, ...]:
    """pip of the running interpreter, else one on `path`: environments made by uv have none. Errors: NoPip."""
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    for name in ("pip3", "pip"):
        if found := shutil.which(name, path=path):
            return (found,)
    raise NoPip(wanted_for)


def download_command(
    pip: tuple[str, ...], host: Platform, requirements: Path, folder: Path, environment: Mapping[str, str]
) -> Command:
    """`pip download` of one pinned wheel for `host`, whatever interpreter runs pip."""
    argv = (*pip, "download", "--no-input", "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--require-hashes")
    argv += ("--progress-bar=off", "--disable-pip-version-check", *platform_tags(host))
    return Command(
        argv=(*argv, f"--dest={folder}", f"--requirement={requirements}"),
        cwd=folder,
        env=pip_environment(environment),
    )


def platform_tags(host: Platform) -> tuple[str, ...]:
    """The options that let pip consider every wheel that runs on `host`."""
    tags = tuple(f"--platform={tag}_{machine}" for tag in _TAGS for machine in host.arch.uname)
    return (*tags, "--platform=any")


def pip_environment(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The parts of the environment that pip needs to find its index; nothing else enters."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in _INHERITED or name.upper() in _PROXIES or (name.startswith("PIP_") and name != "PIP_DEST")
    }
    return tuple(sorted({**kept, "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"}.items()))


def _wheel(origin: PypiOrigin) -> str:
    return f"{origin.package}=={origin.version}"


def _failure(tool: ToolchainInputs, origin: PypiOrigin, done: Completed) -> Exception:
    if _WRONG_HASH.search(done.output):
        found = _FOUND_HASH.search(done.output)
        return WrongWheel(tool, _wheel(origin), origin.sha256, found[1] if found else None)
    if done.exit is None or NETWORK.search(done.output):
        return IndexUnreachable(_wheel(origin), done.output)
    return WheelNotFound(_wheel(origin), tool.host, done.output)


def last_lines(output: str) -> tuple[str, ...]:
    """The end of what pip printed; URLs in it may hold passwords."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    shown = [re.sub(r"[a-z+]+://\S+", lambda match: masked(match[0]), line) for line in lines]
    return tuple(line[:300] for line in shown[-_LAST:])
