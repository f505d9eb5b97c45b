"""The audit step: a result of it is what lets an image be named, published and loaded."""

from __future__ import annotations

from collections.abc import Iterator

from rearch.errors import VerificationError
from rearch.model.step_images import AuditInputs
from rearch.oci.audit import AuditReport, Finding, audit_image
from rearch.oci.layout import read_image
from rearch.steps.ports import Outcome, Workspace

PASSED = "passed"
# What an error shows; the log has all of it.
_SHOWN = 40


class AuditFailed(VerificationError):
    """An image with files that are not what it would be published as."""

    def __init__(self, report: AuditReport) -> None:
        self.report = report
        errors = report.errors
        count = f"{len(errors)} file{'s' if len(errors) != 1 else ''}"
        super().__init__(
            f"the image is not right for {report.platform}: {count}",
            [*(line for finding in errors[:_SHOWN] for line in finding.lines()), *_rest(errors)],
            _hint(errors),
        )


def _rest(errors: tuple[Finding, ...]) -> Iterator[str]:
    if len(errors) > _SHOWN:
        yield f"... and {len(errors) - _SHOWN} more; the log has them all"


def _hint(errors: tuple[Finding, ...]) -> str:
    kinds = {finding.kind for finding in errors}
    if kinds == {"config"}:
        return "take a base of this platform, or correct FROM --platform in the template"
    if kinds <= {"library", "interpreter"}:
        return "add the packages that bring them to `image.base.packages`, or link the program static (build.go.cgo)"
    first = next(finding for finding in errors if finding.kind != "config")
    return (
        "replace or leave out these files; what is right all the same is allowed in the recipe, with a reason: "
        f"`image: {{audit: [{{path: {first.path.partition('!')[0]}, reason: ...}}]}}`"
    )


def run_audit(inputs: AuditInputs, work: Workspace) -> Outcome:
    """Audit the image of the role `image`, every layer of it. Facts: `outcome`, `elves`, `nested`, `hidden`, `files`,
    `layers`, `warnings` and `allowed` (lines of the report).

    Errors: AuditFailed with everything that is wrong; those of audit_image for layers that cannot be read.
    """
    layout = work.needs["image"].files
    image = read_image(layout)
    described = image.descriptor.platform
    report = audit_image(
        layout,
        image.manifest,
        inputs.platform,
        inputs.allowed,
        cache=work.caches / "audit",
        described=described.known if described else None,
        digest=image.descriptor.digest,
    )
    for line in report.lines():
        work.say(line)
    if report.errors:
        raise AuditFailed(report)
    return Outcome(facts=_facts(report), note=_note(report))


def _facts(report: AuditReport) -> dict[str, object]:
    return {
        "outcome": PASSED,
        "elves": report.elves,
        "nested": report.nested,
        "hidden": report.hidden,
        "files": report.files,
        "layers": report.layers,
        "warnings": list(_warnings(report)),
        "allowed": [f"{excuse.finding.path}: {excuse.reason}" for excuse in report.excused],
    }


def _note(report: AuditReport) -> str:
    """Warnings are shown when the step ends: one in full, and how many more."""
    lines = tuple(_warnings(report))
    more = f" (and {len(lines) - 1} more warnings, in the log)" if len(lines) > 1 else ""
    return lines[0] + more if lines else ""


def _warnings(report: AuditReport) -> Iterator[str]:
    for finding in report.warnings:
        yield " ".join(line.strip() for line in finding.lines())
