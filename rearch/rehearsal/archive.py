"""The archive as the server has it before anything is cured: one x86 agent, packed as Rancher's scripts/package did."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.model.platform import Platform
from rearch.rehearsal.upstreams import APPLY, GITHUB, VERSION

ROOT = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{GITHUB}/agent/{VERSION}"))
"""The archive's one root folder: a UUID, as in the real one, but always the same."""
TIME = 1_500_000_000
AGENT = "bin/agent"
SUMS, SUMS_SUM = "SHA1SUMS", "SHA1SUMSSUM"


class Member(Struct, frozen=True, kw_only=True):
    """A file of the archive, below its root folder."""

    path: str
    data: bytes
    mode: int = 0o644


def write_archive(target: Path, agent: bytes) -> Path:
    """go-agent.tar.gz with this program in it, and its sums. The same program gives the same bytes."""
    members = (Member(path="apply.sh", data=APPLY.encode(), mode=0o755), Member(path=AGENT, data=agent, mode=0o755))
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, TIME) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for folder in ("", "/bin"):
            tar.addfile(_head(ROOT + folder, 0o755, tarfile.DIRTYPE))
        for member in (*members, *_sums(members)):
            head = _head(f"{ROOT}/{member.path}", member.mode)
            head.size = len(member.data)
            tar.addfile(head, io.BytesIO(member.data))
    return target


def agent_of(archive: Path) -> bytes:
    """The program in an archive that `write_archive` made."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"{ROOT}/{AGENT}")
        assert member is not None
        return member.read()


def _sums(members: tuple[Member, ...]) -> Iterator[Member]:
    """As `sha1sum -b` writes them, over paths with the root folder, and the sum of that file."""
    sums = Member(path=SUMS, data="".join(map(_line, members)).encode())
    yield sums
    yield Member(path=SUMS_SUM, data=_line(sums).encode())


def _line(member: Member) -> str:
    return f"{hashlib.sha1(member.data, usedforsecurity=False).hexdigest()} *{ROOT}/{member.path}\n"


def _head(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    head = tarfile.TarInfo(name)
    head.mode, head.mtime, head.type = mode, TIME, kind
    head.uname = head.gname = "root"
    return head


def upstream_build(platform: Platform) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """How upstream's agent is compiled here, for x86: arguments and variables for go.

    Position independent, so that the program asks for the dynamic loader of its own architecture, as any x86 program
    from a distribution does. A kernel of another architecture refuses an x86 program by its ELF header (execve(2),
    ENOEXEC); but in a rehearsal the arm64 host is a container under qemu-user, and the kernel below it is x86, which
    would just run it. What it does not find there is /lib64/ld-linux-x86-64.so.2, so that it refuses this one, too
    (ENOENT), for the same cause: a program for another machine. docs/limitations.md says so.
    """
    flags = ("-trimpath", "-buildvcs=false", "-buildmode=pie", f"-ldflags=-s -w -X main.VERSION={VERSION}")
    return flags, {"GOOS": platform.os, "GOARCH": platform.arch.goarch, "CGO_ENABLED": "0", "GOWORK": "off"}
