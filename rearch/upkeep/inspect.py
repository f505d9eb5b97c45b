"""A repository as the recipe for it needs to know it: everything with the place where it was found."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from rearch.errors import UsageError
from rearch.model.platform import Platform
from rearch.upkeep.inspect_dapper import DapperFacts, read_dapper
from rearch.upkeep.inspect_docker import DockerFacts, Unread, read_dockerfile
from rearch.upkeep.inspect_go import CUse, GoTree, Program, c_uses, reachable
from rearch.upkeep.inspect_layout import Layout, find_layout
from rearch.upkeep.inspect_stamps import BuildLines, Stamp, read_build_lines
from rearch.upkeep.inspect_tree import SourceTree, folder_of, is_vendored

# Libraries for command lines, and what their programs print for --help, with exit code 0.
_HELP = {
    "github.com/codegangsta/cli": "USAGE",
    "github.com/urfave/cli": "USAGE",
    "gopkg.in/urfave/cli.v1": "USAGE",
    "github.com/urfave/cli/v2": "USAGE",
    "github.com/spf13/cobra": "Usage",
    "github.com/alecthomas/kong": "Usage",
}
# Modules that are C code in Go's clothes; without vendor/ nothing else shows it.
_C_MODULES = ("github.com/mattn/go-sqlite3", "github.com/google/gopacket/pcap")


class NoPrograms(UsageError):
    """A repository that has nothing to compile."""

    def __init__(self, address: str, aside: tuple[str, ...], elsewhere: tuple[str, ...] = ()) -> None:
        self.address = address
        self.aside = aside
        self.elsewhere = elsewhere
        details = [f"left out as tests, examples or tools: {', '.join(aside)}"] if aside else []
        if elsewhere:
            details.append(f"not read as a program for this platform: {', '.join(elsewhere)}")
        super().__init__(
            f"{address}: there is no Go program in it",
            details,
            hint="a library needs no recipe; for another language write the recipe by hand (docs/reference.md)",
        )


class Help(Struct, frozen=True, kw_only=True):
    """How a program can be started safely: it knows --help. `expect` is what it prints then."""

    name: str
    expect: str
    where: str


class Inspection(Struct, frozen=True, kw_only=True):
    """All that was found. `binaries`: output name -> program. `c`: packages that import "C", the needed ones first."""

    layout: Layout
    binaries: Mapping[str, Program]
    aside: tuple[Program, ...]
    build: BuildLines
    c: tuple[CUse, ...]
    c_modules: tuple[str, ...]
    helps: tuple[Help, ...]
    docker: DockerFacts | Unread | None
    dapper: DapperFacts | None
    summary: str
    submodules: bool

    @property
    def stamps(self) -> tuple[Stamp, ...]:
        return self.build.stamps


def inspect_tree(tree: SourceTree, platform: Platform, *, address: str, name: str) -> Inspection:
    """Look at a tree for one platform. `address`: the URL without scheme. Errors: NoPrograms."""
    go = GoTree(tree, platform)
    layout = find_layout(tree, go, address)
    programs = tuple(one for one in go.programs() if _inside(one.folder, layout))
    chosen = tuple(one for one in programs if not one.aside) or _only(programs)
    if not chosen:
        raise NoPrograms(address, tuple(one.folder for one in programs), _main_files(tree))
    build = read_build_lines(tree, go, layout, chosen)
    binaries = _binaries(chosen, build, name)
    folders = reachable(go, chosen, _roots(layout))
    return Inspection(
        layout=layout,
        binaries=binaries,
        aside=tuple(one for one in programs if one not in chosen),
        build=build,
        c=c_uses(go, folders),
        c_modules=_c_modules(tree, layout),
        helps=tuple(found for one, program in binaries.items() if (found := _help(go, one, program))),
        docker=read_dockerfile(tree, tuple(binaries)),
        dapper=read_dapper(tree),
        summary=_summary(tree, name),
        submodules=".gitmodules" in tree.paths,
    )


def _main_files(tree: SourceTree) -> tuple[str, ...]:
    """Files that may be programs, for a reader who expects one: of another platform, or with a syntax error."""
    own = sorted(path for path in tree.paths if path.endswith(".go") and not is_vendored(path))
    return tuple(path for path in own if re.search(r"^package main\b", tree.read(path), re.MULTILINE))[:6]


def _inside(folder: str, layout: Layout) -> bool:
    def holds(root: str) -> bool:
        return root in (".", folder) or folder.startswith(f"{root}/")

    return holds(layout.directory) and not any(holds(other) and other != "." for other in layout.others)


def _only(programs: tuple[Program, ...]) -> tuple[Program, ...]:
    """A repository whose only program stands in tools/ or the like is about that program."""
    return programs if len(programs) == 1 else ()


def _roots(layout: Layout) -> tuple[tuple[str, str], ...]:
    """Where import paths lead: those of the repository itself, its other modules', then vendored ones."""
    vendor = "vendor" if layout.directory == "." else f"{layout.directory}/vendor"
    godeps = (("", "Godeps/_workspace/src"),) if layout.kind == "gopath" else ()
    members = layout.workspace.members if layout.workspace is not None else ()
    return ((layout.import_path.value, layout.directory), *members, ("", vendor), *godeps)


def _binaries(programs: tuple[Program, ...], build: BuildLines, name: str) -> Mapping[str, Program]:
    """Output names: as upstream's build lines say, else the folder's; the root's is the repository's."""
    found: dict[str, Program] = {}
    for program in programs:
        parts = program.folder.split("/")
        plain = name if program.folder == "." else parts[-1] if parts[-1] not in ("cmd", "main", "src") else name
        wanted = build.names.get(program.folder, plain)
        if wanted in found:
            wanted = "-".join((*parts[-2:-1], wanted)) if len(parts) > 1 else f"{wanted}-main"
        while wanted in found:
            wanted += "-2"
        found[re.sub(r"[^A-Za-z0-9._+-]", "-", wanted).lstrip(".+-") or name] = program
    return found


def _help(go: GoTree, name: str, program: Program) -> Help | None:
    for library, expect in _HELP.items():
        if library in program.imports:
            return Help(name=name, expect=expect, where=f"{program.files[0]} imports {library}")
    for path in program.files:
        if "flag" in go.head(path).imports and re.search(r"^\s*flag\.Parse\(\)", go.text(path), re.MULTILINE):
            return Help(name=name, expect="Usage", where=f"{path} calls flag.Parse()")
    return None


def _c_modules(tree: SourceTree, layout: Layout) -> tuple[str, ...]:
    if layout.kind != "module":
        return ()
    text = tree.read("go.mod" if layout.directory == "." else f"{layout.directory}/go.mod")
    required = set(re.findall(r"^\s*(?:require\s+)?(\S+)\s+v\S+", text, re.MULTILINE))
    return tuple(name for name in _C_MODULES if name in required)


def _summary(tree: SourceTree, name: str) -> str:
    """The first sentence of the README that is neither title, badge nor markup."""
    readme = min(
        (path for path in tree.paths if folder_of(path) == "." and path.lower().startswith("readme")), default=""
    )
    for paragraph in re.split(r"\n\s*\n", tree.read(readme) if readme else ""):
        lines = [line for line in paragraph.splitlines() if not re.match(r"\s*(?:[#=<!\[`|>*-]|\.\.)", line)]
        text = " ".join(" ".join(lines).split())
        sentence = re.split(r"(?<=[a-z)])[.:](?:\s|$)", text)[0]
        if len(sentence) > 15 and sentence.isprintable() and "${{" not in sentence:
            return sentence if len(sentence) <= 100 else sentence[:97].rpartition(" ")[0] + "..."
    return f"{name}, rebuilt from its source"
