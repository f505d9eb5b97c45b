"""Refit: what is replaced, what stays byte for byte, what is refused."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from msgspec.structs import replace

from rearch.bundle.chooser import MARK
from rearch.bundle.errors import (
    BadTarget,
    BinaryChanged,
    CannotChoose,
    NameTaken,
    NoApplyScript,
    NotBuilt,
    NothingToReplace,
    SeveralRoots,
    Uncovered,
    WrongSums,
)
from rearch.bundle.refit import refit_bundle
from rearch.bundle.values import RefitPlan, Replace, Rules
from rearch.errors import ExitCode, RearchError
from rearch.formats.archive_errors import ArchiveError, LimitExceeded
from rearch.model.limits import Limits
from rearch.model.platform import parse_platform
from tests.support.archives import COMPRESSORS, Member, folder, hard_link, link, pax, tar
from tests.support.bundles import (
    APPLY,
    PROGRAMS,
    ROOT,
    elf,
    plain_elf,
    rancher_files,
    rancher_members,
    rancher_tar,
    sha1,
    sums,
    verified,
    zipped,
)

LIMITS = Limits()
ARM64 = parse_platform("arm64")
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gz": gzip.decompress,
    "xz": lzma.decompress,
    "bz2": bz2.decompress,
    "zst": lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(),
}


def plan(base: Path, *platforms: str, one: str = "") -> RefitPlan:
    return RefitPlan(
        binaries=tuple(verified(base, name) for name in platforms or ("arm64", "arm/v7")),
        programs=PROGRAMS,
        platform=parse_platform(one) if one else None,
        rancher=True,
    )


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as opened:
        return {
            one.name.removeprefix(f"{ROOT}/"): file.read()
            for one in opened
            if (file := opened.extractfile(one)) is not None
        }


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as opened:
        return [one.name.removeprefix(f"{ROOT}/") for one in opened][1:]


def check_sums(files: dict[str, bytes]) -> None:
    """As config.sh does: every line is so, and every other file is listed."""
    listed = {}
    for line in files["SHA1SUMS"].decode().splitlines():
        digest, name = line.split(" *")
        assert sha1(files[name.removeprefix(f"{ROOT}/")]) == digest
        listed[name.removeprefix(f"{ROOT}/")] = digest
    assert {*listed} == {*files} - {"SHA1SUMS", "SHA1SUMSSUM"}
    assert files["SHA1SUMSSUM"].decode() == f"{sha1(files['SHA1SUMS'])} *{ROOT}/SHA1SUMS\n"


@pytest.mark.parametrize("sums_first", [True, False])
@pytest.mark.parametrize("path", ["bin/agent", "agent"])
def test_one_archive_serves_all_hosts(tmp_path: Path, path: str, sums_first: bool) -> None:
    original = plain_elf("amd64")
    source = rancher_tar(tmp_path / "go-agent.tar.gz", rancher_files(path), sums_first=sums_first)
    before = source.read_bytes()
    done = refit_bundle(source, tmp_path / "out.tar.gz", plan(tmp_path), limits=LIMITS)
    files = contents(tmp_path / "out.tar.gz")
    assert files[f"{path}.x86_64"] == original
    assert files[f"{path}.aarch64"] == elf("arm64")
    assert files[f"{path}.armv7l"] == elf("arm/v7")
    assert path not in files
    assert files["apply.upstream.sh"] == APPLY
    assert MARK.encode() in files["apply.sh"]
    check_sums(files)
    assert source.read_bytes() == before
    assert done.machines == ("x86_64", "armv7l", "armv8l", "aarch64")
    if sums_first:
        assert names(tmp_path / "out.tar.gz")[:2] == ["SHA1SUMS", "SHA1SUMSSUM"]


def test_amd64_is_replaced_where_it_was_built(tmp_path: Path) -> None:
    source = rancher_tar(tmp_path / "go-agent.tar.gz")
    refit_bundle(source, tmp_path / "out.tar.gz", plan(tmp_path, "amd64", "arm64"), limits=LIMITS)
    assert contents(tmp_path / "out.tar.gz")["bin/agent.x86_64"] == elf("amd64")


@pytest.mark.parametrize("packed", list(COMPRESSORS))
def test_a_single_architecture_changes_nothing_else(tmp_path: Path, packed: str) -> None:
    files = rancher_files() | {"lib/words": b"words " * 1000, "version": b"v1"}
    source = rancher_tar(tmp_path / "go-agent.tar", files, packed=packed, sums_first=True)
    refit_bundle(source, tmp_path / "out.tar", plan(tmp_path, one="arm64"), limits=LIMITS)
    now = {**files, "bin/agent": elf("arm64")}
    wanted = tar(*rancher_members(now, sums_first=True))
    assert UNPACK[packed]((tmp_path / "out.tar").read_bytes()) == wanted


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    source = rancher_tar(tmp_path / "go-agent.tar.gz", sums_first=True)
    for name in ("one", "two"):
        refit_bundle(source, tmp_path / name, plan(tmp_path), limits=LIMITS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_same_bytes_where_the_kernel_does_not_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = rancher_files() | {"lib/noise": random.Random(1).randbytes(3 << 20), "lib/empty": b"", "lib/last": b"words"}
    source = rancher_tar(tmp_path / "go-agent.tar.gz", files, sums_first=True)
    refit_bundle(source, tmp_path / "one", plan(tmp_path), limits=LIMITS)

    def refused(*_given: int) -> int:
        raise OSError(errno.EINVAL, "not on this file system")

    monkeypatch.setattr("os.sendfile", refused)
    refit_bundle(source, tmp_path / "two", plan(tmp_path), limits=LIMITS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    check_sums(contents(tmp_path / "two"))


def test_a_gzip_file_stays_one_member(tmp_path: Path) -> None:
    """Readers are known that stop after the first."""
    import zlib

    source = rancher_tar(tmp_path / "go-agent.tar.gz", sums_first=True)
    refit_bundle(source, tmp_path / "out.tar.gz", plan(tmp_path), limits=LIMITS)
    member = zlib.decompressobj(31)
    data = member.decompress((tmp_path / "out.tar.gz").read_bytes())
    assert member.eof
    assert not member.unused_data
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        assert len(opened.getnames()) == len(names(tmp_path / "out.tar.gz")) + 1


def test_pax_records_of_a_program_are_kept_without_its_old_name_and_size(tmp_path: Path) -> None:
    old = plain_elf("amd64")
    long = f"{ROOT}/{'d' * 120}/agent"
    members = [
        folder(f"{ROOT}/"),
        Member(name=f"{ROOT}/apply.sh", content=APPLY, mode=0o755),
        pax(path=long, size=str(len(old)), SCHILY__xattr__user__a="kept", mtime="1500000000.25"),
        Member(name="short", content=old, mode=0o751),
    ]
    source = tmp_path / "go-agent.tar"
    source.write_bytes(tar(*members))
    refit_bundle(source, tmp_path / "out.tar", plan(tmp_path), limits=LIMITS)
    with tarfile.open(tmp_path / "out.tar") as opened:
        found = opened.getmember(f"{long}.aarch64")
        assert (found.mode, found.uid, found.size) == (0o751, 1000, len(elf("arm64")))
        assert found.pax_headers["SCHILY.xattr.user.a"] == "kept"
        assert found.mtime == 1500000000.25
        assert opened.extractfile(found).read() == elf("arm64")  # type: ignore[union-attr]


def test_links_are_kept_and_a_second_name_of_a_program_is_refused(tmp_path: Path) -> None:
    members = (*rancher_members(rancher_files(), with_sums=False), link(f"{ROOT}/a", "bin/agent"))
    source = tmp_path / "go-agent.tar"
    source.write_bytes(tar(*members))
    refit_bundle(source, tmp_path / "out.tar", plan(tmp_path), limits=LIMITS)
    with tarfile.open(tmp_path / "out.tar") as opened:
        assert opened.getmember(f"{ROOT}/a").linkname == "bin/agent"
    source.write_bytes(tar(*members, hard_link(f"{ROOT}/b", f"{ROOT}/bin/agent")))
    with pytest.raises(CannotChoose):
        refit_bundle(source, tmp_path / "other.tar", plan(tmp_path), limits=LIMITS)
    refit_bundle(source, tmp_path / "one.tar", plan(tmp_path, one="arm64"), limits=LIMITS)
    assert contents(tmp_path / "one.tar")["b"] == elf("arm64")


def test_a_zip_keeps_order_modes_comment_and_what_it_does_not_change(tmp_path: Path) -> None:
    source = tmp_path / "go-agent.zip"
    source.write_bytes(zipped(rancher_files() | {"lib/words": b"words " * 1000}))
    refit_bundle(source, tmp_path / "out.zip", plan(tmp_path), limits=LIMITS)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(tmp_path / "out.zip") as new:
        assert new.testzip() is None
        assert new.comment == old.comment
        files = {one.filename.removeprefix(f"{ROOT}/"): new.read(one) for one in new.infolist() if not one.is_dir()}
        assert [name.rpartition("/")[2] for name in new.namelist()[1:]] == [
            "apply.sh",
            "apply.upstream.sh",
            "agent.x86_64",
            "agent.armv7l",
            "agent.aarch64",
            "words",
            "SHA1SUMS",
            "SHA1SUMSSUM",
        ]
        assert new.getinfo(f"{ROOT}/bin/agent.aarch64").external_attr >> 16 == 0o100755
    check_sums(files)


def test_a_folder_becomes_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "go-agent"
    for name, data in (rancher_files() | sums(rancher_files(), "anything")).items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
        (source / name).chmod(0o750)
    (source / "link").symlink_to("bin/agent")
    refit_bundle(source, tmp_path / "out", plan(tmp_path), limits=LIMITS)
    assert (tmp_path / "out/bin/agent.aarch64").read_bytes() == elf("arm64")
    assert (tmp_path / "out/bin/agent.aarch64").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "out/link").readlink() == Path("bin/agent")
    assert f"{sha1(elf('arm64'))} *anything/bin/agent.aarch64\n" in (tmp_path / "out/SHA1SUMS").read_text()
    with pytest.raises(BadTarget, match="holds something"):
        refit_bundle(source, tmp_path / "out", plan(tmp_path), limits=LIMITS)
    refit_bundle(source, tmp_path / "out", plan(tmp_path), limits=LIMITS, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["go-agent", "out", "output"]


def test_files_of_the_server_are_not_listed(tmp_path: Path) -> None:
    """`version` is put in by the server after packing, and would be another the next time."""
    listed = rancher_files()
    members = (*rancher_members(listed), Member(name=f"{ROOT}/version", content=b"v2"))
    source = tmp_path / "pyagent.tar.gz"
    source.write_bytes(gzip.compress(tar(*members)))
    refit_bundle(source, tmp_path / "out.tar.gz", plan(tmp_path), limits=LIMITS)
    assert b"version" not in contents(tmp_path / "out.tar.gz")["SHA1SUMS"]


def test_an_archive_of_ranchers_without_sums_gets_them(tmp_path: Path) -> None:
    source = rancher_tar(tmp_path / "go-agent.tar.gz", with_sums=False)
    refit_bundle(source, tmp_path / "out.tar.gz", plan(tmp_path), limits=LIMITS)
    check_sums(contents(tmp_path / "out.tar.gz"))


def test_a_platform_that_one_program_lacks_is_told(tmp_path: Path) -> None:
    files = rancher_files() | {"bin/host-api": plain_elf("amd64")}
    source = rancher_tar(tmp_path / "go-agent.tar.gz", files)
    wanted = plan(tmp_path)
    wanted = replace(wanted, binaries=(*wanted.binaries, verified(tmp_path, "arm64", PROGRAMS[1])))
    done = refit_bundle(source, tmp_path / "out.tar.gz", wanted, limits=LIMITS)
    assert done.machines == ("x86_64", "aarch64")
    assert [str(platform) for platform in done.lacking] == ["linux/arm/v7"]


def test_rules_and_allowed_paths(tmp_path: Path) -> None:
    files = rancher_files() | {"x/odd": plain_elf("amd64"), "x/stays": plain_elf("amd64")}
    source = rancher_tar(tmp_path / "go-agent.tar.gz", files)
    rules = Rules(replace=(Replace(path="x/odd", component="agent", binary="agent"),), allow=("x/st*",))
    wanted = replace(plan(tmp_path, one="arm64"), rules=rules)
    done = refit_bundle(source, tmp_path / "out.tar.gz", wanted, limits=LIMITS)
    assert contents(tmp_path / "out.tar.gz")["x/odd"] == elf("arm64")
    assert [one.path for one in done.kept] == [f"{ROOT}/x/stays"]


Spoiled = Callable[[Path], Path]


def _file(name: str, make: Callable[[], bytes]) -> Spoiled:
    def write(base: Path) -> Path:
        (base / name).write_bytes(make())
        return base / name

    return write


def _packed(*members: Member) -> bytes:
    return gzip.compress(tar(*members), mtime=0)


AGENT_FILES = rancher_files()
GOOD = rancher_members(AGENT_FILES)
BAD: dict[str, tuple[Spoiled, type[RearchError], ExitCode]] = {
    "hostile name": (
        _file("go-agent.tar.gz", lambda: _packed(*GOOD, Member(name="../x", content=b"x"))),
        ArchiveError,
        ExitCode.VERIFICATION,
    ),
    "link that leads out": (
        _file("go-agent.tar.gz", lambda: _packed(*GOOD, link(f"{ROOT}/l", "../../etc"))),
        ArchiveError,
        ExitCode.VERIFICATION,
    ),
    "written through a link": (
        _file("go-agent.tar.gz", lambda: _packed(*GOOD, link(f"{ROOT}/l", "bin"), Member(name=f"{ROOT}/l/x"))),
        ArchiveError,
        ExitCode.VERIFICATION,
    ),
    "device": (
        _file("go-agent.tar.gz", lambda: _packed(*GOOD, Member(name=f"{ROOT}/d", kind=b"3"))),
        ArchiveError,
        ExitCode.VERIFICATION,
    ),
    "twice": (
        _file("go-agent.tar.gz", lambda: _packed(*GOOD, Member(name=f"{ROOT}/apply.sh", content=b"x"))),
        ArchiveError,
        ExitCode.VERIFICATION,
    ),
    "truncated": (
        _file("go-agent.tar.gz", lambda: _packed(*GOOD)[:-300]),
        ArchiveError,
        ExitCode.VERIFICATION,
    ),
    "two roots": (
        _file("go-agent.tar.gz", lambda: _packed(*GOOD, Member(name="other/x", content=b"x"))),
        SeveralRoots,
        ExitCode.VERIFICATION,
    ),
    "wrong sums": (
        _file(
            "go-agent.tar.gz",
            lambda: _packed(
                *rancher_members({**AGENT_FILES, **sums({**AGENT_FILES, "apply.sh": b""})}, with_sums=False)
            ),
        ),
        WrongSums,
        ExitCode.VERIFICATION,
    ),
    "sums of sums missing": (
        _file("go-agent.tar.gz", lambda: _packed(*GOOD[:-1])),
        WrongSums,
        ExitCode.VERIFICATION,
    ),
    "uncovered": (
        lambda base: rancher_tar(base / "go-agent.tar.gz", rancher_files() | {"bin/other": plain_elf("amd64")}),
        Uncovered,
        ExitCode.VERIFICATION,
    ),
    "not built": (
        lambda base: rancher_tar(base / "host-api.tar.gz", rancher_files("bin/host-api")),
        NotBuilt,
        ExitCode.VERIFICATION,
    ),
    "no program": (
        lambda base: rancher_tar(base / "go-agent.tar.gz", {"apply.sh": APPLY}),
        NothingToReplace,
        ExitCode.VERIFICATION,
    ),
    "no apply.sh": (
        lambda base: rancher_tar(base / "go-agent.tar.gz", {"bin/agent": plain_elf("amd64")}),
        NoApplyScript,
        ExitCode.USAGE,
    ),
    "refitted before": (
        lambda base: rancher_tar(base / "go-agent.tar.gz", rancher_files() | {"apply.upstream.sh": b"x"}),
        NameTaken,
        ExitCode.VERIFICATION,
    ),
    "name for no shell": (
        lambda base: rancher_tar(base / "go-agent.tar.gz", rancher_files("b in/agent")),
        CannotChoose,
        ExitCode.VERIFICATION,
    ),
    "web page": (_file("go-agent.tar.gz", lambda: b"<html>" + bytes(600)), ArchiveError, ExitCode.VERIFICATION),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_leaves_nothing(tmp_path: Path, case: str) -> None:
    make, error, code = BAD[case]
    wanted = plan(tmp_path)
    source = make(tmp_path)
    before = source.read_bytes()
    with pytest.raises(error) as caught:
        refit_bundle(source, tmp_path / "out" / "x.tar.gz", wanted, limits=LIMITS)
    assert caught.value.exit_code is code
    assert caught.value.hint
    assert list((tmp_path / "out").iterdir()) == []
    assert source.read_bytes() == before


def test_larger_than_a_limit(tmp_path: Path) -> None:
    source = rancher_tar(tmp_path / "go-agent.tar.gz", rancher_files() | {"big": bytes(100_000)})
    with pytest.raises(LimitExceeded, match="50000 is the limit") as caught:
        refit_bundle(source, tmp_path / "out.tar.gz", plan(tmp_path), limits=Limits(archive_bytes=50_000))
    assert caught.value.setting == "archive_bytes"


def test_a_binary_that_changed_since_it_was_verified(tmp_path: Path) -> None:
    source = rancher_tar(tmp_path / "go-agent.tar.gz")
    wanted = plan(tmp_path, "arm64")
    good = wanted.binaries[0].path.read_bytes()
    for spoiled in (good + b"x", good[:-1] + b"x", elf("amd64"), b"no ELF"):
        wanted.binaries[0].path.write_bytes(spoiled)
        with pytest.raises(BinaryChanged):
            refit_bundle(source, tmp_path / "out.tar.gz", wanted, limits=LIMITS)
    wanted.binaries[0].path.unlink()
    with pytest.raises(BinaryChanged):
        refit_bundle(source, tmp_path / "out.tar.gz", wanted, limits=LIMITS)
    assert not (tmp_path / "out.tar.gz").exists()


def test_the_original_is_no_target(tmp_path: Path) -> None:
    source = rancher_tar(tmp_path / "go-agent.tar.gz")
    (tmp_path / "again").symlink_to(source)
    for target in (source, tmp_path / "again", tmp_path):
        with pytest.raises(BadTarget):
            refit_bundle(source, target, plan(tmp_path), limits=LIMITS)


def test_what_stays_is_hashed_right(tmp_path: Path) -> None:
    """Files of several blocks, and none at all, hashed beside what is packed."""
    files = rancher_files() | {"empty": b"", "big": hashlib.sha256(b"seed").digest() * 100_000}
    source = rancher_tar(tmp_path / "go-agent.tar.gz", files)
    refit_bundle(source, tmp_path / "out.tar.gz", plan(tmp_path), limits=LIMITS)
    check_sums(contents(tmp_path / "out.tar.gz"))
