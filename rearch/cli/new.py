"""The task that writes a recipe: new."""

from __future__ import annotations

import sys

from invoke import Context, task

from rearch.cli.build import HELP, make_request
from rearch.cli.door import answer, environment, guarded, no_flag, say


@task(
    auto_shortflags=False,
    positional=["url"],
    help={
        "url": "the git repository: https, ssh or file",
        "ref": "tag, branch or commit; default: the newest version's tag, else the default branch's commit",
        "stack": "the stack that it belongs to; one that is not there is made; default: the only one",
        "name": "the component's name; default: the last word of the URL",
        "print": "print the recipe and write nothing",
        "force": "write over a recipe that is there",
        "no-image": "leave the image out",
    }
    | {name: HELP[name] for name in ("offline", "verbose", "project")},
)
@guarded
def new(
    context: Context,
    url: str,
    ref: str = "",
    stack: str = "",
    name: str = "",
    print: bool = False,
    force: bool = False,
    no_image: bool = False,
    offline: bool = False,
    verbose: bool = False,
    project: str = "",
) -> None:
    """Look at a repository and write a recipe for it that builds, with what is doubtful; pin it in rearch.lock."""
    from rearch.app.new import NewOrder
    from rearch.app.new import new as run
    from rearch.host.progress import reporter

    no_flag(url, "new")
    request = make_request(context, project, None, None, None, None, offline=offline)
    order = NewOrder(url=url, ref=ref, stack=stack, name=name, only_print=print, force=force, image=not no_image)
    report = reporter("plain", sys.stderr, environment(), verbose=verbose, root=request.project)
    result = run(request, order, report)
    if print:
        answer(result.text.rstrip("\n"))
        return
    for file in result.written:
        answer(file)
    for doubt in result.doubts:
        say(f"doubtful: {doubt}")
    say(f"now: rearch build --only {name or result.file.rpartition('/')[2].removesuffix('.yaml')}")
