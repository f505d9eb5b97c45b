"""What is known about failures: each row against the text that it is for."""

# ruff: noqa: E501 - the samples are lines of compilers as they come
from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.planning.fixes import FIXES
from rearch.planning.fixes.explain import ILLS, explain

SAMPLES = (
    ("go: go.mod requires go >= 1.24 (running go 1.22.2; GOTOOLCHAIN=local)", "go.mod wants Go 1.24 or newer and this is 1.27.0"),
    ("go: errors parsing go.mod:\n/x/go.mod:3: invalid go version '1.21.0': must match format 1.23", "Go 1.21 or newer"),
    ("go: errors parsing go.mod:\n/x/go.mod:5: unknown directive: toolchain", "Go 1.21 or newer"),
    ("note: module requires Go 1.20", "written for Go 1.20"),
    ("go: download go1.24 for linux/amd64: toolchain not available", "never downloaded"),
    ("loadinternal: cannot find runtime/cgo\nlink: -linkmode=external requires external (cgo) linking, but cgo is not enabled", "take it out of `build.go.ldflags`"),
    ('main.go:4:2: cannot find package "github.com/x/y" in any of:\n\t/go/src/github.com/x/y (from $GOROOT)', "`github.com/x/y` is in no GOPATH"),
    ("main.go:4:2: package github.com/x/y is not in std (/go/src/github.com/x/y)", "`github.com/x/y` is in no GOPATH"),
    ("go: go.mod file not found in current directory or any parent directory", "build.go.directory"),
    ("go: inconsistent vendoring in /x:\n\tgithub.com/a/b@v1.0.0: is explicitly required", "vendor/modules.txt"),
    ("cannot find module providing package github.com/x/y: import lookup disabled by -mod=vendor", "missing in vendor/"),
    ("main.go:3:8: missing go.sum entry for module providing package github.com/x/y", "go.sum"),
    ("go: updates to go.mod needed", "go mod tidy"),
    ('case-insensitive import collision: "github.com/Sirupsen/logrus"', "two spellings"),
    ("package a\n\timports b\n\timports a: import cycle not allowed", "import each other"),
    ('code in directory /g/src/x expects import "k8s.io/x"', "set `build.go.import_path`"),
    ("use of internal package example.org/x/internal/y not allowed", "not the upstream one"),
    ("x.go:10:14: undefined: syscall.SYS_OPEN", "SYS_OPEN is no system call"),
    ("package x: build constraints exclude all Go files in /g/src/x/y", "/g/src/x/y is for this platform"),
    ("main.go:3:6: missing function body", "assembly file"),
    ("main.f: relocation target main.g not defined", "assembly file"),
    ("package x: C source files not allowed when not using cgo or SWIG: a.c", "set `build.go.cgo`"),
    ('cgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH', "invoke doctor"),
    ("a.go:3:11: fatal error: libdevmapper.h: No such file or directory", "libdevmapper.h is missing"),
    ("/usr/bin/ld: cannot find -ldevmapper: No such file", "devmapper is missing for the target"),
    ("/usr/bin/ld: undefined reference to `dm_task_create'", "C library lacks"),
    ("link: github.com/x/y: invalid reference to net.zoneCache", "checklinkname=0"),
    ("go: unsupported GOOS/GOARCH pair linux/riscv64", "cannot build for linux/riscv64"),
    ("./main.go:4:2: \"os\" imported and not used", "with any Go"),
    ("fork/exec ./x: exec format error", "another architecture"),
    ("./x: /lib/libc.so.6: version `GLIBC_2.34' not found (required by ./x)", "GLIBC_2.34 is newer"),
    ("go build x: /go/pkg/tool/compile: signal: killed", "ran out of memory"),
    ("write /tmp/x: no space left on device", "disk is full"),
)  # fmt: skip

FIX_SAMPLES = {
    "codec-base64": "panic: encoding alphabet includes duplicate symbols\n\ngoroutine 1 [running]:",
    "cpuinfo-arm": "panic: runtime error: index out of range [0] with length 0\n\ngoroutine 1 [running]:\n"
    "github.com/rancher/agent/core/hostInfo.CPUCollector.getCPUInfo(...)",
    "build-tag-arm64": "imports x: build constraints exclude all Go files in /g/vendor/x/libcontainer/system",
    "setns-arm64": "cannot enter network namespace: function not implemented",
    "setns-missing-arm64": "vendor/github.com/vishvananda/netns/netns_linux.go:24:32: undefined: SYS_SETNS",
    "dup2-arm64": "log.go:12:10: undefined: syscall.Dup2",
}


@pytest.mark.parametrize(("output", "text"), SAMPLES)
def test_a_failure_is_explained(output: str, text: str) -> None:
    assert any(text in hint.text for hint in explain(output, "1.27.0"))


def test_every_row_has_a_sample() -> None:
    unused = [ill.text for ill in ILLS if not any(re.search(ill.symptom, output) for output, _ in SAMPLES)]
    assert unused == []


@pytest.mark.parametrize("name", FIXES)
def test_a_fix_is_proposed_first(name: str) -> None:
    hint = explain(FIX_SAMPLES[name], "1.27.0")[0]
    assert hint.fix == name
    assert f"fixes: [{name}]" in hint.text


def test_success_and_plain_errors_are_not_explained() -> None:
    assert explain("ok\n", "1.27.0") == ()
    assert explain("./main.go:3:1: syntax error: non-declaration statement", "1.27.0") == ()


@pytest.mark.parametrize(
    "piece",
    ["index out of range ", "setns ", 'exec: "', "version `GLIBC_", "package a", "linkmode external ", "\n", "a"],
)
def test_long_output_is_read_quickly(piece: str) -> None:
    output = (piece * (65536 // len(piece)))[:65536]
    started = time.process_time()
    explain(output, "1.27.0")
    assert time.process_time() - started < 5  # seconds; quadratic rows took minutes


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=200), st.text(max_size=10))
def test_any_output_is_read(output: str, version: str) -> None:
    assert all(hint.text for hint in explain(output, version))
