"""Scan, cover, verify: what is seen, and what is found wrong. The output of a refit is always right."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rearch.bundle.cover import cover
from rearch.bundle.names import is_called, is_rancher
from rearch.bundle.refit import refit_bundle
from rearch.bundle.report import scan_document, scan_lines, verdict_document, verdict_lines
from rearch.bundle.scan import Scan, scan_bundle
from rearch.bundle.values import Program, RefitPlan, Replace, Rules
from rearch.bundle.verify import Verdict, WhichPlatform, verify_scan
from rearch.formats.elf import read_elf
from rearch.model.limits import Limits
from rearch.model.platform import parse_platform
from tests.support.archives import COMPRESSORS, Member, folder, link, tar
from tests.support.bundles import (
    APPLY,
    PROGRAMS,
    ROOT,
    elf,
    plain_elf,
    rancher_files,
    rancher_members,
    rancher_tar,
    sums,
    verified,
)

LIMITS = Limits()
ARM64 = parse_platform("arm64")


def scanned(path: Path, rules: Rules | None = None) -> Scan:
    return scan_bundle(path, limits=LIMITS, programs=PROGRAMS, rules=rules)


def make_plan(base: Path, *, one: bool = False) -> RefitPlan:
    return RefitPlan(
        binaries=(verified(base, "arm64"), verified(base, "arm/v7")),
        programs=PROGRAMS,
        platform=ARM64 if one else None,
        rancher=True,
    )


def judged(refitted: Path, plan: RefitPlan, original: Path | None = None) -> Verdict:
    return verify_scan(
        scanned(refitted, plan.rules),
        binaries=plan.binaries,
        platform=plan.platform,
        original=scanned(original, plan.rules) if original else None,
        rancher=plan.rancher,
    )


def test_scan_tells_what_covers_each_program(tmp_path: Path) -> None:
    script = b"#!/bin/sh\ncurl -O example.org/tool-linux-amd64\nalarm=1\n[ $(uname -m) = x86_64 ]\n"
    files = rancher_files() | {
        "bin/tool": elf("amd64", "github.com/rancher/host-api"),
        "bin/other": elf("arm/v7", "example.org/other"),
        "fetch": script,
        "bin/torn": plain_elf("amd64")[:30],
    }
    found = scanned(rancher_tar(tmp_path / "go-agent.tar.gz", files))
    by_path = {one.path.rpartition("/")[2]: one for one in found.elves}
    assert str(by_path["agent"].program) == "rancher/agent agent"
    assert str(by_path["tool"].program) == "rancher/host-api host-api"
    assert by_path["other"].program is None
    assert by_path["torn"].facts is None
    assert [(one.path, one.line, one.words) for one in found.mentions] == [
        (f"{ROOT}/fetch", 2, ("amd64",)),
        (f"{ROOT}/fetch", 4, ("uname -m", "x86_64")),
    ]
    assert found.faults == ()
    document = scan_document(found)
    assert [one["covered_by"] for one in document["elves"]][:2] == [
        {"component": "rancher/agent", "binary": "agent"},
        {"component": "rancher/host-api", "binary": "host-api"},
    ]
    assert document["elves"][1]["go"]["module"] == {"path": "github.com/rancher/host-api", "version": "v1.2.3"}
    assert any("nothing (no program" in line for line in scan_lines(found))


def test_cover_prefers_rule_then_package_then_name(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(elf("amd64", "example.org/a"))
    facts = read_elf(path)
    a, b = (Program(component=f"s/{name}", binary=name, package=f"example.org/{name}") for name in "ab")
    twin = Program(component="s/twin", binary="twin", package="example.org/a")
    rule = Rules(replace=(Replace(path="bin/*", component="b", binary="b"),))
    assert cover("root/bin/b", facts, (a, b), Rules()).program == a
    assert cover("root/bin/x", facts, (a, b), rule).program == b
    assert cover("root/bin/twin", facts, (a, twin), Rules()).program == twin
    assert cover("root/bin/x", facts, (a, twin), Rules()).program is None
    assert cover("root/bin/b", None, (a, b), Rules()).program == b
    assert cover("root/bin/b.aarch64", None, (a, b), Rules()).program == b
    assert cover("root/bin/b", None, (b, replace(b, component="t/b")), Rules()).program is None
    missing = Rules(replace=(Replace(path="*", component="c", binary="c"),))
    assert cover("root/bin/b", None, (a, b), missing).program is None


@pytest.mark.parametrize(
    ("name", "wanted", "called"),
    [
        ("go-agent.tar.gz", "go-agent", True),
        ("pyagent.tar.gz", "go-agent", True),
        ("go-agent-v0.13.11.tgz", "go-agent", True),
        ("go-agents.tar.gz", "go-agent", False),
        ("host-api", "host-api", True),
        ("host-api.tar.gz", "go-agent", False),
    ],
)
def test_names(name: str, wanted: str, called: bool) -> None:
    assert is_called(name, wanted) is called
    assert is_rancher(name) is (name != "go-agents.tar.gz")


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("path", ["bin/agent", "agent"])
def test_what_refit_writes_is_right(tmp_path: Path, path: str, one: bool) -> None:
    source = rancher_tar(tmp_path / "go-agent.tar.gz", rancher_files(path) | {"lib/x": b"x"})
    target = tmp_path / "out" / "go-agent.tar.gz"
    plan = make_plan(tmp_path, one=one)
    refit_bundle(source, target, plan, limits=LIMITS)
    for original in (None, source):
        verdict = judged(target, plan, original)
        assert verdict.faults == ()
        assert all(each.expected for each in verdict.differences)
    assert judged(target, replace(plan, binaries=()), source).holds  # where nothing was built, machines alone count
    assert verdict_document(verdict)["right"] is True


Change = Callable[[dict[str, bytes]], None]


def _set(name: str, data: bytes) -> Change:
    def change(files: dict[str, bytes]) -> None:
        assert name in files
        files[name] = data

    return change


def _drop(name: str) -> Change:
    def change(files: dict[str, bytes]) -> None:
        del files[name]

    return change


def _add(name: str, data: bytes) -> Change:
    def change(files: dict[str, bytes]) -> None:
        files[name] = data

    return change


SPOILED = {
    "other machine": (_set("bin/agent.aarch64", elf("arm/v7")), "bin/agent.aarch64': machine"),
    "not verified": (_set("bin/agent.aarch64", plain_elf("arm64")), "neither a binary that was verified here"),
    "foreign left": (_add("bin/agent", plain_elf("amd64")), "no machine's name behind its own"),
    "file changed": (_set("lib/x", b"y"), "lib/x': content was"),
    "file missing": (_drop("lib/x"), "lib/x': missing was file"),
    "file added": (_add("lib/y", b"y"), "lib/y': added was not there"),
    "own script changed": (_set("apply.upstream.sh", b"#!/bin/sh\n"), "apply.upstream.sh': content was"),
    "own script missing": (_drop("apply.upstream.sh"), "the chooser has nothing to go on with"),
    "machine missing": (_drop("bin/agent.armv7l"), "is not the chooser that these programs need"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_verify_finds_what_is_wrong(tmp_path: Path, case: str) -> None:
    change, words = SPOILED[case]
    source = rancher_tar(tmp_path / "go-agent.tar.gz", rancher_files() | {"lib/x": b"x"})
    plan = make_plan(tmp_path)
    refit_bundle(source, tmp_path / "good.tar.gz", plan, limits=LIMITS)
    with tarfile.open(tmp_path / "good.tar.gz") as opened:
        files = {
            one.name.removeprefix(f"{ROOT}/"): file.read()
            for one in opened
            if (file := opened.extractfile(one)) is not None and not one.name.rpartition("/")[2].startswith("SHA1")
        }
    change(files)
    spoiled = rancher_tar(tmp_path / "spoiled.tar.gz", files)
    verdict = judged(spoiled, plan, source)
    assert not verdict.holds
    assert any(words in fault for fault in verdict.faults), verdict.faults
    assert any(line.startswith("wrong: ") for line in verdict_lines(verdict))


def test_verify_compares_modes_owners_times_links_and_order(tmp_path: Path) -> None:
    base = (folder(f"{ROOT}/"), Member(name=f"{ROOT}/a", content=b"a"), Member(name=f"{ROOT}/b", content=b"b"))
    more = (link(f"{ROOT}/l", "a"), Member(name=f"{ROOT}/agent", content=elf("arm64")))
    changed = (
        base[0],
        Member(name=f"{ROOT}/b", content=b"b", mode=0o755),
        Member(name=f"{ROOT}/a", content=b"a", mtime=1),
        link(f"{ROOT}/l", "b"),
        more[1],
    )
    (tmp_path / "one.tar").write_bytes(tar(*base, *more))
    (tmp_path / "two.tar").write_bytes(tar(*changed))
    plan = replace(make_plan(tmp_path, one=True), rancher=False)
    verdict = judged(tmp_path / "two.tar", plan, tmp_path / "one.tar")
    assert {(one.path.rpartition("/")[2], one.what) for one in verdict.differences} == {
        ("b", "mode"),
        ("a", "time"),
        ("l", "link"),
        ("b", "order"),
    }
    assert len(verdict.faults) == 4


def test_wrong_sums_and_roots_are_faults_not_errors(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, one=True)
    files = {"agent": elf("arm64"), **sums({"agent": b"other"})}
    members = rancher_members(files, with_sums=False)
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar(*members, Member(name="second", content=b""))))
    faults = judged(tmp_path / "x.tar.gz", plan).faults
    assert any("2 things at its top" in fault for fault in faults)
    assert [fault for fault in faults if "is listed with" in fault and "agent" in fault]
    assert not any("not there" in fault for fault in faults)
    assert "2 things at its top, where hosts want one folder" in list(scan_lines(scanned(tmp_path / "x.tar.gz")))


def test_a_bundle_without_chooser_needs_a_platform(tmp_path: Path) -> None:
    source = rancher_tar(tmp_path / "x.tar.gz")
    with pytest.raises(WhichPlatform):
        judged(source, make_plan(tmp_path))
    verdict = judged(source, make_plan(tmp_path, one=True))
    assert [one.faults[0].split(":")[0] for one in verdict.programs] == ["machine"]


NAMES = st.text("abcdef-_", min_size=1, max_size=12).filter(lambda name: name not in ("agent",))
CONTENTS = st.binary(max_size=3000).filter(lambda data: not data.startswith(b"\x7fELF"))
TREES = st.dictionaries(NAMES, CONTENTS, max_size=8)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, packed=st.sampled_from(sorted(COMPRESSORS)), first=st.booleans(), one=st.booleans())
def test_any_refit_verifies(tmp_path: Path, tree: dict[str, bytes], packed: str, first: bool, one: bool) -> None:
    files = {"apply.sh": APPLY, **{f"lib/{name}": data for name, data in tree.items()}, "bin/agent": plain_elf("amd64")}
    source = rancher_tar(tmp_path / "go-agent.tar", files, packed=packed, sums_first=first)
    plan = make_plan(tmp_path, one=one)
    refit_bundle(source, tmp_path / "out.tar", plan, limits=LIMITS)
    assert judged(tmp_path / "out.tar", plan, source).faults == ()


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_a_refit_of_nothing_has_the_same_entries(tmp_path: Path, tree: dict[str, bytes]) -> None:
    members = [Member(name=name, content=data, mode=0o600) for name, data in tree.items()]
    plain = tar(*members, Member(name="agent", content=plain_elf("amd64")))
    (tmp_path / "any.tar").write_bytes(plain)
    plan = replace(make_plan(tmp_path, one=True), rancher=False, rules=Rules(allow=("agent",)))
    refit_bundle(tmp_path / "any.tar", tmp_path / "out.tar", plan, limits=LIMITS)
    assert (tmp_path / "out.tar").read_bytes() == plain
