"""Inspection -> the text of a recipe, with comments that say where each value was found and what is doubtful."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from msgspec import Struct

from rearch.upkeep.inspect import Inspection
from rearch.upkeep.inspect_layout import Layout
from rearch.upkeep.inspect_tree import below
from rearch.upkeep.new_choose import Choice
from rearch.upkeep.new_image import write_image
from rearch.upkeep.new_page import Page, mapping, scalar, sentence, sequence

_SCHEMA = "# yaml-language-server: $schema=../../schema/{}.json\n"
# pkg-config's or the linker's name -> Debian's package, where it is not lib<name>-dev.
_LIBRARIES = {
    "z": "zlib1g-dev", "zlib": "zlib1g-dev", "ssl": "libssl-dev", "crypto": "libssl-dev", "openssl": "libssl-dev",
    "pcap": "libpcap0.8-dev", "udev": "libudev-dev", "usb-1.0": "libusb-1.0-0-dev", "gpgme": "libgpgme-dev",
    "btrfs": "libbtrfs-dev", "devmapper": "libdevmapper-dev", "lvm2app": "liblvm2-dev", "ostree-1": "libostree-dev",
}  # fmt: skip


class Draft(Struct, frozen=True, kw_only=True):
    """What a recipe is written from. `tag`: a tag that is the version; None: `commit` is the ref.

    `default_layout` and `default_toolchain` are what the stack says for all its recipes. `zig` and `gcc` are names of C
    toolchains of the project; None: it has none.
    """

    name: str
    url: str
    tag: str | None
    commit: str
    why_ref: str
    found: Inspection
    toolchain: Choice
    default_layout: str | None = None
    default_toolchain: str | None = None
    default_import_path: bool = False
    zig: str | None = None
    gcc: str | None = None
    image: bool = True


def recipe_text(draft: Draft) -> str:
    """The whole file. Same draft, same bytes."""
    page = Page()
    _head(page, draft)
    _edits(page, draft.found.layout)
    _build(page, draft)
    _smoke(page, draft)
    if draft.image:
        write_image(page, draft.found, draft.name)
    return _SCHEMA.format("recipe") + page.text()


def stack_text(name: str, platforms: tuple[str, ...]) -> str:
    """A new stack.yaml."""
    page = Page()
    page.put("name", scalar(name))
    page.note("What is it? This line stands in reports.")
    page.put("summary", sentence(f"Components of {name}"))
    page.put("platforms", sequence(platforms))
    return _SCHEMA.format("stack") + page.text()


def doubts(text: str) -> tuple[str, ...]:
    """The doubtful remarks of a recipe, each on one line, for whoever ran the command."""
    found: list[str] = []
    open_ = False
    for line in text.splitlines():
        stripped = line.strip()
        comment = stripped[2:] if stripped.startswith("# ") else None
        if comment is not None and comment.startswith("DOUBTFUL: "):
            found.append(comment.removeprefix("DOUBTFUL: "))
            open_ = True
        elif comment is not None and open_ and not found[-1].endswith((".", "?")):
            found[-1] += f" {comment}"
        else:
            open_ = False
    return tuple(found)


def _head(page: Page, draft: Draft) -> None:
    found = draft.found
    page.put("name", scalar(draft.name))
    page.put("summary", sentence(found.summary))
    page.note(draft.why_ref)
    page.put("version", scalar(draft.tag or f"0-{draft.commit[:12]}"))
    ref = '"${{ version }}"' if draft.tag else scalar(draft.commit)
    source = {"git": scalar(draft.url), "ref": ref}
    if found.submodules:
        page.note("There is a .gitmodules; whether the programs need what it names is not known.")
        source["submodules"] = "true"
    page.put("source", mapping(source))


def _edits(page: Page, layout: Layout) -> None:
    """What go.work says for upstream's own builds go.mod has to say: the build reads no go.work but a vendored one."""
    if layout.workspace is None or not layout.joined:
        return
    page.note(f"{layout.workspace.file} joins modules of this repository; without it go.mod has to.")
    extra = [one.path for one in layout.joined if not one.required]
    if extra:
        page.note(f"DOUBTFUL: go.mod does not require {', '.join(extra)}; what these need themselves may be missing.")
    page.put("edits")
    lines = [f"require {path} v0.0.0" for path in extra]
    lines += [f"replace {one.path} => {_relative(one.folder, layout.directory)}" for one in layout.joined]
    page.item(f"file: {scalar(below(layout.directory, 'go.mod'))}", 1)
    page.put("pattern", scalar(r"^module[ \t].*$"), 2)
    page.block("replace", (r"\g<0>", "", *lines), 2)
    page.put("why", scalar(f"{layout.workspace.file} is not read"), 2)


def _relative(folder: str, start: str) -> str:
    """A folder as go.mod names it: with `./` or `../`."""
    path = posixpath.relpath(folder, start)
    return path if path.startswith("..") else f"./{path}"


def _build(page: Page, draft: Draft) -> None:
    layout, found = draft.found.layout, draft.found
    page.notes(_dapper(found))
    page.put("build")
    if draft.toolchain.name != draft.default_toolchain:
        page.note(f"{_sentence(draft.toolchain.why)}.", 1)
        page.put("toolchain", scalar(draft.toolchain.name), 1)
    page.put("go", "", 1)
    page.notes(_layout_notes(found), 2)
    if layout.is_workspace or (draft.default_layout is not None and draft.default_layout != layout.kind):
        page.put("layout", layout.kind, 2)
    if layout.kind == "gopath":
        page.note(f"Found in {layout.import_path.where}.", 2)
    if layout.kind == "gopath" or draft.default_import_path:
        page.put("import_path", scalar(layout.import_path.value), 2)
    if layout.directory != ".":
        page.put("directory", scalar(layout.directory), 2)
    _binaries(page, found)
    _stamps(page, found)
    _cgo(page, draft)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _layout_notes(found: Inspection) -> Iterator[str]:
    layout = found.layout
    if layout.is_workspace:
        yield f"A workspace ({layout.import_path.where}): its modules are compiled together."
    elif layout.kind == "module":
        yield f"A module ({layout.import_path.where})."
    if layout.vendor is not None:
        yield f"Dependencies are vendored, by {layout.vendor.value} ({layout.vendor.where})."
    elif layout.kind == "gopath":
        yield "Nothing is vendored. DOUBTFUL if it imports other repositories: only a GOPATH that has them compiles."
    if layout.needs_network:
        yield "Nothing is vendored: dependencies come from the module proxy, checked against go.sum."
    if layout.others:
        yield f"DOUBTFUL: modules of their own, no part of this build: {', '.join(layout.others[:6])}."


def _dapper(found: Inspection) -> Iterator[str]:
    if found.dapper is None:
        return
    facts = found.dapper
    named = [f"{cpu} ({base.where}: FROM {base.value})" for cpu, base in facts.bases]
    named += [f"{cpu.value} ({cpu.where})" for cpu in facts.cpus]
    yield f"Upstream builds in {facts.file}, for: {', '.join(named) or 'x86 alone'}. None of it is needed here."
    for line in facts.x86:
        yield f"DOUBTFUL: {line.where} is for x86 alone: {line.value}"


def _binaries(page: Page, found: Inspection) -> None:
    root = found.layout.directory
    if found.aside:
        page.note(f"Left out, as tests, examples or tools: {', '.join(one.package for one in found.aside[:8])}.", 2)
    page.put("binaries", "", 2)
    for name, program in found.binaries.items():
        folder = program.folder if root == "." else program.folder.removeprefix(root).strip("/") or "."
        page.put(name, scalar("." if folder == "." else f"./{folder}"), 3)
    tags = [tag for tag, _ in found.build.tags if tag not in ("netgo", "osusergo", "static_build")]
    if tags:
        where = ", ".join(dict.fromkeys(place for _, place in found.build.tags))
        page.note(f"DOUBTFUL: upstream builds with these tags ({where}); some may ask for C libraries.", 2)
        page.note(f"tags: {sequence(tags)}", 2)


def _stamps(page: Page, found: Inspection) -> None:
    good = [stamp for stamp in found.stamps if not stamp.why_not]
    for stamp in found.stamps:
        if stamp.why_not:
            page.note(f"DOUBTFUL: {stamp.where} stamps {stamp.variable}, but {stamp.why_not}.", 2)
    if good:
        page.note(f"Stamped by {', '.join(dict.fromkeys(stamp.where for stamp in good))}.", 2)
        page.put("stamps", "", 2)
        for stamp in good:
            page.put(stamp.variable, scalar(stamp.text), 3)


def _cgo(page: Page, draft: Draft) -> None:
    needed = [use for use in draft.found.c if use.needed]
    for use in draft.found.c:
        if not use.needed:
            page.note(f"DOUBTFUL: {use.file} is C, but was made to do without, and is built so.", 2)
    files = [use.file for use in needed] or [f"go.mod, which requires {name}" for name in draft.found.c_modules]
    if not files:
        return
    libraries = sorted({name for use in needed for name in use.libraries})
    page.note(f"C code: {', '.join(files[:4])}.", 2)
    toolchain = draft.gcc if libraries or draft.zig is None else draft.zig
    if toolchain is None:
        page.note("DOUBTFUL: no file of toolchains/ is a C toolchain (kind zig or gcc), so cgo is off.", 2)
        return
    page.put("cgo", "", 2)
    page.put("toolchain", scalar(toolchain), 3)
    if libraries:
        page.note(f"DOUBTFUL: the linker wants {', '.join(libraries)}; which packages have them is a guess.", 3)
        page.long("packages", sorted({_library(name) for name in libraries}), 3)
    if toolchain == draft.gcc:
        page.put("link", "dynamic", 3)


def _library(name: str) -> str:
    return _LIBRARIES.get(name, f"lib{name.removeprefix('lib').lower().replace('_', '-')}-dev")


def _smoke(page: Page, draft: Draft) -> None:
    helps = draft.found.helps
    if not helps:
        page.note("DOUBTFUL: no smoke check: how these programs can be started without doing their work is not known.")
        page.note("`check` warns of it until there is one, or until a comment at `binaries` says why there is none.")
        return
    page.put("smoke")
    for one in helps:
        page.note(f"{one.where}.", 1)
        page.item(mapping({"run": sequence((one.name, "--help")), "expect": scalar(one.expect)}), 1)
