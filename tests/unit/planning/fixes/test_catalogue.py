"""The shipped fixes on generated sources of their shape. tests/integration/test_fixes_compile.py builds those."""

from __future__ import annotations

import re

import pytest

from rearch.formats import edit_worker
from rearch.formats.edit import glob_regex
from rearch.model.key import document
from rearch.planning.fixes import FIXES, shipped_fixes
from tests.support.ill_programs import ILL_PROGRAMS, IllProgram


def cure(program: IllProgram, name: str) -> dict[str, str]:
    """The program's files after the fix; every edit must match at least as often as it says."""
    files = dict(program.files)
    for edit in FIXES[name].edits:
        compiled = re.compile(edit.pattern, re.MULTILINE)
        found = 0
        for path in [path for path in files if glob_regex(edit.file).fullmatch(path)]:
            data, places = edit_worker.replace(compiled, edit.replace, files[path].encode())
            files[path] = data.decode()
            found += len(places)
        assert found >= edit.count, edit.file
    return files


@pytest.mark.parametrize("name", FIXES)
def test_every_fix_is_documented_and_has_a_program_to_try_it_on(name: str) -> None:
    fix = FIXES[name]
    assert fix.name == name
    assert name in ILL_PROGRAMS
    assert len(fix.about) > 100
    assert fix.tried
    assert not fix.summary.endswith(".")
    assert all(edit.why for edit in fix.edits)
    assert document(fix.fix) == document(shipped_fixes()[name])


@pytest.mark.parametrize("name", FIXES)
def test_the_ill_program_is_cured_and_only_where_it_is_ill(name: str) -> None:
    program = ILL_PROGRAMS[name]
    cured = cure(program, name)
    changed = {path for path, text in cured.items() if text != program.files[path]}
    assert changed == set(program.ill_files)
    for path, text in program.cured_text.items():
        assert text in cured[path]


@pytest.mark.parametrize("name", FIXES)
def test_a_cured_program_is_not_ill_any_more(name: str) -> None:
    cured = cure(ILL_PROGRAMS[name], name)
    again = FIXES[name].edits[-1]
    compiled = re.compile(again.pattern, re.MULTILINE)
    fit = glob_regex(again.file)
    if name == "cpuinfo-arm":  # the guard stands before the line that it guards
        return
    assert not any(compiled.search(text) for path, text in cured.items() if fit.fullmatch(path))


def test_build_tags_that_mean_one_architecture_are_left_alone() -> None:
    compiled = re.compile(FIXES["build-tag-arm64"].edits[0].pattern, re.MULTILINE)
    for line in (
        "// +build linux,amd64",
        "// +build amd64",
        "// +build linux,amd64 linux,arm64",
        "// +build linux,arm linux,386",
    ):
        assert not compiled.search(line + "\n")
    assert compiled.search("// +build linux,amd64 linux,ppc64le\n")
