"""`bump` with real repositories: one line and the lock change, or nothing does."""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.go_project import change, program_files, write_file
from tests.support.repositories import Repository
from tests.support.upkeep import Maintained, line_patch, make_maintained


@pytest.fixture
def made(tmp_path: Path) -> Maintained:
    return make_maintained(tmp_path)


def changes(before: bytes, after: bytes) -> list[str]:
    lines = difflib.unified_diff(before.decode().splitlines(), after.decode().splitlines(), n=0, lineterm="")
    return [line for line in lines if line[0] in "+-" and not line.startswith(("+++", "---"))]


def test_one_line_and_the_lock(made: Maintained) -> None:
    made.release("v1.0.2", "stop \x1b[31mthe loop")
    made.release("v1.0.10", "second", other="x")
    made.release("v1.1.0", "third", other="y")
    made.series("a.patch\n", a=line_patch(10, "ten"))
    before = made.state()
    dry = made.rearch.run("bump", "one", "--dry-run")
    assert made.state() == before
    done = made.rearch.run("bump", "one")
    after = made.state()
    assert {name for name in before if before[name] != after[name]} == {"rearch.lock", "recipes/demo/one.yaml"}
    assert changes(before["recipes/demo/one.yaml"], after["recipes/demo/one.yaml"]) == [
        "-version:   'v1.0.0'   # v1.0.0!",
        "+version:   'v1.0.10'   # v1.0.0!",
    ]
    names = json.loads(made.lock.read_bytes())["names"]
    assert [name for name in names if "/one " in name] == ["git https://git.example.org/upstream/one v1.0.10"]
    assert done.out == dry.out
    assert "upstream, 2 commits:" in done.out
    assert "stop \\x1b[31mthe loop" in done.out
    assert "applies: patch a.patch" in done.out
    made.rearch.run("lock", "--check")


def test_levels_and_the_newest(made: Maintained) -> None:
    made.release("v1.5.0", "minor")
    made.release("v2.0.0", "major")
    nothing = made.rearch.run("bump", "demo/one")
    assert "v1.5.0, v2.0.0" in nothing.out
    assert "v1.5.0" in made.rearch.run("bump", "one", "--minor").out
    assert json.loads(made.rearch.run("bump", "one", "--latest", "--json").out)["new"] == "v2.0.0"
    assert "it is already" in made.rearch.run("bump", "one", "--to", "v2.0.0").out
    made.rearch.run("bump", "one", "--to", "v1.5.0", "--latest", code=2)
    assert "--to names no version" in made.rearch.run("bump", "one", "--to", "", code=2).err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("one", "--to", "v7"), 2, "has no tag or branch v7"),
        (("one", "--latest"), 1, "2 of its patches and edits do not apply to v3.0.0"),
        (("nobody",), 2, "there is no component nobody"),
    ],
    ids=["no-tag", "no-patch", "no-component"],
)
def test_after_a_failure_everything_is_as_it_was(
    made: Maintained, words: tuple[str, ...], code: int, said: str
) -> None:
    main = str(program_files("one")["main.go"]).replace("hello", "hi")
    made.release("v3.0.0", "all new", lines="nothing\n", main_go=main)
    made.series("a.patch\n", a=line_patch(10, "ten"))
    before = made.state()
    ran = made.rearch.run("bump", *words, code=code)
    assert made.state() == before
    assert said in ran.err
    assert list((made.rearch.cache / "upkeep").glob("*")) == []
    made.rearch.run("bump", *words, "--offline", code=None)
    assert made.state() == before


def test_a_version_of_the_stack_moves_all_that_have_it(made: Maintained) -> None:
    stack = made.project / "recipes/demo/stack.yaml"
    stack.write_text(stack.read_text() + "  vars: {tag: v1.0.0}  # all together\n")
    two = made.project / "recipes/demo/two.yaml"
    for recipe in (made.recipe, two):
        change(recipe, 'ref: "${{ version }}"}', 'ref: "${{ vars.tag }}"}')
    made.release("v1.0.1", "x")
    upstream = Repository(made.one.path.parent / "two")
    upstream.commit({**program_files("two"), "more": "1"}, "x")
    failed = made.rearch.run("bump", "one", code=2)
    assert "upstream/two has no tag or branch v1.0.1" in failed.err
    assert "v1.0.0" in stack.read_text()
    upstream.tag("v1.0.1")
    done = made.rearch.run("bump", "one")
    assert "recipes/demo/stack.yaml:6" in done.out
    assert "they share: demo/two" in done.out
    assert "vars: {tag: v1.0.1}  # all together" in stack.read_text()
    assert "v1.0.0" not in made.lock.read_text()
    made.rearch.run("lock", "--check")


STYLES = {
    "quotes": (b"version:   'v1.0.0'   # v1.0.0!", b'"version": "v1.0.0"\t#\ttab'),
    "windows": (b"\n", b"\r\n"),
    "mark": (b"# one\n", b"\xef\xbb\xbf# one\n"),
    "in-full": (b'ref: "${{ version }}"}', b"ref: refs/tags/v1.0.0}  # in full"),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_hand_that_writes_oddly_finds_its_style_again(made: Maintained, style: str) -> None:
    made.release("v1.0.1", "next")
    text = made.recipe.read_bytes().replace(*STYLES[style])
    made.recipe.write_bytes(text)
    made.rearch.run("bump", "one")
    wanted = text.split(b"\n")
    found = made.recipe.read_bytes().split(b"\n")
    differing = [(old, new) for old, new in zip(wanted, found, strict=True) if old != new]
    assert [new for _, new in differing] == [old.replace(b"v1.0.0", b"v1.0.1", 1) for old, _ in differing]
    assert len(differing) == (2 if style == "in-full" else 1)


def archive(path: Path, version: str) -> str:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in program_files("two").items():
            data = str(text).encode()
            info = tarfile.TarInfo(f"two-{version}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_archive_gets_its_new_hash(made: Maintained, tmp_path: Path) -> None:
    sums = [archive(tmp_path / f"two-{version}.tgz", version) for version in ("1.0", "1.1")]
    two = made.project / "recipes/demo/two.yaml"
    old = '{git: https://git.example.org/upstream/two, ref: "${{ version }}"}'
    url = f"file://{tmp_path}/two-${{{{ version }}}}.tgz"
    change(two, old, f'{{archive: "{url}", sha256: {sums[0]}}}  # by hand')
    change(two, "version: v1.0.0", "version: 1.0")
    made.rearch.run("lock", "--prune")
    before = two.read_bytes()
    assert "has no list of versions" in made.rearch.run("bump", "two", code=2).err
    made.rearch.run("bump", "two", "--to", "9", code=None)
    assert two.read_bytes() == before
    made.rearch.run("bump", "two", "--to", "1.1")
    wanted = before.replace(b"version: 1.0", b"version: 1.1").replace(sums[0].encode(), sums[1].encode())
    assert two.read_bytes() == wanted
    made.rearch.run("lock", "--check")


def test_a_folder_of_the_project_has_no_version(made: Maintained) -> None:
    two = made.project / "recipes/demo/two.yaml"
    write_file(made.project / "recipes/demo/src/go.mod", "module x\n")
    change(two, '{git: https://git.example.org/upstream/two, ref: "${{ version }}"}', "{path: src}")
    assert "folder of the project" in made.rearch.run("bump", "two", "--to", "v2", code=2).err
