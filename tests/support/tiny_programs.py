"""Programs of a few bytes that the kernel (or qemu) really runs, made by code: for RUN without a base that has a shell.

writer(ARM64, "/made", b"text")     # creates the file with that text, and exits with 0
failing(ARM64, 3)                   # exits with 3
waiting(ARM64)                      # does nothing, for ever
"""

from __future__ import annotations

import struct

from rearch.model.platform import EM_AARCH64, EM_X86_64, Platform

BASE, HEAD = 0x400000, 64 + 56


def writer(platform: Platform, path: str, text: bytes) -> bytes:
    """Opens `path` to write, writes `text`, exits with 0."""
    make = {EM_X86_64: _amd64_writer, EM_AARCH64: _arm64_writer}[platform.arch.elf_machine]
    return _program(platform, make(path.encode() + b"\0", text))


def failing(platform: Platform, code: int) -> bytes:
    """Exits with `code`."""
    if platform.arch.elf_machine == EM_X86_64:
        return _program(platform, b"\xbf" + struct.pack("<I", code) + _AMD64_EXIT)
    return _program(platform, _words(_move(0, code), _move(8, 93), _SVC))


def waiting(platform: Platform) -> bytes:
    """Waits until it is killed: pause(2), on ARM ppoll(2) of nothing; again after every signal."""
    if platform.arch.elf_machine == EM_X86_64:
        return _program(platform, bytes.fromhex("b822000000 0f05 ebf7"))  # mov eax,34; syscall; jmp back
    nothing = [_move(register, 0) for register in range(5)]
    return _program(platform, _words(*nothing, _move(8, 73), _SVC, 0x14000000 | (-7 & 0x3FFFFFF)))


def _program(platform: Platform, code: bytes) -> bytes:
    """A static 64-bit little-endian program that is its headers and `code` (gABI, chapter 4)."""
    size = HEAD + len(code)
    ident = b"\x7fELF\2\1\1" + bytes(9)
    machine = platform.arch.elf_machine
    head = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, BASE + HEAD, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return ident + head + struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000) + code


_AMD64_EXIT = bytes.fromhex("b83c000000 0f05")  # mov eax,60; syscall


def _amd64_writer(path: bytes, text: bytes) -> bytes:
    """open(path, O_WRONLY|O_CREAT, 0644), write, exit(0), as the kernel's own interface has them."""
    head = bytes.fromhex("b802000000 488d3d")  # mov eax,2; lea rdi,[rip+...]
    opened = bytes.fromhex("be41000000 baa4010000 0f05 89c7 488d35")  # ...; syscall; mov edi,eax; lea rsi,[rip+...]
    write = b"\xba" + struct.pack("<I", len(text)) + bytes.fromhex("b801000000 0f05 31ff") + _AMD64_EXIT
    to_path = len(opened) + 4 + len(write)
    to_text = len(write) + len(path)
    return head + struct.pack("<i", to_path) + opened + struct.pack("<i", to_text) + write + path + text


def _arm64_writer(path: bytes, text: bytes) -> bytes:
    """openat(AT_FDCWD, path, O_WRONLY|O_CREAT, 0644), write, exit(0)."""
    count = 13
    path_at, text_at = 4 * count, 4 * count + len(path)
    code = _words(
        0x92800C60,  # mov x0, #-100
        _address(1, path_at - 4),
        _move(2, 0x41),
        _move(3, 0o644),
        _move(8, 56),
        _SVC,
        _address(1, text_at - 24),
        _move(2, len(text)),
        _move(8, 64),
        _SVC,
        _move(0, 0),
        _move(8, 93),
        _SVC,
    )
    return code + path + text


_SVC = 0xD4000001


def _move(register: int, value: int) -> int:
    """movz"""
    return 0xD2800000 | value << 5 | register


def _address(register: int, offset: int) -> int:
    """adr: an address so many bytes behind this instruction."""
    return 0x10000000 | (offset & 3) << 29 | (offset >> 2) << 5 | register


def _words(*instructions: int) -> bytes:
    return struct.pack(f"<{len(instructions)}I", *instructions)
