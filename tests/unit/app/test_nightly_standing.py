"""Which components are asked for before a night's build, and with which digests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rearch.app.nightly_build import remaining
from rearch.app.nightly_standing import Standing, _helpers, _wanted
from rearch.app.request import Request
from rearch.model.plan import Plan
from rearch.model.stack import Component
from rearch.model.step import Step, StepKind
from rearch.planning.facts import Rendered
from rearch.planning.graph import steps_of
from rearch.planning.planner import make_plan
from tests.support.plans import AMD64, ARM64, MemoryView, component, facts


def _render(template: str, values: Mapping[str, Any]) -> Rendered:
    return Rendered(path=template, text=f"FROM scratch\nENV {values['env']}\n")


def _image(**changes: Any) -> dict[str, Any]:
    return {"repository": "hello", "files": [{"binary": "hello", "to": "/hello"}]} | changes


def _planned(view: MemoryView, *components: Component, **changes: Any) -> tuple[tuple[Step, ...], Plan]:
    steps = steps_of(components, facts(*components, render=_render, **changes))
    return steps, make_plan(steps, view)


def test_only_what_would_be_made_is_asked_for() -> None:
    hello = component(platforms=(ARM64, AMD64), image=_image())
    view = MemoryView()
    steps, plan = _planned(view, hello)
    (wanted,) = _wanted((hello,), steps, plan)
    assert (wanted.component, wanted.repository, wanted.docker) == ("test/hello", "hello", False)
    assert {*wanted.made_from} == {"linux/amd64", "linux/arm64"}
    view.did(plan)
    assert [*_wanted((hello,), *_planned(view, hello))] == []


def test_a_check_alone_is_run_and_not_asked_for() -> None:
    view = MemoryView()
    hello = component(image=_image())
    view.did(_planned(view, hello)[1])
    checked = component(image=_image(), smoke=[{"run": ["hello", "--help"]}])
    steps, plan = _planned(view, checked)
    assert {planned.step.id.kind for planned in plan.to_run} == {StepKind.SMOKE, StepKind.INDEX}
    assert [*_wanted((checked,), steps, plan)] == []


def test_images_of_dockers_types_are_asked_for_by_their_own_digest() -> None:
    hello = component(image=_image(media_types="docker"))
    steps, plan = _planned(MemoryView(), hello)
    (wanted,) = _wanted((hello,), steps, plan)
    assert wanted.docker
    assert wanted.made_from["linux/arm64"].startswith("sha256:")


def test_a_component_without_an_image_goes_with_all_images_that_take_its_programs() -> None:
    takes = _image(files=[{"binary": "helper", "component": "helper", "to": "/usr/bin/"}])
    helper, one, two = component("helper"), component("one", image=takes), component("two", image=takes)
    every = (helper, one, two, component("alone"))
    assert [*_helpers(every, {"test/one", "test/two"})] == ["test/helper"]
    assert [*_helpers(every, {"test/one"})] == []


def test_what_is_left_to_build() -> None:
    request = Request(project=Path("/p"), only=("x",))
    assert remaining(request, ("s/a", "s/b"), Standing()) is request
    left = remaining(request, ("s/a", "s/b"), Standing(components=("s/a",)))
    assert left is not None
    assert left.only == ("s/b",)
    assert remaining(request, ("s/a",), Standing(components=("s/a",))) is None
