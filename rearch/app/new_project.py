"""What the project says already: the stack's defaults, its toolchains, its list of recipes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from rearch.config.files import ProjectFiles
from rearch.config.layers import at
from rearch.config.problems import ConfigProblems
from rearch.config.stacks import FOLDER, ReadStack, read_stack, stack_names
from rearch.config.toolchains import FOLDER as TOOLCHAINS
from rearch.config.translate import validate
from rearch.model.platform import Platform, parse_platform
from rearch.model.toolchain import Toolchain


class StackFacts(Struct, frozen=True, kw_only=True):
    """A stack as far as a new recipe of it needs to know: its defaults are None where it says none."""

    name: str
    platforms: tuple[Platform, ...]
    is_new: bool
    toolchain: str | None = None
    layout: str | None = None
    import_path: bool = False


class Tools(Struct, frozen=True, kw_only=True):
    """The project's toolchains: pinned Go by name, and one of each kind for C."""

    go: Mapping[str, str]
    zig: str | None
    gcc: str | None


def read_stack_facts(project: Path, name: str) -> StackFacts | None:
    """The stack of that name, which need not be there; without a name the only one. Errors: ConfigProblems."""
    files = ProjectFiles(project)
    known = stack_names(files)
    if not name and len(known) != 1:
        return None
    name = name or known[0]
    if name not in known:
        return StackFacts(name=name, platforms=(parse_platform("linux/arm64"),), is_new=True)
    read = read_stack(files, name)
    if read is None or read.checked is None or files.problems:
        raise ConfigProblems(files.problems)
    return _facts(read)


def _facts(read: ReadStack) -> StackFacts:
    base = dict(read.defaults.base)

    def text(*path: str) -> str | None:
        value = at(base, path)
        return value if isinstance(value, str) else None

    return StackFacts(
        name=read.name,
        platforms=read.platforms,
        is_new=False,
        toolchain=text("build", "toolchain"),
        layout=text("build", "go", "layout"),
        import_path=text("build", "go", "import_path") is not None,
    )


def toolchain_versions(project: Path) -> Tools:
    """Read toolchains/*.yaml; one that is wrong is told when a recipe names it."""
    files = ProjectFiles(project)
    found = []
    for name, is_folder in files.names(TOOLCHAINS):
        data = files.yaml(f"{TOOLCHAINS}/{name}") if name.endswith(".yaml") and not is_folder else None
        toolchain = validate(Toolchain, data)[0] if data is not None else None
        if toolchain is not None:
            found.append(toolchain)
    kinds = {kind: next((one.name for one in found if one.kind == kind), None) for kind in ("zig", "gcc")}
    pinned = {one.name: one.version for one in found if one.kind == "go" and one.version and one.hosts}
    return Tools(go=pinned, zig=kinds["zig"], gcc=kinds["gcc"])


def add_to_list(project: Path, stack: str, name: str) -> str | None:
    """stack.yaml with the name behind the last of its `recipes`, all else as it stands; None where it lists none."""
    files = ProjectFiles(project)
    file = f"{FOLDER}/{stack}/stack.yaml"
    data = files.yaml(file)
    listed = data.get("recipes") if data is not None else None
    if not isinstance(listed, list) or name in listed:
        return None
    text = files.text(file)
    if not listed:
        start = files.spot(file, ("recipes",))[0].value
        return f"{text[: start.start]}[{name}]{text[start.end :]}"
    last = files.spot(file, ("recipes", len(listed) - 1))[0].value
    line = text[text.rfind("\n", 0, last.start) + 1 : last.start]
    joint = f"\n{line}" if line.strip() == "-" else ", "
    return f"{text[: last.end]}{joint}{name}{text[last.end :]}"
