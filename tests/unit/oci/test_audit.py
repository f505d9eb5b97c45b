"""The audit of whole images: what is planted is found, wherever it lies."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from msgspec.structs import replace

from rearch.errors import ExitCode
from rearch.model.platform import PLATFORMS, parse_platform
from rearch.oci.audit import (
    AuditReport,
    Finding,
    NothingToAudit,
    UnknownImagePlatform,
    UnreadableImage,
    UnreadableLayer,
    audit_image,
    audit_layout,
)
from rearch.oci.layout import put_bytes, start_layout, write_index_json
from rearch.oci.layout_blobs import open_blob
from rearch.oci.layout_errors import MissingBlob, WrongBlob
from rearch.oci.types import OCI_LAYER, OCI_MANIFEST, REF_NAME, PlatformObject, document_bytes
from tests.support.archives import Member, pax
from tests.support.archives import tar as make_archive
from tests.support.elves import make_elf
from tests.support.layouts import File, Folder, Hard, Link, Node, Thing, add_image, make_image, make_tar

ARM64, AMD64, V7, V6 = (parse_platform(name) for name in ("arm64", "amd64", "arm/v7", "arm/v6"))
RIGHT, WRONG = make_elf(ARM64), make_elf(AMD64)
MACHINE = "machine: found x86_64 (ELF 64-bit LSB x86_64, static), wanted aarch64 (linux/arm64)"


def audit(base: Path, *layers: list[Thing], allowed: dict[str, str] | None = None, **more: Any) -> AuditReport:
    cache = more.pop("cache", None)
    platform = more.pop("platform", ARM64)
    image = make_image(base / "layout", platform, layers, **more)
    return audit_image(base / "layout", image.manifest, platform, allowed or {}, cache=cache)


def only(report: AuditReport) -> Finding:
    (finding,) = report.findings
    return finding


def test_an_image_that_is_right(tmp_path: Path) -> None:
    report = audit(tmp_path, [File("usr/bin/tool", RIGHT), File("etc/motd", b"hello")], [File("app", RIGHT)])
    assert report.findings == ()
    assert (report.elves, report.files, report.layers, report.hidden, report.nested) == (2, 3, 2, 0, 0)
    assert report.summary == "2 ELF files in 2 layers read for linux/arm64"


def test_a_planted_file_in_a_base_layer(tmp_path: Path) -> None:
    listed = File("var/lib/dpkg/info/tool:arm64.list", b"/.\n/usr\n/usr/bin\n/usr/bin/tool\n")
    report = audit(tmp_path, [File("usr/bin/tool", WRONG), listed], [File("app", RIGHT)])
    finding = only(report)
    assert (finding.severity, finding.kind, finding.path, finding.layer) == ("error", "elf", "/usr/bin/tool", 0)
    assert finding.why == (MACHINE,)
    assert finding.package == "tool"
    assert finding.digest.startswith("sha256:")
    assert list(report.lines()) == [
        "2 ELF files in 2 layers read for linux/arm64, 1 error",
        f"error: /usr/bin/tool: {MACHINE}",
        f"  from package tool, layer 1 ({finding.digest[:19]})",
    ]
    assert json.loads(json.dumps(report.to_json()))["findings"][0]["path"] == "/usr/bin/tool"


@pytest.mark.parametrize("platform", [each for each in PLATFORMS if each != ARM64], ids=str)
def test_every_other_platform_is_told_apart(platform: Any, tmp_path: Path) -> None:
    found = only(audit(tmp_path, [File("x", make_elf(platform))]))
    assert found.severity == "error"
    assert found.why[0].startswith("machine: found ")


def test_the_float_abi(tmp_path: Path) -> None:
    soft = make_elf(V7, flags=0x05000200)
    found = only(audit(tmp_path, [File("soft", soft), File("hard", make_elf(V7))], platform=V7))
    assert (found.path, found.why) == ("/soft", ("float ABI: found soft, wanted hard",))


def tar(*things: Thing) -> bytes:
    return make_tar(things)


def zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, data)
    return out.getvalue()


def ar(*members: tuple[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += (
            name.ljust(16).encode() + b"0           0     0     100644  " + str(len(data)).ljust(10).encode() + b"`\n"
        )
        out += data + b"\n" * (len(data) % 2)
    return out


EVIL = tar(Folder("in"), File("in/evil", WRONG))
NESTS = {
    "tar": (EVIL, "in/evil"),
    "gzip": (gzip.compress(EVIL), "in/evil"),
    "xz": (lzma.compress(EVIL), "in/evil"),
    "bzip2": (bz2.compress(EVIL), "in/evil"),
    "zstd": (zstandard.compress(EVIL), "in/evil"),
    "zip": (zipped("lib/evil.so", WRONG), "lib/evil.so"),
    "deb": (
        ar(("debian-binary", b"2.0\n"), ("control.tar.gz", gzip.compress(tar())), ("data.tar.xz", lzma.compress(EVIL))),
        "data.tar.xz!in/evil",
    ),
    "static library": (
        ar(("/", b"\0\0\0\0"), ("//", b"long_name_of_an_object.o/\n"), ("/0", WRONG)),
        "long_name_of_an_object.o",
    ),
    "BSD library": (ar(("#1/8", b"evil.o\0\0" + WRONG)), "evil.o"),
    "tar in tar": (
        gzip.compress(tar(File("a.tar.xz", lzma.compress(tar(File("b.tar", EVIL)))))),
        "a.tar.xz!b.tar!in/evil",
    ),
    "tar behind the end of a tar": (tar(File("a", b"x")) + EVIL, "in/evil"),
    "tar behind the end of one in gzip": (gzip.compress(tar(File("a")) + bytes(512) + EVIL), "in/evil"),
    "devices before it": (tar(Node("dev/null"), Node("pipe", tarfile.FIFOTYPE), File("evil", WRONG)), "evil"),
    "absolute and dotted names": (tar(File("/../etc/evil", WRONG)), "/../etc/evil"),
}


@pytest.mark.parametrize("name", NESTS)
def test_archives_are_looked_into(name: str, tmp_path: Path) -> None:
    data, inside = NESTS[name]
    report = audit(tmp_path, [File("opt/data", data, mode=0o644), File("after", RIGHT)])
    finding = only(report)
    assert (finding.severity, finding.path) == ("error", f"/opt/data!{inside}")
    assert finding.why == (MACHINE,)
    assert (report.elves, report.nested) == (1, 1)


def test_a_compressed_kernel_module(tmp_path: Path) -> None:
    module = make_elf(AMD64, kind="object")
    report = audit(tmp_path, [File("lib/modules/6.1/x.ko.xz", lzma.compress(module)), File("y.ko", module)])
    assert [finding.path for finding in report.errors] == ["/lib/modules/6.1/x.ko.xz", "/y.ko"]


def test_behind_a_hard_link(tmp_path: Path) -> None:
    finding = only(audit(tmp_path, [File("first", WRONG), Hard("usr/second", "first")]))
    assert finding.names == ("/first", "/usr/second")
    assert "also /usr/second" in " ".join(finding.lines())


def test_a_hard_link_keeps_what_its_first_name_no_longer_has(tmp_path: Path) -> None:
    """The name that the file came under is overwritten or removed; the bytes are still there under the other."""
    finding = only(audit(tmp_path / "1", [File("a", WRONG), Hard("b", "a")], [File("a", RIGHT)]))
    assert (finding.severity, finding.path, finding.names) == ("error", "/b", ("/b",))
    finding = only(audit(tmp_path / "2", [File("a", WRONG), Hard("b", "a"), File("a", RIGHT)]))
    assert (finding.severity, finding.path) == ("error", "/b")
    finding = only(audit(tmp_path / "3", [File("a", WRONG)], [Hard("b", "a")], [File(".wh.a")]))
    assert (finding.severity, finding.path, finding.layer) == ("error", "/b", 0)


HIDDEN: dict[str, list[Thing]] = {
    "removed": [File("usr/bin/.wh.tool")],
    "its folder removed": [File(".wh.usr")],
    "its folder emptied": [File("usr/bin/.wh..wh..opq"), File("usr/bin/other", RIGHT)],
    "overwritten": [File("usr/bin/tool", RIGHT)],
    "overwritten through a link": [File("bin/tool", RIGHT)],
    "its folder replaced by a file": [File("usr", b"text")],
}


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_by_a_later_layer_is_a_warning(name: str, tmp_path: Path) -> None:
    lower: list[Thing] = [Folder("usr"), Folder("usr/bin"), Link("bin", "usr/bin"), File("usr/bin/tool", WRONG)]
    report = audit(tmp_path, lower, HIDDEN[name])
    finding = only(report)
    assert (finding.severity, finding.hidden, finding.path, finding.names) == ("warning", True, "/usr/bin/tool", ())
    assert "hidden by a later layer" in " ".join(finding.lines())
    assert report.hidden == 1


def test_a_whiteout_hides_nothing_of_its_own_layer(tmp_path: Path) -> None:
    report = audit(tmp_path, [File("d/.wh.evil"), File("d/evil", WRONG), File("d/.wh..wh..opq")])
    assert only(report).severity == "error"


def test_a_file_put_through_a_link_whose_link_is_replaced_later(tmp_path: Path) -> None:
    layers: list[list[Thing]] = [
        [Folder("usr"), Folder("usr/bin"), Link("bin", "usr/bin")],
        [File("bin/evil", WRONG)],
        [Folder("bin"), File("bin/harmless", RIGHT)],
    ]
    finding = only(audit(tmp_path, *layers))
    assert (finding.severity, finding.path) == ("error", "/usr/bin/evil")


@pytest.mark.parametrize(("size", "words"), [(4, "header"), (30, "header"), (700, "cut off")])
def test_magic_alone_is_an_error(size: int, words: str, tmp_path: Path) -> None:
    finding = only(audit(tmp_path, [File("x", WRONG[:size], mode=0o600)]))
    assert finding.severity == "error"
    assert finding.why[0].startswith("broken ELF file: ")
    assert words in finding.why[0]
    assert ("machine: found x86_64, wanted aarch64 (linux/arm64)" in finding.why) == (size >= 20)


@pytest.mark.parametrize("mode", [0o4755, 0o000, 0o2711, 0o1644])
def test_modes_do_not_matter(mode: int, tmp_path: Path) -> None:
    assert only(audit(tmp_path, [File("x", WRONG, mode=mode)])).severity == "error"


@pytest.mark.parametrize("path", ["etc/passwd", "etc/ld.so.conf", "var/lib/dpkg/info/x.list", "lib/apk/db/installed"])
def test_no_path_is_trusted_to_be_a_text(path: str, tmp_path: Path) -> None:
    assert only(audit(tmp_path, [File(path, WRONG)])).path == f"/{path}"
    assert only(audit(tmp_path / "2", [File(path, EVIL)])).path == f"/{path}!in/evil"


@pytest.mark.parametrize("kind", ["shared", "object", "core", "pie"])
def test_every_kind_of_elf_file_counts(kind: str, tmp_path: Path) -> None:
    assert only(audit(tmp_path, [File("x", make_elf(AMD64, kind=kind))])).kind == "elf"


def test_code_for_the_kernels_machine_is_for_every_platform(tmp_path: Path) -> None:
    bpf = make_elf(AMD64, kind="object", machine=247)
    assert audit(tmp_path, [File("x.o", bpf)]).findings == ()
    other = make_elf(parse_platform("s390x"), kind="object", machine=247)
    assert only(audit(tmp_path / "2", [File("x.o", other)])).severity == "error"


PE = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0\x64\x86"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PE, "a program for Windows or UEFI (PE, x86-64)"),
        (bytes.fromhex("cffaedfe 0c000001"), "a program for macOS (Mach-O, ARM64)"),
        (bytes.fromhex("cafebabe 00000002"), "a program for macOS (Mach-O, several processors)"),
        (b"070701" + bytes(200), "a cpio archive, which is not looked into"),
        (gzip.compress(EVIL, mtime=0)[:-40], "an archive that cannot be read to its end"),
        (zipped("x", WRONG)[:-10], "an archive that cannot be read to its end"),
    ],
)
def test_what_is_no_elf_file_is_a_warning(data: bytes, words: str, tmp_path: Path) -> None:
    warning = audit(tmp_path, [File("x", data)]).warnings[0]
    assert words in warning.why[0]


@pytest.mark.parametrize(
    "data", [b"MZ is how this text begins", bytes.fromhex("cafebabe 00000034"), bytes(4096), b"BZh"]
)
def test_what_only_looks_like_it_is_not_reported(data: bytes, tmp_path: Path) -> None:
    assert audit(tmp_path, [File("x", data)]).findings == ()


def test_archives_are_looked_into_to_a_depth(tmp_path: Path) -> None:
    data = WRONG
    for number in range(12):
        data = tar(File(f"{number}.tar", data))
    finding = only(audit(tmp_path, [File("deep", data)]))
    assert finding.severity == "error"
    assert "an archive in 8 others" in finding.why[0]


def test_a_bomb_is_reported_and_what_comes_after_is_still_read(tmp_path: Path) -> None:
    bomb = zstandard.compress(tar(File("zeros", bytes(72 << 20)), File("evil", WRONG)))
    report = audit(tmp_path, [File("bomb.tar.zst", bomb), File("evil", WRONG)])
    assert [(each.severity, each.path) for each in report.findings] == [
        ("error", "/bomb.tar.zst"),
        ("error", "/evil"),
    ]
    assert "more than 1000 times as much" in report.errors[0].why[0]


@pytest.mark.parametrize("behind", [WRONG, b"x", EVIL[:300], b"x" * 512 + EVIL])
def test_what_stands_behind_the_end_of_a_tar_is_an_error(behind: bytes, tmp_path: Path) -> None:
    """As in a layer itself: what one program passes over, another unpacks."""
    finding = only(audit(tmp_path, [File("x.tar", tar(File("a", b"x")) + behind), File("after", RIGHT)]))
    assert (finding.severity, finding.kind, finding.path) == ("error", "behind", "/x.tar")
    assert "cannot be read to its end: is damaged: something stands behind the end of the tar" in finding.why[0]


def test_the_allow_list(tmp_path: Path) -> None:
    things: list[Thing] = [File("firmware/a/x.elf", WRONG), File("firmware/y.elf", WRONG), File("z.elf", WRONG)]
    report = audit(tmp_path, things, allowed={"/firmware/**": "runs on the card", "/nothing": "old"})
    assert [finding.path for finding in report.errors] == ["/z.elf"]
    assert [(e.finding.path, e.pattern, e.reason) for e in report.excused] == [
        ("/firmware/a/x.elf", "/firmware/**", "runs on the card"),
        ("/firmware/y.elf", "/firmware/**", "runs on the card"),
    ]
    assert [(each.kind, each.path) for each in report.warnings] == [("allowed", "/nothing")]
    assert "because runs on the card (/firmware/**)" in "\n".join(report.lines())


def test_an_allowed_file_is_not_allowed_under_its_other_names(tmp_path: Path) -> None:
    things: list[Thing] = [File("firmware/x", WRONG), Hard("usr/bin/x", "firmware/x")]
    assert audit(tmp_path, things, allowed={"/firmware/*": "a card"}).errors
    both = {"/firmware/*": "a card", "/usr/bin/x": "the same"}
    report = audit(tmp_path / "2", things, allowed=both)
    assert (report.findings, len(report.excused)) == ((), 1)


def test_an_archive_is_allowed_as_a_whole_or_by_what_is_in_it(tmp_path: Path) -> None:
    things: list[Thing] = [File("x.tar", tar(File("a", WRONG), File("b", WRONG)))]
    assert audit(tmp_path / "1", things, allowed={"/x.tar": "data"}).findings == ()
    assert [f.path for f in audit(tmp_path / "2", things, allowed={"/x.tar!a": "data"}).errors] == ["/x.tar!b"]


def test_packages_of_distroless_and_apk(tmp_path: Path) -> None:
    sums = b"d41d8cd98f00b204e9800998ecf8427e  usr/bin/one\n"
    installed = b"P:first\nV:1\nF:usr/bin\nR:two\na:0:0:755\n\nP:second\nF:\nR:three\n"
    things: list[Thing] = [
        File("usr/bin/one", WRONG),
        File("usr/bin/two", WRONG),
        File("three", WRONG),
        File("var/lib/dpkg/status.d/base.md5sums", sums),
        File("lib/apk/db/installed", installed),
    ]
    owners = {finding.path: finding.package for finding in audit(tmp_path, things).errors}
    assert owners == {"/usr/bin/one": "base", "/usr/bin/two": "first", "/three": "second"}


def test_a_package_names_its_files_through_a_link_of_the_tree(tmp_path: Path) -> None:
    listed = File("var/lib/dpkg/info/shell.list", b"/bin/sh\n")
    things: list[Thing] = [Folder("usr/bin"), Link("bin", "usr/bin"), File("usr/bin/sh", WRONG), listed]
    assert only(audit(tmp_path, things)).package == "shell"


def test_a_name_that_is_not_utf_8_or_would_move_the_cursor(tmp_path: Path) -> None:
    report = audit(tmp_path, [File("caf\udce9", WRONG), File("caf\\xe9", WRONG)], cache=tmp_path / "cache")
    assert [finding.path for finding in report.errors] == ["/caf\\xe9", "/caf\\xe9"]
    assert audit(tmp_path, [File("caf\udce9", WRONG), File("caf\\xe9", WRONG)], cache=tmp_path / "cache") == report


def test_scripts_without_their_interpreter(tmp_path: Path) -> None:
    things: list[Thing] = [
        File("usr/bin/dash", RIGHT),
        Link("sh", "usr/bin/dash"),
        File("good", b"#!/sh -e\n"),
        File("one", b"#! /usr/bin/perl\n"),
        File("two", b"#! /usr/bin/perl\n"),
        File("doc", b"#!/usr/bin/perl\n", mode=0o644),
        File("gone", b"#!/nowhere\n"),
    ]
    report = audit(tmp_path, things, [File(".wh.gone")])
    finding = only(report)
    assert (finding.severity, finding.path, finding.files) == ("warning", "/one", ("/one", "/two"))
    assert list(report.lines())[1:] == [
        "warning: 2 scripts want /usr/bin/perl, which is not in the image: /one, /two",
        f"  from layer 1 ({finding.digest[:19]})",
    ]


def test_scripts_of_one_package_and_interpreter_are_one_warning(tmp_path: Path) -> None:
    paths = [f"usr/bin/s{number}" for number in range(5)]
    things: list[Thing] = [File(path, b"#!/usr/bin/perl\n") for path in paths]
    things += [File("usr/bin/py", b"#!/usr/bin/python3\n"), File("usr/bin/other", b"#!/usr/bin/perl\n")]
    listed = "".join(f"/{path}\n" for path in (*paths, "usr/bin/py"))
    things.append(File("var/lib/dpkg/info/debconf.list", listed.encode()))
    report = audit(tmp_path, things, allowed={"/usr/bin/s1": "is never started"})
    words = [next(each.lines()) for each in report.findings]
    assert words == [
        "/usr/bin/other: a script for /usr/bin/perl, which is not in the image",
        "/usr/bin/py: a script for /usr/bin/python3, which is not in the image",
        "4 scripts of package debconf want /usr/bin/perl, which is not in the image: "
        "/usr/bin/s0, /usr/bin/s2, /usr/bin/s3 and 1 more",
    ]
    assert report.to_json()["findings"][2]["files"] == [f"/usr/bin/s{number}" for number in (0, 2, 3, 4)]
    assert report.to_json()["findings"][0]["files"] == ["/usr/bin/other"]
    assert [each.finding.path for each in report.excused] == ["/usr/bin/s1"]
    assert "3 warnings" in report.summary


def test_the_config(tmp_path: Path) -> None:
    image = make_image(tmp_path / "x", AMD64, [[File("app", RIGHT)]], entrypoint=("/app",))
    report = audit_image(tmp_path / "x", image.manifest, ARM64, {}, cache=None, described=AMD64)
    assert [(each.what, each.why) for each in report.errors] == [
        ("platform", ("platform: found linux/amd64, wanted linux/arm64",)),
        ("platform of the descriptor", ("platform: found linux/amd64, wanted linux/arm64",)),
    ]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"entrypoint": ("/nothing",)}, "ENTRYPOINT: it starts /nothing, and there is no such file in the image"),
        ({"cmd": ("tool",), "env": ("PATH=/bin",)}, "CMD: it starts tool, and there is no such file on PATH"),
        ({"cmd": ("tool",)}, None),
        ({"cmd": ("./tool",), "working_dir": "/usr/bin"}, None),
        ({"cmd": ("/text",)}, "CMD: it starts /text, and /text is not executable"),
        ({"user": "app:staff"}, "USER: it is staff, and /etc/group of the image has no such name"),
        ({"user": "nobody"}, "USER: it is nobody, and /etc/passwd of the image has no such name"),
        ({"user": "1000:1000"}, None),
    ],
)
def test_what_the_config_starts(run: dict[str, Any], words: str | None, tmp_path: Path) -> None:
    accounts = File("etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:7:7::/:\n")
    things: list[Thing] = [File("usr/bin/tool", RIGHT), File("text", b"x", mode=0o644), accounts]
    report = audit(tmp_path, things, **run)
    lines = [next(finding.lines()) for finding in report.warnings]
    assert (not lines) if words is None else any(f"config: {words}" in line for line in lines)
    assert report.errors == ()


def test_a_base_is_scanned_once_for_ever_and_always_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    things: list[Thing] = [File("a", WRONG), Link("b", "a"), File("c.tar", EVIL), File("s", b"#!/x\n")]
    cache = tmp_path / "cache"
    first = audit(tmp_path, things, cache=cache)
    blobs = sorted((tmp_path / "layout/blobs/sha256").iterdir())
    layer = next(blob for blob in blobs if blob.name == first.errors[0].digest.removeprefix("sha256:"))
    with monkeypatch.context() as patched:
        patched.setattr("rearch.oci.audit_scan.layer_entries", None)  # nobody unpacks it again
        again = audit_layout(tmp_path / "layout", cache=cache)[0]
    assert (again.findings, again.files, again.nested) == (first.findings, first.files, first.nested)
    whole = layer.read_bytes()
    for data, why in ((bytes(len(whole)), "its digest is sha256:"), (whole[:-1], "bytes, and should have"), (None, "")):
        if data is None:
            layer.unlink()
        else:
            layer.write_bytes(data)
        told = []
        for memory in (cache, None):
            with pytest.raises(UnreadableLayer) as caught:
                audit_layout(tmp_path / "layout", cache=memory)
            told.append(caught.value.render())
            assert isinstance(caught.value.cause, MissingBlob if data is None else WrongBlob)
        assert told[0] == told[1]
        assert (why or "the blob is missing") in told[0]


def test_a_blob_is_read_once_in_an_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named twice by one image, and by two images; cold and warm."""
    things: list[Thing] = [File("x", RIGHT)]
    start_layout(tmp_path / "layout")
    images = [add_image(tmp_path / "layout", each, [things, [File("y")], things]) for each in (ARM64, AMD64)]
    write_index_json(tmp_path / "layout", images)
    opened: list[str] = []

    def counted(layout: Any, descriptor: Any) -> Any:
        opened.append(descriptor.digest)
        return open_blob(layout, descriptor)

    monkeypatch.setattr("rearch.oci.read_layer.open_blob", counted)
    for _ in range(2):
        opened.clear()
        audit_layout(tmp_path / "layout", cache=tmp_path / "cache")
        assert len(opened) == len(set(opened)) == 2


BEHIND = tar(File("a")) + tar(File("b"))
SPARSE = make_archive(pax(GNU__sparse__major="1", GNU__sparse__name="var/disk.img"), Member(name="GNUSparseFile.1/x"))
HOSTILE = {
    "behind the end": (BEHIND, "it is damaged: something stands behind the end of the tar"),
    "leaves the tree": (tar(File("../../etc/evil")), "'../../etc/evil' has '..' in its name"),
    "sparse": (SPARSE, "'var/disk.img' uses a sparse file"),
    "cut off": (tar(File("a", bytes(9000)))[:4000], "'a' ends in the middle of the content of an entry"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_layer_that_cannot_be_read_is_named(kind: str, tmp_path: Path) -> None:
    data, words = HOSTILE[kind]
    layout = tmp_path / "layout"
    good = make_image(layout, ARM64, [[File("x", RIGHT)]])
    bad = put_bytes(layout, data, OCI_LAYER)
    manifest = replace(good.manifest, layers=(*good.manifest.layers, bad))
    entry = put_bytes(layout, document_bytes(manifest), OCI_MANIFEST, platform=PlatformObject.of(ARM64))
    write_index_json(layout, (entry,))
    with pytest.raises(UnreadableLayer) as caught:
        audit_layout(layout)
    error = caught.value
    assert error.exit_code is ExitCode.VERIFICATION
    assert error.render().splitlines() == [
        f"error: {layout}: the image for linux/arm64, {entry.digest[:19]}: layer 2 cannot be read",
        f"  {bad.digest}: {words}",
        "hint: take the image from its source again; if it was published so, tell its publisher",
    ]
    with pytest.raises(UnreadableLayer, match=r"^old\.tar: the image for"):
        audit_layout(layout, name="old.tar")


def test_layers_that_do_not_fit_on_one_another(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage) as caught:
        audit(tmp_path, [File("a")], [File("a/b")])
    assert f"{tmp_path / 'layout'}: the image for linux/arm64" in caught.value.summary
    assert "/a: a layer puts files below it" in caught.value.details[0]


def test_a_report_is_called_what_the_user_called_the_layout(tmp_path: Path) -> None:
    make_image(tmp_path, ARM64, [[File("x", RIGHT)]])
    (report,) = audit_layout(tmp_path, name="old.tar")
    assert report.name == "old.tar"
    assert str(tmp_path) not in "\n".join(report.lines())
    with pytest.raises(NothingToAudit, match=r"^old\.tar holds no image"):
        audit_layout(tmp_path, name="old.tar", platforms=(V6,))
    start_layout(tmp_path / "named")
    image = add_image(tmp_path / "named", ARM64, [[File("x", RIGHT)]])
    write_index_json(tmp_path / "named", (replace(image, annotations={REF_NAME: "1.2"}),))
    assert audit_layout(tmp_path / "named", name="old.tar")[0].name == "1.2"


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"files": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_torn_memory_is_as_none(junk: bytes, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = audit(tmp_path, [File("a", WRONG)], cache=cache)
    for file in [path for path in cache.rglob("*") if path.is_file()]:
        file.write_bytes(junk)
    assert audit(tmp_path, [File("a", WRONG)], cache=cache) == first
    assert all(file.read_bytes() != junk for file in cache.rglob("*") if file.is_file())
    assert list(cache.rglob("*.part")) == []


def test_all_images_of_a_layout(tmp_path: Path) -> None:
    start_layout(tmp_path)
    images = [add_image(tmp_path, platform, [[File("x", make_elf(ARM64))]]) for platform in (ARM64, AMD64)]
    write_index_json(tmp_path, images)
    right, wrong = audit_layout(tmp_path)
    assert (right.platform, right.errors, wrong.platform, len(wrong.errors)) == (ARM64, (), AMD64, 1)
    assert [report.platform for report in audit_layout(tmp_path, platforms=(AMD64,))] == [AMD64]
    with pytest.raises(NothingToAudit, match="no image to audit") as caught:
        audit_layout(tmp_path, platforms=(V6,))
    assert caught.value.there == ("linux/amd64", "linux/arm64")


def test_an_image_for_a_platform_without_a_name(tmp_path: Path) -> None:
    image = make_image(tmp_path, ARM64, [[File("x", RIGHT)]])
    config = b'{"architecture":"mips","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    manifest = replace(image.manifest, config=put_bytes(tmp_path, config, image.manifest.config.media_type))
    data = document_bytes(manifest)
    odd = PlatformObject(architecture="mips", os="linux")
    write_index_json(tmp_path, (put_bytes(tmp_path, data, image.descriptor.media_type, platform=odd),))
    with pytest.raises(UnknownImagePlatform, match="linux/mips"):
        audit_layout(tmp_path)
