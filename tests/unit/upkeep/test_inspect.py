"""What is found in a repository, and the recipe that is written of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rearch.config.translate import validate
from rearch.config.yaml_tree import read_yaml
from rearch.model.platform import parse_platform
from rearch.model.recipe import Recipe
from rearch.upkeep.inspect import Inspection, NoPrograms, inspect_tree
from rearch.upkeep.inspect_docker import DockerFacts
from rearch.upkeep.inspect_go import read_head
from rearch.upkeep.new_choose import (
    NoToolchain,
    SecretInUrl,
    UnfitName,
    address_of,
    check_names,
    check_url,
    choose_toolchain,
    name_of,
    newest_tag,
)
from rearch.upkeep.new_page import scalar
from rearch.upkeep.new_recipe import Draft, doubts, recipe_text
from tests.support import upstream_shapes
from tests.support.repositories import Content, Executable

MAIN = "package main\n\nfunc main() {}\n"
WAS = 'package main\n\nimport "example.net/was/thing/in"\n\nfunc main() { in.X() }\n'
TOOLCHAINS = {"go-1.21": "1.21.13", "go-1.27": "1.27.3"}


class Texts:
    """A tree in memory."""

    def __init__(self, files: Mapping[str, Content]) -> None:
        self._texts = {path: _text(content) for path, content in files.items()}

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(self._texts)

    def read(self, path: str) -> str:
        return self._texts.get(path, "")


def _text(content: Content) -> str:
    inner = content.content if isinstance(content, Executable) else content
    assert isinstance(inner, str)
    return inner


def look(files: Mapping[str, Content], address: str = "example.org/team/thing", name: str = "thing") -> Inspection:
    return inspect_tree(Texts(files), parse_platform("arm64"), address=address, name=name)


def written(found: Inspection) -> str:
    chosen = choose_toolchain(found.layout, TOOLCHAINS, None)
    draft = Draft(
        name="thing", url="https://example.org/team/thing", tag="v1", commit="a" * 40, why_ref="Asked for.",
        found=found, toolchain=chosen, zig="zig-0.15", gcc="gcc-cross",
    )  # fmt: skip
    return recipe_text(draft)


@pytest.mark.parametrize("shape", ["module", "vendored", "dapper", "with_c", "workspace", "vendored_workspace"])
def test_every_recipe_is_valid(shape: str) -> None:
    text = written(look(getattr(upstream_shapes, shape)()))
    data, faults = read_yaml(text)
    assert faults == ()
    assert isinstance(data, dict)
    assert validate(Recipe, data)[1] == ()
    assert all(len(line) <= 120 for line in text.splitlines())


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"main.go": 'package main // import "example.net/a/b"\n\nfunc main() {}\n'}, "example.net/a/b"),
        ({"main.go": MAIN, "glide.yaml": "package: example.net/g/lide\nimport: []\n"}, "example.net/g/lide"),
        ({"main.go": MAIN, "vendor/vendor.json": '{"rootPath": "example.net/go/v"}'}, "example.net/go/v"),
        ({"main.go": MAIN, "trash.conf": "# x\nexample.net/t/r\nexample.net/o/t v1\n"}, "example.net/t/r"),
        ({"main.go": MAIN, "trash.conf": "example.net/o/t v1\n"}, "example.org/team/thing"),
        ({"main.go": MAIN, ".travis.yml": "go_import_path: example.net/tra/vis\n"}, "example.net/tra/vis"),
        ({"main.go": MAIN, "Dockerfile.dapper": "ENV DAPPER_SOURCE /go/src/example.net/d/a/\n"}, "example.net/d/a"),
        (
            {
                "main.go": 'package main\n\nimport "example.net/was/thing/in"\n\nfunc main() { in.X() }\n',
                "in/x.go": "package in\n",
            },
            "example.net/was/thing",
        ),
    ],
)
def test_import_path(files: dict[str, Content], path: str) -> None:
    assert look(files).layout.import_path.value == path


def test_module_below() -> None:
    found = look(
        {"src/go.mod": "module example.net/x\n\ngo 1.20\n\nrequire example.net/y v1\n", "src/cmd/a/main.go": MAIN}
    )
    assert (found.layout.directory, found.layout.needs_network) == ("src", True)
    assert "directory: src\n" in written(found)
    assert "a: ./cmd/a\n" in written(found)


def test_names_and_programs_that_are_none() -> None:
    files = {"cmd/a/main.go": MAIN, "b/a/main.go": MAIN, "examples/x/main.go": MAIN, "go.mod": "module e.org/t\n"}
    found = look(
        files | {"cmd/w/main_windows.go": MAIN, "testdata/main.go": MAIN, "gen.go": f"// +build ignore\n\n{MAIN}"}
    )
    assert {name: program.folder for name, program in found.binaries.items()} == {"a": "b/a", "cmd-a": "cmd/a"}
    assert [program.folder for program in found.aside] == ["examples/x"]


def test_names_of_build_lines() -> None:
    files = {
        "main.go": MAIN,
        "cmd/x/main.go": MAIN,
        "scripts/build": "go build -o bin/agent\ngo build -o bin/y ./cmd/x\n",
    }
    assert set(look(files).binaries) == {"agent", "y"}


def test_no_programs() -> None:
    with pytest.raises(NoPrograms) as caught:
        look({"lib.go": "package lib\n", "examples/a/main.go": MAIN, "examples/b/main.go": MAIN})
    assert caught.value.aside == ("examples/a", "examples/b")


def test_c_that_can_be_left_out() -> None:
    files = {
        "go.mod": "module e.org/t\n",
        "main.go": 'package main\n\nimport "e.org/t/c"\n\nfunc main() { c.X() }\n',
        "c/with.go": '// +build cgo\n\npackage c\n\n// #cgo LDFLAGS: -lseccomp -lm\nimport "C"\n',
        "c/without.go": "// +build !cgo\n\npackage c\n",
    }
    use = look(files).c[0]
    assert (use.file, use.needed, use.libraries) == ("c/with.go", False, ("seccomp",))
    del files["c/without.go"]
    text = written(look(files))
    assert "packages: [libseccomp-dev]\n" in text
    assert "link: dynamic\n" in text


def test_head() -> None:
    text = '/* x */ package a\n\nimport (\n\t"b"\n\tc "d/e"\n\t_ "f"\n)\nimport . "g"\n\nvar x = "no"\n'
    assert read_head("a.go", text).imports == ("b", "d/e", "f", "g")
    assert read_head("a.go", text).package == "a"


def test_dockerfile() -> None:
    docker = look(upstream_shapes.dapper(), name="keeper").docker
    assert isinstance(docker, DockerFacts)
    assert docker.packages == ("ca-certificates", "curl")
    assert docker.downloads == (("package/Dockerfile:3", "https://example.org/tini/releases/tini-amd64"),)
    assert docker.entrypoint == ("/tini", "--")
    assert docker.cmd == ("start.sh",)
    assert [file.source for file in docker.files] == [None, "pkg/files/start.sh"]


def test_doubts() -> None:
    text = "# DOUBTFUL: one\n# goes on.\n# no doubt\na: b\n  # DOUBTFUL: two.\n"
    assert doubts(text) == ("one goes on.", "two.")


@pytest.mark.parametrize(
    ("tags", "newest"),
    [
        (("v1.9", "v1.10", "v2.0-rc1"), "v1.10"),
        (("v2.0-rc1", "v2.0-rc2"), "v2.0-rc2"),
        (("nightly", "release"), None),
    ],
)
def test_newest_tag(tags: tuple[str, ...], newest: str | None) -> None:
    assert newest_tag(tags) == newest


def test_urls() -> None:
    assert name_of("https://example.org/Team/Host_API.git") == "host_api"
    assert address_of("git@example.org:team/agent.git") == "example.org/team/agent"
    assert address_of("https://user@example.org:8443/team/agent/") == "example.org/team/agent"


def test_no_toolchain() -> None:
    layout = look({"go.mod": "module e.org/t\n\ngo 1.99\n", "main.go": MAIN}).layout
    with pytest.raises(NoToolchain, match=r"1\.99"):
        choose_toolchain(layout, TOOLCHAINS, None)


@pytest.mark.parametrize(
    "text", ["1.10", "yes", "a: b", "# x", "", "--", "-1", "é\n", "null", "0x1", "~", "{a}", "1e3", ".5"]
)
def test_scalars_stay_text(text: str) -> None:
    assert scalar(text).startswith('"')
    assert read_yaml(f"a: {scalar(text)}\n")[0] == {"a": text}


def test_a_workspace_is_said_by_go_mod() -> None:
    found = look(upstream_shapes.workspace())
    assert found.layout.directory == "app"
    joined = [(one.path, one.folder, one.required) for one in found.layout.joined]
    assert joined == [("example.org/team/lib", "lib", True), ("example.org/team/words", "words", False)]
    assert found.layout.others == ()
    data, _ = read_yaml(written(found))
    assert isinstance(data, dict)
    recipe, problems = validate(Recipe, data)
    assert problems == ()
    assert recipe is not None
    edit = recipe.edits[0]
    assert edit.file == "app/go.mod"
    assert edit.replace.endswith(
        "require example.org/team/words v0.0.0\nreplace example.org/team/lib => ../lib\n"
        "replace example.org/team/words => ../words"
    )


@pytest.mark.parametrize(
    ("change", "joined"),
    [
        ({"app/go.mod": "module example.org/team/app\n\nreplace example.org/team/lib => ../lib\n"}, ["words"]),
        ({"app/main.go": MAIN, "app/go.mod": "module example.org/team/app\n"}, []),
        ({"go.work": "go 1.21\n\nuse ./app\n"}, []),
        ({"go.work": "go 1.21\n\nuse ./gone\n"}, []),
        ({"app/vendor/modules.txt": "# example.org/team/lib v1.2.3\n"}, []),
    ],
)
def test_only_what_is_needed_and_not_said_is_joined(change: dict[str, str], joined: list[str]) -> None:
    found = look({**upstream_shapes.workspace(), **change})
    assert [one.folder for one in found.layout.joined] == joined


def test_a_vendored_workspace_is_one_build() -> None:
    found = look(upstream_shapes.vendored_workspace())
    assert (found.layout.kind, found.layout.directory, found.layout.is_workspace) == ("module", ".", True)
    assert sorted(found.binaries) == ["one", "two"]
    text = written(found)
    assert "    layout: module\n" in text
    assert "edits:" not in text


def test_what_may_have_been_meant_as_a_program_is_named() -> None:
    with pytest.raises(NoPrograms) as caught:
        look({"go.mod": "module example.org/x\n", "main_windows.go": MAIN, "lib.go": "package lib\n"})
    assert caught.value.elsewhere == ("main_windows.go",)


@pytest.mark.parametrize("url", ["https://me:s3cret@h.example/x", "https://s3cret@h.example/x", "ssh://me:s3cret@h/x"])
def test_a_secret_does_not_come_into_a_recipe(url: str) -> None:
    with pytest.raises(SecretInUrl) as caught:
        check_url(url)
    assert "s3cret" not in caught.value.render()


@pytest.mark.parametrize("url", ["https://example.org/x@y", "ssh://git@example.org/x", "git@example.org:a/x", "/a/b"])
def test_other_urls_are_fine(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("stack", "name", "flag"),
    [("../x", "", "stack"), ("a/b", "a", "stack"), ("a", "A", "name"), ("", "..", "name"), ("a", "stack", "name")],
)
def test_names_are_looked_at_before_they_become_a_path(stack: str, name: str, flag: str) -> None:
    with pytest.raises(UnfitName) as caught:
        check_names(stack, name)
    assert caught.value.flag == flag


def test_names_that_are_not_given_are_fine() -> None:
    check_names("", "")
    check_names("stack", "host-api")
