"""Why a component cannot be compiled."""

from __future__ import annotations

from collections.abc import Sequence

from rearch.errors import StepError, UsageError
from rearch.model.command import Command, Completed
from rearch.planning.fixes.explain import explain

_SHOWN = 20


class CompileFailed(StepError):
    """A go command failed. `output` is the end of what it printed, `exit` None at the time limit."""

    def __init__(self, command: Command, done: Completed, go_version: str, doing: str) -> None:
        self.argv = command.argv
        self.exit = done.exit
        self.output = done.output
        self.hints = explain(done.output, go_version)
        how = "did not end in time" if done.exit is None else f"failed with exit code {done.exit}"
        super().__init__(
            f"{doing}: `{short(command)}` {how}",
            first_lines(done.output),
            hint="; ".join(hint.text for hint in self.hints) or "the step's log has the whole output",
        )


def short(command: Command) -> str:
    """The command without the path of its program and without long flags."""
    words = (command.argv[0].rpartition("/")[2], *command.argv[1:])
    return " ".join(word if len(word) <= 60 else f"{word[:57]}..." for word in words)


def first_lines(output: str) -> tuple[str, ...]:
    """What the compiler said first: later errors mostly follow from earlier ones."""
    lines = [line.rstrip()[:300] for line in output.splitlines() if line.strip()]
    more = len(lines) - _SHOWN
    return (*lines[:_SHOWN], *((f"... and {more} more lines in the log",) if more > 0 else ()))


class BadBuild(UsageError):
    """The recipe asks for something that cannot be; found when its source is there."""


class NotAProgram(BadBuild):
    """A package of `binaries` is a library."""

    def __init__(self, name: str, package: str, is_called: str) -> None:
        self.name = name
        self.package = package
        super().__init__(
            f"binaries: {name}: {package} is package {is_called}, not main, and makes no program",
            hint="name the folder that holds `package main`",
        )


class BadPackage(BadBuild):
    """A package of `binaries` that go would read as something else."""

    def __init__(self, name: str, package: str, why: str) -> None:
        self.name = name
        self.package = package
        super().__init__(f"binaries: {name}: {package!r} {why}", hint="name one folder with `package main`")


class BadOutput(BadBuild):
    """A binary or link with a name that is a path."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"binaries: {name!r} is no file name", hint="a name without `/`; where it goes, the image says"
        )


class ProtectedVariable(BadBuild):
    """`build.go.env` sets what rearch itself sets."""

    def __init__(self, name: str, instead: str) -> None:
        self.name = name
        super().__init__(f"build.go.env: {name} is set by rearch", hint=instead)


class UnwritableFlag(BadBuild):
    """A stamp's text that no -ldflags can hold: go splits it at spaces and knows no escapes."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"a linker flag cannot hold both kinds of quotes: {text!r}", hint="leave out ' or \" in the text"
        )


class NoCompilerFor(BadBuild):
    """The C toolchain cannot do what the recipe wants of it."""

    def __init__(self, kind: str, what: str, hint: str) -> None:
        self.kind = kind
        self.what = what
        super().__init__(f"cgo with a toolchain of kind {kind}: {what}", hint=hint)


class WrongGo(StepError):
    """The toolchain's Go is outside what the source can be compiled with."""

    def __init__(self, go_version: str, wanted: str, where: str, fitting: Sequence[str]) -> None:
        self.go_version = go_version
        self.wanted = wanted
        self.fitting = tuple(fitting)
        use = f"set `build.toolchain: {fitting[0]}`" if fitting else "add a toolchain of these versions to toolchains/"
        super().__init__(
            f"Go {go_version} cannot compile this: {where} wants {wanted}",
            ((f"toolchains that fit: {', '.join(fitting)}",) if fitting else ()),
            hint=use,
        )


class BadRequires(BadBuild):
    """`build.go.requires` is no range of versions."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"build.go.requires: not a range of versions: {text!r}",
            hint="write it as `>=1.9, <1.25` (`<=1.24` leaves out 1.24.1)",
        )


class UnexpectedOutputs(StepError):
    """go build ended well, and did not leave the files that it should."""

    def __init__(self, missing: Sequence[str], unexpected: Sequence[str]) -> None:
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        details = [f"missing: {name}" for name in missing] + [f"unexpected: {name}" for name in unexpected]
        super().__init__("go build did not leave the files that it should", details)


class UnknownStamp(StepError):
    """-X names a variable that the linker would not find, and would say nothing about."""

    def __init__(self, stamp: str, why: str, near: Sequence[str]) -> None:
        self.stamp = stamp
        self.why = why
        self.near = tuple(near)
        super().__init__(
            f"-X {stamp}: {why}",
            ("the linker ignores such a stamp without a word",),
            hint=f"did you mean {' or '.join(near)}?" if near else "take it out, or name the variable that is printed",
        )


class StampMissing(StepError):
    """The variable exists, but its text is in none of the binaries that hold its package."""

    def __init__(self, binaries: Sequence[str], stamp: str, text: str) -> None:
        self.binaries = tuple(binaries)
        self.stamp = stamp
        self.text = text
        super().__init__(
            f"the text of -X {stamp} is not in {' nor in '.join(binaries)}: {text!r}",
            ("the linker leaves a variable out that nothing in the program reads",),
            hint="stamp the variable that the program prints, or take the stamp out",
        )


class TreeNotFound(StepError):
    """The place where the recipe says that the source is does not exist."""

    def __init__(self, what: str, found: Sequence[str]) -> None:
        self.what = what
        super().__init__(
            f"build.go.directory: there is no {what} in the source",
            (f"the source holds {', '.join(found[:12])}",),
            hint="name the sub-folder that holds the go.mod, relative to the source",
        )
