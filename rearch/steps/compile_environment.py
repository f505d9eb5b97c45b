"""The environment of every go command: the whole of it, nothing inherited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from rearch.model.go_flags import instead_of, is_protected
from rearch.model.platform import Platform
from rearch.steps.compile_errors import ProtectedVariable
from rearch.steps.compile_tree import Tree
from rearch.steps.ports import Need, Workspace

Environment = Mapping[str, str]
SYSTEM_PATH = ("/usr/bin", "/bin")


class GoTool(Struct, frozen=True, kw_only=True):
    """A Go compiler: its GOROOT, and the build cache of all that it compiles."""

    root: Path
    cache: Path

    @property
    def program(self) -> Path:
        return self.root / "bin" / "go"


class Folders(Struct, frozen=True, kw_only=True):
    """`home` and `temporary` are the step's own. `modules` is a GOMODCACHE that is only read, or None."""

    home: Path
    temporary: Path
    modules: Path | None = None


def go_tool(need: Need, caches: Path) -> GoTool:
    """The toolchain step's Go. One GOCACHE for each toolchain, shared by all recipes and platforms: its entries are
    named by all that goes into them (cmd/go, "Build and test caching"), and go locks it itself."""
    return GoTool(root=(need.files / "go").resolve(), cache=caches.resolve() / "go-build" / need.result.key)


def prepare_folders(work: Workspace) -> Folders:
    """A home and a folder for temporary files. Telemetry is off: its files and its child process serve nobody here."""
    scratch = work.scratch.resolve()
    mode = scratch / "home" / ".config" / "go" / "telemetry" / "mode"
    mode.parent.mkdir(parents=True, exist_ok=True)
    mode.write_text("off")
    (scratch / "tmp").mkdir(exist_ok=True)
    modules = work.needs["modules"].files.resolve() / "modcache" if "modules" in work.needs else None
    return Folders(home=scratch / "home", temporary=scratch / "tmp", modules=modules)


def base_environment(go: GoTool, tree: Tree, folders: Folders) -> dict[str, str]:
    """What every go command gets. Nothing is downloaded, no file of the user is read, no other Go is started."""
    module = tree.layout == "module"
    gopath = (folders.home / "go",) if module else tree.gopath
    return {
        "GO111MODULE": "on" if module else "off",
        "GOCACHE": str(go.cache),
        "GOENV": "off",
        "GOFLAGS": "",
        "GOMODCACHE": str(folders.modules or folders.home / "modules"),
        "GOPATH": ":".join(map(str, gopath)),
        "GOPROXY": "off",
        "GOROOT": str(go.root),
        "GOSUMDB": "off",
        "GOTOOLCHAIN": "local",
        "GOVCS": "*:off",
        "GOWORK": str(tree.workspace or "off"),
        "HOME": str(folders.home),
        "LC_ALL": "C",
        "PATH": ":".join((str(go.root / "bin"), *SYSTEM_PATH)),
        "TMPDIR": str(folders.temporary),
    }


def target_environment(platform: Platform, cgo: Environment, epoch: int) -> dict[str, str]:
    """What makes it a cross build. `cgo` is empty without cgo."""
    variant = (platform.arch.go_variant,) if platform.arch.go_variant else ()
    return {
        "CGO_ENABLED": "1" if cgo else "0",
        "GOARCH": platform.arch.goarch,
        "GOOS": platform.os,
        "SOURCE_DATE_EPOCH": str(epoch),
        **dict(variant),
        **cgo,
    }


def with_own(ours: Environment, own: Environment) -> tuple[tuple[str, str], ...]:
    """The recipe's variables beside ours, sorted. Errors: ProtectedVariable."""
    for name in own:
        if name in ours or is_protected(name):
            raise ProtectedVariable(name, instead_of(name))
    return tuple(sorted({**ours, **own}.items()))
