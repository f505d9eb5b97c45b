"""Programs of other systems, and archives that are not looked into, by their first bytes."""

from __future__ import annotations

# COFF's machines as Microsoft's "PE Format" has them, section "Machine Types".
_PE_MACHINES = {0x14C: "x86", 0x8664: "x86-64", 0x1C0: "ARM", 0x1C4: "ARM", 0xAA64: "ARM64", 0x5064: "RISC-V"}
# Mach-O: <mach-o/loader.h> MH_MAGIC(_64) in both byte orders, <mach/machine.h> for the processors.
_MACH = {b"\xfe\xed\xfa\xce": "big", b"\xfe\xed\xfa\xcf": "big", b"\xce\xfa\xed\xfe": "little"}
_MACH |= {b"\xcf\xfa\xed\xfe": "little"}
_MACH_CPUS = {7: "x86", 0x01000007: "x86-64", 12: "ARM", 0x0100000C: "ARM64", 18: "PowerPC"}
# A Java class has the same magic, and where Mach-O counts its processors the class file's version, 45 or more.
_FAT = b"\xca\xfe\xba\xbe"
_FIRST_JAVA = 45

_CLOSED = (
    (b"070701", "a cpio archive"),
    (b"070702", "a cpio archive"),
    (b"070707", "a cpio archive"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"hsqs", "a squashfs file system"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "a file packed by lz4"),
    (b"\x89LZO\x00\r\n", "a file packed by lzop"),
    (b"LZIP\x01", "a file packed by lzip"),
    (b"MSCF\0\0\0\0", "a cabinet archive"),
)


def foreign_program(start: bytes) -> str | None:
    """Words for a program that no Linux kernel starts by itself; None for anything else."""
    if start.startswith(b"MZ"):
        return _portable(start)
    order = _MACH.get(start[:4])
    if order is not None and len(start) >= 8:
        cpu = int.from_bytes(start[4:8], "big" if order == "big" else "little")
        return f"a program for macOS (Mach-O, {_MACH_CPUS.get(cpu, f'processor {cpu:#x}')})"
    if start.startswith(_FAT) and 0 < int.from_bytes(start[4:8], "big") < _FIRST_JAVA:
        return "a program for macOS (Mach-O, several processors)"
    return None


def _portable(start: bytes) -> str | None:
    """Windows and UEFI: the word at 0x3c says where PE's own header is. Without one it is DOS, or a text."""
    place = int.from_bytes(start[0x3C:0x40], "little")
    if start[place : place + 4] != b"PE\0\0":
        return None
    machine = int.from_bytes(start[place + 4 : place + 6], "little")
    return f"a program for Windows or UEFI (PE, {_PE_MACHINES.get(machine, f'machine {machine:#x}')})"


def unread_archive(start: bytes) -> str | None:
    """Words for an archive that rearch has no reader for; None for anything else."""
    return next((words for magic, words in _CLOSED if start.startswith(magic)), None)
