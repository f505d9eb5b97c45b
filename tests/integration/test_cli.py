"""The command line itself: its tasks, its help, its flags, its exit codes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rearch import __version__
from rearch.errors import ExitCode
from tests.support.cli import ROOT, SCRIPTS, Cli, clean_environment
from tests.support.go_project import change, make_go_project, write_file
from tests.support.repositories import Repository
from tests.support.warm_cache import demo

USAGE, FAILED = ExitCode.USAGE, ExitCode.FAILED
TASKS = {
    *("build", "plan", "lock", "outdated", "stale", "audit", "validate", "publish", "report", "manifest", "inspect"),
    *("bump", "check", "new", "nightly", "patch.start", "patch.refresh", "patch.drop", "patch.list"),
    *("setup", "fixes", "schema", "doctor", "clean", "gc"),
    *("volumes", "overlay", "rehearse", "bundle.scan", "bundle.refit", "bundle.verify", "place.write", "place.check"),
}
BUILD = ("build", "--arch", "arm64")


def bare(tmp_path: Path, *components: str, git: bool = False) -> Cli:
    """A project, and a cache with nothing in it: for what builds nothing."""
    upstreams = tmp_path / "upstreams" if git else None
    project = make_go_project(tmp_path / "project", components=components or ("hello",), upstreams=upstreams)
    return Cli(project, tmp_path / "cache")


def invoke(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (str(SCRIPTS / "invoke"), *words), cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False
    )


def listed(text: str) -> dict[str, str]:
    """`--list`: each task with its line of help."""
    rows: dict[str, str] = {}
    for line in text.splitlines():
        found = re.match(r"  (\S+)(?: \(\S+\))?  +(\S.*)$", line)
        if found:
            rows[found[1]] = found[2]
    return rows


def test_invoke_lists_every_task_with_a_line_of_help() -> None:
    done = invoke("--list")
    assert done.returncode == 0, done.stderr
    rows = listed(done.stdout)
    assert rows.keys() == TASKS | {"test", "dev.bench", "dev.check", "dev.snapshots"}
    assert all(len(text) > 20 for text in rows.values())


def test_every_flag_of_every_task_has_a_line_of_help() -> None:
    for name in TASKS:
        text = invoke("--help", name).stdout
        options = text.partition("Options:")[2]
        assert "Docstring:\n  none" not in text
        for flag in re.findall(r"^  (-.*)$", options, re.MULTILINE):
            assert re.search(r"\S {2,}\S", flag), f"{name}: {flag}"


def test_the_console_script_and_the_module_are_the_same_program(tmp_path: Path) -> None:
    rearch = bare(tmp_path)
    script = Cli(rearch.project, rearch.cache, prefix=(str(SCRIPTS / "rearch"),))
    assert script.run("--version").out == f"rearch {__version__}\n"
    assert listed(script.run("--list").out).keys() == listed(rearch.run("--list").out).keys() == TASKS
    assert script.run("plan").out == rearch.run("plan").out


def test_a_project_is_named_or_found(tmp_path: Path) -> None:
    rearch = bare(tmp_path)
    expected = rearch.run("plan").out
    assert "fetch demo/hello" in expected
    for words, env, cwd in (
        (("--project", str(rearch.project), "plan"), {}, Path("/")),
        (("plan", "--project", str(rearch.project)), {}, Path("/")),
        (("plan",), {"REARCH_PROJECT": str(rearch.project)}, Path("/")),
        (("plan",), {}, rearch.project / "recipes/demo/src"),
        (("plan", "--project", "project"), {}, tmp_path),
    ):
        assert rearch.run(*words, env=env, cwd=cwd).out == expected
    done = rearch.run("plan", cwd=Path("/"), code=USAGE)
    assert "error: /: not in a project" in done.err
    assert "--project DIR" in done.err
    done = rearch.run("--project", str(tmp_path), "plan", code=USAGE)
    assert f"{tmp_path}: no project: it has no recipes/ folder" in done.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("bild",), "did you mean build?"),
        (("build", "--kep-going"), "did you mean --keep-going?"),
        (("build", "--jobs", "many"), "--jobs: jobs: many: not a whole number"),
        (("build", "--jobs", "-1"), "--jobs: jobs: -1: not a whole number"),
        (("build", "--arch", "arm65"), "unknown platform 'arm65'"),
        (("build", "--stack", "demoo"), "there is no stack demoo; did you mean demo?"),
        (("build", "--only", "helo"), "there is no component helo; did you mean hello?"),
        (("plan", "--only", "other/hello"), "there is no component other/hello"),
        (("build", "--progress", "fancy"), "--progress fancy: no such kind"),
        (("gc", "--age", "soon"), "--age soon: not a time"),
        (("gc", "--quota", "much"), "--quota much: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_word_that_is_none_is_a_usage_error(tmp_path: Path, words: tuple[str, ...], text: str) -> None:
    rearch = bare(tmp_path)
    done = rearch.run(*words, code=USAGE)
    assert done.err.startswith("error: ")
    assert text in done.err
    assert done.out == ""
    assert not rearch.output.exists()


def test_everything_that_is_wrong_in_the_yaml_is_told_with_its_place(tmp_path: Path) -> None:
    rearch = bare(tmp_path, "one", "two")
    change(rearch.project / "recipes/demo/one.yaml", "version: v1.0.0", "version: v1.0.0\nverison: v1")
    change(rearch.project / "recipes/demo/one.yaml", 'greeting = "hello"\'', 'greeting = ("hello"\'')
    change(rearch.project / "recipes/demo/two.yaml", "path: src/two", "path: src/tow")
    change(rearch.project / "recipes/demo/stack.yaml", "toolchain: go-1.27", "toolchain: go-1.72")
    write_file(rearch.project / "rearch.yaml", "jobs: few\n")
    done = rearch.run(*BUILD, code=USAGE)
    assert re.search(r"error: the configuration has \d problems in \d files", done.err)
    for place, text in (
        ("recipes/demo/one.yaml:4:1", "did you mean version?"),
        ("recipes/demo/one.yaml:8:14", "no regular expression"),
        ("recipes/demo/two.yaml:4:16", "there is no folder recipes/demo/src/tow"),
        ("recipes/demo/stack.yaml:5:22", "go-1.72"),
        ("rearch.yaml:1:7", "not a whole number"),
    ):
        lines = [line for line in done.err.splitlines() if line.strip().startswith(f"{place}: ")]
        assert any(text in line for line in lines), f"{place}: {text}\n{done.err}"
    assert not rearch.output.exists()
    assert not rearch.cache.exists()


def test_settings_are_shown_with_their_origin(tmp_path: Path) -> None:
    rearch = bare(tmp_path)
    write_file(rearch.project / "rearch.yaml", "timeout: 9s\njobs: 3\n")
    done = rearch.run("plan", "--verbose", env={"REARCH_JOBS": "4"})
    rows = {line.split()[0]: line for line in done.err.splitlines()}
    assert re.search(r"\s4\s+\[REARCH_JOBS\]", rows["jobs"])
    assert re.search(r"\s9.0\s+\[rearch.yaml:1:1\]", rows["timeout"])
    assert rows["offline"].endswith("[default]")
    done = rearch.run("plan", env={"REARCH_JOB": "4"}, code=USAGE)
    assert "unknown setting REARCH_JOB; did you mean REARCH_JOBS?" in done.err


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    rearch = bare(tmp_path, git=True)
    before = sorted(rearch.project.rglob("*"))
    done = rearch.run("plan", "--arch", "arm64,amd64")
    assert "would lock git https://git.example.org/upstream/hello v1.0.0" in done.err
    assert done.out.splitlines()[-1] == "10 to run, 0 reused"
    dry = rearch.run("build", "--arch", "arm64,amd64", "--dry-run")
    assert dry.out == done.out
    assert sorted(rearch.project.rglob("*")) == before


def test_a_name_that_fails_keeps_no_other_from_the_lock(tmp_path: Path) -> None:
    rearch = bare(tmp_path, "one", "two", git=True)
    path = rearch.project / "rearch.lock"
    rearch.run("lock")
    first = path.read_bytes()
    repository = Repository(tmp_path / "upstreams" / "one")
    was, now = repository.head, repository.commit({"main.go": "package main\n"})
    repository.tag("v1.0.0", now)
    lost = json.loads(first)
    del lost["names"]["git https://git.example.org/upstream/two v1.0.0"]
    path.write_text(json.dumps(lost))
    both = rearch.run("lock", "--check", code=ExitCode.VERIFICATION)
    assert "not locked: git https://git.example.org/upstream/two v1.0.0" in both.err
    assert f"locked: {was}" in both.err
    rearch.run("lock", code=ExitCode.VERIFICATION)
    assert path.read_bytes() == first
    (tmp_path / "upstreams/two").rename(tmp_path / "two")
    gone = rearch.run("lock", "--update", code=FAILED)
    assert "no such repository" in gone.err
    names = json.loads(path.read_bytes())["names"]
    assert names.keys() == json.loads(first)["names"].keys()
    assert names["git https://git.example.org/upstream/one v1.0.0"]["commit"] == now


def test_lock_writes_checks_updates_and_prunes(tmp_path: Path) -> None:
    rearch = bare(tmp_path, "one", "two", git=True)
    path = rearch.project / "rearch.lock"
    missing = rearch.run("lock", "--check", code=FAILED)
    assert missing.err.count("warning: not locked: git https://git.example.org/upstream/") == 2
    assert not path.exists()
    assert "wrote rearch.lock, 4 names" in rearch.run("lock").err
    first = path.read_bytes()
    assert "unchanged" in rearch.run("lock").err
    rearch.run("lock", "--check")
    # A tag that moved is refused, taken with --update alone, and said.
    repository = Repository(tmp_path / "upstreams" / "one")
    was, now = repository.head, repository.commit({"main.go": "package main\n"})
    repository.tag("v1.0.0", now)
    refused = rearch.run("lock", code=ExitCode.VERIFICATION)
    assert f"locked: {was}" in refused.err
    assert "`invoke lock --update --only COMPONENT`" in refused.err
    rearch.run("lock", "--offline")
    assert path.read_bytes() == first
    would = rearch.run("lock", "--update", "--check", code=FAILED)
    assert f"would lock git https://git.example.org/upstream/one v1.0.0: {was} -> {now}" in would.err
    assert path.read_bytes() == first
    assert f"{was} -> {now}" in rearch.run("lock", "--update", "--only", "one").err
    assert json.loads(path.read_bytes())["names"].keys() == json.loads(first)["names"].keys()
    # A name that no recipe needs.
    (rearch.project / "recipes/demo/two.yaml").unlink()
    needed = rearch.run("lock", "--check", code=FAILED)
    assert "needed by demo/one, not by demo/one, demo/two: toolchain go-1.27 linux/arm64" in needed.err
    rearch.run("lock")
    rearch.run("lock", "--check")
    stale = rearch.run("lock", "--check", "--prune", code=FAILED)
    assert "no longer needed: git https://git.example.org/upstream/two v1.0.0" in stale.err
    rearch.run("lock", "--prune")
    names = json.loads(path.read_bytes())["names"]
    assert [name.rpartition(" ")[0] for name in names] == [
        *("git https://git.example.org/upstream/one", "toolchain go-1.27", "toolchain go-1.27")
    ]
    assert {tuple(entry["needed_by"]) for entry in names.values()} == {("demo/one",)}
    rearch.run("lock", "--check", "--prune")


def test_pruning_from_one_stack_keeps_the_names_of_others(tmp_path: Path) -> None:
    rearch = bare(tmp_path, "one", git=True)
    other = make_go_project(tmp_path / "other", components=("far",), stack="side", upstreams=tmp_path / "upstreams")
    shutil.copytree(other / "recipes/side", rearch.project / "recipes/side")
    rearch.run("lock")
    before = (rearch.project / "rearch.lock").read_bytes()
    rearch.run("lock", "--prune", "--stack", "demo")
    assert (rearch.project / "rearch.lock").read_bytes() == before


def test_a_lock_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    rearch = bare(tmp_path, git=True)
    for torn, why in (("<<<<<<< ours\n", "a merge left conflict marks in it"), ("{", "not readable as JSON")):
        write_file(rearch.project / "rearch.lock", torn)
        for words in (("plan",), ("lock",), ("lock", "--check"), BUILD):
            done = rearch.run(*words, code=USAGE)
            assert f"rearch.lock: {why}" in done.err
            assert "hint: " in done.err
        assert (rearch.project / "rearch.lock").read_text() == torn


def test_schema(tmp_path: Path) -> None:
    rearch = bare(tmp_path)
    missing = rearch.run("schema", "--check", code=FAILED)
    assert "differs schema/recipe.json\n" in missing.out
    assert not (rearch.project / "schema").exists()
    rearch.run("schema")
    assert rearch.run("schema", "--check").out == ""
    assert rearch.run("schema").out == ""
    schema = json.loads((rearch.project / "schema/recipe.json").read_text())
    assert "source" in schema["properties"]
    write_file(rearch.project / "schema/recipe.json", "{}")
    assert rearch.run("schema", "--check", code=FAILED).out == "differs schema/recipe.json\n"


def test_the_schemas_of_this_checkout_are_current() -> None:
    done = invoke("schema", "--check")
    assert (done.returncode, done.stdout) == (0, "")


def test_doctor(tmp_path: Path) -> None:
    rearch = bare(tmp_path)
    text = rearch.run("doctor").out
    assert re.search(r"^ok Python +\S", text, re.MULTILINE)
    assert f"({rearch.cache})" in text or str(rearch.cache) in text
    findings = {finding["name"]: finding for finding in json.loads(rearch.run("doctor", "--json").out)}
    assert findings["git"]["found"].startswith("git version")
    assert all(finding["needed_for"] for finding in findings.values() if not finding["found"])


def test_doctor_says_when_nothing_can_be_built(tmp_path: Path) -> None:
    rearch = bare(tmp_path)
    write_file(tmp_path / "file", "no folder")
    done = rearch.run("doctor", env={"REARCH_CACHE": str(tmp_path / "file")}, code=FAILED)
    assert re.search(r"^!! cache", done.out, re.MULTILINE)


def test_a_cache_that_is_no_folder_is_told_in_words(tmp_path: Path) -> None:
    rearch = bare(tmp_path)
    write_file(tmp_path / "file", "no folder")
    done = rearch.run(*BUILD, env={"REARCH_CACHE": str(tmp_path / "file")}, code=FAILED)
    assert f"Not a directory ({tmp_path / 'file'}" in done.err
    assert "hint: check REARCH_CACHE" in done.err


def test_fixes() -> None:
    done = Cli(ROOT, ROOT).run("fixes", cwd=Path("/"))
    assert re.search(r"^cpuinfo-arm: .+\n  \*\*/cpu_info_unix\.go: ", done.out, re.MULTILINE)


def test_clean_removes_output_and_nothing_else(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    assert rearch.run("clean").out == "output/ is not there\n"
    rearch.run(*BUILD)
    assert rearch.run("clean").out == "removed output/\n"
    assert not rearch.output.exists()
    assert rearch.run(*BUILD).started == ()
    (rearch.output / "CACHEDIR.TAG").unlink()
    done = rearch.run("clean", code=USAGE)
    assert "is not rearch's: it holds no CACHEDIR.TAG" in done.err
    assert (rearch.output / "build.json").exists()


def test_gc(tmp_path: Path) -> None:
    rearch = demo(tmp_path, upstreams=tmp_path / "upstreams")
    rearch.run(*BUILD)
    kept = rearch.run("gc")
    assert kept.out.startswith("removed 0 ")
    would = rearch.run("gc", "--dry-run", "--age", "0s").out
    count = len(would.splitlines()) - 1
    assert count >= 8
    assert all(line.startswith("would remove ") for line in would.splitlines())
    assert rearch.run(*BUILD).started == ()
    # By quota the longest unused goes first, and only as much as it takes.
    some = rearch.run("gc", "--quota", "1000K").out
    assert 0 < len(some.splitlines()) - 1 < count
    rearch.run("gc", "--everything")
    assert list((rearch.cache / "store-1").glob("??/*")) == []
    assert (rearch.binaries / "linux/arm64/hello/hello").is_file()
    assert "fetch demo/hello" in rearch.run("plan", "--arch", "arm64").out


def test_progress_as_json_is_nothing_but_json(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    done = rearch.run(*BUILD, "--progress", "json", "--verbose")
    assert len(done.events) == len(done.err.splitlines())
    kinds = [event["event"] for event in done.events]
    assert kinds.count("started") == kinds.count("finished") == 12
    planned = next(event for event in done.events if event["event"] == "planned")
    assert {step["action"] for step in planned["steps"]} == {"run", "reuse"}
    assert all(len(step["key"]) == 64 for step in planned["steps"])
    again = rearch.run(*BUILD, "--progress", "json")
    assert [event["event"] for event in again.events] == ["planned"]


def test_failures_as_json(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    change(rearch.project / "recipes/demo/src/one/main.go", "func main() {", "func main() {\n\tundefinedThing()")
    done = rearch.run(*BUILD, "--progress", "json", "--keep-going", code=FAILED)
    assert len(done.events) == len(done.err.splitlines())
    (failed,) = (event for event in done.events if event["event"] == "failed")
    assert failed["step"] == "compile demo/one linux/arm64"
    assert failed["exit_code"] == FAILED
    assert any("undefinedThing" in line for line in failed["error"]["details"])
    assert Path(failed["log"]).is_file()
    assert [event["because"] for event in done.events if event["event"] == "skipped"] == [failed["step"]] * 2
    usage = rearch.run(*BUILD, "--progress", "json", "--only", "three", code=USAGE)
    (event,) = usage.events
    assert event["event"] == "error"
    assert event["exit_code"] == USAGE


def test_quiet_progress_says_nothing_but_what_is_wrong(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    done = rearch.run(*BUILD, "--progress", "quiet")
    assert done.err == ""
    assert done.out == f"{rearch.binaries / 'linux/arm64/hello'}\n"
    assert rearch.run(*BUILD, "--progress", "quiet").err == ""
    change(rearch.project / "recipes/demo/hello.yaml", "good day'}", "good night'}")
    failed = rearch.run(*BUILD, "--progress", "quiet", code=FAILED)
    assert "FAILED  smoke demo/hello linux/arm64" in failed.err
    assert "error: smoke demo/hello linux/arm64: hello on linux/arm64" in failed.err


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    rearch = bare(tmp_path, *(f"component-{number}" for number in range(40)))
    script = f'"{sys.executable}" -m rearch plan | head -1'
    done = subprocess.run(
        ("bash", "-c", script),
        cwd=rearch.project,
        env=rearch.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("run    fetch demo/component-")
    assert all(line.startswith("would lock toolchain ") for line in done.stderr.splitlines()), done.stderr
