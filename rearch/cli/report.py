"""The task that tells of the last runs: report."""

from __future__ import annotations

from pathlib import Path

from invoke import Context, task

from rearch.cli.build import HELP, make_request
from rearch.cli.door import answer, guarded, say
from rearch.errors import UsageError


@task(
    auto_shortflags=False,
    help={
        "out": "the page; default: report.html in output/",
        "junit": "also write the last build as JUnit XML",
        "prometheus": "also write metrics for node_exporter's textfile collector (a file that ends in .prom)",
        "markdown": "also write the report for a merge request; - is stdout",
        "json": "print the records of the last build and the last publish",
        "output": "the folder of results, instead of the project's output/",
        "project": HELP["project"],
    },
)
@guarded
def report(
    context: Context,
    out: str = "",
    junit: str = "",
    prometheus: str = "",
    markdown: str = "",
    json: bool = False,
    output: str = "",
    project: str = "",
) -> None:
    """Write report.html and its like again, from the records that builds and publishes have left."""
    from rearch.app.report import ReportOrder, report_documents

    if markdown == "-" and json:
        raise UsageError("--markdown - and --json both want stdout", hint="name a file: --markdown FILE")
    request = make_request(context, project, None, None, None, None, output=output)
    order = ReportOrder(
        page=Path(out) if out else None,
        junit=Path(junit) if junit else None,
        prometheus=Path(prometheus) if prometheus else None,
        markdown=markdown,
        json=json,
    )
    done = report_documents(request, order)
    answer(done.answer)
    for text in done.told:
        say(f"warning: {text}")
