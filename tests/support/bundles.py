"""Bundles made by code: Rancher's archives as upstream packs them, and what there is to refit them with.

source = rancher_tar(tmp_path / "go-agent.tar.gz")
plan = RefitPlan(binaries=(verified(tmp_path, "arm64"),), programs=PROGRAMS, rancher=True)
"""

from __future__ import annotations

import gzip
import hashlib
import random
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rearch.bundle.values import Program, RefitPlan
from rearch.model.platform import parse_platform
from rearch.model.verified import VerifiedBinary
from tests.support.archives import COMPRESSORS, Member, Zipped, folder, tar, zip_file
from tests.support.elves import go_blob, go_text, make_elf

ROOT = "0b5c6a70-4d1c-4f0e-9f60-1c2d3e4f5a6b"
AGENT = "bin/agent"
PROGRAMS = (
    Program(component="rancher/agent", binary="agent", package="github.com/rancher/agent"),
    Program(component="rancher/host-api", binary="host-api", package="github.com/rancher/host-api"),
)
# What upstream's script does in essence: copy itself and the program elsewhere, and be run from there.
APPLY = b"""#!/bin/sh
set -e
cd "$(dirname "$0")"
case "$1" in
start) echo "started: $(cat ./agent)"; exit 0 ;;
esac
temp=$(mktemp -d "$CATTLE_HOME/pyagent.XXXXXX")
cp apply.sh "$temp/"
cp bin/agent "$temp/agent"
rm -rf "$CATTLE_HOME/pyagent"
mv "$temp" "$CATTLE_HOME/pyagent"
echo "applied with $*"
"""


def elf(platform: str, package: str = "github.com/rancher/agent", version: str = "go1.21.13") -> bytes:
    """A program of Go, for a reader."""
    row = parse_platform(platform)
    settings = {"GOOS": "linux", "GOARCH": row.arch.goarch}
    if row.arch.go_variant:
        settings[row.arch.go_variant[0]] = row.arch.go_variant[1]
    return make_elf(row, go=go_blob(version, text=go_text(settings, package)))


def plain_elf(platform: str) -> bytes:
    """A program that says nothing of Go, as those of Go 1.9 do for rearch."""
    return make_elf(parse_platform(platform))


def verified(base: Path, platform: str, program: Program = PROGRAMS[0], content: bytes | None = None) -> VerifiedBinary:
    """A binary as `build` leaves it."""
    row = parse_platform(platform)
    data = elf(platform, program.package) if content is None else content
    path = base / "output" / "bin" / row.slug / program.binary
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return VerifiedBinary(
        component=program.component,
        name=program.binary,
        platform=row,
        path=path,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        elf={},
    )


def sums(files: Mapping[str, bytes], root: str = ROOT) -> dict[str, bytes]:
    """SHA1SUMS and SHA1SUMSSUM, `sha1sum -b` over these files."""
    text = "".join(f"{sha1(data)} *{root}/{name}\n" for name, data in files.items()).encode()
    return {"SHA1SUMS": text, "SHA1SUMSSUM": f"{sha1(text)} *{root}/SHA1SUMS\n".encode()}


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def rancher_files(path: str = AGENT, program: bytes | None = None, apply: bytes = APPLY) -> dict[str, bytes]:
    """The files of an archive as upstream packs it, without sums."""
    return {"apply.sh": apply, path: plain_elf("amd64") if program is None else program}


def rancher_members(
    files: Mapping[str, bytes], *, with_sums: bool = True, sums_first: bool = False, root: str = ROOT
) -> tuple[Member, ...]:
    """The entries: the root folder, folders, files, in their order."""
    listed = sums(files, root) if with_sums else {}
    ordered = {**listed, **files} if sums_first else {**files, **listed}
    made, members = set(), [folder(f"{root}/")]
    for name, data in ordered.items():
        above = name.rpartition("/")[0]
        if above and above not in made:
            made.add(above)
            members.append(folder(f"{root}/{above}/"))
        mode = 0o644 if name.startswith("SHA1") else 0o755
        members.append(Member(name=f"{root}/{name}", content=data, mode=mode))
    return tuple(members)


def rancher_tar(
    path: Path,
    files: Mapping[str, bytes] | None = None,
    *,
    packed: str = "gz",
    with_sums: bool = True,
    sums_first: bool = False,
) -> Path:
    """Such an archive. `packed` is a key of COMPRESSORS."""
    members = rancher_members(files or rancher_files(), with_sums=with_sums, sums_first=sums_first)
    path.write_bytes(COMPRESSORS[packed](tar(*members)))
    return path


def zipped(files: Mapping[str, bytes], root: str = ROOT) -> bytes:
    """The same as a zip, deflated."""
    entries = [Zipped(name=f"{root}/".encode(), mode=0o040755, method=0)]
    entries += [
        Zipped(name=f"{root}/{name}".encode(), content=data, mode=0o100755)
        for name, data in {**files, **sums(files)}.items()
    ]
    return zip_file(*entries, comment=b"as it was")


def big_bundle(base: Path, *, files: int, size: int, programs: int) -> None:
    """`base/big.tar.gz`: so many files of so many bytes, half noise, sums in front; some are foreign programs."""
    random_bytes = random.Random("big")
    contents = {
        f"lib/{number:05}": random_bytes.randbytes(size // 2) + b"words and words " * (size // 32)
        for number in range(files - programs)
    }
    contents |= {f"bin/tool{number}": plain_elf("amd64") + random_bytes.randbytes(size) for number in range(programs)}
    ordered = {**sums(contents), **contents}
    with (
        gzip.open(base / "big.tar.gz", "wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|") as out,
    ):
        for name, data in ordered.items():
            info = tarfile.TarInfo(f"{ROOT}/{name}")
            info.size = len(data)
            out.addfile(info, _Bytes(data))


def big_plan(base: Path, *, programs: int) -> RefitPlan:
    """A plan that replaces these programs."""
    made: Sequence[Program] = [Program(component="big/tools", binary=f"tool{number}") for number in range(programs)]
    return RefitPlan(
        binaries=tuple(verified(base, "arm64", program, plain_elf("arm64")) for program in made),
        programs=tuple(made),
        platform=parse_platform("arm64"),
    )


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def read(self, size: int = -1) -> bytes:
        taken = self._data if size < 0 else self._data[:size]
        self._data = self._data[len(taken) :]
        return bytes(taken)
