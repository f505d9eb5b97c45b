"""What runs, what is reused, and the reason in words."""

from __future__ import annotations

from typing import Any

import pytest

from rearch.model.plan import Action, Plan
from rearch.model.step import StepKind
from rearch.planning.graph import UnknownFix, steps_of
from rearch.planning.names import wanted_names
from rearch.planning.planner import make_plan
from rearch.planning.show import plan_lines
from rearch.planning.why import differences, reason_from
from tests.support.plans import AMD64, ARM64, MemoryView, component, facts, go_toolchain
from tests.support.snapshots import assert_snapshot


def _plan(view: MemoryView, *components: Any, **changes: Any) -> Plan:
    return make_plan(steps_of(components, facts(*components, **changes)), view)


def _running(plan: Plan) -> dict[str, str]:
    return {str(planned.step.id): planned.reason for planned in plan.to_run}


def test_first_build_runs_everything_in_the_order_of_the_needs() -> None:
    plan = _plan(MemoryView(), component(platforms=(ARM64, AMD64)))
    seen: set[object] = set()
    for planned in plan.steps:
        assert planned.action is Action.RUN
        assert planned.reason == "not made yet"
        assert set(planned.step.needs.values()) <= seen
        seen.add(planned.step.id)
    assert_snapshot("plan-first.txt", "\n".join(plan_lines(plan)) + "\n")


def test_second_build_has_nothing_to_do() -> None:
    view = MemoryView()
    view.did(_plan(view, component()))
    plan = _plan(view, component())
    assert plan.to_run == ()
    assert list(plan_lines(plan)) == ["nothing to do: all 6 steps are made from the same inputs"]


def test_a_changed_edit_is_named_and_only_what_depends_on_it_runs() -> None:
    view = MemoryView()
    other = component("other")
    view.did(_plan(view, component(), other))
    edits = [{"file": "main.go", "pattern": "a", "replace": "c", "why": "tests"}]
    assert _running(_plan(view, component(edits=edits), other)) == {
        "patch test/hello": "edit 1 of main.go changed",
        "compile test/hello linux/arm64": "patch test/hello is new",
        "verify test/hello linux/arm64": "compile test/hello is new",
        "smoke test/hello linux/arm64": "compile test/hello is new; verify test/hello is new",
    }


def test_another_toolchain_says_so() -> None:
    view = MemoryView()
    view.did(_plan(view, component()))
    running = _running(_plan(view, component(), toolchains={"go-test": go_toolchain("1.26.0")}))
    assert running["toolchain go-test"] == "the version changed and the sha256 changed"
    assert running["compile test/hello linux/arm64"] == "the Go version changed"


def test_what_nobody_reads_is_not_made_again() -> None:
    view = MemoryView()
    first = _plan(view, component())
    view.did(first)
    view.present -= {planned.key for planned in first.steps if planned.step.id.kind in (StepKind.FETCH, StepKind.PATCH)}
    plan = _plan(view, component())
    assert plan.to_run == ()
    assert {planned.step.id.kind for planned in plan.steps} == {
        StepKind.TOOLCHAIN,
        StepKind.COMPILE,
        StepKind.VERIFY,
        StepKind.SMOKE,
    }


def test_binaries_that_are_made_again_are_checked_again() -> None:
    view = MemoryView()
    first = _plan(view, component())
    view.did(first)
    view.present -= {planned.key for planned in first.steps if planned.step.id.kind is StepKind.COMPILE}
    plan = _plan(view, component())
    assert _running(plan) == {
        "compile test/hello linux/arm64": "its result is no longer in the store",
        "verify test/hello linux/arm64": "what it checks is made again",
        "smoke test/hello linux/arm64": "what it checks is made again",
    }
    assert {str(planned.step.id) for planned in plan.steps if planned.again} == {
        "verify test/hello linux/arm64",
        "smoke test/hello linux/arm64",
    }


def test_a_changed_generate_command_is_named() -> None:
    view = MemoryView()
    go = {"layout": "gopath", "binaries": {"hello": "."}, "generate": [["sh", "-c", "echo a"], ["true"]]}
    view.did(_plan(view, component(build={"toolchain": "go-test", "go": go})))
    other = go | {"generate": [["sh", "-c", "echo b"], ["true"]]}
    running = _running(_plan(view, component(build={"toolchain": "go-test", "go": other})))
    assert running["generate test/hello linux/arm64"] == "a generate command changed"


def test_a_lost_binary_brings_back_what_it_needs() -> None:
    view = MemoryView()
    first = _plan(view, component())
    view.did(first)
    lost = {StepKind.FETCH, StepKind.PATCH, StepKind.COMPILE}
    view.present -= {planned.key for planned in first.steps if planned.step.id.kind in lost}
    running = _running(_plan(view, component()))
    assert {step for step, reason in running.items() if reason == "its result is no longer in the store"} == {
        "fetch test/hello",
        "patch test/hello",
        "compile test/hello linux/arm64",
    }


def test_an_emulator_that_appears_runs_smoke_alone() -> None:
    view = MemoryView()
    view.did(_plan(view, component(), emulators={ARM64: "missing"}))
    assert _running(_plan(view, component())) == {"smoke test/hello linux/arm64": "the emulator changed"}


def test_the_same_work_has_one_key_whatever_it_is_called() -> None:
    steps = steps_of(
        (component("a", source={"git": "https://example.org/x", "ref": "v1.0"}),),
        facts(component("a", source={"git": "https://example.org/x", "ref": "v1.0"})),
    )
    again = steps_of(
        (component("b", source={"git": "https://example.org/x", "ref": "v1.0"}),),
        facts(component("b", source={"git": "https://example.org/x", "ref": "v1.0"})),
    )
    keys = [
        next(planned.key for planned in make_plan(each, MemoryView()).steps if planned.step.id.kind is StepKind.FETCH)
        for each in (steps, again)
    ]
    assert keys[0] == keys[1]


def test_explain_shows_the_fields() -> None:
    view = MemoryView()
    view.did(_plan(view, component()))
    edits = [{"file": "main.go", "pattern": "a", "replace": "c", "why": "tests"}]
    plan = _plan(view, component(edits=edits))
    assert "         inputs.edits[0].replace: 'b' -> 'c'" in list(plan_lines(plan, view))


def test_an_unknown_fix_lists_what_is_known() -> None:
    with pytest.raises(UnknownFix) as caught:
        _plan(MemoryView(), component(fixes=["no-such-fix"]))
    assert "no-such-fix" in caught.value.summary


def test_names_are_wanted_once_and_say_by_whom() -> None:
    from rearch.model.stack import Stack

    source = {"git": "https://example.org/x", "ref": "v1.0"}
    stack = Stack(
        name="test",
        summary="",
        platforms=(ARM64,),
        components=(component("b", source=source), component("a", source=source)),
    )
    assert [(str(want.name), want.needed_by) for want in wanted_names([stack])] == [
        ("git https://example.org/x v1.0", ("test/a", "test/b"))
    ]


def test_the_reason_names_the_line_of_a_dockerfile_and_the_package_of_a_base() -> None:
    before = {"inputs": {"dockerfile": "FROM base\nLABEL a=1\n"}, "needs": {}}
    after = {"inputs": {"dockerfile": "# new\nFROM base\nLABEL a=2\n"}, "needs": {}}
    found = differences(before, after)
    assert [str(one) for one in found] == [
        "inputs.dockerfile[1]: (nothing) -> '# new'",
        "inputs.dockerfile[3]: 'LABEL a=1' -> 'LABEL a=2'",
    ]
    step = steps_of([component()], facts(component()))[0]
    assert reason_from(step, found, after) == "line 1 of the Dockerfile changed and line 3 of the Dockerfile changed"
    old = {"inputs": {"origin": {"packages": [{"name": "haproxy", "version": "1"}]}}, "needs": {}}
    new = {"inputs": {"origin": {"packages": [{"name": "haproxy", "version": "2"}]}}, "needs": {}}
    assert reason_from(step, differences(old, new), new) == "package haproxy changed"
