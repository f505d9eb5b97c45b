"""What a record says of versions: the identity of every source and toolchain, and nobody's password."""

from __future__ import annotations

from rearch.engine.run_facts import versions
from rearch.model.plan import Action, Plan, PlannedStep
from rearch.model.source import PinnedArchive, PinnedDebian, PinnedGit, PinnedLocal, PinnedSource
from rearch.model.step import FetchInputs, Inputs, Step, StepId, StepKind
from rearch.reporting.record import Version
from tests.support.plans import go_toolchain
from tests.support.runs import COMMIT


def plan_of(inputs: Inputs, kind: StepKind = StepKind.FETCH) -> Plan:
    step = Step(id=StepId(kind, "demo/one"), inputs=inputs, needs={})
    return Plan(steps=(PlannedStep(step=step, key="k", action=Action.RUN, reason="", document={}),))


def of(source: PinnedSource) -> tuple[str, str, str, str]:
    (found,) = versions(plan_of(FetchInputs(source=source)))
    assert found.component == "demo/one"
    return found.kind, found.version, found.identity, found.url


def test_each_kind_of_source() -> None:
    git = PinnedGit(url="https://example.org/a", ref="v1", commit=COMMIT, time=1)
    assert of(git) == ("git", "v1", COMMIT, "https://example.org/a")
    archive = PinnedArchive(url="https://example.org/a-1.2.tar.gz", sha256="ab", strip=1)
    assert of(archive) == ("archive", "a-1.2.tar.gz", "ab", "https://example.org/a-1.2.tar.gz")
    debian = PinnedDebian(package="runc", version="1.1-2", time=1, files=(), build_packages=())
    assert of(debian) == ("debian", "runc 1.1-2", "1.1-2", "runc")
    assert of(PinnedLocal(path="src/one", digest="cd")) == ("local", "src/one", "cd", "")


def test_a_login_in_a_url_stays_out() -> None:
    for url in ("https://me:hunter2@example.org/a", "https://hunter2@example.org/a"):
        assert "hunter2" not in str(of(PinnedGit(url=url, ref="v1", commit=COMMIT, time=1)))


def test_a_toolchain() -> None:
    inputs = go_toolchain()
    (found,) = versions(plan_of(inputs, StepKind.TOOLCHAIN))
    assert isinstance(found, Version)
    assert (found.component, found.kind, found.version) == ("go-test", "toolchain", "1.27.3")
    assert len(found.identity) == 64
