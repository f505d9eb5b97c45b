"""Build tags that list architectures one by one."""

from __future__ import annotations

from rearch.model.recipe import Edit
from rearch.planning.fixes.known import KnownFix

_OTHERS = "arm|386|ppc64|ppc64le|s390x|mips64|mips64le|mips|mipsle"

BUILD_TAG_ARM64 = KnownFix(
    name="build-tag-arm64",
    summary="a file that lists `linux,amd64` and other architectures in its build tag leaves arm64 out",
    about="""Files as libcontainer's syscall_linux_64.go say `// +build linux,amd64 linux,ppc64le linux,s390x`:
written before arm64 was there, right for it, and left out by the list. The edit adds arm64 to every tag line that
names linux,amd64 and at least one more linux,ARCH, and not arm64. Lines that name only one architecture are left
alone: those belong to assembly or to tables of numbers. A file that has a //go:build line too is younger, and is
not helped (that line wins). Where that is too much, write an edit for the one file instead: `{file:
vendor/.../x.go, pattern: '^// \\+build linux,amd64 linux,arm$', replace: '\\g<0> linux,arm64', why: ...}`.""",
    tried="generated files of that form, compiled with Go 1.27",
    symptom=r"build constraints exclude all Go files in \S*/(?:libcontainer|system|user|mount|netlink)\b"
    r"|undefined: (?:system\.)?(?:Setuid|Setgid|Setns)\b",
    edits=(
        Edit(
            file="**/*.go",
            pattern=rf"^(// \+build (?!.*\barm64\b)(?=.*\blinux,amd64\b)(?=.*\blinux,(?:{_OTHERS})\b).*?)[ \t]*$",
            replace=r"\1 linux,arm64",
            count=1,
            why="the build tag was written before arm64, and leaves it out",
        ),
    ),
)
