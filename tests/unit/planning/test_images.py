"""Recipes -> steps for images: what is made, from what, and what the index waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.image import Image
from rearch.model.lock import BaseName, Entry, Lock, NotLocked, PackagesName, PinnedBase, PinnedPackages
from rearch.model.platform import Platform
from rearch.model.source import DebianFile, DebianPackage
from rearch.model.stack import Component, Stack
from rearch.model.step import Step
from rearch.model.step_images import BaseInputs, DebianOrigin, ImageInputs, IndexInputs, RegistryOrigin
from rearch.planning.bases import BaseWithoutPlatform
from rearch.planning.facts import Facts, Rendered
from rearch.planning.graph import steps_of
from rearch.planning.images import ImagesDisagree
from rearch.planning.keys import key_of, keys_of, step_document
from rearch.planning.names import wanted_names
from tests.support.plans import AMD64, ARM64, component, facts

EMPTY = {"toolchain": "go-test", "go": {"binaries": {}}}
SEEN: list[Mapping[str, Any]] = []


def _render(template: str, values: Mapping[str, Any]) -> Rendered:
    SEEN.append(values)
    files = "".join(f"COPY {file['place']} {file['to']}\n" for file in values["files"])
    return Rendered(path=f"templates/{template}", text=f"FROM {values['base']}\n{files}LABEL {values['labels']}\n")


def _image(**changes: Any) -> dict[str, Any]:
    return {"repository": "hello", "files": [{"binary": "hello", "to": "/hello"}]} | changes


def _made(*components: Component, **changes: Any) -> tuple[Facts, dict[str, Step]]:
    SEEN.clear()
    made = facts(*components, render=_render, **changes)
    return made, {str(step.id): step for step in steps_of(components, made)}


def test_the_steps_of_an_image_on_two_platforms() -> None:
    image = _image(smoke=[{"run": ["/hello"]}])
    _, steps = _made(component(platforms=(ARM64, AMD64), image=image))
    here = [name for name in steps if name.split()[0] in ("base", "image", "audit", "image-smoke", "index")]
    assert here == [
        "image test/hello linux/arm64",
        "audit test/hello linux/arm64",
        "image-smoke test/hello linux/arm64",
        "image test/hello linux/amd64",
        "audit test/hello linux/amd64",
        "image-smoke test/hello linux/amd64",
        "index test/hello",
    ]
    assert {role: str(need) for role, need in steps["image test/hello linux/arm64"].needs.items()} == {
        "binaries": "compile test/hello linux/arm64",
        "verified": "verify test/hello linux/arm64",
    }
    needs = {role: str(need) for role, need in steps["index test/hello"].needs.items()}
    assert needs == {
        "image linux/arm64": "image test/hello linux/arm64",
        "audit linux/arm64": "audit test/hello linux/arm64",
        "start linux/arm64": "image-smoke test/hello linux/arm64",
        "smoke linux/arm64": "smoke test/hello linux/arm64",
        "image linux/amd64": "image test/hello linux/amd64",
        "audit linux/amd64": "audit test/hello linux/amd64",
        "start linux/amd64": "image-smoke test/hello linux/amd64",
        "smoke linux/amd64": "smoke test/hello linux/amd64",
    }


def test_the_index_is_the_same_in_whatever_order_platforms_are_asked_for() -> None:
    keys = set()
    for platforms in ((ARM64, AMD64), (AMD64, ARM64)):
        _, steps = _made(component(platforms=platforms, image=_image()))
        index = steps["index test/hello"].inputs
        assert isinstance(index, IndexInputs)
        assert index.platforms == (AMD64, ARM64)
        keys.add({str(step): key for step, key in keys_of(steps.values()).items()}["index test/hello"])
    assert len(keys) == 1


def test_a_component_that_was_not_asked_for_makes_no_image() -> None:
    helper = replace(component("helper", image=_image(repository="helper")), asked=False)
    taking = component(image=_image(files=[{"binary": "helper", "component": "helper", "to": "/usr/bin/"}]))
    _, steps = _made(taking, helper)
    assert "image test/helper linux/arm64" not in steps
    image = steps["image test/hello linux/arm64"]
    assert str(image.needs["binaries helper"]) == "compile test/helper linux/arm64"
    assert str(image.needs["verified helper"]) == "verify test/helper linux/arm64"
    assert "smoke helper linux/arm64" in steps["index test/hello"].needs
    assert isinstance(image.inputs, ImageInputs)
    assert [(file.place, file.path, file.role) for file in image.inputs.context] == [
        ("linux/arm64/helper/helper", "bin/helper", "binaries helper")
    ]


def test_files_of_source_and_project() -> None:
    files = [{"source": "package/reload.sh", "to": "/usr/bin/", "mode": "0755"}, {"file": "conf/x.cfg", "to": "/etc/"}]
    digests = {"recipes/test/files/conf/x.cfg": "5" * 64}
    _, steps = _made(component(image=_image(files=files)), local_digests=digests)
    image = steps["image test/hello linux/arm64"]
    assert isinstance(image.inputs, ImageInputs)
    assert [(file.place, file.path, file.role, file.digest) for file in image.inputs.context] == [
        ("source/package/reload.sh", "gopath/src/hello/package/reload.sh", "source", ""),
        ("files/conf/x.cfg", "recipes/test/files/conf/x.cfg", None, "5" * 64),
    ]
    assert str(image.needs["source"]) == "patch test/hello"
    assert SEEN[0]["files"][0] == {
        "place": "source/package/reload.sh",
        "to": "/usr/bin/",
        "mode": "0755",
        "owner": "0:0",
    }


REGISTRY = {"registry": "docker.io/library/debian:bookworm"}
PINNED = PinnedBase(
    reference="docker.io/library/debian:bookworm",
    digest="sha256:" + "1" * 64,
    platforms=FrozenDict({"linux/arm64": "sha256:" + "2" * 64}),
)


def _with(component_: Component, name: object, identity: Any) -> Lock:
    return facts(component_).lock.merge({str(name): Entry(identity=identity, needed_by=(component_.id,))})


def test_a_registry_base_is_that_of_the_platform_and_is_named() -> None:
    example = component(image=_image(base=REGISTRY))
    lock = _with(example, BaseName(PINNED.reference), PINNED)
    _, steps = _made(example, lock=lock)
    base = steps["base test/hello linux/arm64"].inputs
    assert isinstance(base, BaseInputs)
    assert isinstance(base.origin, RegistryOrigin)
    assert base.origin.digest == "sha256:" + "2" * 64
    image, index = steps["image test/hello linux/arm64"].inputs, steps["index test/hello"].inputs
    assert isinstance(image, ImageInputs)
    assert isinstance(index, IndexInputs)
    name = "org.opencontainers.image.base.digest"
    assert (image.annotations[name], index.annotations[name]) == ("sha256:" + "2" * 64, "sha256:" + "1" * 64)
    assert image.stages == {"base": "stage base"}
    assert SEEN[0]["base"] == "base"


def test_a_base_without_the_platform_lists_what_it_has() -> None:
    example = component(platforms=(AMD64,), image=_image(base=REGISTRY))
    lock = _with(example, BaseName(PINNED.reference), PINNED)
    with pytest.raises(BaseWithoutPlatform) as raised:
        _made(example, lock=lock)
    assert raised.value.details == ("it has linux/arm64",)


def test_a_base_that_is_not_locked() -> None:
    with pytest.raises(NotLocked) as raised:
        _made(component(image=_image(base=REGISTRY)))
    assert raised.value.names == ("base docker.io/library/debian:bookworm",)


def _packages(platform: Platform) -> PinnedPackages:
    file = DebianFile(path="pool/h.deb", size=1, sha256="6" * 64)
    package = DebianPackage(name="haproxy", version="2.6", architecture=str(platform.arch.debian), file=file)
    return PinnedPackages(packages=(package,), time=1_600_000_000)


def test_debian_packages_are_locked_for_each_platform_and_the_key_has_no_time_of_ours() -> None:
    base = {"debian": "bookworm", "packages": ["haproxy", "curl"], "directories": {"/run/x": {}}}
    example = component(image=_image(base=base))
    name = PackagesName("bookworm", ARM64, ("curl", "haproxy"))
    assert str(name) == "packages bookworm linux/arm64 curl haproxy"
    stack = Stack(name="test", summary="", platforms=(ARM64,), components=(example,))
    assert [str(want.name) for want in wanted_names([stack])] == [
        "git https://example.org/hello v1.0",
        "packages bookworm linux/arm64 curl haproxy",
    ]
    _, steps = _made(example, lock=_with(example, name, _packages(ARM64)))
    origin = steps["base test/hello linux/arm64"].inputs
    assert isinstance(origin, BaseInputs)
    assert isinstance(origin.origin, DebianOrigin)
    assert [package.name for package in origin.origin.packages] == ["haproxy"]


def test_the_rendered_text_enters_the_key_and_the_templates_name_does_not() -> None:
    _, steps = _made(component(image=_image()))
    step = steps["image test/hello linux/arm64"]
    keys = keys_of(steps.values())
    inputs = step.inputs
    assert isinstance(inputs, ImageInputs)
    moved = replace(step, inputs=replace(inputs, template="elsewhere", engine="ssh://pi4"))
    changed = replace(step, inputs=replace(inputs, dockerfile="FROM scratch\n"))
    assert key_of(step_document(moved, keys)) == keys[step.id]
    assert key_of(step_document(changed, keys)) != keys[step.id]


def test_what_an_image_says_of_itself() -> None:
    image = _image(labels={"team": "${{ arch }}"}, annotations={"a": "b"})
    example = component(platforms=(ARM64,), image=image)
    made, steps = _made(example)
    inputs = steps["image test/hello linux/arm64"].inputs
    assert isinstance(inputs, ImageInputs)
    commit = next(iter(made.lock.entries.values())).identity.commit  # type: ignore[union-attr]
    assert inputs.annotations == {
        "a": "b",
        "io.github.rearch.toolchain": "go-test 1.27.3",
        "org.opencontainers.image.created": "2017-07-14T02:40:00Z",
        "org.opencontainers.image.description": "hello of the tests",
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.source": "https://example.org/hello",
        "org.opencontainers.image.title": "hello",
        "org.opencontainers.image.version": "1.0",
    }
    assert SEEN[0]["labels"]["team"] == "arm64"
    assert {"a", "io.github.rearch.toolchain"}.isdisjoint(SEEN[0]["labels"])


def test_what_one_index_joins_has_one_name() -> None:
    first = component(platforms=(ARM64, AMD64), image=_image())
    recipe = first.recipes[ARM64]
    image = Image.model_validate(_image(repository="other"))
    recipes = FrozenDict({ARM64: recipe, AMD64: recipe.model_copy(update={"image": image})})
    with pytest.raises(ImagesDisagree) as raised:
        _made(replace(first, recipes=recipes))
    assert isinstance(raised.value, UsageError)
    assert raised.value.summary == "test/hello: image.repository differs by platform: hello, other"


def test_a_recipe_without_binaries_has_an_image_and_compiles_nothing() -> None:
    script = component(image=_image(files=[{"source": "run.sh", "to": "/"}]), build=EMPTY, smoke=[])
    _, steps = _made(script)
    kinds = [name.split()[0] for name in steps]
    assert kinds == ["fetch", "patch", "image", "audit", "index"]
