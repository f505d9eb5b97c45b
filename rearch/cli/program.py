"""The namespace, and the console script `rearch`."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from invoke import Argument, Collection, Config, Exit, ParseError, Program

from rearch import __version__
from rearch.cli import build as build_tasks
from rearch.cli import bump as bump_tasks
from rearch.cli import bundle as bundle_tasks
from rearch.cli import care
from rearch.cli import check as check_tasks
from rearch.cli import images as image_tasks
from rearch.cli import manifest as manifest_tasks
from rearch.cli import new as new_tasks
from rearch.cli import nightly as nightly_tasks
from rearch.cli import overlay as overlay_tasks
from rearch.cli import patch as patch_tasks
from rearch.cli import place as place_tasks
from rearch.cli import publish as publish_tasks
from rearch.cli import rehearse as rehearse_tasks
from rearch.cli import report as report_tasks
from rearch.cli import setup as setup_tasks
from rearch.cli import upkeep as upkeep_tasks
from rearch.cli import volumes as volume_tasks
from rearch.cli.completion import meet_completion, two_words
from rearch.cli.door import no_more_output
from rearch.cli.groups import HELP, meet_group, nearest
from rearch.errors import ExitCode


def collection() -> Collection:
    """Every task, in the order of the work."""
    tasks = Collection()
    each: Any  # what @task makes; invoke types it as the function that it was made from
    for each in (
        build_tasks.build,
        build_tasks.plan,
        build_tasks.lock,
        upkeep_tasks.outdated,
        upkeep_tasks.stale,
        new_tasks.new,
        check_tasks.check,
        image_tasks.audit,
        image_tasks.validate,
        publish_tasks.publish,
        bump_tasks.bump,
        report_tasks.report,
        nightly_tasks.nightly,
        volume_tasks.volumes,
        overlay_tasks.overlay,
        manifest_tasks.manifest,
        manifest_tasks.inspect,
        rehearse_tasks.rehearse,
        setup_tasks.setup,
        care.fixes,
        care.schema,
        care.doctor,
        care.clean,
        care.gc,
    ):
        tasks.add_task(each)
    tasks.add_collection(bundle_tasks.namespace())
    tasks.add_collection(place_tasks.namespace())
    tasks.add_collection(patch_tasks.namespace())
    return tasks


class Rearch(Program):
    """invoke's program with `--project DIR` before the task's name too."""

    def core_args(self) -> list[Argument]:
        project = Argument(name="project", help="The project's folder (it holds recipes/).", default="")
        return [*super().core_args(), project]

    def parse_collection(self) -> None:
        """As invoke does; then `place check` is what invoke calls `place.check`: two words, one task."""
        super().parse_collection()
        self.core.unparsed = _words(self)

    def parse_tasks(self) -> None:
        """As invoke does, but a misspelt flag or task is a usage error, with the nearest name."""
        try:
            super().parse_tasks()
        except ParseError as error:
            known = sorted({*self.collection.task_names, *self.collection.collections})
            raise Exit(_misspelt(error, known), code=int(ExitCode.USAGE)) from None

    def update_config(self, merge: bool = True) -> None:
        super().update_config(merge=False)
        if self.args.project.value:
            os.environ["REARCH_PROJECT"] = self.args.project.value
        if merge:
            self.config.merge()


def teach_invoke() -> None:
    """Let plain `invoke` read two words as one task too. For tasks.py, which it loads before it reads the words."""
    parse = Program.parse_tasks

    def parse_tasks(self: Program) -> None:
        self.core.unparsed = _words(self)
        parse(self)

    Program.parse_tasks = parse_tasks  # type: ignore[method-assign]


def _words(program: Program) -> list[str]:
    """What stands behind the flags of rearch itself: two words as one task, and `TASK --help` as `--help TASK`."""
    words, help_for = program.core.unparsed, program.args.help
    tasks = {name for task, others in program.collection.task_names.items() for name in (task, *others)}
    if words and f"{help_for.value}.{words[0]}" in tasks:
        help_for.value = f"{help_for.value}.{words[0]}"
        return words[1:]
    words = two_words(words, tasks)
    meet_group(program, words, help_for.value)
    if len(words) > 1 and words[0] in tasks and words[1] in HELP:
        help_for.value = words[0]  # else a task would take it for the name that it wants
        return words[2:]
    return upkeep_tasks.references_joined(bundle_tasks.without_file(meet_completion(program, words)), tasks)


def _misspelt(error: ParseError, tasks: list[str]) -> str:
    """The text for words that the command line does not know."""
    import re

    word = re.search(r"'(.*)'", str(error))
    context = error.context
    within = context.flags if context and context.name else ()
    names = ["--help", *(flag for flag in within if flag.startswith("--"))] if within else tasks
    near = nearest(word[1].partition("=")[0], names) if word else None
    where = f"{context.name.replace('.', ' ')} " if context and context.name else ""
    hint = f"did you mean {near.replace('.', ' ')}?" if near else f"`rearch {where}--help`"
    return f"error: {_plainly(error)}\nhint: {hint}"


def _plainly(error: ParseError) -> str:
    """invoke's own text, without its cheer and without Python's name of a task."""
    import re

    text = str(error).rstrip("!")
    missing = re.fullmatch(r"'(.+)' did not receive required positional arguments: (.+)", text)
    if missing:
        return f"{missing[1].replace('.', ' ')} wants {missing[2]}".replace("'", "")
    return re.sub(r"^No idea what '(.*)' is$", r"\1: unknown", text)


def main() -> NoReturn:
    """Entry point of the console script."""
    program = Rearch(name="rearch", binary="rearch", namespace=collection(), version=__version__, config_class=Config)
    try:
        try:
            program.run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # `rearch --help | head`: invoke's own answers pass no door
        no_more_output()
        sys.exit(ExitCode.FAILED)
    sys.exit(ExitCode.OK)
