"""The catalogue of fixes against the real compiler: ill programs fail as the symptom says, cured ones run on arm64."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from rearch.model.step import PatchInputs, StepKind
from rearch.planning.fixes import FIXES
from rearch.planning.fixes.explain import explain
from rearch.steps.patch import run_patch
from tests.support.golang import VERSION, Go, go_compiler
from tests.support.ill_programs import ILL_PROGRAMS
from tests.support.needs import need_program
from tests.support.workspace import make_need, make_workspace

PLACE = "example.org/ill"


def laid_out(base: Path, name: str, *, cured: bool) -> Path:
    """A GOPATH with the program in it, made by the patch step."""
    source = base / "fetched" / "source"
    for path, text in ILL_PROGRAMS[name].files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    work = make_workspace(base / "work", needs={"source": make_need(base / "fetched", StepKind.FETCH)})
    fixes = (FIXES[name].fix,) if cured else ()
    run_patch(PatchInputs(place=PLACE, patches=(), fuzz=0, fixes=fixes, edits=()), work)
    return work.files / "gopath"


def build(go: Go, gopath: Path, out: Path) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(go.cache),
        "GOCACHE": str(go.cache / "build"),
        "GOPATH": str(gopath),
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "GOENV": "off",
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": "arm64",
    }
    argv = (str(go.program), "build", "-o", str(out), PLACE)
    return subprocess.run(argv, check=False, cwd=gopath, env=env, capture_output=True, text=True)


def start(program: Path) -> subprocess.CompletedProcess[str]:
    argv: tuple[str, ...] = (str(program),)
    if os.uname().machine != "aarch64":
        argv = (need_program("qemu-aarch64-static", "qemu-user-static"), *argv)
    return subprocess.run(argv, check=False, capture_output=True, text=True, env={})


@pytest.mark.parametrize("name", FIXES)
def test_the_ill_program_shows_its_symptom(name: str, tmp_path: Path) -> None:
    program = ILL_PROGRAMS[name]
    built = build(go_compiler(), laid_out(tmp_path, name, cured=False), tmp_path / "out")
    assert (built.returncode != 0) == (program.symptom_at == "build"), built.stderr
    if program.symptom_at == "none":
        return
    shown = built if program.symptom_at == "build" else start(tmp_path / "out")
    assert shown.returncode != 0
    assert re.search(FIXES[name].symptom, shown.stderr), shown.stderr
    assert explain(shown.stderr, VERSION)[0].fix == name


@pytest.mark.parametrize("name", FIXES)
def test_the_cured_program_runs(name: str, tmp_path: Path) -> None:
    built = build(go_compiler(), laid_out(tmp_path, name, cured=True), tmp_path / "out")
    assert built.returncode == 0, built.stderr
    ran = start(tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.strip() == ILL_PROGRAMS[name].output
