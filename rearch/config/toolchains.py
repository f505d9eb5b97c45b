"""toolchains/<name>.yaml: read only when a recipe names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.layers import at
from rearch.config.problems import key_path, shown, suggestion
from rearch.config.recipes import ReadRecipe, Variant
from rearch.config.translate import Target, validate
from rearch.config.yaml_tree import Data
from rearch.model.platform import UnknownPlatform, parse_platform
from rearch.model.toolchain import Toolchain

FOLDER = "toolchains"
_COMPILER: KeyPath = ("build", "toolchain")
_CGO: KeyPath = ("build", "go", "cgo", "toolchain")
_PACKAGES: KeyPath = ("build", "go", "cgo", "packages")


def read_toolchains(files: ProjectFiles, recipes: Iterable[ReadRecipe]) -> Mapping[str, Toolchain]:
    """The toolchains that the recipes name, by name. Wrong names and wrong kinds are told at the recipe."""
    names = [name.removesuffix(".yaml") for name, is_folder in files.names(FOLDER) if not is_folder]
    known = {name: f"{FOLDER}/{name}.yaml" for name in names if f"{name}.yaml" not in names}
    loaded: dict[str, Toolchain | None] = {}
    for recipe in recipes:
        for variant in recipe.variants:
            for path, name, kinds in _named(variant):
                if name not in known:
                    text = f"{key_path(path)}: there is no toolchain {FOLDER}/{shown(name)}.yaml"
                    variant.wrong(files, path, text, suggestion(name, known))
                    continue
                if name not in loaded:
                    loaded[name] = _read(files, known[name], name)
                _check_kind(files, variant, path, loaded[name], kinds)
    return {name: toolchain for name, toolchain in sorted(loaded.items()) if toolchain}


def _named(variant: Variant) -> list[tuple[KeyPath, str, tuple[str, ...]]]:
    """Where a recipe names a toolchain, which one, and of which kind it has to be."""
    wanted = ((_COMPILER, ("go",)), (_CGO, ("zig", "gcc")))
    found = [(path, variant.text(path), kinds) for path, kinds in wanted]
    return [(path, name, kinds) for path, name, kinds in found if name]


def _check_kind(
    files: ProjectFiles, variant: Variant, path: KeyPath, toolchain: Toolchain | None, kinds: tuple[str, ...]
) -> None:
    if toolchain is None:
        return
    if toolchain.kind not in kinds:
        text = f"{key_path(path)}: {toolchain.name} is a toolchain of kind {toolchain.kind}"
        variant.wrong(files, path, text, f"kind {' or '.join(kinds)} is wanted")
    if path == _CGO and toolchain.kind == "zig" and at(variant.rendered.data, _PACKAGES):
        text = f"{key_path(_PACKAGES)}: a zig toolchain takes no Debian packages"
        variant.wrong(files, _PACKAGES, text, "use a gcc toolchain, or leave them out")


def _read(files: ProjectFiles, file: str, name: str) -> Toolchain | None:
    data = files.yaml(file)
    if data is None:
        return None
    toolchain, wrongs = validate(Toolchain, data)
    for wrong in wrongs:
        path: KeyPath = wrong.path[:-1] if wrong.target is Target.MISSING else wrong.path
        say = files.key if wrong.target is Target.KEY else files.value
        say(file, path, wrong.sentence(), wrong.hint)
    _check_hosts(files, file, data)
    said = data.get("name")
    if isinstance(said, str) and said != name:
        text = f"name is {shown(said)}, but the file is called {shown(name)}.yaml"
        files.value(file, ("name",), text, "make them the same")
    return toolchain


def _check_hosts(files: ProjectFiles, file: str, data: Mapping[str, Data]) -> None:
    """One platform under two spellings: the model would keep only the last."""
    hosts = data.get("hosts")
    seen: dict[object, str] = {}
    for name in hosts if isinstance(hosts, dict) else ():
        try:
            platform = parse_platform(name)
        except UnknownPlatform:
            continue  # the model tells
        if platform in seen:
            path = ("hosts", name)
            files.key(file, path, f"{key_path(path)}: {platform} stands here twice, first as {seen[platform]}")
        seen.setdefault(platform, name)
