"""What a Go program says of its own build: compiler version, modules, settings.

Source of the format: Go's src/debug/buildinfo/buildinfo.go (the blob) and src/runtime/debug/mod.go (the text in it).
A 32-byte header starts with a magic that is aligned to 16 bytes in the first writable data. Since Go 1.18 two
strings with varint lengths follow it; from Go 1.13 on it held pointers to two Go string headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from msgspec import Struct

from rearch.formats.printable import printable

MAGIC = b"\xff Go buildinf:"
HEADER = 32
_ALIGN = 16
_SENTINEL = 16
_INLINE, _BIG_ENDIAN = 0x2, 0x1
_CHUNK = 1 << 20
_SEARCH_LIMIT = 256 << 20
_VERSION_LIMIT = 4096
_TEXT_LIMIT = 16 << 20


class Memory(Protocol):
    """A program's file, read by the addresses that it will have."""

    def data_areas(self) -> Iterable[tuple[int, int]]:
        """Address and size of where the blob can be, the likeliest first."""

    def at(self, address: int, size: int) -> bytes:
        """Up to `size` bytes from `address` to the end of its segment; empty where nothing is."""


class GoModule(Struct, frozen=True, kw_only=True):
    """A module of the build. `sum` is go.sum's hash; `replace` is what stood in for it."""

    path: str
    version: str = ""
    sum: str = ""
    replace: GoModule | None = None


class GoBuildInfo(Struct, frozen=True, kw_only=True):
    """`version` is as the compiler says it, `go1.27.3`, perhaps with experiments after a blank.

    `path` is the main package's; it is empty, as are modules and settings, where modules were off and
    Go older than 1.18. `settings` are those of `go version -m`: -tags, CGO_ENABLED, GOARCH, GOARM, vcs.revision.
    """

    version: str
    path: str = ""
    main: GoModule | None = None
    deps: tuple[GoModule, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()

    def setting(self, name: str) -> str | None:
        """One setting; None where this build did not record it."""
        return dict(self.settings).get(name)

    def to_facts(self) -> dict[str, Any]:
        """The form for the store: JSON values. Modules are not in it: they are the SBOM's matter, and many."""
        return {"version": self.version, "path": self.path, "settings": dict(self.settings)}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> GoBuildInfo:
        """What `to_facts` wrote."""
        settings = tuple((str(key), str(value)) for key, value in facts["settings"].items())
        return cls(version=str(facts["version"]), path=str(facts["path"]), settings=settings)


def read_build_info(memory: Memory) -> GoBuildInfo | None:
    """The build information; None where there is none that can be read (as `go version` does)."""
    address = _find(memory)
    if address is None:
        return None
    header = memory.at(address, HEADER)
    if len(header) < HEADER:
        return None
    found = _inline(memory, address + HEADER) if header[15] & _INLINE else _pointers(memory, header)
    if found is None or not found[0]:
        return None
    version, text = found
    return parse_build_info(_decode(version), _decode(_unframed(text)))


def _find(memory: Memory) -> int | None:
    """The address of the first aligned magic."""
    left = _SEARCH_LIMIT
    for start, size in memory.data_areas():
        position = -(-start // _ALIGN) * _ALIGN
        end = min(start + size, position + left)
        while position < end:
            chunk = memory.at(position, min(_CHUNK, end - position))
            if not chunk:
                break
            for offset in _aligned(chunk):
                return position + offset
            position += -(-len(chunk) // _ALIGN) * _ALIGN
            left -= len(chunk)
    return None


def _aligned(chunk: bytes) -> Iterator[int]:
    offset = chunk.find(MAGIC)
    while offset >= 0:
        if offset % _ALIGN == 0:
            yield offset
        offset = chunk.find(MAGIC, offset + 1)


def _inline(memory: Memory, address: int) -> tuple[bytes, bytes] | None:
    """Go 1.18 and later: two strings, each after its length as an unsigned varint."""
    version, address = _varint_text(memory, address, _VERSION_LIMIT)
    if version is None:
        return None
    text, _ = _varint_text(memory, address, _TEXT_LIMIT)
    return None if text is None else (version, text)


def _varint_text(memory: Memory, address: int, limit: int) -> tuple[bytes | None, int]:
    length = 0
    for index, byte in enumerate(memory.at(address, 5)):
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            break
    else:
        return None, address
    data = memory.at(address + index + 1, length) if length <= limit else b""
    return (data if len(data) == length else None), address + index + 1 + length


def _pointers(memory: Memory, header: bytes) -> tuple[bytes, bytes] | None:
    """Go 1.13 to 1.17: pointers to string headers, each a pointer and a length."""
    width = header[14]
    if width not in (4, 8):
        return None
    big = bool(header[15] & _BIG_ENDIAN)
    version = _go_string(memory, _number(header[16 : 16 + width], big), width, big, _VERSION_LIMIT)
    text = _go_string(memory, _number(header[16 + width : 16 + 2 * width], big), width, big, _TEXT_LIMIT)
    return version, text


def _go_string(memory: Memory, address: int, width: int, big: bool, limit: int) -> bytes:
    head = memory.at(address, 2 * width)
    if len(head) < 2 * width:
        return b""
    length = _number(head[width:], big)
    data = memory.at(_number(head[:width], big), length) if length <= limit else b""
    return data if len(data) == length else b""


def _number(data: bytes, big: bool) -> int:
    return int.from_bytes(data, "big" if big else "little")


def _unframed(text: bytes) -> bytes:
    """Without the 16 bytes at either end by which the runtime finds it in a core dump."""
    framed = len(text) > 2 * _SENTINEL and text[-_SENTINEL - 1 : -_SENTINEL] == b"\n"
    return text[_SENTINEL:-_SENTINEL] if framed else b""


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def parse_build_info(version: str, text: str) -> GoBuildInfo:
    """Read the lines of `go version -m` as they stand in the program. Unknown lines are for later versions of Go."""
    path, main = "", None
    deps: list[GoModule] = []
    settings: list[tuple[str, str]] = []
    last_is_main = False
    for line in text.split("\n"):
        word, _, rest = line.partition("\t")
        if word == "path":
            path = printable(rest)
        elif word == "mod":
            main, last_is_main = _module(rest), True
        elif word == "dep":
            deps.append(_module(rest))
            last_is_main = False
        elif word == "=>" and last_is_main and main:
            main = _replaced(main, rest)
        elif word == "=>" and deps:
            deps[-1] = _replaced(deps[-1], rest)
        elif word == "build":
            settings.append(_setting(rest))
    return GoBuildInfo(
        version=printable(version), path=path, main=main, deps=tuple(deps), settings=tuple(sorted(settings))
    )


def _module(rest: str) -> GoModule:
    path, version, digest = (*(printable(item) for item in rest.split("\t")), "", "")[:3]
    return GoModule(path=path, version=version, sum=digest)


def _replaced(module: GoModule, rest: str) -> GoModule:
    return GoModule(path=module.path, version=module.version, sum=module.sum, replace=_module(rest))


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')


def _setting(rest: str) -> tuple[str, str]:
    """`KEY=VALUE`, each quoted as Go source where it has to be."""
    quoted = _QUOTED.match(rest)
    if quoted and rest[quoted.end() : quoted.end() + 1] == "=":
        key, value = quoted[0], rest[quoted.end() + 1 :]
    else:
        key, _, value = rest.partition("=")
    return printable(_unquoted(key)), printable(_unquoted(value))


_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))")
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _unquoted(text: str) -> str:
    if not _QUOTED.fullmatch(text):
        return text
    return text[1:-1] if text[0] == "`" else _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code or match[4]:
        number = int(code, 16) if code else int(match[4], 8)
        return chr(number) if number < 0x110000 else match[0]
    return _SIMPLE.get(match[5], match[5])
