"""Small Go programs with the ills of the catalogue of fixes, written for tests after the shape of real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class IllProgram:
    """Files of package main and its vendored packages, below GOPATH/src/example.org/ill.

    `ill_files` are those that the fix changes; `cured_text` what must stand in them then; `symptom_at` says what shows
    the ill on linux/arm64: the compiler ("build"), a run ("run") or neither ("none"). A cured run prints `output`.
    """

    files: Mapping[str, str]
    ill_files: tuple[str, ...]
    symptom_at: str
    output: str = ""
    cured_text: Mapping[str, str] = field(default_factory=dict)


_CODEC = IllProgram(
    files={
        "main.go": 'package main\n\nimport "vendored.example.org/codec"\n\nfunc main() { println(codec.Name()) }\n',
        "vendor/vendored.example.org/codec/gen.go": """package codec

import (
	"encoding/base64"
	"errors"
)

var (
	errKind  = errors.New("unexpected kind")
	alphabet = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789__")
)

func Name() string { return alphabet.EncodeToString([]byte{0}) }
""",
        "vendor/vendored.example.org/codec/other.go": 'package codec\n\nconst other = `NewEncoding("A__")`\n',
    },
    ill_files=("vendor/vendored.example.org/codec/gen.go",),
    symptom_at="run",
    output="AA==",
    cured_text={"vendor/vendored.example.org/codec/gen.go": '0123456789_-")'},
)

_CPUINFO = IllProgram(
    files={
        "main.go": """package main

import "example.org/ill/core/hostInfo"

func main() {
	for _, file := range [][]string{
		{"processor\\t: 0", "BogoMIPS\\t: 38", "", "processor\\t: 1"},
		{"processor\\t: 0", "model name\\t: Fast CPU @ 2.5GHz"},
		{},
	} {
		data := hostInfo.Collect(file)
		println(data["model"].(string), data["count"].(int))
	}
}
""",
        "core/hostInfo/cpu_info_unix.go": """// +build linux freebsd

package hostInfo

import (
	"strings"
)

func Collect(content []string) map[string]interface{} {
	result := map[string]interface{}{}
	found := []string{}
	for _, text := range content {
		pair := strings.Split(text, ":")
		if strings.TrimSpace(pair[0]) == "model name" {
			found = append(found, strings.TrimSpace(pair[1]))
			if strings.HasSuffix(pair[1], "GHz") {
				result["ghz"] = pair[1]
			}
		}
	}
	result["model"] = found[0]
	result["count"] = len(found)
	return result
}
""",
        "core/hostInfo/cpu_info_windows.go": "package hostInfo\n",
    },
    ill_files=("core/hostInfo/cpu_info_unix.go",),
    symptom_at="run",
    output="unknown 2\nFast CPU @ 2.5GHz 1\nunknown 1",
)

_TAG = IllProgram(
    files={
        "main.go": 'package main\n\nimport "vendored.example.org/libcontainer/system"\n\n'
        "func main() { println(system.Bits()) }\n",
        "vendor/vendored.example.org/libcontainer/system/bits_linux_64.go": "// +build linux,amd64 linux,ppc64le "
        "linux,s390x\n\npackage system\n\nfunc Bits() int { return 64 }\n",
        "vendor/vendored.example.org/libcontainer/system/bits_linux_386.go": "// +build linux,386\n\npackage system\n\n"
        "func Bits() int { return 32 }\n",
    },
    ill_files=("vendor/vendored.example.org/libcontainer/system/bits_linux_64.go",),
    symptom_at="build",
    output="64",
    cured_text={
        "vendor/vendored.example.org/libcontainer/system/bits_linux_64.go": "linux,s390x linux,arm64\n",
    },
)

_NETNS_MAIN = 'package main\n\nimport "vendored.example.org/netns"\n\nfunc main() { println(netns.Set(0)) }\n'

_SETNS_NUMBER = IllProgram(
    files={
        "main.go": _NETNS_MAIN,
        "vendor/vendored.example.org/netns/netns_linux.go": "package netns\n\n"
        "func Set(fd int) int { return SYS_SETNS }\n",
        "vendor/vendored.example.org/netns/netns_linux_arm.go": "package netns\n\nconst (\n\tSYS_SETNS = 375\n)\n",
        "vendor/vendored.example.org/netns/netns_linux_arm64.go": "// +build linux,arm64\n\npackage netns\n\n"
        "const (\n\tSYS_SETNS = 375\n)\n",
    },
    ill_files=("vendor/vendored.example.org/netns/netns_linux_arm64.go",),
    symptom_at="none",
    output="268",
)

_SETNS_MISSING = IllProgram(
    files={
        "main.go": _NETNS_MAIN,
        "vendor/vendored.example.org/netns/netns_linux.go": """package netns

import (
	"syscall"
)

func Set(fd int) int {
	_, _, problem := syscall.RawSyscall(SYS_SETNS, uintptr(1<<20), uintptr(0), 0)
	return int(problem)
}
""",
        "vendor/vendored.example.org/netns/netns_linux_amd64.go": "package netns\n\nconst SYS_SETNS = 308\n",
    },
    ill_files=("vendor/vendored.example.org/netns/netns_linux.go",),
    symptom_at="build",
    output="9",  # EBADF: the call is there, the file is not
)

_DUP2 = IllProgram(
    files={
        "main.go": """package main

import (
	"os"
	"syscall"
)

func main() {
	if err := syscall.Dup2(int(os.Stderr.Fd()), 7); err != nil {
		panic(err)
	}
	println("ok")
}
""",
    },
    ill_files=("main.go",),
    symptom_at="build",
    output="ok",
    cured_text={"main.go": "syscall.Dup3(int(os.Stderr.Fd()), 7, 0)"},
)

ILL_PROGRAMS: Mapping[str, IllProgram] = {
    "codec-base64": _CODEC,
    "cpuinfo-arm": _CPUINFO,
    "build-tag-arm64": _TAG,
    "setns-arm64": _SETNS_NUMBER,
    "setns-missing-arm64": _SETNS_MISSING,
    "dup2-arm64": _DUP2,
}
