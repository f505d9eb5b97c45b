"""What apt is told, and what is read back from it, without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.host.debian.closure import planned, read_package
from rearch.host.debian.download import DebianDownloads, UnfitArchivePath
from rearch.host.debian.entries import parse_one_line
from rearch.host.debian.fetcher import Miss, Order, fetch_command, read_failures, why
from rearch.host.debian.names import GO_LIBRARY, UnfitDebianName, checked_name, checked_version
from rearch.host.debian.roots import archive_roots
from rearch.host.debian.state import AptFailed, configuration, split_answer
from rearch.host.debian.tools import AptTools, UnfitPath, apt_environment, check_path
from rearch.model.command import Command, Completed
from rearch.model.source import DebianFile

SAID = """Ign:1 http://gone.invalid/x
Err:3 http://deb.example.org/pool/n.deb
  404  Not Found [IP: 192.0.2.1 80]
E: Failed to fetch http://deb.example.org/pool/n.deb  404  Not Found [IP: 192.0.2.1 80]
E: Failed to fetch http://deb.example.org/pool/a%2bb.deb  Hash Sum mismatch
   Hashes of expected file:
E: Failed to fetch file:/srv/no.deb  File not found - /srv/no.deb (2: No such file or directory)
E: Failed to fetch http://gone.invalid/x  Could not resolve 'gone.invalid'
E: Download Failed
"""


def test_failures_are_sorted_by_what_can_be_done() -> None:
    found = read_failures(SAID)
    assert {uri: why(reason) for uri, reason in found.items()} == {
        "http://deb.example.org/pool/n.deb": Miss.GONE,
        "http://deb.example.org/pool/a+b.deb": Miss.WRONG,
        "file:/srv/no.deb": Miss.GONE,
        "http://gone.invalid/x": Miss.UNREACHABLE,
    }


def test_complaints_are_told_from_answers() -> None:
    answer = split_answer(100, "W: old\nPackage: x\nE: bad\nN: note\n E: text\n")
    assert answer.said == ("W: old", "E: bad", "N: note")
    assert answer.text == "Package: x\n E: text\n"


def test_only_named_variables_reach_apt() -> None:
    seen = dict(apt_environment({"HTTP_PROXY": "p", "no_proxy": "n", "APT_CONFIG": "c", "SECRET": "s", "LC_ALL": "de"}))
    assert seen["HTTP_PROXY"] == "p"
    assert seen["APT_CONFIG"] == "c"
    assert seen["LC_ALL"] == "C"
    assert "SECRET" not in seen


def test_the_configuration_clears_the_hosts_hooks_and_names_one_architecture() -> None:
    text = configuration({"APT::Architecture": "arm64", "Dir::State": "/x y"}, 0.2)
    assert "#clear APT::Update::Post-Invoke-Success;" in text
    assert 'APT::Architectures { "arm64"; };' in text
    assert 'Dir::State "/x y";' in text
    assert 'Acquire::http::Timeout "1";' in text
    assert "Architectures" not in configuration({}, 30)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a;b"])
def test_a_path_that_apt_could_misread_is_refused(name: str) -> None:
    with pytest.raises(UnfitPath):
        check_path(Path("/cache") / name)


def test_a_call_names_every_file_with_its_hash() -> None:
    tools = AptTools(
        native="amd64", sourcelist=Path(), sourceparts=Path(), environment=(("A", "b"),), timeout=1, offline=False
    )
    orders = [Order("http://x/1", Path("/d/1"), "ab"), Order("http://x/2", Path("/d/2"), None)]
    command = fetch_command(Path("/c/apt.conf"), orders, tools, 9)
    assert command.argv[1:] == (
        *("-c", "/c/apt.conf", "download-file"),
        *("http://x/1", "/d/1", "SHA256:ab", "http://x/2", "/d/2", ""),
    )
    assert (command.env, command.timeout) == ((("A", "b"),), 9)


def test_packages_are_read_from_what_apt_would_download() -> None:
    text = (
        "'http://x/golang-b-dev_1%3a1.2-1_all.deb' golang-b-dev_1%3a1.2-1_all.deb 63884 MD5Sum:29\n"
        "'http://x/a_1%2bb_all.deb' a_1+b_all.deb 1 SHA256:2\nReading package lists...\n"
    )
    assert planned(text) == (("a", "1+b"), ("golang-b-dev", "1:1.2-1"))


def test_a_package_without_a_sha256_is_refused() -> None:
    stanza = {"package": "a", "version": "1", "architecture": "all", "filename": "./pool/a.deb", "size": "5"}
    with pytest.raises(AptFailed, match="too little of a"):
        read_package(stanza)
    assert read_package({**stanza, "sha256": "AB" * 32}).file == DebianFile(path="pool/a.deb", size=5, sha256="ab" * 32)


@pytest.mark.parametrize("name", ["x-", "-o", "a b", "A", "a=1", "x;y", "", "a\n"])
def test_a_name_that_apt_would_take_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(UnfitDebianName):
        checked_name(name)


@pytest.mark.parametrize("version", ["-1", "a", "1 2", "", "1\n"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(UnfitDebianName):
        checked_version(version)


def test_names_and_versions_of_debian_pass() -> None:
    assert checked_name("libstdc++") == "libstdc++"
    assert checked_version("1:1.1.1+ds1~rc1-3.1") == "1:1.1.1+ds1~rc1-3.1"
    assert [
        name for name in ("golang-a-dev", "golang-go", "libgolang-dev", "golang-a-dev-x") if GO_LIBRARY.match(name)
    ] == ["golang-a-dev"]


def _never(_command: Command) -> Completed:
    raise AssertionError("nothing is to be run")


def test_mirror_lists_are_expanded_and_roots_are_distinct(tmp_path: Path) -> None:
    mirrors = tmp_path / "m"
    mirrors.write_text("# x\nhttp://a.example.org/debian/\tpriority:1\n\nhttp://b.example.org/debian\n")
    entries = parse_one_line(
        f"deb http://a.example.org/debian s m\ndeb mirror+file:{mirrors} s m\ndeb mirror://c.example.org/list s m\n",
        "x",
    )
    assert archive_roots(entries, ("http://z.example.org/",), None, _never) == (
        "http://a.example.org/debian",
        "http://b.example.org/debian",
        "http://z.example.org",
    )


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc/passwd", "pool//x", "pool/x y", "-o", "pool/../x", "pool/x\n"])
def test_a_locked_path_that_is_none_of_an_archive_is_refused(tmp_path: Path, path: str) -> None:
    downloads = DebianDownloads(tmp_path, None, lambda _run: ())
    with pytest.raises(UnfitArchivePath):
        downloads.get((DebianFile(path=path, size=1, sha256="0" * 64),), _never)
