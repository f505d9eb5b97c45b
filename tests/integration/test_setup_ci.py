"""The CI files of `setup`, against their services' own schemas; and their shell, run as runners run it.

Two nights, each on a machine that has nothing but a clone and what the night before handed on.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rearch.errors import ExitCode
from tests.support.cli import SCRIPTS, Cli, clean_environment
from tests.support.image_project import image_demo
from tests.support.needs import unmet
from tests.support.registry import Server, free_port, run_registry

FILES = {"github": ".github/workflows/rearch.yml", "gitlab": ".gitlab/rearch.gitlab-ci.yml"}
SCHEMAS = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}
HANDED_ON = (".rearch-cache", ".rearch-history")


@pytest.fixture
def rearch(tmp_path: Path) -> Cli:
    """A project that is a repository."""
    made = image_demo(tmp_path)
    (made.project / ".gitignore").write_text("/output/\n")
    commit(made.project)
    return made


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("words", [(), ("--to", "ghcr.io/x", "--stack", "demo", "--at", "1:05", "--install", "a b'c")])
def test_the_service_takes_the_file(rearch: Cli, kind: str, words: tuple[str, ...]) -> None:
    if importlib.util.find_spec("check_jsonschema") is None:
        unmet("check-jsonschema (pip install check-jsonschema)")
    rearch.run("setup", kind, *words)
    file = str(rearch.project / FILES[kind])
    argv = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[kind], file)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def commit(project: Path) -> None:
    names = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*names, "commit", "-q", "-m", "one", "--allow-empty")):
        subprocess.run(("git", *words), cwd=project, check=True, capture_output=True)


@dataclass
class Runner:
    """A service's machine for one night: a clone, a home, the variables that the service sets."""

    rearch: Cli
    base: Path
    nights: int = 0
    place: Path = Path()

    def begin(self) -> None:
        """Another machine; of the last one nothing is left but what the file says is kept."""
        before, self.nights = self.place, self.nights + 1
        self.place = self.base / f"night-{self.nights}"
        subprocess.run(("git", "clone", "-q", self.rearch.project, self.place), check=True)
        if self.nights == 1:
            shutil.copytree(self.rearch.cache, self.place / HANDED_ON[0], symlinks=True)
        for name in HANDED_ON if self.nights > 1 else ():
            shutil.move(before / name, self.place / name)

    def shell(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        cache = str(self.place / HANDED_ON[0])
        environment = clean_environment(REARCH_CACHE=cache, REARCH_OUTPUT="output", **variables)
        environment["PATH"] = f"{SCRIPTS}:{environment['PATH']}"
        argv = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
        return subprocess.run(
            argv, cwd=self.place, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    def told(self) -> dict[str, Any]:
        """Its report folder, its history and the night's record."""
        record = json.loads((self.place / "output" / "nightly.json").read_bytes())
        history = (self.place / "output" / "history.jsonl").read_text().splitlines()
        kept = {str(path.relative_to(self.place / HANDED_ON[1])) for path in (self.place / HANDED_ON[1]).rglob("*")}
        report = {path.name for path in (self.place / "rearch-report").iterdir()}
        return {"record": record, "history": len(history), "kept": kept, "report": report}


@pytest.fixture
def runner(rearch: Cli, tmp_path: Path) -> Runner:
    return Runner(rearch, tmp_path)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Server]:
    with run_registry(tmp_path / "registry") as server:
        yield server


def written(runner: Runner, kind: str, host: str) -> Any:
    runner.rearch.run("setup", kind, "--to", f"{host}/team")
    commit(runner.rearch.project)
    return yaml.load((runner.rearch.project / FILES[kind]).read_text(), Loader=yaml.BaseLoader)


def github_night(runner: Runner, steps: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The two steps that are rearch's own; the actions before and after them hand on the cache."""
    runner.begin()
    summary = runner.place / "summary.md"
    variables = {"GITHUB_WORKSPACE": str(runner.place), "GITHUB_STEP_SUMMARY": str(summary)}
    built = runner.shell(steps["Build and publish"], **variables)
    reported = runner.shell(steps["Report"], **variables)
    assert reported.returncode == 0, reported.stdout + reported.stderr
    assert summary.read_text().strip()
    return built


def gitlab_night(runner: Runner, job: Mapping[str, list[str]]) -> subprocess.CompletedProcess[str]:
    """before_script and script are one shell, after_script is another, which runs however the first ended."""
    runner.begin()
    variables = {"CI_PROJECT_DIR": str(runner.place)}
    first = [line for line in job["before_script"] if not line.startswith(("apt-get", "python -m pip"))]
    built = runner.shell("\n".join([*first, *job["script"]]), **variables)
    reported = runner.shell("\n".join(job["after_script"]), **variables)
    assert reported.returncode == 0, reported.stdout + reported.stderr
    return built


@pytest.mark.parametrize("kind", FILES)
def test_a_night_knows_of_the_one_before(runner: Runner, registry: Server, kind: str) -> None:
    document = written(runner, kind, registry.host)
    for number in (1, 2):
        before = len(registry.requests())
        if kind == "github":
            steps = {step["name"]: step["run"] for step in document["jobs"]["nightly"]["steps"] if "name" in step}
            ran = github_night(runner, steps)
        else:
            ran = gitlab_night(runner, document["rearch:nightly"])
        assert ran.returncode == 0, ran.stdout + ran.stderr
        told = runner.told()
        assert {"history.jsonl", ".rearch/runs", ".rearch/nightly"} <= told["kept"]
        assert {"report.html", "junit.xml", "rearch.lock"} <= told["report"]
        wrote = [line for line in registry.requests()[before:] if not line.startswith(("GET", "HEAD"))]
        assert bool(wrote) == (number == 1)
        if number == 1:
            first = told["history"]
        assert told["history"] >= first + number - 1


def test_what_may_pass_is_a_warning_and_is_kept_all_the_same(runner: Runner) -> None:
    document = written(runner, "github", f"127.0.0.1:{free_port()}")
    steps = {step["name"]: step["run"] for step in document["jobs"]["nightly"]["steps"] if "name" in step}
    ran = github_night(runner, steps)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "::warning title=rearch nightly::the network or a registry was in the way" in ran.stdout
    assert runner.told()["record"]["exit_code"] == ExitCode.TEMPORARY
    assert ".rearch/nightly" in runner.told()["kept"]
