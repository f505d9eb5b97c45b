"""The tree that grows: what is in which folder, whatever was put and removed before."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.oci.embedded.tree import Node, Tree, order, parents
from rearch.oci.entry import EntryKind, LayerEntry
from tests.support.embedded import Bench


def node(path: str, kind: EntryKind) -> Node:
    return Node(entry=LayerEntry(path=path, kind=kind, mode=0o755))


def insert(tree: Tree, path: str, kind: EntryKind) -> None:
    """As instructions do it: folders above first, what is in the way is gone."""
    for above in parents(path):
        there = tree.get(above)
        if there is None or not there.folder:
            tree.remove(above)
            tree.put(above, node(above, EntryKind.DIRECTORY))
    tree.remove(path)
    tree.put(path, node(path, kind))


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
STEPS = st.lists(st.tuples(st.sampled_from(["file", "folder", "remove", "below"]), NAMES), max_size=30)


@given(start=st.lists(NAMES, max_size=4), steps=STEPS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_as_a_plain_dictionary(start: list[str], steps: list[tuple[str, str]]) -> None:
    first = Tree({}, "first")
    for path in start:
        insert(first, path, EntryKind.FILE)
    tree, before = Tree(first.nodes, "second"), dict(first.nodes)
    plain = dict(first.nodes)
    for what, path in steps:
        prefix = f"{path}/"
        if what == "below":
            wanted = sorted((each for each in plain if each.startswith(prefix)), key=order)
            assert [below for below, _node in tree.below(path)] == [each.removeprefix(prefix) for each in wanted]
            continue
        if what == "remove":
            gone = {each for each in plain if each == path or each.startswith(prefix)}
            assert sorted(tree.remove(path)) == sorted(gone)
        else:
            insert(tree, path, EntryKind.FILE if what == "file" else EntryKind.DIRECTORY)
        plain = dict(tree.nodes)
        assert all(above in plain and plain[above].folder for each in plain for above in parents(each))
    assert sorted(below for below, _node in tree.below("")) == sorted(plain)
    assert dict(first.nodes) == before


def calls(work: Callable[[], object]) -> int:
    """How many functions were called: a measure that does not depend on who else uses the machine."""
    count = 0

    def counted(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_copying_over_what_is_there_costs_what_is_copied(tmp_path: Path) -> None:
    costs = []
    for number in (100, 400):
        bench = Bench(tmp_path / str(number))
        for each in range(number):
            bench.put(f"a/{each % 5}/{each}", str(each))
        text = "FROM scratch\nCOPY a /a\nCOPY a /a\n"
        costs.append(calls(lambda bench=bench, text=text: bench.build(text)))  # type: ignore[misc]
    # Four times the files: what scanned the whole tree for each made 6.4 times as many calls.
    assert costs[1] < 5 * costs[0]
