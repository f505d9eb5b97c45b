"""The toolchain step: a compiler in its place, and it is what it is called."""

from __future__ import annotations

from pathlib import Path

from rearch.errors import VerificationError
from rearch.model.command import Command
from rearch.model.step import SystemOrigin, ToolchainInputs
from rearch.steps.compile_environment import prepare_folders
from rearch.steps.ports import Outcome, ToolFetcher, Workspace


class WrongCompiler(VerificationError):
    """The compiler does not run here, or is of another version than the toolchain's file says."""

    def __init__(self, name: str, wanted: str, found: str) -> None:
        self.name = name
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"toolchain {name} is not {wanted}",
            ("it says:", *found.splitlines()[-5:]),
            hint=f"correct version or sha256 in toolchains/{name}.yaml",
        )


class SystemChanged(VerificationError):
    """The host's compiler is not the one that the plan was made with."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} was removed after the plan was made", hint="run the same command again")


def run_toolchain(inputs: ToolchainInputs, work: Workspace, tools: ToolFetcher) -> Outcome:
    """Fetch the compiler and ask it for its version.

    Facts: version (what it says), system (whether it is the host's own).
    Errors: those of the ToolFetcher, WrongCompiler, SystemChanged.
    """
    tools.fetch(inputs, work)
    system = isinstance(inputs.origin, SystemOrigin)
    program = work.files / inputs.kind / _PROGRAMS[inputs.kind] if inputs.kind in _PROGRAMS else work.files / "gcc"
    if isinstance(inputs.origin, SystemOrigin) and not program.exists():
        raise SystemChanged(inputs.origin.path)
    folders = prepare_folders(work)  # with Go's telemetry off: its child would still write there when we tidy up
    done = work.run(version_command(inputs.kind, program, folders.home))
    said = done.output.strip()
    if done.exit != 0 or inputs.version not in said:
        raise WrongCompiler(inputs.name, f"{inputs.kind} {inputs.version}", said)
    return Outcome(facts={"version": said.splitlines()[0], "system": system})


_PROGRAMS = {"go": "bin/go", "zig": "zig"}


def version_command(kind: str, program: Path, home_folder: Path) -> Command:
    """Ask a compiler for its version."""
    home = {"HOME": str(home_folder), "GOENV": "off", "GOTOOLCHAIN": "local", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    home |= {"ZIG_GLOBAL_CACHE_DIR": str(home_folder / "zig"), "ZIG_LOCAL_CACHE_DIR": str(home_folder / "zig")}
    word = "--version" if kind == "gcc" else "version"
    return Command(argv=(str(program), word), cwd=home_folder, env=tuple(sorted(home.items())), timeout=60.0)
