"""Joining with a registry that is none: what counts as missing, and what happens when a tag cannot be set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from rearch.errors import ExitCode, RearchError
from rearch.model.publish import ManifestSpec
from rearch.model.reference import Reference
from rearch.oci.types import (
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
    descriptor_of,
    document_bytes,
)
from rearch.registry.client import Found, RegistryClient
from rearch.registry.documents import Document, make_document
from rearch.registry.errors import LoginWanted, NotInRegistry, RegistryRefused
from rearch.registry.manifests import IndexPlan, JoinOptions, plan_index, push_index
from rearch.registry.manifests_copy import Copied, ImageCopier
from rearch.registry.manifests_errors import MissingImages, TagsInPart
from rearch.registry.push import RegistryPusher

CONFIG = document_bytes(ImageConfig(architecture="arm64", os="linux"))
IMAGE = document_bytes(Manifest(config=descriptor_of(OCI_CONFIG, CONFIG), layers=()))


def no_login(reference: Reference) -> LoginWanted:
    return LoginWanted(str(reference), reference.registry, scope="repository:x:pull", who="anonymous", said="no")


class Registry:
    """A client that has IMAGE under every name but those that are `lost`."""

    def __init__(self, lost: Mapping[str, type[RearchError]]) -> None:
        self._lost = lost

    def manifest(self, reference: Reference) -> Document:
        kind = self._lost.get(str(reference))
        if kind is LoginWanted:
            raise no_login(reference)
        if kind is not None:
            raise NotInRegistry(str(reference), reference.registry, "404")
        return make_document(reference, IMAGE, OCI_MANIFEST)

    def read_blob(self, _reference: Reference, _blob: Descriptor, _limit: int) -> bytes:
        return CONFIG


def planned(spec: ManifestSpec, registry: Registry, **options: Any) -> tuple[IndexPlan, list[str]]:
    warnings: list[str] = []
    plan = plan_index(
        cast(RegistryClient, registry),
        spec,
        JoinOptions(**options),
        is_home=lambda _reference: True,
        warn=warnings.append,
    )
    return plan, warnings


def spec_of(*images: str, tags: tuple[str, ...] = ()) -> ManifestSpec:
    return ManifestSpec.model_validate(
        {"image": "example.org/a:1", "tags": tags, "manifests": tuple({"image": image} for image in images)}
    )


def test_who_is_refused_one_image_of_several_may_take_it_for_missing() -> None:
    registry = Registry({"example.org/b:1": LoginWanted})
    spec = spec_of("example.org/a:arm64", "example.org/b:1")
    plan, warnings = planned(spec, registry, ignore_missing=True)
    assert len(plan.index.manifests) == 1
    assert "perhaps there is no such repository" in warnings[0]
    with pytest.raises(LoginWanted):
        planned(spec, registry)


def test_who_may_read_nothing_there_has_another_problem() -> None:
    registry = Registry({"other.example.org/b:1": LoginWanted})
    with pytest.raises(LoginWanted):
        planned(spec_of("example.org/a:arm64", "other.example.org/b:1"), registry, ignore_missing=True)


def test_a_refusal_is_told_before_what_is_missing() -> None:
    registry = Registry({"example.org/b:1": NotInRegistry, "example.org/c:1": LoginWanted})
    with pytest.raises(LoginWanted):
        planned(spec_of("example.org/b:1", "example.org/c:1", "example.org/d:1"), registry)
    with pytest.raises(MissingImages, match=r"example.org/b:1 is not there"):
        planned(spec_of("example.org/b:1", "example.org/d:1"), registry)


class Pusher:
    """Takes manifests; the tags of `closed` are refused."""

    def __init__(self, closed: set[str], there: Mapping[str, str]) -> None:
        self._closed = closed
        self._there = there
        self.put: list[str] = []

    def head(self, reference: Reference) -> Found | None:
        digest = self._there.get(reference.tag or "")
        return None if digest is None else Found(digest=digest, media_type="", size=0)

    def put_manifest(self, reference: Reference, _data: bytes, _media_type: str) -> str:
        if reference.tag in self._closed:
            raise RegistryRefused(str(reference), reference.registry, "immutable", "take another tag")
        self.put.append(str(reference.tag))
        return ""


class Copier:
    def __init__(self, pusher: Pusher) -> None:
        self.pusher = cast(RegistryPusher, pusher)

    def needed(self, _copies: object) -> tuple[()]:
        return ()

    def copy(self, _needed: object) -> Copied:
        return Copied()


def push(plan: IndexPlan, *, closed: set[str], there: Mapping[str, str]) -> tuple[Pusher, Any]:
    pusher = Pusher(closed, there)
    return pusher, push_index(plan, cast(ImageCopier, Copier(pusher)))


def test_tags_are_set_in_order_and_left_alone_where_they_are_right() -> None:
    plan, _ = planned(spec_of("example.org/a:arm64", tags=("b", "c")), Registry({}))
    pusher, pushed = push(plan, closed=set(), there={"b": plan.digest, "c": "sha256:" + "0" * 64})
    assert pusher.put == ["1", "c"]
    assert [tag.action for tag in pushed.tags] == ["new", "unchanged", "moved"]


def test_some_tags_is_exit_code_4_with_the_list() -> None:
    plan, _ = planned(spec_of("example.org/a:arm64", tags=("b", "c")), Registry({}))
    with pytest.raises(TagsInPart) as raised:
        push(plan, closed={"b"}, there={})
    assert raised.value.exit_code is ExitCode.PARTIAL
    assert raised.value.done == ("example.org/a:1", "example.org/a:c")
    text = raised.value.render()
    assert "2 of 3 tags were set" in text
    assert "example.org/a:b does not: " in text
    assert "immutable" in text


def test_no_tag_at_all_is_the_error_itself() -> None:
    plan, _ = planned(spec_of("example.org/a:arm64", tags=("b",)), Registry({}))
    with pytest.raises(RegistryRefused):
        push(plan, closed={"1", "b"}, there={})
