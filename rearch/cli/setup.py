"""The task that lets somebody else press the button every night: setup."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, task

from rearch.cli.door import answer, environment, guarded, no_flag, project_root, say, words
from rearch.errors import UsageError

if TYPE_CHECKING:
    from rearch.app.setup import SetupPlan


@task(
    auto_shortflags=False,
    positional=["kind"],
    iterable=["to"],
    help={
        "kind": "systemd, cron, github, gitlab or jenkins",
        "at": "when, as 02:30; GitHub's clock is UTC, the others' is their own",
        "user": "systemd, cron: who runs it; default: the owner of the project's folder",
        "name": "systemd, cron: the units' name; a second project on one machine needs one of its own",
        "mail": "cron: whom to write to when a run did not end well; default: the user",
        "install": "CI: what pip installs, as rearch==1.2 or git+https://...; default: this version, or the checkout",
        "stack": "stacks to build; default: what the project says",
        "to": "where to publish: registry/prefix, or oci:FOLDER; may be given again; default: what the stacks say",
        "publish": "without: build, check and report alone",
        "out": "the folder to write to; default: setup/KIND in the project, for CI the repository's root",
        "force": "write over what is there",
        "print": "print the files, and write nothing",
        "project": "the project's folder; default: the one around here",
    },
)
@guarded
def setup(
    context: Context,
    kind: str,
    to: list[str],
    at: str = "02:30",
    user: str = "",
    name: str = "rearch-nightly",
    mail: str = "",
    install: str = "",
    stack: str = "",
    publish: bool = True,
    out: str = "",
    force: bool = False,
    print_: bool = False,
    project: str = "",
) -> None:
    """Write units or a CI file that run `rearch nightly` every night, from templates; what is there is not touched."""
    no_flag(kind, "setup")
    from msgspec.structs import replace

    from rearch.app.request import Request
    from rearch.app.setup import plan_setup
    from rearch.app.setup_facts import SetupOrder
    from rearch.model.setup import kind_of

    who = SetupOrder(kind=kind_of(kind), program=_program(), at=at, user=user, name=name, mail=mail, install=install)
    places = tuple(word for text in to for word in text.split(","))
    order = replace(who, out=Path(out) if out else None, stacks=words(stack), to=places, publish=publish)
    if print_ and (out or force):
        raise UsageError("--print writes nothing: --out and --force mean nothing with it")
    request = Request(project=project_root(context, project), stacks=order.stacks or None, environment=environment())
    plan = plan_setup(request, order)
    if print_:
        _print(plan)
    else:
        _write(plan, force=force)
    _tell(plan)


def _program() -> tuple[str, ...]:
    """How a service starts what runs now: the script beside Python, else the module."""
    script = Path(sys.executable).parent / "rearch"
    return (str(script),) if script.is_file() else (sys.executable, "-m", "rearch")


def _print(plan: SetupPlan) -> None:
    """One file as it is, so that it can be piped on; several with a line before each."""
    for number, file in enumerate(plan.files):
        if len(plan.files) > 1:
            answer(f"{chr(10) if number else ''}### {plan.folder / file.path} (mode {file.mode:04o})")
        answer(file.text.rstrip("\n"))


def _write(plan: SetupPlan, *, force: bool) -> None:
    from rearch.app.setup import write_setup

    done = write_setup(plan, force=force)
    for path in done.wrote:
        answer(str(path))
    for path in done.same:
        say(f"{path}: as it should be already")


def _tell(plan: SetupPlan) -> None:
    for note in plan.notes:
        say(f"note: {note}")
    if plan.next_steps:
        say("next:")
    for step in plan.next_steps:
        say(f"  {step}")
