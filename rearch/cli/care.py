"""The tasks around the main job: schema, doctor, clean, gc."""

from __future__ import annotations

from invoke import Context, task

from rearch.cli.door import answer, environment, guarded, project_root


@task(
    auto_shortflags=False,
    help={
        "check": "write nothing; exit 1 when a file differs",
        "project": "the project's folder; default: the one around here",
    },
)
@guarded
def schema(context: Context, check: bool = False, project: str = "") -> int:
    """Write the JSON schemas (schema/) and the reference page (docs/reference.md) from the models."""
    from rearch.app.care import write_schemas

    changed = write_schemas(project_root(context, project), check=check)
    for name in changed:
        answer(f"{'differs' if check else 'wrote'} {name}")
    return 1 if check and changed else 0


@task(
    auto_shortflags=False, help={"json": "print JSON", "project": "the project's folder; default: the one around here"}
)
@guarded
def doctor(context: Context, json: bool = False, project: str = "") -> int:
    """Look at this host: what is there, what is missing, what it is needed for, how to get it."""
    from rearch.app.care import examine_host

    report = examine_host(project_root(context, project), environment(), as_json=json)
    answer(report.text)
    return 1 if report.blocked else 0


@task(auto_shortflags=False, help={"project": "the project's folder; default: the one around here"})
@guarded
def clean(context: Context, project: str = "") -> None:
    """Remove output/. The cache stays: the next build links its results again."""
    from rearch.app.care import clean_output

    answer(clean_output(project_root(context, project), environment()))


@task(
    auto_shortflags=False,
    help={
        "age": "remove what was not used for so long, as 14d",
        "quota": "then the longest unused until this much is left, as 20G",
        "dry-run": "only say what would go",
        "everything": "remove all that no run uses at this moment",
        "project": "the project's folder; default: the one around here",
    },
)
@guarded
def gc(
    context: Context, age: str = "", quota: str = "", dry_run: bool = False, everything: bool = False, project: str = ""
) -> None:
    """Remove results and downloads from the cache: by age (default 30d) and quota, never what is in use."""
    from rearch.app.care import collect

    root = project_root(context, project)
    for line in collect(root, environment(), age=age, quota=quota, dry_run=dry_run, everything=everything):
        answer(line)


@task(auto_shortflags=False)
@guarded
def fixes(context: Context) -> None:
    """List the known ills of old Go programs that `fixes: [NAME]` in a recipe cures."""
    from rearch.app.care import known_fixes

    for line in known_fixes():
        answer(line)
