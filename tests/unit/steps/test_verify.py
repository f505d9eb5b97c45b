"""The verify step: what passes, what does not, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.formats.elf import BrokenElf, ElfFacts
from rearch.model.platform import PLATFORMS, Platform, parse_platform
from rearch.model.step import StepKind, VerifyInputs
from rearch.steps.ports import Outcome
from rearch.steps.verify import WrongBinary, run_verify
from tests.support.elves import arm_attributes, go_blob, make_elf
from tests.support.workspace import log_of, make_need, make_workspace

ARM64, AMD64, V6, V7 = (parse_platform(name) for name in ("arm64", "amd64", "arm/v6", "arm/v7"))


def go_elf(platform: Platform, **more: object) -> bytes:
    variant = platform.arch.go_variant
    settings = {"GOOS": "linux", "GOARCH": platform.arch.goarch} | ({variant[0]: variant[1]} if variant else {})
    return make_elf(platform, go=go_blob(settings=settings), **more)  # type: ignore[arg-type]


def inputs(platform: Platform = ARM64, names: tuple[str, ...] = ("tool",), **more: object) -> VerifyInputs:
    defaults: dict[str, object] = {"link": "static", "glibc": None, "libraries": None}
    return VerifyInputs(platform=platform, names=names, **(defaults | more))  # type: ignore[arg-type]


class Bench:
    """A compile result, and the step run upon it."""

    def __init__(self, base: Path) -> None:
        self.files = base / "compiled"
        self.bin = self.files / "bin"
        self.bin.mkdir(parents=True)
        self.work = make_workspace(base, needs={"binaries": make_need(self.files, StepKind.COMPILE)})

    def put(self, name: str, data: bytes) -> None:
        (self.bin / name).write_bytes(data)

    def run(self, wanted: VerifyInputs) -> Outcome:
        return run_verify(wanted, self.work)

    def wrong(self, wanted: VerifyInputs) -> WrongBinary:
        with pytest.raises(WrongBinary) as caught:
            self.run(wanted)
        assert caught.value.exit_code is ExitCode.VERIFICATION
        return caught.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_right_binaries_leave_their_facts(bench: Bench, platform: Platform) -> None:
    bench.put("tool", go_elf(platform))
    outcome = bench.run(inputs(platform))
    facts = ElfFacts.from_facts(outcome.facts["binaries"]["tool"])
    assert facts.machine == platform.arch.elf_machine
    assert outcome.note == ""
    assert "tool: ELF" in log_of(bench.work)


def test_everything_that_is_wrong_is_said_at_once(bench: Bench) -> None:
    bench.put("a", go_elf(AMD64))
    bench.put("b", go_elf(ARM64, interpreter="/lib/ld-odd.so", needed=("libodd.so",)))
    bench.put("c", b"#!/bin/sh\necho hello\n")
    bench.put("good", go_elf(ARM64))
    error = bench.wrong(inputs(names=("a", "b", "c", "d", "good"), libraries=("libc.so.6",)))
    assert error.summary == "not right for linux/arm64: a, b, c, d"
    text = error.render()
    assert "a: ELF 64-bit LSB x86_64, static, go1.27.3" in text
    assert "machine: found x86_64 (ELF 64-bit LSB x86_64, static, go1.27.3), wanted aarch64 (linux/arm64)" in text
    assert "interpreter: found /lib/ld-odd.so, wanted /lib/ld-linux-aarch64.so.1 or /lib/ld-musl" in text
    assert "link: found dynamic (/lib/ld-odd.so, libodd.so), wanted static" in text
    assert "library: found libodd.so, wanted libc.so.6" in text
    assert "format: found a file that begins with b'#!/bin/sh\\necho hello\\n', wanted an ELF program" in text
    assert "file: found nothing, wanted a program" in text
    assert {file.name for file in error.files} == {"a", "b", "c", "d"}
    assert error.hint is not None


def test_static_where_dynamic_is_wanted(bench: Bench) -> None:
    bench.put("tool", go_elf(ARM64))
    assert "link: found static, wanted dynamic" in bench.wrong(inputs(link="dynamic")).render()
    assert bench.run(inputs(link="any")).facts["binaries"].keys() == {"tool"}


@pytest.mark.parametrize(("limit", "right"), [("2.28", False), ("2.4", False), ("2.34", True), ("2.100", True)])
def test_glibc_is_compared_as_a_version(bench: Bench, limit: str, right: bool) -> None:
    loader = ARM64.arch.glibc_loader
    versions = {"libc.so.6": ("GLIBC_2.17", "GLIBC_2.34")}
    bench.put("tool", go_elf(ARM64, interpreter=loader, needed=("libc.so.6",), versions=versions))
    wanted = inputs(link="dynamic", glibc=limit)
    if right:
        assert bench.run(wanted).facts["binaries"]["tool"]["glibc"] == "2.34"
    else:
        assert f"glibc: found 2.34, wanted {limit} or lower" in bench.wrong(wanted).render()


def test_no_library_may_be_allowed(bench: Bench) -> None:
    bench.put("tool", go_elf(ARM64, interpreter=ARM64.arch.musl_loader, needed=("libc.so",)))
    assert "library: found libc.so, wanted none" in bench.wrong(inputs(link="any", libraries=())).render()


def test_v7_code_on_v6(bench: Bench) -> None:
    bench.put("tool", make_elf(V6, go=go_blob(settings={"GOARM": "7"}), attributes=arm_attributes(arch=10)))
    text = bench.wrong(inputs(V6)).render()
    assert "GOARM: found 7, wanted 6 or lower" in text
    assert "processor of the C code: found ARMv7, wanted ARMv6 or lower" in text


def test_a_library_is_no_program(bench: Bench) -> None:
    bench.put("tool", go_elf(ARM64, kind="shared", soname="libtool.so"))
    assert "kind: found shared, wanted a program" in bench.wrong(inputs(link="any")).render()


def test_a_program_that_is_not_go(bench: Bench) -> None:
    bench.put("tool", make_elf(ARM64))
    assert "language: found no build information of Go" in bench.wrong(inputs()).render()
    assert "tool" in bench.run(inputs(go=False)).facts["binaries"]


def test_what_cannot_be_known_is_noted(bench: Bench) -> None:
    bench.put("tool", make_elf(V6, go=go_blob("go1.17", text="")))
    outcome = bench.run(inputs(V6))
    assert "GOARM is not recorded by go1.17" in outcome.note
    assert outcome.note in log_of(bench.work)


def test_links_are_followed_inside(bench: Bench) -> None:
    bench.put("tool", go_elf(AMD64))
    (bench.bin / "alias").symlink_to("tool")
    error = bench.wrong(inputs(names=("tool",)))
    assert error.summary == "not right for linux/arm64: alias, tool"


def test_links_do_not_lead_out(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(go_elf(ARM64))
    (bench.bin / "tool").symlink_to(tmp_path / "outside")
    (bench.bin / "gone").symlink_to("nowhere")
    text = bench.wrong(inputs(names=("tool", "gone"))).render()
    assert f"link target: found {tmp_path / 'outside'}, wanted a file beside it" in text
    assert "file: found a link to nothing, wanted a program" in text


def test_what_was_not_announced_is_checked_too(bench: Bench) -> None:
    bench.put("tool", go_elf(ARM64))
    bench.put("stowaway", go_elf(AMD64))
    assert bench.wrong(inputs()).summary == "not right for linux/arm64: stowaway"


def test_an_empty_file(bench: Bench) -> None:
    bench.put("tool", b"")
    assert "format: found an empty file" in bench.wrong(inputs()).render()


def test_a_file_that_was_cut_off(bench: Bench) -> None:
    bench.put("tool", go_elf(ARM64)[:-40])
    with pytest.raises(BrokenElf) as caught:
        bench.run(inputs())
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert str(bench.bin / "tool") in caught.value.summary


def test_an_x86_binary_hints_at_the_environment(bench: Bench) -> None:
    bench.put("tool", go_elf(AMD64))
    assert "GOARCH" in (bench.wrong(inputs()).hint or "")
    bench.put("tool", make_elf(V7, flags=0x05000200, go=go_blob(settings={"GOARM": "7"})))
    assert "zig" in (bench.wrong(inputs(V7)).hint or "")
