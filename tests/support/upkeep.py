"""A project with one git upstream that has several releases, for bumps and patches."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import Cli
from tests.support.go_project import make_go_project, program_files, write_file
from tests.support.repositories import Repository

LINES = "".join(f"line {number}\n" for number in range(1, 31))


@dataclass(frozen=True)
class Maintained:
    """`rearch` runs in the project; `one` is the upstream of the component demo/one."""

    rearch: Cli
    one: Repository

    @property
    def project(self) -> Path:
        return self.rearch.project

    @property
    def recipe(self) -> Path:
        return self.project / "recipes/demo/one.yaml"

    @property
    def lock(self) -> Path:
        return self.project / "rearch.lock"

    @property
    def patches(self) -> Path:
        return self.project / "recipes/demo/patches/one"

    @property
    def tree(self) -> Path:
        return self.project / "output/patches/demo/one"

    def release(self, tag: str, message: str, **files: str) -> str:
        """A commit with the usual files and these (`_` for `.` in names), and its tag."""
        named = {name.replace("_", "."): text for name, text in files.items()}
        commit = self.one.commit({**program_files("one"), "lines": LINES, **named}, message)
        self.one.tag(tag)
        return commit

    def series(self, text: str, **patches: str) -> None:
        write_file(self.patches / "series", text)
        for name, data in patches.items():
            write_file(self.patches / f"{name}.patch", data)

    def state(self) -> dict[str, bytes]:
        """Everything that is under version control in a project."""
        files = [self.lock, *(self.project / "recipes").rglob("*")]
        return {str(path.relative_to(self.project)): path.read_bytes() for path in files if path.is_file()}

    def git(self, *words: str) -> str:
        """git in the worktree, as a user has it."""
        argv = ["git", "-c", "user.name=U", "-c", "user.email=u@example.org", *words]
        return subprocess.run(argv, cwd=self.tree, check=True, capture_output=True, text=True).stdout


def make_maintained(root: Path, *, stack: str = "") -> Maintained:
    """Locked at v1.0.0; its recipe is full of comments."""
    project = make_go_project(root / "project", components=("one", "two"), upstreams=root / "upstreams")
    one = Repository(root / "upstreams/one")
    made = Maintained(Cli(project, root / "cache"), one)
    made.release("v1.0.0", "with lines")
    text = made.recipe.read_text().replace("version: v1.0.0", "\n# Never v1.0.0-rc1.\nversion:   'v1.0.0'   # v1.0.0!")
    made.recipe.write_text(f"# one\n{text}\n# the end\n")
    made.rearch.run("lock")
    return made


def line_patch(number: int, text: str, header: str = "") -> str:
    """A patch that changes one line of `lines`, with three lines of context, as diff -u writes it."""
    before = [f" line {n}\n" for n in range(number - 3, number)]
    after = [f" line {n}\n" for n in range(number + 1, number + 4)]
    body = "".join([*before, f"-line {number}\n", f"+{text}\n", *after])
    return (
        f"{header}--- a/lines\t2020-01-01\n+++ b/lines\t2020-01-02\n@@ -{number - 3},7 +{number - 3},7 @@ here\n{body}"
    )
