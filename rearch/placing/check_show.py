"""The check as a table for people and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rearch.placing.check import Fit, HostFit, ServiceCheck

_HEAD = ("SERVICE", "IMAGE", "FOR", "HOSTS")
_MARKS = {Fit.RUNS: "", Fit.MAYBE: " (perhaps)", Fit.CANNOT: " (CANNOT)", None: " (?)"}


def check_lines(checks: Sequence[ServiceCheck]) -> Iterator[str]:
    """A line for each service, the problems and doubts below."""
    rows = [_HEAD, *(_row(check) for check in checks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
    for check in checks:
        yield from (f"WRONG   {check.service}: {problem}" for problem in check.problems)
    for check in checks:
        yield from (f"doubt   {check.service}: {doubt}" for doubt in check.doubts)


def check_document(checks: Sequence[ServiceCheck]) -> dict[str, list[dict[str, object]]]:
    """The same, for `--json`: `{"services": [...]}`."""
    return {"services": [_entry(check) for check in checks]}


def _row(check: ServiceCheck) -> tuple[str, str, str, str]:
    platforms = ", ".join(check.facts.platforms) or ("?" if check.facts.error else "-")
    return check.service, check.image, platforms, ", ".join(map(_host, check.hosts)) or "-"


def _host(host: HostFit) -> str:
    return f"{host.host}{_MARKS[host.fit]}"


def _entry(check: ServiceCheck) -> dict[str, object]:
    return {
        "service": check.service,
        "image": check.image,
        "platforms": list(check.facts.platforms),
        "error": check.facts.error.summary if check.facts.error else None,
        "hosts": [
            {"host": host.host, "platform": str(host.platform), "fit": host.fit.value if host.fit else "unknown"}
            for host in check.hosts
        ],
        "problems": list(check.problems),
        "doubts": list(check.doubts),
    }
