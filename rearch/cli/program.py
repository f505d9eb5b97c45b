"""The namespace, and the console script `rearch`."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from invoke import Argument, Collection, Config, Exit, ParseError, Program

from rearch import __version__
from rearch.cli import build as build_tasks
from rearch.cli import care
from rearch.cli import images as image_tasks
from rearch.cli import manifest as manifest_tasks
from rearch.cli import publish as publish_tasks
from rearch.errors import ExitCode


def collection() -> Collection:
    """Every task, in the order of the work."""
    tasks = Collection()
    each: Any  # what @task makes; invoke types it as the function that it was made from
    for each in (
        build_tasks.build,
        build_tasks.plan,
        build_tasks.lock,
        image_tasks.audit,
        image_tasks.validate,
        publish_tasks.publish,
        manifest_tasks.manifest,
        manifest_tasks.inspect,
        care.fixes,
        care.schema,
        care.doctor,
        care.clean,
        care.gc,
    ):
        tasks.add_task(each)
    return tasks


class Rearch(Program):
    """invoke's program with `--project DIR` before the task's name too."""

    def core_args(self) -> list[Argument]:
        project = Argument(name="project", help="The project's folder (it holds recipes/).", default="")
        return [*super().core_args(), project]

    def parse_tasks(self) -> None:
        """As invoke does, but a misspelt flag or task is a usage error, with the nearest name."""
        try:
            super().parse_tasks()
        except ParseError as error:
            raise Exit(_misspelt(error, sorted(self.collection.task_names)), code=int(ExitCode.USAGE)) from None

    def update_config(self, merge: bool = True) -> None:
        super().update_config(merge=False)
        if self.args.project.value:
            os.environ["REARCH_PROJECT"] = self.args.project.value
        if merge:
            self.config.merge()


def _misspelt(error: ParseError, tasks: list[str]) -> str:
    """The text for words that the command line does not know."""
    import difflib
    import re

    word = re.search(r"'(.*)'", str(error))
    context = error.context
    names = [flag for flag in context.flags if flag.startswith("--")] if context and context.name else tasks
    near = difflib.get_close_matches(word[1].partition("=")[0], names, n=1) if word else []
    where = f"{context.name} " if context and context.name else ""
    hint = f"did you mean {near[0]}?" if near else f"`rearch {where}--help`"
    return f"error: {str(error).rstrip('!')}\nhint: {hint}"


def main() -> NoReturn:
    """Entry point of the console script."""
    program = Rearch(name="rearch", binary="rearch", namespace=collection(), version=__version__, config_class=Config)
    program.run()
    sys.exit(ExitCode.OK)
