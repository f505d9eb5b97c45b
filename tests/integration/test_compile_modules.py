"""The modules and generate steps with the real Go, a module proxy made of files, and the compile that follows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.formats.tree import tree_digest
from rearch.model.step import GenerateInputs, ModulesInputs, StepKind
from rearch.steps.compile_errors import CompileFailed
from rearch.steps.generate import GenerateFailed, run_generate
from rearch.steps.modules import ModuleMismatch, ModulesFailed, ModulesUnreachable, run_modules
from rearch.steps.ports import Need, Outcome
from tests.support.compiling import PLACE, Bench, compiler_caches, go_need, source_need
from tests.support.module_proxy import add_module
from tests.support.workspace import make_need, make_workspace

MAIN = 'package main\n\nimport "example.org/greet"\n\nfunc main() { greet.Say() }\n'
GREET = {"greet.go": "package greet\n\nfunc Say() { println(`from the proxy`) }\n"}
BARE_MOD = f"module {PLACE}\n\ngo 1.21\n"
GO_MOD = BARE_MOD + "\nrequire example.org/greet v1.2.0\n"


class Modules:
    """A proxy with one module, and the step that downloads from it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.proxy = base / "proxy"
        self.go_sum = add_module(self.proxy, "example.org/greet", "v1.2.0", GREET)

    def source(self, **changes: str) -> Need:
        files = {"main.go": MAIN, "go.mod": GO_MOD, "go.sum": self.go_sum} | changes
        return source_need(self.base / f"source-{len(tuple(self.base.glob('source-*')))}", files)

    def download(self, source: Need, proxy: str = "", environment: Mapping[str, str] | None = None) -> Outcome:
        inputs = ModulesInputs(place=PLACE, directory=".", proxy=proxy or f"file://{self.proxy}", sumdb="off")
        go = go_need(self.base / f"go-{len(tuple(self.base.glob('go-*')))}")
        self.work = make_workspace(self.base, needs={"source": source, "go": go}, caches=compiler_caches())
        return run_modules(inputs, self.work, environment or {})

    @property
    def need(self) -> Need:
        return make_need(self.work.files, StepKind.MODULES)


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    return Modules(tmp_path)


def test_downloaded_once_compiled_without_network(modules: Modules, tmp_path: Path) -> None:
    source = modules.source()
    outcome = modules.download(source)
    assert outcome.facts["modules"] == ["example.org/greet@v1.2.0"]
    need, before = modules.need, tree_digest(modules.work.files)
    bench = Bench(tmp_path / "compile", needs={"modules": need})
    bench.compile(source)
    assert b"from the proxy" in bench.binary("tool").read_bytes()
    assert tree_digest(need.files) == before, "compiling must not write into the modules"


def test_the_same_modules_give_the_same_tree(modules: Modules) -> None:
    digests = set()
    for _ in range(2):
        modules.download(modules.source())
        digests.add(tree_digest(modules.work.files))
    assert len(digests) == 1


def test_the_source_is_not_written_to(modules: Modules) -> None:
    source = modules.source(**{"go.sum": ""})
    before = tree_digest(source.files)
    modules.download(source)
    assert tree_digest(source.files) == before


def test_without_go_sum_the_compile_refuses(modules: Modules, tmp_path: Path) -> None:
    source = modules.source(**{"go.sum": ""})
    modules.download(source)
    with pytest.raises(CompileFailed) as caught:
        Bench(tmp_path / "compile", needs={"modules": modules.need}).compile(source)
    assert "missing go.sum entry" in caught.value.output
    assert "go.sum" in str(caught.value.hint)


def test_other_content_than_go_sum_says_is_exit_3(modules: Modules) -> None:
    source = modules.source()
    add_module(modules.proxy, "example.org/greet", "v1.2.0", {"greet.go": "package greet\n\nfunc Say() {}\n"})
    with pytest.raises(ModuleMismatch) as caught:
        modules.download(source)
    assert caught.value.exit_code is ExitCode.VERIFICATION


def test_a_version_that_is_not_there_is_no_time_out(modules: Modules) -> None:
    with pytest.raises(ModulesFailed) as caught:
        modules.download(modules.source(**{"go.mod": GO_MOD.replace("v1.2.0", "v1.3.0")}))
    assert caught.value.exit_code is ExitCode.FAILED


def test_a_proxy_that_does_not_answer_is_exit_75(modules: Modules) -> None:
    with pytest.raises(ModulesUnreachable) as caught:
        modules.download(modules.source(), "http://127.0.0.1:1")
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert "go.proxy" in str(caught.value.hint)


@pytest.mark.parametrize(
    "changes",
    [{"go.mod": BARE_MOD}, {"vendor/modules.txt": "# example.org/greet v1.2.0\n## explicit\n"}],
    ids=["no-requirements", "vendored"],
)
def test_nothing_to_download_starts_nothing(modules: Modules, changes: dict[str, str]) -> None:
    outcome = modules.download(modules.source(**changes), "http://127.0.0.1:1")
    assert outcome.facts["modules"] == []
    assert tuple((modules.work.files / "modcache").iterdir()) == ()


GENERATOR = """//go:build ignore

package main

import "os"

func main() {
	os.WriteFile("made.go", []byte("package main\\n\\nvar made = `made by generate`\\n"), 0o644)
}
"""
USER = "package main\n\n//go:generate go run gen.go\n\nfunc main() { println(made) }\n"


def generate(base: Path, source: Need, *commands: tuple[str, ...], directory: str = ".") -> Need:
    """The generate step; the answer is its result."""
    inputs = GenerateInputs(place=PLACE, directory=directory, commands=commands, env={"OWN": "words"})
    work = make_workspace(base, needs={"source": source, "go": go_need(base / "go")}, caches=compiler_caches())
    outcome = run_generate(inputs, work)
    return make_need(work.files, StepKind.GENERATE, facts=outcome.facts)


def test_generate_works_on_a_copy(tmp_path: Path) -> None:
    source = source_need(tmp_path / "source", {"main.go": USER, "gen.go": GENERATOR, "go.mod": BARE_MOD})
    before = tree_digest(source.files)
    need = generate(tmp_path, source, ("go", "generate", "./..."), ("sh", "-c", "echo $OWN >> gen.go"))
    assert tree_digest(source.files) == before
    assert (need.files / "gopath/src" / PLACE / "gen.go").read_text().endswith("words\n")
    bench = Bench(tmp_path / "compile")
    bench.compile(need)
    assert b"made by generate" in bench.binary("tool").read_bytes()


def test_a_failed_command_is_named(tmp_path: Path) -> None:
    source = source_need(tmp_path / "source", {"main.go": USER})
    with pytest.raises(GenerateFailed) as caught:
        generate(tmp_path, source, ("sh", "-c", "echo a reason; exit 7"))
    assert caught.value.exit == 7
    assert "a reason" in caught.value.details
