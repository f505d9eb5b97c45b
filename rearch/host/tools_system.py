"""The host's own compilers, looked at while planning: found, within the wanted versions, identified."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from rearch.errors import StepError, UsageError
from rearch.host.process import Processes
from rearch.model.command import Command, Completed
from rearch.model.platform import Platform
from rearch.model.step import ArchiveOrigin, PypiOrigin, SystemOrigin, ToolchainInputs
from rearch.model.toolchain import PypiTool, Toolchain

Run = Callable[[Command], Completed]

_VERSION = re.compile(r"(?<![\w.])(?:go)?(\d+(?:\.\d+)+(?:(?:rc|beta)\d+)?)")


class NoSystemTool(StepError):
    """The host has no such compiler."""

    def __init__(self, kind: str, program: str, hint: str) -> None:
        self.kind = kind
        self.program = program
        super().__init__(f"{program}: not found on this host", ("a toolchain of kind `system` names it",), hint=hint)


class SystemToolOutside(StepError):
    """The host's compiler is not of the wanted versions."""

    def __init__(self, program: str, version: str, constraint: str, kind: str) -> None:
        self.program = program
        self.version = version
        self.constraint = constraint
        super().__init__(
            f"{program} is of version {version}, and {constraint} is wanted",
            hint="install one of these versions"
            + (", or use a pinned toolchain (go-1.27 and its like)" if kind == "go" else ""),
        )


class SystemToolSilent(StepError):
    """The host's compiler does not say its version."""

    def __init__(self, program: str, output: str) -> None:
        self.program = program
        self.output = output
        super().__init__(f"{program} does not say its version", output.splitlines()[-5:], hint="is it broken?")


class NoToolForHost(UsageError):
    """A toolchain file has no compiler for the machine that rearch runs on."""

    def __init__(self, toolchain: Toolchain, host: Platform) -> None:
        self.toolchain = toolchain.name
        self.host = host
        known = tuple(toolchain.hosts or ())
        super().__init__(
            f"toolchain {toolchain.name} has no compiler for {host}",
            (f"it has those for {', '.join(known)}",),
            hint=f"add {host} under `hosts` of toolchains/{toolchain.name}.yaml, or use a system toolchain",
        )


class BadConstraint(UsageError):
    """The versions of a system toolchain are not written as a constraint."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(f"not a range of versions: {constraint!r}", hint="write it as `>=1.21, <1.25`, or `*` for any")


def toolchain_inputs(
    toolchain: Toolchain, host: Platform, target: Platform | None, *, path: str | None = None
) -> ToolchainInputs:
    """What the step of this toolchain takes, on this host; `target` is wanted for gcc. `path` stands for PATH.

    Errors: NoToolForHost; for system toolchains those of `system_tool`.
    """
    if toolchain.system is not None:
        origin = system_tool(toolchain.kind, toolchain.system, target, path=path)
        version = tool_version(origin.identity) or ""
        return ToolchainInputs(name=toolchain.name, kind=toolchain.kind, version=version, host=host, origin=origin)
    return ToolchainInputs(
        name=toolchain.name,
        kind=toolchain.kind,
        version=toolchain.version or "",
        host=host,
        origin=_pinned(toolchain, host),
        everywhere=_everywhere(toolchain),
    )


def _everywhere(toolchain: Toolchain) -> str:
    """The same on every host, and another when any of them gets another compiler."""
    pins = sorted(tool.sha256 for tool in (toolchain.hosts or {}).values())
    return hashlib.sha256("\n".join(pins).encode()).hexdigest()


def _pinned(toolchain: Toolchain, host: Platform) -> PypiOrigin | ArchiveOrigin:
    from rearch.model.platform import parse_platform

    for name, tool in (toolchain.hosts or {}).items():
        if parse_platform(name) != host:
            continue
        if isinstance(tool, PypiTool):
            return PypiOrigin(package=tool.pypi, version=tool.version or toolchain.version or "", sha256=tool.sha256)
        return ArchiveOrigin(url=tool.archive, sha256=tool.sha256, strip=tool.strip)
    raise NoToolForHost(toolchain, host)


def system_tool(kind: str, constraint: str, platform: Platform | None, *, path: str | None = None) -> SystemOrigin:
    """The host's own go, zig, or C compiler for `platform`. `path` stands for PATH where it is given.

    `path` of the result is the program; of Go the one in its GOROOT. Errors: NoSystemTool, SystemToolOutside,
    SystemToolSilent, BadConstraint.
    """
    program = _program_name(kind, platform)
    found = shutil.which(program, path=path)
    if found is None:
        raise NoSystemTool(kind, program, _install_hint(kind, platform))
    origin = _go(Path(found)) if kind == "go" else _identified(kind, Path(found))
    version = tool_version(origin.identity)
    if version is None:
        raise SystemToolSilent(found, origin.identity)
    if not within(version, constraint):
        raise SystemToolOutside(found, version, constraint, kind)
    return origin


def _program_name(kind: str, platform: Platform | None) -> str:
    if kind != "gcc":
        return kind
    assert platform is not None, "a C compiler is for one platform"
    return f"{platform.arch.gnu}-gcc"


def _install_hint(kind: str, platform: Platform | None) -> str:
    if kind == "gcc" and platform is not None:
        triplet = platform.arch.gnu.replace("_", "-")
        libc = f" libc6-dev-{platform.arch.debian}-cross" if platform.arch.debian else ""
        return f"apt-get install gcc-{triplet}{libc}"
    if kind == "go":
        return "apt-get install golang-go, or use a pinned toolchain (go-1.27 and its like)"
    return "use a pinned toolchain of kind zig"


def _identified(kind: str, program: Path) -> SystemOrigin:
    said = _ask((str(program), "version" if kind == "zig" else "--version"))
    return SystemOrigin(path=str(program), identity=f"{kind} {said}" if kind == "zig" else said)


def _go(found: Path) -> SystemOrigin:
    """Go by the VERSION file of its GOROOT, which needs no process; by `go version` where there is none."""
    program = found.resolve()
    stated = program.parent.parent / "VERSION"
    if program.parent.name == "bin" and stated.is_file():
        return SystemOrigin(path=str(program), identity=stated.read_text(errors="replace").strip())
    root = Path(_ask((str(found), "env", "GOROOT")))
    return SystemOrigin(path=str(root / "bin" / "go"), identity=_ask((str(found), "version")))


def _ask(argv: tuple[str, ...], environment: Mapping[str, str] | None = None) -> str:
    """The first line that a program prints."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rearch-") as home:
        env = {"HOME": home, "LC_ALL": "C", "PATH": "/usr/bin:/bin", "GOTOOLCHAIN": "local", **(environment or {})}
        done = Processes().run(Command(argv=argv, cwd=Path(home), env=tuple(sorted(env.items())), timeout=20.0))
    lines = done.output.splitlines()
    if done.exit != 0 or not lines:
        raise SystemToolSilent(argv[0], done.output)
    return lines[0].strip()


def tool_version(identity: str) -> str | None:
    """The version in what a compiler says: `go1.24.11`, `zig 0.15.2`, `...-gcc (Debian 12.2.0-14) 12.2.0`."""
    outside = re.sub(r"\([^)]*\)", " ", identity)
    found = _VERSION.search(outside) or _VERSION.search(identity)
    return found[1] if found else None


def within(version: str, constraint: str) -> bool:
    """Whether a version is in a range (PEP 440 specifiers; `*` for any). Errors: BadConstraint."""
    if constraint.strip() in ("", "*"):
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(constraint).contains(version, prereleases=True)
    except InvalidSpecifier:
        raise BadConstraint(constraint) from None
