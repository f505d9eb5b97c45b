"""What the flags of `manifest` mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.app.manifest import BadManifestFlags, ManifestOrder, read_order
from rearch.app.manifest_annotations import BadAnnotation, annotated, parse_annotation
from rearch.config.manifest_spec import from_args

ARGS: dict[str, Any] = {
    "platforms": "linux/amd64,linux/arm/v7",
    "template": "example.org/a:1-ARCHVARIANT",
    "target": "example.org/a:1",
}


def test_a_spec_file_or_arguments(tmp_path: Path) -> None:
    path = tmp_path / "spec.yml"
    path.write_text("image: example.org/a:1\nmanifests: [{image: example.org/a:1-386}]\n")
    assert [each.image for each in read_order(ManifestOrder(spec=str(path))).manifests] == ["example.org/a:1-386"]
    spec = read_order(ManifestOrder(**ARGS, tags="2,3.10"))
    assert [each.image for each in spec.manifests] == ["example.org/a:1-amd64", "example.org/a:1-armv7"]
    assert [str(name) for name in spec.names] == ["example.org/a:1", "example.org/a:2", "example.org/a:3.10"]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({}, "nothing says what to join"),
        ({"spec": "x.yml", "target": "example.org/a:1"}, "--spec and --target exclude each other"),
        ({"spec": "x.yml", "tags": "1"}, "--spec and --tags exclude each other"),
        ({"target": "example.org/a:1"}, "--platforms and --template must be given too"),
    ],
)
def test_flags_that_do_not_go_together(order: dict[str, Any], words: str) -> None:
    with pytest.raises(BadManifestFlags, match=words):
        read_order(ManifestOrder(**order))


def test_annotations_go_where_they_are_for() -> None:
    spec = from_args(ARGS["platforms"], ARGS["template"], ARGS["target"])
    found = annotated(
        spec,
        [
            "a.b=plain",
            "index,manifest[linux/arm]:c=d=e",
            "manifest-descriptor:f=https://example.org/x",
            "manifest[linux/amd64]:c=other",
        ],
    )
    assert dict(found.annotations) == {"a.b": "plain", "c": "d=e"}
    assert [dict(each.manifest_annotations) for each in found.manifests] == [{"c": "other"}, {"c": "d=e"}]
    assert [dict(each.annotations) for each in found.manifests] == [{"f": "https://example.org/x"}] * 2
    assert not spec.annotations


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no KEY=VALUE"),
        ("manifest:", "no KEY=VALUE"),
        ("manifest:=x", "no KEY=VALUE"),
        ("=x", "no KEY=VALUE"),
        ("manifests[linux/arm64]:a=b", r"no level manifests\[linux/arm64\]"),
        ("index,manifset:a=b", "no level index,manifset"),
        ("index[linux/arm64]:a=b", "for no single platform"),
        ("manifest[linux/s390x]:a=b", "says to be for linux/s390x"),
    ],
)
def test_annotations_that_are_none(text: str, words: str) -> None:
    spec = from_args(ARGS["platforms"], ARGS["template"], ARGS["target"])
    with pytest.raises(BadAnnotation, match=words):
        annotated(spec, [text])


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_annotation(text)
    except BadAnnotation:
        return
    assert found
    assert all(text.endswith(f"{each.key}={each.value}") for each in found)
