"""The generate step: the recipe's commands in a real copy of the source, on the build host."""

from __future__ import annotations

from pathlib import Path

from rearch.errors import StepError
from rearch.formats.tree import clone_tree
from rearch.model.command import Command, Completed
from rearch.model.step import GenerateInputs
from rearch.steps.compile_environment import base_environment, go_tool, prepare_folders, with_own
from rearch.steps.compile_errors import first_lines
from rearch.steps.compile_tree import find_tree
from rearch.steps.ports import Outcome, Workspace


class GenerateFailed(StepError):
    """A generate command failed. `exit` is None at the time limit."""

    def __init__(self, argv: tuple[str, ...], done: Completed) -> None:
        self.argv = argv
        self.exit = done.exit
        self.output = done.output
        how = "did not end in time" if done.exit is None else f"failed with exit code {done.exit}"
        super().__init__(
            f"generate: `{' '.join(argv)}` {how}",
            first_lines(done.output),
            hint="it runs in the source; PATH has the toolchain's Go, /usr/bin and /bin; go itself downloads nothing",
        )


class NothingToRun(StepError):
    """An empty generate command."""

    def __init__(self) -> None:
        super().__init__("generate: a command is empty", hint="write it as [go, generate, ./...]")


def run_generate(inputs: GenerateInputs, work: Workspace) -> Outcome:
    """Copy the tree (commands may write into its files in place) and run the commands, one after the other.

    Needs: source, go; modules when there are some. Facts: those of the source, which the tree still has.
    Errors: GenerateFailed, NothingToRun, ProtectedVariable.
    """
    need = work.needs["source"]
    clone_tree(need.files / "gopath", work.files / "gopath", how="copy")
    tree = find_tree(inputs, None, work.files, need.result.facts)
    folders = prepare_folders(work)
    go = go_tool(work.needs["go"], work.caches)
    env = with_own(base_environment(go, tree, folders), inputs.env)
    for words in inputs.commands:
        if not words:
            raise NothingToRun
        command = Command(argv=(_program(words[0], go.program), *words[1:]), cwd=tree.folder, env=env)
        done = work.run(command)
        if done.exit != 0:
            raise GenerateFailed(words, done)
    return Outcome(facts={key: value for key, value in need.result.facts.items() if key != "tree"})


def _program(word: str, go: Path) -> str:
    """`go` is the toolchain's: the child's PATH is not what its program is looked up in."""
    return str(go) if word == "go" else word
