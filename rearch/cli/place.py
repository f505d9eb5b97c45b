"""The tasks about placement: `place FILE` writes, `place check FILE` looks. They work outside a project, too."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Collection, Context, task

from rearch.cli.door import PROJECT, answer, environment, guarded, no_flag, project_or_here, say, words
from rearch.errors import UsageError

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.placing.targets import Placed, Target


@task(
    auto_shortflags=False,
    positional=["file"],
    help={
        "file": "the application file (schema/application.json)",
        "for": "cattle, swarm, kubernetes or marathon, or several with commas; default: all",
        "out": "a folder for the files; default: output/place/NAME, and stdout for a single kind of environment",
        "hosts": "a file of hosts (schema/hosts.json): the script labels these",
        "project": PROJECT,
    },
)
@guarded
def write(context: Context, file: str, for_: str = "", out: str = "", hosts: str = "", project: str = "") -> None:
    """Write an application for Cattle, Swarm, Kubernetes and Marathon, and the script that labels the hosts."""
    no_flag(file, "place")
    from rearch.app.place import PlaceOrder, place_application, place_folder, write_placed

    targets = _targets(for_)
    name, placed = place_application(PlaceOrder(file=Path(file), targets=targets, hosts=Path(hosts) if hosts else None))
    _notes(placed)
    if len(placed) == 1 and not out:
        _print(placed[0])
        return
    folder = Path(out) if out else place_folder(_request(context, project), name)
    for path in write_placed(placed, folder, apart=len(placed) > 1):
        answer(str(path))


@task(
    auto_shortflags=False,
    positional=["file"],
    help={
        "file": "the application file (schema/application.json)",
        "hosts": "the file of hosts (schema/hosts.json)",
        "for": "cattle, swarm, kubernetes or marathon, or several: a label that one of them does not take is an error; "
        "default: a note, for any of them",
        "json": "print JSON",
        "offline": "touch no network: each image is then an error",
        "project": PROJECT,
    },
)
@guarded
def check(
    context: Context,
    file: str,
    hosts: str = "",
    for_: str = "",
    json: bool = False,
    offline: bool = False,
    project: str = "",
) -> int:
    """Tell which hosts can take each service, and whether its image in the registry has their platform."""
    no_flag(file, "place.check")
    from rearch.app.place import check_application
    from rearch.placing.check_show import check_document, check_lines

    if not hosts:
        raise UsageError("--hosts is missing", hint="name the file of hosts, as in --hosts hosts.yaml")
    targets = _targets(for_) if for_ else ()
    found = check_application(_request(context, project, offline=offline), Path(file), Path(hosts), targets)
    if json:
        answer(json_format.dumps(check_document(found.checks), indent=1))
    else:
        for line in check_lines(found.checks):
            answer(line)
    for note in found.notes:
        say(f"note: {note}")
    for name, error in found.errors:
        say(error.render("" if name in error.summary else name))
    return int(found.exit_code)


def namespace() -> Collection:
    """`place` itself, and `place.check`, which `rearch` also takes as two words."""
    tasks = Collection("place")
    tasks.add_task(write, default=True)
    tasks.add_task(check)
    return tasks


def _targets(text: str) -> tuple[Target, ...]:
    """Each once, in the order in which they are given. Errors: UnknownTarget."""
    from rearch.placing.targets import Target, target_of

    return tuple(dict.fromkeys(map(target_of, words(text)))) or tuple(Target)


def _notes(placed: tuple[Placed, ...]) -> None:
    for each in placed:
        for note in each.notes:
            say(f"{each.target.value}: {note}")


def _print(placed: Placed) -> None:
    """Files to stdout, so that they can be piped on; the script to stderr."""
    from rearch.app.place import file_text

    for number, file in enumerate(placed.files):
        if len(placed.files) > 1:
            answer(f"{'---' if number else ''}\n# {file.name}".lstrip())
        answer(file_text(file).rstrip("\n"))
    say(placed.labels.rstrip("\n"))


def _request(context: Context, project: str, *, offline: bool = False) -> Request:
    from rearch.app.request import Request

    flags = {"offline": True} if offline else {}
    return Request(project=project_or_here(context, project), flags=flags, environment=environment())
