"""ELF files: facts of every platform's files, what matches what, and files that were made to hurt."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rearch.errors import ExitCode
from rearch.formats.elf import (
    BrokenElf,
    ElfFacts,
    describe,
    match_platform,
    read_elf,
    read_elf_stream,
    unknowns,
)
from rearch.model.platform import PLATFORMS, Platform, parse_platform
from tests.support.elves import arm_attributes, go_blob, make_elf

AMD64, ARM64, V7, V6 = (parse_platform(name) for name in ("amd64", "arm64", "arm/v7", "arm/v6"))


def facts_of(data: bytes) -> ElfFacts:
    found = read_elf_stream(io.BytesIO(data), "sample")
    assert found is not None
    return found


def differences(data: bytes, platform: Platform) -> list[str]:
    return [mismatch.what for mismatch in match_platform(facts_of(data), platform)]


def dynamic_elf(platform: Platform, **more: object) -> bytes:
    return make_elf(
        platform,
        interpreter=platform.arch.glibc_loader,
        needed=("libpthread.so.0", "libc.so.6"),
        versions={"libc.so.6": ("GLIBC_2.4", "GLIBC_2.34", "GLIBC_PRIVATE"), "libm.so.6": ("GLIBC_2.29",)},
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_static_program_of_every_platform(platform: Platform) -> None:
    facts = facts_of(make_elf(platform))
    row = platform.arch
    assert (facts.machine, facts.bits, facts.little_endian) == (row.elf_machine, row.bits, row.little_endian)
    assert (facts.kind, facts.static, facts.interpreter, facts.needed, facts.glibc) == ("exec", True, None, (), None)
    assert match_platform(facts, platform) == ()


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_dynamic_program_of_every_platform(platform: Platform) -> None:
    facts = facts_of(dynamic_elf(platform))
    assert facts.interpreter == platform.arch.glibc_loader
    assert facts.needed == ("libpthread.so.0", "libc.so.6")
    assert facts.glibc == "2.34"
    assert not facts.static
    assert match_platform(facts, platform) == ()


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_a_file_matches_its_own_machine_alone(platform: Platform) -> None:
    facts = facts_of(make_elf(platform))
    matching = {other.arch.elf_machine for other in PLATFORMS if not match_platform(facts, other)}
    assert matching == {platform.arch.elf_machine}


def test_another_machine_is_said_once_and_in_words() -> None:
    (mismatch,) = match_platform(facts_of(dynamic_elf(AMD64)), ARM64)
    assert mismatch.what == "machine"
    assert mismatch.found.startswith("x86_64 (ELF 64-bit LSB x86_64, dynamic (/lib64/ld-linux-x86-64.so.2)")
    assert mismatch.wanted == "aarch64 (linux/arm64)"


def test_x32_and_the_other_byte_order_are_told_apart() -> None:
    x32 = make_elf(parse_platform("386"), machine=AMD64.arch.elf_machine)
    assert differences(x32, AMD64) == ["class"]
    big = make_elf(parse_platform("s390x"), machine=ARM64.arch.elf_machine)
    assert differences(big, ARM64) == ["byte order"]


def test_kinds() -> None:
    kinds = {
        "exec": make_elf(ARM64),
        "pie": make_elf(ARM64, kind="pie", interpreter=ARM64.arch.glibc_loader, needed=("libc.so.6",)),
        "shared": make_elf(ARM64, kind="shared", soname="libx.so.1", needed=("libc.so.6",)),
        "object": make_elf(ARM64, kind="object"),
        "core": make_elf(ARM64, kind="core"),
    }
    for kind, data in kinds.items():
        facts = facts_of(data)
        assert (facts.kind, facts.static) == (kind, kind == "exec")
    assert facts_of(kinds["shared"]).soname == "libx.so.1"


def test_static_pie_is_static_and_a_library_that_can_be_run_is_a_library() -> None:
    static_pie = facts_of(make_elf(AMD64, kind="pie"))
    assert (static_pie.kind, static_pie.static) == ("pie", True)
    libc = facts_of(make_elf(AMD64, kind="shared", interpreter=AMD64.arch.glibc_loader, soname="libc.so.6"))
    assert (libc.kind, libc.static) == ("shared", False)


def test_arm_float_abi_from_flags_and_attributes() -> None:
    hard, soft, neither = (make_elf(V7, flags=0x05000000 | bits) for bits in (0x400, 0x200, 0))
    assert [facts_of(data).arm_float for data in (hard, soft, neither)] == ["hard", "soft", None]
    assert differences(soft, V7) == ["float ABI"]
    assert differences(neither, V7) == []
    by_attribute = make_elf(V7, flags=0x05000000, attributes=arm_attributes(vfp_args=1))
    assert facts_of(by_attribute).arm_float == "hard"


def test_soft_float_loader_is_refused_on_a_hard_float_platform() -> None:
    data = make_elf(V7, flags=0x05000200, interpreter="/lib/ld-linux.so.3", needed=("libc.so.6",))
    assert differences(data, V7) == ["float ABI", "interpreter"]


def test_old_arm_abi_is_refused() -> None:
    assert differences(make_elf(V7, flags=0x04000000), V7) == ["ABI"]


@pytest.mark.parametrize(
    ("arch", "generation", "on_v6"), [(6, 6, True), (9, 6, True), (8, 7, False), (10, 7, False), (14, 8, False)]
)
def test_c_code_for_v7_is_wrong_on_v6(arch: int, generation: int, on_v6: bool) -> None:
    data = make_elf(V6, attributes=arm_attributes(arch=arch, vfp_args=1))
    assert facts_of(data).arm_generation == generation
    assert (differences(data, V6) == []) is on_v6
    assert (differences(data, V7) == []) is (generation <= 7)


@pytest.mark.parametrize("damage", [slice(0, 3), slice(0, 9), slice(0, 20), slice(1, None)])
def test_damaged_arm_attributes_say_nothing(damage: slice) -> None:
    facts = facts_of(make_elf(V6, attributes=arm_attributes(arch=10)[damage]))
    assert facts.arm_generation is None


@pytest.mark.parametrize(
    ("platform", "name", "value", "right"),
    [
        (V6, "GOARM", "6", True),
        (V6, "GOARM", "5", True),
        (V6, "GOARM", "5,softfloat", True),
        (V6, "GOARM", "7", False),
        (V7, "GOARM", "7,hardfloat", True),
        (V7, "GOARM", "8", False),
        (AMD64, "GOAMD64", "v1", True),
        (AMD64, "GOAMD64", "v3", False),
        (ARM64, "GOARM64", "v8.0", True),
        (ARM64, "GOARM64", "v8.0,lse", False),
        (ARM64, "GOARM64", "v9.0", False),
        (parse_platform("386"), "GO386", "softfloat", True),
        (parse_platform("ppc64le"), "GOPPC64", "power9", False),
        (ARM64, "GOOS", "freebsd", False),
        (ARM64, "GOARCH", "amd64", False),
    ],
)
def test_go_says_which_processor_it_needs(platform: Platform, name: str, value: str, right: bool) -> None:
    data = make_elf(platform, go=go_blob(settings={name: value}))
    assert differences(data, platform) == ([] if right else [name])


def test_what_old_go_does_not_record_is_said() -> None:
    facts = facts_of(make_elf(V6, go=go_blob("go1.17.13", text="")))
    assert match_platform(facts, V6) == ()
    (line,) = unknowns(facts, V6)
    assert "GOARM is not recorded by go1.17.13" in line
    assert unknowns(facts_of(make_elf(V6, go=go_blob(settings={"GOARM": "6"}))), V6) == ()


def test_what_old_go_could_not_choose_is_no_doubt() -> None:
    old = facts_of(make_elf(ARM64, go=go_blob("go1.21.13", settings={"GOOS": "linux"})))
    assert unknowns(old, ARM64) == ()
    new = facts_of(make_elf(ARM64, go=go_blob("go1.23.1", settings={"GOOS": "linux"})))
    assert "GOARM64 is not recorded by go1.23.1" in unknowns(new, ARM64)[0]


def test_a_program_of_another_unix_is_wrong() -> None:
    assert differences(make_elf(AMD64, osabi=9), AMD64) == ["operating system"]
    assert differences(make_elf(AMD64, osabi=3), AMD64) == []


def test_musl_loader_is_right_and_a_private_one_is_not() -> None:
    assert differences(make_elf(ARM64, interpreter=ARM64.arch.musl_loader, needed=("libc.so",)), ARM64) == []
    assert differences(make_elf(ARM64, interpreter="/nix/store/x/ld.so", needed=("libc.so.6",)), ARM64) == [
        "interpreter"
    ]


def test_relative_relocations_ask_for_the_glibc_that_brought_them() -> None:
    data = make_elf(AMD64, needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_ABI_DT_RELR")})
    assert facts_of(data).glibc == "2.36"


def test_build_ids() -> None:
    data = make_elf(ARM64, notes=((b"Go", 4, b"abc/def"), (b"GNU", 3, b"\xde\xad\xbe\xef")))
    facts = facts_of(data)
    assert (facts.go_build_id, facts.build_id) == ("abc/def", "deadbeef")


def test_facts_survive_json() -> None:
    facts = facts_of(dynamic_elf(V7, go=go_blob(settings={"GOARM": "7", "GOOS": "linux"}), soname="x"))
    again = ElfFacts.from_facts(json.loads(json.dumps(facts.to_facts())))
    assert again.to_facts() == facts.to_facts()
    assert again.go is not None
    assert again.go.setting("GOARM") == "7"
    assert match_platform(again, V6) == match_platform(facts, V6) != ()


def test_description() -> None:
    assert describe(facts_of(make_elf(ARM64))) == "ELF 64-bit LSB aarch64, static"
    assert describe(facts_of(make_elf(parse_platform("s390x"), kind="object"))) == "ELF 64-bit MSB s390x, object file"
    assert describe(facts_of(make_elf(ARM64, machine=8))) == "ELF 64-bit LSB machine 8, static"


def test_without_section_headers_the_loader_s_view_is_enough() -> None:
    facts = facts_of(dynamic_elf(ARM64, sections=False, go=go_blob(settings={"GOARCH": "arm64"})))
    assert (facts.glibc, facts.go is not None) == ("2.34", True)


# Files that are no ELF, and files that lie.


def test_no_elf(tmp_path: Path) -> None:
    for name, content in {"empty": b"", "script": b"#!/bin/sh\n", "short": b"\x7fE"}.items():
        (tmp_path / name).write_bytes(content)
        assert read_elf(tmp_path / name) is None


def test_a_named_pipe_is_no_elf_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_elf(tmp_path / "pipe") is None


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(make_elf(ARM64))
    (tmp_path / "b").symlink_to("a")
    found = read_elf(tmp_path / "b")
    assert found is not None
    assert found.machine == ARM64.arch.elf_machine


@pytest.mark.parametrize("platform", [ARM64, V7, parse_platform("s390x")], ids=str)
def test_every_cut_is_noticed(platform: Platform) -> None:
    whole = dynamic_elf(platform, go=go_blob(settings={"GOARCH": platform.arch.goarch}))
    for size in range(4, len(whole), 7):
        with pytest.raises(BrokenElf) as caught:
            facts_of(whole[:size])
        assert caught.value.exit_code is ExitCode.VERIFICATION
        assert "sample: broken ELF file" in caught.value.summary


def patched(data: bytes, offset: int, layout: str, *values: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, *values)
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "reason"),
    [
        (4, "B", 3, "class"),
        (5, "B", 0, "byte order"),
        (16, "<H", 9, "type 9"),
        (32, "<Q", 1 << 60, "program headers"),
        (54, "<H", 32, "program headers of 32 bytes"),
        (56, "<H", 0xFFFE, "65534 program headers"),
        (40, "<Q", 1 << 62, "section headers"),
        (60, "<H", 0xFF00, "65280 section headers"),
        (64 + 8, "<Q", 1 << 50, "cut off"),
    ],
)
def test_lies_of_the_header(offset: int, layout: str, value: int, reason: str) -> None:
    with pytest.raises(BrokenElf, match=reason):
        facts_of(patched(make_elf(ARM64), offset, layout, value))


def segment_at(data: bytes, kind: int) -> int:
    """Offset of the 64-bit program header of a kind."""
    count = struct.unpack_from("<H", data, 56)[0]
    return next(64 + 56 * i for i in range(count) if struct.unpack_from("<I", data, 64 + 56 * i)[0] == kind)


def test_an_interpreter_without_end() -> None:
    data = dynamic_elf(ARM64)
    header = segment_at(data, 3)
    with pytest.raises(BrokenElf, match="interpreter's name has no end"):
        facts_of(patched(data, header + 32, "<Q", 5))


def test_a_dynamic_section_without_end() -> None:
    data = dynamic_elf(ARM64)
    with pytest.raises(BrokenElf, match="dynamic section has no end"):
        facts_of(patched(data, segment_at(data, 2) + 32, "<Q", 32))


def test_symbol_versions_that_lead_astray_end() -> None:
    data = dynamic_elf(ARM64)
    needs = next(index for index in range(0x400, len(data), 16) if data[index : index + 4] == b"\1\0\3\0")
    # The library's record says that it has 65535 versions and that the next library is one byte further.
    backwards = patched(patched(data, needs + 2, "<H", 0xFFFF), needs + 16 + 3 * 16 - 4, "<i", 1)
    with pytest.raises(BrokenElf, match=r"symbol versions|dynamic string table"):
        facts_of(backwards)


def test_endless_chains_of_symbol_versions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rearch.formats.elf_dynamic.VERSIONS", 6)
    assert facts_of(dynamic_elf(ARM64)).glibc == "2.34"  # two libraries, four versions
    monkeypatch.setattr("rearch.formats.elf_dynamic.VERSIONS", 5)
    with pytest.raises(BrokenElf, match="more than 5 symbol versions"):
        facts_of(dynamic_elf(ARM64))


def test_names_outside_of_the_string_table() -> None:
    data = dynamic_elf(ARM64)
    dynamic = struct.unpack_from("<Q", data, segment_at(data, 2) + 8)[0]
    with pytest.raises(BrokenElf, match="outside of the dynamic string table"):
        facts_of(patched(data, dynamic + 8, "<Q", 1 << 40))


def test_a_name_that_would_move_the_terminal_s_cursor_is_escaped() -> None:
    facts = facts_of(make_elf(ARM64, needed=("lib\x1b[2J.so",)))
    assert facts.needed == ("lib\\x1b[2J.so",)


def test_a_huge_sparse_file_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(make_elf(ARM64))
    os.truncate(path, 1 << 40)
    started = time.perf_counter()
    found = read_elf(path)
    assert found is not None
    assert time.perf_counter() - started < 5  # reading it all would take minutes


SEEDS = tuple(
    dynamic_elf(
        platform, go=go_blob(settings={"GOARM": "6"}), attributes=arm_attributes(arch=6), notes=((b"Go", 4, b"x"),)
    )
    for platform in (ARM64, V6, parse_platform("s390x"))
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 0x700), st.binary(min_size=1, max_size=8)), max_size=6),
    cut=st.integers(0, 0x900) | st.none(),
)
@example(seed=SEEDS[0], changes=[(0x38, b"\xff\xff")], cut=None)
def test_no_change_to_a_file_leads_to_anything_but_facts_or_broken_elf(
    seed: bytes, changes: list[tuple[int, bytes]], cut: int | None
) -> None:
    data = bytearray(seed)
    for offset, new in changes:
        data[offset : offset + len(new)] = new
    with contextlib.suppress(BrokenElf):
        found = read_elf_stream(io.BytesIO(bytes(data[:cut])), "changed")
        assert found is None or ElfFacts.from_facts(found.to_facts()).machine == found.machine


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=400))
def test_noise_behind_the_magic(noise: bytes) -> None:
    with contextlib.suppress(BrokenElf):
        assert read_elf_stream(io.BytesIO(b"\x7fELF" + noise), "noise") is not None
