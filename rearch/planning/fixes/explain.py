"""Known ways in which a compile or a smoke run fails: what they mean, and what to do.

Each row is a regular expression over the output and a text in which `\\g<name>` is what it found and {go} the
version of the compiler. Fixes bring their own symptom. The texts of the compiler are
those of Go 1.9 to 1.27; where one was reworded, the row knows both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from rearch.planning.fixes import FIXES


class Hint(Struct, frozen=True, kw_only=True):
    """`text` is one sentence for the hint line of an error; `fix` the name of a fix that cures it, if there is one."""

    text: str
    fix: str | None = None


class Ill(Struct, frozen=True):
    """A symptom and its cure."""

    symptom: str
    text: str


ILLS = (
    Ill(
        r"go\.mod requires go >= (?P<need>[\w.]+)",
        r"go.mod wants Go \g<need> or newer and this is {go}: choose a newer `build.toolchain`",
    ),
    Ill(
        r"invalid go version '(?P<need>[\w.]+)'|unknown directive: (?:toolchain|godebug|tool)\b",
        r"go.mod is written for Go 1.21 or newer and this is {go}: choose a newer `build.toolchain`",
    ),
    Ill(
        r"note: module requires Go (?P<need>[\w.]+)",
        r"the module is written for Go \g<need> and this is {go}: choose a newer `build.toolchain`",
    ),
    Ill(
        r"go: download go[\w.]+ for|toolchain not available|GOTOOLCHAIN=local\)",
        "a toolchain is never downloaded during a build: choose a `build.toolchain` of the version that go.mod wants",
    ),
    Ill(
        r"linkmode[= ]external.{0,80}(?:not supported|requires|cgo)|requires external \(cgo\) linking"
        r"|loadinternal: cannot find runtime/cgo|-extldflags.{0,40}requires",
        "`-linkmode external` (and -extldflags) needs cgo, which is off: take it out of `build.go.ldflags`; "
        "without cgo the binary is static anyway",
    ),
    Ill(
        r"cannot find package \"(?P<package>[^\"\s]{1,200})\" in (?:any of|GOROOT|\n)",
        r"`\g<package>` is in no GOPATH: check `build.go.import_path` (a checkout outside its import path does not "
        "find its own vendor folder), and that the source vendors it",
    ),
    Ill(
        r"package (?P<package>[\w./-]{1,200}) is not in (?:std|GOROOT)",
        r"`\g<package>` is in no GOPATH and not vendored: check `build.go.import_path` and `build.go.layout`",
    ),
    Ill(
        r"go\.mod file not found|cannot find main module",
        "the folder has no go.mod: set `build.go.directory` to the one that has, or `build.go.layout: gopath`",
    ),
    Ill(
        r"inconsistent vendoring|is explicitly required in go\.mod, but not marked as explicit in vendor/modules\.txt",
        "vendor/modules.txt and go.mod disagree: patch the one that is wrong",
    ),
    Ill(
        r"import lookup disabled by -mod=vendor|cannot find module providing package",
        "a package is missing in vendor/: the source is incomplete, or another package is built than upstream builds",
    ),
    Ill(
        r"missing go\.sum entry",
        "go.sum lacks an entry, so nothing says what the module must be: add it by a patch (`go mod tidy` writes it)",
    ),
    Ill(
        r"updates to go\.(?:mod|sum) needed|go: updating go\.(?:mod|sum)",
        "go.mod is not complete: run `go mod tidy` on a checkout and add what changes as a patch",
    ),
    Ill(
        r"case-insensitive import collision",
        "one package is imported under two spellings (Sirupsen and sirupsen): edit the imports to the vendored one",
    ),
    Ill(
        r"import cycle not allowed",
        "packages import each other: most often a package under GOPATH shadows the vendored one",
    ),
    Ill(
        r"code in directory \S{1,300} expects import \"(?P<path>[^\"\s]{1,200})\"",
        r"the source says that it belongs at `\g<path>`: set `build.go.import_path` to it",
    ),
    Ill(
        r"use of (?:internal|vendored) package \S{1,200} not allowed",
        "an internal package is used from outside its tree: `build.go.import_path` is not the upstream one",
    ),
    Ill(
        r"undefined: (?:syscall|unix)\.(?P<name>[A-Z]\w{0,80})",
        r"\g<name> is no system call of this architecture: a counted edit can use its newer twin (SYS_OPENAT for "
        "SYS_OPEN, Pipe2 for Pipe), or a newer golang.org/x/sys has it",
    ),
    Ill(
        r"build constraints exclude all Go files in (?P<folder>\S{1,300})",
        r"no file of \g<folder> is for this platform: a build tag or a file name leaves it out, or it needs cgo "
        "(set `build.go.cgo`)",
    ),
    Ill(
        r"(?:missing function body|relocation target \S{1,200} not defined)",
        "an assembly file for this architecture is missing: try `build.go.tags: [purego]`, noasm or appengine, "
        "as the package calls it",
    ),
    Ill(
        r"C source files not allowed when not using cgo|undefined: C\.|could not import C \(",
        "this package needs C: set `build.go.cgo` to a toolchain of kind zig or gcc, or find the build tag without C",
    ),
    Ill(
        r"C compiler \"[^\"]{1,100}\" not found|exec: \"[\w.+/-]{0,80}(?:gcc|zig|cc)\": executable file not found",
        "the C compiler is not there: `invoke doctor` says how to get the cross compilers",
    ),
    Ill(
        r"fatal error: '?(?P<header>[\w./+-]{1,120}\.h)'?(?::| file) (?:No such file|not found)",
        r"the header \g<header> is missing: add the Debian package that has it to `build.go.cgo.packages`",
    ),
    Ill(
        r"(?:cannot find -l|unable to find (?:library -l|dynamic system library '))(?P<library>[\w.+-]{1,80})",
        r"the library \g<library> is missing for the target: add its -dev package to `build.go.cgo.packages`",
    ),
    Ill(
        r"undefined (?:reference to|symbol:)",
        "a C library lacks what is used of it: check `build.go.cgo.packages`, and `link: dynamic` where no static "
        "library exists",
    ),
    Ill(
        r"invalid reference to (?P<name>[\w./]{1,200})",
        r"Go 1.23 and newer do not let packages reach into \g<name>: use Go 1.22 (`build.go.requires: \"<1.23\"`), or "
        "add `-checklinkname=0` to `build.go.ldflags`",
    ),
    Ill(
        r"unsupported GOOS/GOARCH pair (?P<pair>\S{1,60})",
        r"Go {go} cannot build for \g<pair>: choose a newer `build.toolchain`",
    ),
    Ill(
        r"imported and not used|declared (?:and|but) not used",
        "the source does not compile with any Go: an edit or patch left something over",
    ),
    Ill(
        r"[Ee]xec format error|cannot execute binary file",
        "a program of another architecture was started: a foreign binary without emulator (`invoke doctor` shows "
        "qemu), or an x86 program that the source brings along",
    ),
    Ill(
        r"version [`'](?P<version>GLIBC_[\d.]{1,12})' not found",
        r"\g<version> is newer than the C library that it runs with: link static, set `verify.glibc`, or take the "
        "sysroot from the release that it will run on",
    ),
    Ill(
        r"signal: killed|cannot allocate memory|fatal error: out of memory",
        "the machine ran out of memory: try fewer steps at once (`--jobs 1`)",
    ),
    Ill(r"no space left on device", "the disk is full: `invoke gc` makes room in the cache"),
)


def explain(output: str, go_version: str) -> tuple[Hint, ...]:
    """What is known about a failure, fixes first; empty when nothing is. `go_version` as in 1.27.0.

    Takes the output of a compiler or of a program that was tried; linear in its length.
    """
    return tuple(dict.fromkeys((*_fixes(output), *_ills(output, go_version))))


def _fixes(output: str) -> Iterator[Hint]:
    for fix in FIXES.values():
        if re.search(fix.symptom, output):
            yield Hint(text=f"this is known: {fix.summary}. Add `fixes: [{fix.name}]` to the recipe", fix=fix.name)


def _ills(output: str, go_version: str) -> Iterator[Hint]:
    for ill in ILLS:
        found = re.search(ill.symptom, output)
        if found:
            yield Hint(text=found.expand(ill.text).replace("{go}", go_version))
