"""Settings: flag, environment, project file, default; who said what; and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.config.problems import ConfigProblems
from rearch.config.settings import leaves, settings_origins, variable
from rearch.model.settings import Settings
from tests.support.yaml_projects import load, problems, said

FILE = """\
jobs: 3
offline: true
cache: /from/file
limits:
  archive_bytes: 4G
mirrors: {https://github.com/: https://git.example.org/}
"""


def origins(root: Path, environment: dict[str, str], flags: dict[str, object]) -> dict[str, tuple[str, str]]:
    (root / "rearch.yaml").write_text(FILE)
    _, found = settings_origins(root, environment=environment, flags=flags)
    return {one.name: (one.value, one.origin) for one in found}


def test_the_order_is_flag_environment_file_default(tmp_path: Path) -> None:
    found = origins(
        tmp_path,
        {"REARCH_CACHE": "/from/environment", "REARCH_JOBS": "5", "REARCH_OUTPUT": "out"},
        {"jobs": 7, "offline": None},
    )
    assert found["jobs"] == ("7", "--jobs")
    assert found["cache"] == ("/from/environment", "REARCH_CACHE")
    assert found["output"] == ("out", "REARCH_OUTPUT")
    assert found["offline"] == ("true", "rearch.yaml:2:1")
    assert found["limits.archive_bytes"] == (str(4 * 1024**3), "rearch.yaml:5:3")
    assert found["limits.archive_ratio"] == ("200", "default")
    assert found["mirrors"] == ("https://github.com/ -> https://git.example.org/", "rearch.yaml:6:1")


def test_without_a_file_everything_is_the_default(tmp_path: Path) -> None:
    resolved, found = settings_origins(tmp_path, environment={}, flags={})
    assert resolved == Settings()
    assert {one.origin for one in found} == {"default"}
    assert len(found) == len(list(leaves()))


def test_every_setting_has_a_variable(tmp_path: Path) -> None:
    assert variable(("limits", "archive_bytes")) == "REARCH_LIMITS_ARCHIVE_BYTES"
    names = [variable(path) for path, _ in leaves()]
    assert len(names) == len(set(names))
    assert {"REARCH_GO_PROXY", "REARCH_STEP_TIMEOUT", "REARCH_DEBIAN_ARCHIVES"} <= set(names)


def test_values_of_the_environment(tmp_path: Path) -> None:
    environment = {
        "REARCH_STACKS": "s, t u",
        "REARCH_MIRRORS": "https://a/=https://b/?x=y  https://c/=file:///d",
        "REARCH_OFFLINE": "1",
        "REARCH_TIMEOUT": "2m",
        "REARCH_LIMITS_LOG_BYTES": "1M",
        "REARCH_CACHE": "",
        "REARCH_PROJECT": "/elsewhere",
        "REARCH_TEST_ANYTHING": "x",
        "OTHER": "x",
    }
    found, _ = settings_origins(tmp_path, environment=environment, flags={})
    assert found.stacks == ("s", "t", "u")
    assert found.mirrors == {"https://a/": "https://b/?x=y", "https://c/": "file:///d"}
    assert (found.offline, found.timeout, found.limits.log_bytes, found.cache) == (True, 120.0, 1024**2, "")


def test_values_of_flags(tmp_path: Path) -> None:
    flags = {
        "offline": False,
        "cache": Path("/c"),
        "stacks": ("a", "b"),
        "limits.archive_bytes": "2K",
        "mirrors": {"a": "b"},
    }
    found, _ = settings_origins(tmp_path, environment={"REARCH_OFFLINE": "yes"}, flags=flags)
    assert (found.offline, found.cache, found.stacks) == (False, "/c", ("a", "b"))
    assert (found.limits.archive_bytes, found.mirrors) == (2048, {"a": "b"})


def test_a_flag_that_is_no_setting_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no setting is called jbos"):
        settings_origins(tmp_path, environment={}, flags={"jbos": 1})


def test_all_that_is_wrong_with_its_place(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {"rearch.yaml": "jobs: many\nlimits: {archive_byte: 1}\n"},
        environment={"REARCH_TIMEOUT": "soon", "REARCH_OFLINE": "1", "REARCH_MIRRORS": "https://x"},
        flags={"output": ""},
    )
    assert said(found) == [
        '--output: output: "": it cannot be empty',
        'REARCH_MIRRORS: mirrors."https://x": no value; write "" for an empty text, or leave the key out',
        "REARCH_TIMEOUT: timeout: soon: not a time; write it as 30s, 5m or 14d",
        "environment: unknown setting REARCH_OFLINE; did you mean REARCH_OFFLINE?",
        "rearch.yaml:1:7: jobs: many: not a whole number",
        "rearch.yaml:2:10: unknown key limits.archive_byte; did you mean archive_bytes?",
    ]


def test_a_wrong_value_of_the_file_does_not_matter_under_a_flag(tmp_path: Path) -> None:
    (tmp_path / "rearch.yaml").write_text("jobs: many\n")
    assert settings_origins(tmp_path, environment={}, flags={"jobs": 2})[0].jobs == 2


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    text = "mirrors: {https://a/: https://me:secret@b/}\n"
    (tmp_path / "rearch.yaml").write_text(text)
    _, found = settings_origins(tmp_path, environment={}, flags={})
    assert not any("secret" in one.value for one in found)
    (tmp_path / "rearch.yaml").write_text(text + "output: [https://me:secret@b/]\njobs: https://me:secret@b/\n")
    with pytest.raises(ConfigProblems) as caught:
        settings_origins(tmp_path, environment={}, flags={})
    assert len(caught.value.problems) == 2
    assert "secret" not in caught.value.render()


def test_stacks_of_the_settings_are_those_that_are_read(tmp_path: Path) -> None:
    files = {"recipes/broken/stack.yaml": "[", "rearch.yaml": "stacks: [s]\n"}
    assert [stack.name for stack in load(tmp_path, files).stacks] == ["s"]
    assert [problem.file for problem in problems(tmp_path, files, stacks=("broken",))] == ["recipes/broken/stack.yaml"]


@pytest.mark.parametrize("text", ["", "# jobs: 4\n"], ids=["empty", "comments"])
def test_a_file_that_says_nothing_is_no_mistake(tmp_path: Path, text: str) -> None:
    (tmp_path / "rearch.yaml").write_text(text)
    settings, _ = settings_origins(tmp_path, environment={}, flags={})
    assert settings.jobs == 0
