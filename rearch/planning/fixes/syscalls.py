"""System calls that arm64 numbers otherwise, or does not have."""

from __future__ import annotations

from rearch.model.recipe import Edit
from rearch.planning.fixes.known import KnownFix

SETNS_ARM64 = KnownFix(
    name="setns-arm64",
    summary="vishvananda/netns of 2015 has the system call number of 32-bit ARM for arm64",
    about="""netns_linux_arm64.go of github.com/vishvananda/netns says that setns is system call 375, which is its
number on 32-bit ARM. On arm64 it is 268 (asm-generic/unistd.h of Linux), so entering a network namespace fails
with `function not implemented`. It compiles; only a running program shows it. The edit corrects the number.""",
    tried="generated files of that shape, compiled with Go 1.27; upstream's file was read, not built",
    symptom=r"(?:[Ss]etns|netns|network namespace)[^\n]{0,200}function not implemented",
    edits=(
        Edit(
            file="**/netns/netns_linux_arm64.go",
            pattern=r"\b(SYS_SETNS\s*=\s*)375\b",
            replace=r"\g<1>268",
            count=1,
            why="setns is system call 268 on arm64; 375 is 32-bit ARM's",
        ),
    ),
)

_NUMBERS = (
    'map[string]uintptr{"386": 346, "amd64": 308, "arm": 375, "arm64": 268, "ppc64": 350, '
    '"ppc64le": 350, "riscv64": 268, "s390x": 339}[setnsRuntime.GOARCH]'
)

SETNS_MISSING_ARM64 = KnownFix(
    name="setns-missing-arm64",
    summary="vishvananda/netns of 2014 has no system call number for arm64",
    about="""The first versions of github.com/vishvananda/netns have one file for each architecture with the
number of setns, and none for arm64. The edits let netns_linux.go look the number up by runtime.GOARCH where it
makes the call (numbers of Linux: arch/*/entry/syscalls, asm-generic/unistd.h). The constants of the other files
stay and are not used.""",
    tried="generated files of that shape, compiled with Go 1.27; upstream's files of 2014 were not seen",
    symptom=r"netns/netns_linux\.go:\d+(?::\d+)?: undefined: SYS_SETNS",
    edits=(
        Edit(
            file="**/netns/netns_linux.go",
            pattern=r"^import \(\n",
            replace='\\g<0>\tsetnsRuntime "runtime"\n',
            count=1,
            why="the number is looked up by architecture",
        ),
        Edit(
            file="**/netns/netns_linux.go",
            pattern=r"(yscall\(\s*)SYS_SETNS\b",
            replace=rf"\g<1>{_NUMBERS}",
            count=1,
            why="no file has the number for arm64",
        ),
    ),
)

# Text without a comma outside of brackets, which may be nested twice: int(file.Fd()).
_BRACKETS = r"\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)"
_ARGUMENT = rf"[^(),\n]*(?:{_BRACKETS}[^(),\n]*)*"

DUP2_ARM64 = KnownFix(
    name="dup2-arm64",
    summary="syscall.Dup2 is not there on arm64 and riscv64",
    about="""The newer Linux ports have no dup2, only dup3, so package syscall has no Dup2 there and the compiler
says `undefined: syscall.Dup2`. The edit calls syscall.Dup3 with no flags in its place. They differ in one thing:
Dup3 of a file onto itself is an error. It edits every Go file of the tree, so only files for Linux must use it,
or be left out by their names or build tags (package syscall of other systems has no Dup3).""",
    tried="generated programs, compiled with Go 1.27",
    symptom=r"undefined: syscall\.Dup2\b",
    edits=(
        Edit(
            file="**/*.go",
            pattern=rf"\bsyscall\.Dup2\(({_ARGUMENT}),({_ARGUMENT})\)",
            replace=r"syscall.Dup3(\1,\2, 0)",
            count=1,
            why="arm64 and riscv64 have dup3 and no dup2",
        ),
    ),
)
