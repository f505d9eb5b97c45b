"""The audit step: what it leaves, and what it stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rearch.errors import ExitCode
from rearch.model.platform import parse_platform
from rearch.model.step import StepKind
from rearch.model.step_images import AuditInputs
from rearch.oci.layout import read_image
from rearch.steps.audit import AuditFailed, run_audit
from rearch.steps.ports import Outcome, Workspace
from tests.support.elves import make_elf
from tests.support.layouts import File, Thing, make_image
from tests.support.workspace import log_of, make_need, make_workspace

ARM64, AMD64 = parse_platform("arm64"), parse_platform("amd64")
RIGHT, WRONG = make_elf(ARM64), make_elf(AMD64)


def workspace(base: Path, *things: Thing, **more: Any) -> Workspace:
    make_image(base / "image", ARM64, [list(things)], **more)
    return make_workspace(base, needs={"image": make_need(base / "image", StepKind.IMAGE)})


def audit(work: Workspace, **allowed: str) -> Outcome:
    patterns = {f"/{name}": reason for name, reason in allowed.items()}
    return run_audit(AuditInputs(platform=ARM64, allowed=patterns), work)


def test_an_image_that_is_right(tmp_path: Path) -> None:
    work = workspace(tmp_path, File("app", RIGHT), File("odd", WRONG), File("s", b"#!/none\n"), File("t", b"#!/none\n"))
    outcome = audit(work, odd="firmware")
    layer = read_image(work.needs["image"].files).manifest.layers[0].digest[:19]
    warning = f"2 scripts want /none, which is not in the image: /s, /t from layer 1 ({layer})"
    assert outcome.facts == {
        "outcome": "passed",
        "elves": 2,
        "nested": 0,
        "hidden": 0,
        "files": 4,
        "layers": 1,
        "warnings": [warning],
        "allowed": ["/odd: firmware"],
    }
    assert outcome.note == warning
    assert "allowed: /odd: machine: found x86_64" in log_of(work)
    assert list((work.caches / "audit").rglob("*.json"))


def test_a_planted_file_stops_it_with_exit_3(tmp_path: Path) -> None:
    work = workspace(tmp_path, File("app", RIGHT), File("usr/lib/evil.so", make_elf(AMD64, kind="shared")))
    with pytest.raises(AuditFailed) as caught:
        audit(work)
    error = caught.value
    assert error.exit_code is ExitCode.VERIFICATION
    assert error.summary == "the image is not right for linux/arm64: 1 file"
    assert error.details[0].startswith("/usr/lib/evil.so: machine: found x86_64")
    assert "from layer 1 (sha256:" in error.details[1]
    assert "`image: {audit: [{path: /usr/lib/evil.so, reason: ...}]}`" in (error.hint or "")
    assert "error: /usr/lib/evil.so" in log_of(work)


def test_many_files_are_all_in_the_log(tmp_path: Path) -> None:
    work = workspace(tmp_path, *(File(f"bin/{number:03}", WRONG) for number in range(60)))
    with pytest.raises(AuditFailed) as caught:
        audit(work)
    assert caught.value.details[-1] == "... and 20 more; the log has them all"
    assert "/bin/059" in log_of(work)


def test_the_hint_for_a_missing_library(tmp_path: Path) -> None:
    dynamic = make_elf(ARM64, kind="pie", interpreter=ARM64.arch.glibc_loader, needed=("libc.so.6",))
    with pytest.raises(AuditFailed, match="not right") as caught:
        audit(workspace(tmp_path, File("app", dynamic)))
    assert "image.base.packages" in (caught.value.hint or "")
    assert [finding.kind for finding in caught.value.report.errors] == ["interpreter", "library"]


def test_an_image_of_another_platform(tmp_path: Path) -> None:
    make_image(tmp_path / "image", AMD64, [[File("app", RIGHT)]])
    work = make_workspace(tmp_path, needs={"image": make_need(tmp_path / "image", StepKind.IMAGE)})
    with pytest.raises(AuditFailed) as caught:
        audit(work)
    assert "platform: found linux/amd64, wanted linux/arm64" in caught.value.render()
    assert "take a base of this platform" in (caught.value.hint or "")
