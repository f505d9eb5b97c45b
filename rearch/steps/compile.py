"""The compile step: one component for one platform, as a rule in one `go build`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.command import Command
from rearch.model.step import CompileInputs
from rearch.steps.compile_cgo import NO_C, CSetup, c_setup, write_scripts
from rearch.steps.compile_command import GoCall, build_command, into_file, linker_flags, list_command
from rearch.steps.compile_environment import (
    base_environment,
    go_tool,
    prepare_folders,
    target_environment,
    with_own,
)
from rearch.steps.compile_errors import CompileFailed
from rearch.steps.compile_flags import split_flags
from rearch.steps.compile_outputs import add_links, libraries_of, take_outputs
from rearch.steps.compile_packages import Package, Program, batches, package_arguments, programs, read_listing
from rearch.steps.compile_stamps import Stamps, check_spelling, check_stamped, check_variable, read_stamps, resolve
from rearch.steps.compile_tree import Tree, find_source
from rearch.steps.compile_version import check_go_mod, check_range
from rearch.steps.ports import Outcome, Workspace


def run_compile(inputs: CompileInputs, work: Workspace, parallel: int | None = None) -> Outcome:
    """Leave `bin/<name>` for every binary and link. `parallel` is go's -p; None leaves it to go.

    Needs: source, go; modules (module layout that is not vendored), cc and sysroot (cgo).
    Facts: go (its version), layout, commands (argv, cwd and env of each `go build`, as they were), packages
    (binary: import path), stamps (variable: text), libraries (shared libraries that the image must have).
    Errors: WrongGo, CompileFailed, UnknownStamp, StampMissing, UnexpectedOutputs, and BadBuild's for what the recipe
    asks and cannot have.
    """
    check_range(inputs.go_version, inputs.requires)
    tree = find_source(work.needs["source"], inputs, inputs.layout)
    if tree.layout == "module" and (remark := check_go_mod(inputs.go_version, tree.folder)):
        work.say(remark)
    setup = _c_side(inputs, work)
    call = _go_call(inputs, tree, setup, work, parallel)
    return _Compile(inputs=inputs, work=work, call=call, setup=setup).run()


def _c_side(inputs: CompileInputs, work: Workspace) -> CSetup:
    """The C compiler, with its scripts in place."""
    if inputs.cgo_kind is None:
        return NO_C
    setup = c_setup(inputs.cgo_kind, inputs.cgo_link or "static", inputs.platform, work)
    write_scripts(setup, work.scratch / "cc")
    if setup.tags:
        work.say(f"build tags added for a static link: {', '.join(setup.tags)}")
    return setup


def _go_call(inputs: CompileInputs, tree: Tree, setup: CSetup, work: Workspace, parallel: int | None) -> GoCall:
    """What all go commands of this step have in common, with the whole environment. Errors: ProtectedVariable."""
    go = go_tool(work.needs["go"], work.caches)
    ours = base_environment(go, tree, prepare_folders(work))
    ours |= target_environment(inputs.platform, setup.env, inputs.source_date_epoch)
    if setup.scripts:
        ours["PATH"] = f"{work.scratch.resolve() / 'cc'}:{ours['PATH']}"
    tags = tuple(dict.fromkeys((*inputs.tags, *setup.tags)))
    return GoCall(go=go, tree=tree, env=with_own(ours, inputs.env), tags=tags, parallel=parallel)


class _Compile(Struct, frozen=True, kw_only=True):
    """One compile, when it is clear how go is to be called."""

    inputs: CompileInputs
    work: Workspace
    call: GoCall
    setup: CSetup

    def run(self) -> Outcome:
        own = tuple(word for text in self.inputs.ldflags for word in split_flags(text))
        wanted = read_stamps(self.inputs.stamps, own)
        all_programs = self._programs(wanted)
        stamps = self._checked(wanted, all_programs)
        ldflags = linker_flags(strip=self.inputs.strip, cgo=self.setup.ldflags, stamps=stamps.ours, own=own)
        commands = self._build(all_programs, ldflags)
        self._check_stamped(stamps, all_programs)
        add_links(self.inputs.links, self.binaries)
        return Outcome(facts=self._facts(commands, stamps, all_programs))

    @property
    def binaries(self) -> Path:
        return self.work.files / "bin"

    def _programs(self, wanted: Stamps) -> tuple[Program, ...]:
        arguments = package_arguments(self.inputs.binaries, self.call.tree)
        packages = self._listed(tuple(dict.fromkeys(arguments.values())), deps=wanted.outside_main)
        return programs(arguments, packages, self.call.tree)

    def _listed(self, packages: tuple[str, ...], *, deps: bool) -> tuple[Package, ...]:
        listing = self.work.scratch / "packages.json"
        command = list_command(self.call, packages, deps=deps)
        done = self.work.run(into_file(command, listing))
        if done.exit != 0:
            raise CompileFailed(command, done, self.inputs.go_version, "the packages cannot be read")
        return read_listing(listing.read_text(encoding="utf-8"))

    def _checked(self, wanted: Stamps, all_programs: tuple[Program, ...]) -> Stamps:
        """The stamps as the linker wants them, each with a variable in the source. Errors: UnknownStamp."""
        stamps = replace(wanted, ours=tuple(resolve(stamp, all_programs) for stamp in wanted.ours))
        for stamp in wanted.theirs:
            check_spelling(stamp, resolve(stamp, all_programs))
        mains = tuple(program.package for program in all_programs)
        others = self._stamped_packages(stamps)
        for stamp in stamps.all:
            for package in mains if stamp.package == "main" else (others[stamp.package],):
                check_variable(stamp, package)
        return stamps

    def _stamped_packages(self, stamps: Stamps) -> Mapping[str, Package]:
        paths = tuple(sorted({stamp.package for stamp in stamps.all} - {"main"}))
        return {package.import_path: package for package in (self._listed(paths, deps=False) if paths else ())}

    def _build(self, all_programs: tuple[Program, ...], ldflags: str) -> tuple[Command, ...]:
        """Run go build, once or (two packages of one base name) more often, and name the files."""
        self.binaries.mkdir()
        commands = []
        for number, batch in enumerate(batches(all_programs), 1):
            out = self.work.scratch / f"out-{number}"
            out.mkdir()
            command = build_command(self.call, (program.package.import_path for program in batch), ldflags, out)
            done = self.work.run(command)
            if done.exit != 0:
                raise CompileFailed(command, done, self.inputs.go_version, "compiling failed")
            take_outputs(batch, out, self.binaries)
            commands.append(command)
        return tuple(commands)

    def _check_stamped(self, stamps: Stamps, all_programs: tuple[Program, ...]) -> None:
        for stamp in stamps.all:
            for name in check_stamped(stamp, all_programs, self.binaries):
                self.work.say(f"{name}: nothing in it reads {stamp.variable}, so the stamp is not in it")

    def _facts(
        self, commands: tuple[Command, ...], stamps: Stamps, all_programs: tuple[Program, ...]
    ) -> Mapping[str, Any]:
        return {
            "go": self.inputs.go_version,
            "layout": self.call.tree.layout,
            "commands": [
                {"argv": list(command.argv), "cwd": str(command.cwd), "env": dict(command.env)} for command in commands
            ],
            "packages": {name: program.package.import_path for program in all_programs for name in program.names},
            "stamps": {stamp.variable: stamp.text for stamp in stamps.all},
            "libraries": libraries_of(self.binaries) if self.inputs.cgo_kind else [],
        }
