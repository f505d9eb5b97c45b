"""`bundles:` of stack.yaml: what it says, and the place of what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.yaml_projects import STACK, load, problems, said

GOOD = """\
bundles:
  go-agent: {replace: [{path: bin/agent, component: a, binary: a}], allow: ["lib/*"]}
"""


def test_bundles(tmp_path: Path) -> None:
    bundle = load(tmp_path, {"recipes/s/stack.yaml": STACK + GOOD}).stacks[0].bundles["go-agent"]
    assert (bundle.replace[0].path, bundle.replace[0].component, bundle.replace[0].binary) == ("bin/agent", "a", "a")
    assert bundle.allow == ("lib/*",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("component: a", "component: missing", "there is no recipe recipes/s/missing.yaml"),
        ("binary: a}", "binary: missing}", "missing is none of a"),
        ("path: bin/agent", "path: ''", "it cannot be empty"),
        ("allow:", "alow:", "alow"),
    ],
)
def test_wrong_bundles(tmp_path: Path, old: str, new: str, words: str) -> None:
    lines = said(problems(tmp_path, {"recipes/s/stack.yaml": STACK + GOOD.replace(old, new)}))
    assert len(lines) == 1
    assert words in lines[0]
    assert lines[0].startswith("recipes/s/stack.yaml:")
