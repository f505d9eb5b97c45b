"""Interpreters and shared libraries are looked for in the image's tree, as the loaders do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rearch.model.platform import parse_platform
from rearch.oci.audit import AuditReport, audit_image
from tests.support.elves import make_elf
from tests.support.layouts import File, Folder, Link, Thing, make_image, make_tar

ARM64, AMD64 = parse_platform("arm64"), parse_platform("amd64")
LOADER = ARM64.arch.glibc_loader
LIBS = "usr/lib/aarch64-linux-gnu"


def program(*needed: str, **more: Any) -> bytes:
    return make_elf(ARM64, **({"kind": "pie", "interpreter": LOADER, "needed": needed} | more))


def library(name: str, *needed: str, **more: Any) -> bytes:
    return make_elf(ARM64, kind="shared", soname=name, needed=needed, **more)


GLIBC: list[Thing] = [
    Folder("usr"),
    Folder("usr/lib"),
    Link("lib", "usr/lib"),
    File("usr/lib/ld-linux-aarch64.so.1", library("ld-linux-aarch64.so.1")),
    File(f"{LIBS}/libc.so.6", library("libc.so.6", "ld-linux-aarch64.so.1")),
]


def audit(base: Path, *things: Thing, glibc: bool = True, **run: Any) -> AuditReport:
    image = make_image(base / "layout", ARM64, [GLIBC if glibc else [], list(things)], **run)
    return audit_image(base / "layout", image.manifest, ARM64, {}, cache=None)


def missing(report: AuditReport) -> dict[str, list[str]]:
    """Path -> the names that it asks for in vain."""
    return {
        finding.path: [text.removeprefix("library: it asks for ").partition(",")[0] for text in finding.why]
        for finding in report.findings
        if finding.kind == "library"
    }


def test_a_dynamic_program_with_all_it_needs(tmp_path: Path) -> None:
    assert audit(tmp_path, File("app", program("libc.so.6", "ld-linux-aarch64.so.1"))).findings == ()


def test_the_interpreter_is_missing(tmp_path: Path) -> None:
    report = audit(tmp_path, File("app", program()), glibc=False)
    (finding,) = report.errors
    assert (finding.kind, finding.path) == ("interpreter", "/app")
    assert finding.why == ("interpreter: it asks for /lib/ld-linux-aarch64.so.1, which is not in the image",)


def test_the_interpreter_behind_links_that_lead_out_or_nowhere(tmp_path: Path) -> None:
    inside = (File("x/real", library("ld")), Link("lib", "../../x"), Link("x/ld-linux-aarch64.so.1", "/../x/real"))
    assert audit(tmp_path / "1", File("app", program()), *inside, glibc=False).findings == ()
    loop = (Link("lib", "lib2"), Link("lib2", "lib"))
    assert audit(tmp_path / "2", File("app", program()), *loop, glibc=False).errors[0].kind == "interpreter"


def test_an_unusual_interpreter_that_is_there(tmp_path: Path) -> None:
    own = File("store/glibc/ld.so", library("ld"))
    report = audit(tmp_path, File("app", program(interpreter="/store/glibc/ld.so")), own, glibc=False)
    assert report.errors == ()


def test_an_interpreter_of_another_platform(tmp_path: Path) -> None:
    report = audit(tmp_path, File("app", program()), File("lib/ld-linux-aarch64.so.1", make_elf(AMD64)), glibc=False)
    assert [(finding.kind, finding.path) for finding in report.errors] == [("elf", "/lib/ld-linux-aarch64.so.1")]


def test_a_missing_library_is_named_with_the_file_that_asks(tmp_path: Path) -> None:
    things = (
        File("app", program("libc.so.6", "libone.so.1")),
        File(f"{LIBS}/libone.so.1", library("libone.so.1", "libtwo.so.2")),
    )
    report = audit(tmp_path, *things)
    assert missing(report) == {f"/{LIBS}/libone.so.1": ["libtwo.so.2"]}
    assert report.errors


def test_a_library_for_another_machine_is_passed_over(tmp_path: Path) -> None:
    wrong = make_elf(AMD64, kind="shared", soname="libx.so")
    things = (File("app", program("libx.so")), File(f"{LIBS}/libx.so", wrong))
    assert missing(audit(tmp_path / "1", *things)) == {"/app": ["libx.so"]}
    other = File("usr/lib/libx.so", library("libx.so"))
    assert missing(audit(tmp_path / "2", *things, other)) == {}


FOUND: dict[str, tuple[dict[str, Any], tuple[Thing, ...], dict[str, Any]]] = {
    "runpath": ({"runpath": "/opt/x/lib"}, (), {}),
    "runpath with origin": ({"runpath": "/none:$ORIGIN/../lib"}, (), {}),
    "rpath with braces": ({"rpath": "${ORIGIN}/../lib"}, (), {}),
    "ld.so.conf": ({}, (File("etc/ld.so.conf", b"# mine\n/opt/x/lib\n", 0o644),), {}),
    "ld.so.conf.d": (
        {},
        (File("etc/ld.so.conf", b"include ld.so.conf.d/*.conf\n"), File("etc/ld.so.conf.d/x.conf", b"/opt/x/lib # x")),
        {},
    ),
    "environment": ({}, (), {"env": ("LD_LIBRARY_PATH=/none:/opt/x/lib",)}),
    "absolute name": ({"needed": ("/opt/x/lib/libx.so",)}, (), {}),
}


@pytest.mark.parametrize("name", FOUND)
def test_where_libraries_are_looked_for(name: str, tmp_path: Path) -> None:
    more, things, run = FOUND[name]
    app = File("opt/x/bin/app", program("libx.so", **more) if "needed" not in more else program(**more))
    lib = File("opt/x/lib/libx.so", library("libx.so"))
    assert missing(audit(tmp_path / "found", app, lib, *things, **run)) == {}
    assert list(missing(audit(tmp_path / "lost", app, *things, **run))) == ["/opt/x/bin/app"]


def test_nowhere_else(tmp_path: Path) -> None:
    app, lib = File("opt/x/bin/app", program("libx.so")), File("opt/x/lib/libx.so", library("libx.so"))
    assert missing(audit(tmp_path, app, lib)) == {"/opt/x/bin/app": ["libx.so"]}


def test_origin_is_where_the_program_really_lies(tmp_path: Path) -> None:
    things = (
        File("opt/x/bin/app", program("libx.so", runpath="$ORIGIN/../lib")),
        File("opt/x/lib/libx.so", library("libx.so")),
        Link("usr/bin/app", "/opt/x/bin/app"),
    )
    assert missing(audit(tmp_path, *things)) == {}


def test_an_rpath_is_for_the_libraries_libraries_and_a_runpath_is_not(tmp_path: Path) -> None:
    def with_libraries(**more: str) -> AuditReport:
        things = (
            File("opt/app", program("liba.so", **more)),
            File("opt/lib/liba.so", library("liba.so", "libb.so")),
            File("opt/lib/libb.so", library("libb.so")),
        )
        return audit(tmp_path / next(iter(more)), *things)

    assert missing(with_libraries(rpath="$ORIGIN/lib")) == {}
    assert missing(with_libraries(runpath="$ORIGIN/lib")) == {"/opt/lib/liba.so": ["libb.so"]}


def test_what_is_loaded_already_is_not_looked_for_again(tmp_path: Path) -> None:
    things = (
        File("opt/app", program("libb.so", "/opt/lib/liba.so", runpath="$ORIGIN/lib")),
        File("opt/lib/liba.so", library("liba.so", "libb.so")),
        File("opt/lib/libb.so", library("libb.so")),
    )
    assert missing(audit(tmp_path, *things)) == {}


def test_a_plugin_that_lacks_something_is_a_warning(tmp_path: Path) -> None:
    report = audit(tmp_path, File("usr/lib/x/plugin.so", library("plugin.so", "libgtk.so", "libc.so.6")))
    assert missing(report) == {"/usr/lib/x/plugin.so": ["libgtk.so"]}
    assert report.errors == ()


def test_libraries_that_ask_for_each_other(tmp_path: Path) -> None:
    things = (
        File("app", program("liba.so")),
        File(f"{LIBS}/liba.so", library("liba.so", "libb.so")),
        File(f"{LIBS}/libb.so", library("libb.so", "liba.so")),
    )
    assert audit(tmp_path, *things).findings == ()


def test_musl(tmp_path: Path) -> None:
    row = ARM64.arch
    things: list[Thing] = [
        File("lib/ld-musl-aarch64.so.1", library("libc.so")),
        File("app", program("libc.musl-aarch64.so.1", "libz.so.1", interpreter=row.musl_loader)),
        File("usr/local/lib/libz.so.1", library("libz.so.1", "libc.musl-aarch64.so.1")),
    ]
    assert audit(tmp_path / "1", *things, glibc=False).findings == ()
    moved = File("etc/ld-musl-aarch64.path", b"/opt/lib\n/more")
    assert missing(audit(tmp_path / "2", *things, moved, glibc=False)) == {"/app": ["libz.so.1"]}


def test_a_library_that_only_a_hidden_or_packed_file_would_be(tmp_path: Path) -> None:
    packed = File("opt/libs.tar", make_tar([File("libx.so", library("libx.so"))]))
    report = audit(tmp_path, File("app", program("libx.so", runpath="/opt")), packed)
    assert missing(report) == {"/app": ["libx.so"]}
