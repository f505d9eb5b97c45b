"""Golden keys: a key that changes by accident throws away everybody's cache."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.model.key import Canonicalizer, canonical, document, outside_key
from rearch.model.step import CompileInputs
from rearch.planning.graph import steps_of
from rearch.planning.keys import RULES, key_of, keys_of, step_document
from tests.support.plans import AMD64, ARM64, component, facts
from tests.support.snapshots import assert_snapshot


def _documents() -> dict[str, object]:
    example = component(platforms=(ARM64, AMD64))
    steps = steps_of((example,), facts(example))
    keys = keys_of(steps)
    return {str(step.id): {"key": keys[step.id], "document": step_document(step, keys)} for step in steps}


def test_golden_keys() -> None:
    assert_snapshot("keys.json", json.dumps(_documents(), indent=1, sort_keys=True) + "\n")


def test_a_key_is_the_hash_of_the_document() -> None:
    example = component(platforms=(ARM64, AMD64), source={"git": 'https://example.org/\u00fc"\\', "ref": "v1.0"})
    steps = steps_of((example,), facts(example))
    keys = keys_of(steps)
    assert {step.id: key_of(step_document(step, keys)) for step in steps} == keys


def test_every_kind_has_a_rule() -> None:
    from rearch.model.step import StepKind

    assert set(RULES) == set(StepKind)


def test_every_field_of_a_compile_enters_its_document() -> None:
    example = component()
    steps = steps_of((example,), facts(example))
    inputs = next(step.inputs for step in steps if isinstance(step.inputs, CompileInputs))
    readable = document(inputs)
    assert isinstance(readable, dict)
    assert set(readable) == {"is", *inputs.__struct_fields__}


def test_a_field_is_left_out_for_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        outside_key(url="")


def test_a_type_that_cannot_enter_a_key_is_a_bug() -> None:
    with pytest.raises(TypeError, match="set cannot enter a key"):
        document({1, 2})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(), JSON))
def test_equal_documents_have_equal_keys(value: dict[str, object]) -> None:
    shuffled = dict(reversed(list(value.items())))
    assert key_of(value) == key_of(shuffled)
    assert json.loads(canonical(value)) == value
    assert Canonicalizer().text(value) == canonical(document(value))
