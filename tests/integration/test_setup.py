"""`setup`: what it writes is read by those who will read it: systemd, sh, cron's rules, GitHub's and GitLab's words."""

from __future__ import annotations

import fcntl
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rearch.config.setup_quoting import systemd_command
from rearch.errors import ExitCode
from tests.support.cli import Cli, clean_environment
from tests.support.go_project import make_go_project, write_file
from tests.support.needs import need_program

ODD = 'my stack 100% $HOME "x" it\'s'
# Stands in for rearch: says what it was asked, and ends as it is told to.
PROGRAM = """#!/bin/sh
printf '%s\\n' "$@" >"$RECORD"
printf '%s\\n' "login $REARCH_LOGIN_USER" >>"$RECORD"
echo "said by the program"
exit "$CODE"
"""


@pytest.fixture
def rearch(tmp_path: Path) -> Cli:
    project = make_go_project(tmp_path / ODD / "project")
    return Cli(project, tmp_path / "cache")


def run(argv: tuple[str, ...], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = clean_environment(**environment)
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60)


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_systemd_takes_the_units(rearch: Cli, tmp_path: Path) -> None:
    analyze = need_program("systemd-analyze", "systemd")
    done = rearch.run("setup", "systemd", "--at", "3:15", "--to", "registry.example.org/x", "--no-publish")
    folder = rearch.project / "setup" / "systemd"
    assert done.out.splitlines() == [
        str(folder / name) for name in ("rearch-nightly.service", "rearch-nightly.timer", "rearch-nightly.env.example")
    ]
    assert "systemd-analyze verify" not in done.err, "it has nothing to say"
    assert "systemctl enable --now rearch-nightly.timer" in done.err
    units = [folder / "rearch-nightly.service", folder / "rearch-nightly.timer"]
    checked = run((analyze, "verify", "--man=no", *map(str, units)), tmp_path)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert oct((folder / "rearch-nightly.env.example").stat().st_mode)[-3:] == "600"


def test_a_service_may_write_to_the_folders_that_it_publishes_to(rearch: Cli, tmp_path: Path) -> None:
    """Named by a flag or by the stack: ProtectSystem=strict has all else read-only."""
    flag = f"oci:{tmp_path / 'images'}"
    printed = rearch.run("setup", "systemd", "--to", flag, "--print")
    assert f"ReadWritePaths={tmp_path}/images\n" in printed.out
    assert f"install -d -o {Path(rearch.project).owner()} {tmp_path}/images\n" in printed.err
    assert "/images\n" not in rearch.run("setup", "systemd", "--to", flag, "--no-publish", "--print").out
    stack = rearch.project / "recipes/demo/stack.yaml"
    write_file(stack, stack.read_text() + "publish: {to: ['oci:../mirror', 'oci:output/own']}\n")
    own = rearch.run("setup", "systemd", "--print").out
    assert "/mirror" in own
    assert "output/own" not in own, "it is in the project"


def test_systemd_reads_an_odd_path_of_a_program(tmp_path: Path) -> None:
    """It looks for the program, so it says what it has read. Quotes it takes in no program: a shell starts that."""
    analyze = need_program("systemd-analyze", "systemd")
    file = tmp_path / "one.service"
    for name, direct in (("100% of $HOME; x#y", True), (ODD, False)):
        program = tmp_path / name / "rearch"
        file.write_text(f"[Service]\nType=oneshot\nExecStart={systemd_command([str(program), 'nightly', '$x %h'])}\n")
        missing = run((analyze, "verify", "--man=no", str(file)), tmp_path).stderr
        assert (f"Command {program} is not executable" in missing) == direct
        write_file(program, PROGRAM)
        program.chmod(0o755)
        assert run((analyze, "verify", "--man=no", str(file)), tmp_path).stderr == ""


def test_what_systemd_finds_wrong_is_told(rearch: Cli) -> None:
    need_program("systemd-analyze", "systemd")
    done = rearch.run("setup", "systemd", "--user", "nobody", "--print")
    assert "note: systemd-analyze verify: rearch-nightly.service" in done.err
    assert "nobody" in done.err
    assert not (rearch.project / "setup").exists()


def test_what_is_there_is_not_touched(rearch: Cli) -> None:
    rearch.run("setup", "systemd")
    folder = rearch.project / "setup" / "systemd"
    before = files(folder)
    again = rearch.run("setup", "systemd")
    assert again.out == ""
    assert again.err.count("as it should be already") == 3
    refused = rearch.run("setup", "systemd", "--at", "4:00", code=ExitCode.USAGE)
    assert "-OnCalendar=*-*-* 02:30:00" in refused.err
    assert "+OnCalendar=*-*-* 04:00:00" in refused.err
    assert files(folder) == before
    forced = rearch.run("setup", "systemd", "--at", "4:00", "--force")
    assert forced.out == f"{folder / 'rearch-nightly.timer'}\n", "only what differs is written"


def test_wrong_words_are_usage_errors(rearch: Cli) -> None:
    for words in (
        ("setup", "upstart"),
        ("setup", "systemd", "--at", "25:00"),
        ("setup", "systemd", "--stack", "demoo"),
        ("setup", "github", "--print", "--force"),
    ):
        done = rearch.run(*words, code=ExitCode.USAGE)
        assert done.err.startswith(("error: ", "rearch.yaml", "recipes")), str(done)
    assert not (rearch.project / "setup").exists()


def cron_line(text: str) -> tuple[list[str], str, str, dict[str, str]]:
    """crontab(5): variables, and one line of five fields, a user, and a command with its % as they are meant."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]+=", line))
    (entry,) = (line for line in lines if not re.match(r"[A-Z]+=", line))
    *fields, user, command = entry.split(None, 6)
    assert not re.search(r"(?<!\\)%", command), "cron takes it for the end of the line"
    return fields, user, command.replace(r"\%", "%"), variables


class Night:
    """cron's files, with a program that stands in for rearch; `run` does what cron does."""

    def __init__(self, rearch: Cli, folder: Path) -> None:
        rearch.run("setup", "cron", "--mail", "ops@example.org", "--stack", "demo", "--name", "night")
        self.folder = rearch.project / "setup" / "cron"
        self.fields, self.user, self.command, self.variables = cron_line((self.folder / "night").read_text())
        self.script = self.folder / "night.sh"
        self.secrets = folder / "night.env"
        self.record = folder / "record"
        program = folder / "program"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        text = self.script.read_text().replace("/etc/rearch/night.env", str(self.secrets))
        text = re.sub(r"nice -n 10 \S+(?: -m rearch)?", f"nice -n 10 {shlex.quote(str(program))}", text)
        self.script.write_text(text)

    def run(self, code: int = 0) -> subprocess.CompletedProcess[str]:
        """With the environment that cron gives: crontab(5), and the lines of the file."""
        env = {"HOME": "/", "LOGNAME": self.user, "RECORD": str(self.record), "CODE": str(code)} | self.variables
        argv = (self.variables["SHELL"], "-c", self.command)
        return subprocess.run(argv, cwd="/", env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def night(rearch: Cli, tmp_path: Path) -> Night:
    return Night(rearch, tmp_path)


def test_cron_runs_it_and_is_silent_when_all_is_well(night: Night, rearch: Cli) -> None:
    assert night.fields == ["30", "2", "*", "*", "*"]
    assert night.variables["MAILTO"] == "ops@example.org"
    done = night.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    asked = night.record.read_text().splitlines()[:-1]
    assert asked == ["--project", str(rearch.project), "nightly", "--stack", "demo"]


@pytest.mark.parametrize(("code", "words"), [(1, "failed"), (4, "in part"), (75, "next night"), (99, "exit code 99")])
def test_cron_has_something_to_mail_when_it_did_not_end_well(night: Night, code: int, words: str) -> None:
    done = night.run(code)
    assert done.returncode == code
    assert words in done.stdout.splitlines()[0]
    assert "said by the program" in done.stdout


def test_a_second_run_of_cron_is_refused(night: Night) -> None:
    with night.script.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = night.run()
    assert done.returncode == ExitCode.TEMPORARY
    assert "still goes on" in done.stderr
    assert not night.record.exists()


def test_secrets_of_cron_are_read_when_nobody_else_may(night: Night) -> None:
    night.secrets.write_text("REARCH_LOGIN_USER='a $b'\n")
    night.secrets.chmod(0o640)
    refused = night.run()
    assert refused.returncode == ExitCode.USAGE
    assert "chmod 600" in refused.stderr
    assert not night.record.exists()
    night.secrets.chmod(0o600)
    assert night.run().returncode == 0
    assert night.record.read_text().splitlines()[-1] == "login a $b"


def in_repository(rearch: Cli) -> Path:
    """The project is a folder of a repository: CI files go to the top."""
    top = rearch.project.parent
    (top / ".git").mkdir()
    return top


def fake_rearch(folder: Path) -> str:
    """A PATH on which `rearch` is the program that records."""
    write_file(folder / "bin" / "rearch", PROGRAM)
    (folder / "bin" / "rearch").chmod(0o755)
    return f"{folder / 'bin'}:/usr/bin:/bin"


def test_github_is_given_a_workflow(rearch: Cli, tmp_path: Path) -> None:
    top = in_repository(rearch)
    done = rearch.run("setup", "github", "--to", "ghcr.io/someone", "--stack", "demo")
    assert done.out == f"{top}/.github/workflows/rearch.yml\n"
    text = (top / ".github/workflows/rearch.yml").read_text()
    workflow: Any = yaml.load(text, Loader=yaml.BaseLoader)
    assert workflow["on"]["schedule"] == [{"cron": "30 2 * * *"}]
    assert workflow["permissions"] == {"contents": "read", "packages": "write"}
    (job,) = workflow["jobs"].values()
    assert set(job) <= {"runs-on", "timeout-minutes", "defaults", "env", "steps"}
    assert job["defaults"]["run"]["working-directory"] == "project"
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert set(step) <= {"id", "name", "uses", "with", "run", "env", "if"}
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40}", step["uses"]), "pinned by commit"
        else:
            assert run(("bash", "-n", "-c", step["run"]), tmp_path).stderr == ""
            assert "secrets." not in step["run"], "secrets go through the environment"
    (build,) = (step for step in job["steps"] if step.get("name") == "Build and publish")
    record = tmp_path / "record"
    environment = {"PATH": fake_rearch(tmp_path), "RECORD": str(record), "GITHUB_WORKSPACE": str(tmp_path)}
    for code, ends, words in ((0, 0, ""), (4, 4, "::error"), (75, 0, "::warning"), (3, 3, "exit code 3")):
        ran = run(("bash", "-e", "-c", build["run"]), rearch.project, CODE=str(code), **environment)
        assert ran.returncode == ends
        assert words in ran.stdout
    assert record.read_text().splitlines()[:-1] == ["nightly", "--stack", "demo", "--to", "ghcr.io/someone"]


# docs.gitlab.com/ci/yaml: the keywords of a job.
GITLAB = {
    "image",
    "rules",
    "resource_group",
    "interruptible",
    "timeout",
    "retry",
    "allow_failure",
    "variables",
    "cache",
} | {
    "before_script",
    "script",
    "after_script",
    "artifacts",
}


def test_gitlab_is_given_a_file_to_include(rearch: Cli, tmp_path: Path) -> None:
    top = in_repository(rearch)
    done = rearch.run("setup", "gitlab", "--stack", "demo")
    assert done.out == f"{top}/.gitlab/rearch.gitlab-ci.yml\n"
    assert "include: [{local: .gitlab/rearch.gitlab-ci.yml}]" in done.err
    document = yaml.safe_load((top / ".gitlab/rearch.gitlab-ci.yml").read_text())
    (job,) = document.values()
    assert set(job) == GITLAB
    assert job["allow_failure"] == {"exit_codes": [75]}
    assert job["artifacts"]["reports"] == {"junit": "rearch-report/junit.xml"}
    lines = [line for part in ("before_script", "script", "after_script") for line in job[part]]
    assert all(isinstance(line, str) for line in lines)
    for line in lines:
        assert run(("sh", "-n", "-c", line), tmp_path).stderr == ""
    record = tmp_path / "record"
    environment = {"PATH": fake_rearch(tmp_path), "RECORD": str(record), "CODE": "0", "CI_PROJECT_DIR": str(tmp_path)}
    left_out = ("apt-get", "python -m pip", "cd -- project")
    first = [*job["before_script"], *job["script"]]
    script = "\n".join(line for line in first if not line.startswith(left_out))
    ran = run(("sh", "-e", "-c", script), rearch.project, **environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert record.read_text().splitlines()[:-1] == ["nightly", "--stack", "demo"]
    assert lines.count("cd -- project") == 2


STRINGS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|//[^\n]*")


def test_jenkins_is_given_a_pipeline(rearch: Cli, tmp_path: Path) -> None:
    top = in_repository(rearch)
    rearch.run("setup", "jenkins", "--to", "registry.example.org/x", "--to", f"oci:{ODD}", "--at", "1:05")
    text = (top / "Jenkinsfile").read_text()
    bare = STRINGS.sub("", text)
    assert "'" not in bare, "each string ends on its line"
    assert '"' not in bare
    for opening, closing in ("{}", "()", "[]"):
        assert bare.count(opening) == bare.count(closing)
    assert re.search(r"^pipeline \{$.*^\}$.*^def nightly\(\) \{$.*^\}$", text, re.MULTILINE | re.DOTALL)
    assert "cron('5 1 * * *')" in text
    assert "'REARCH_LOGIN_REGISTRY=registry.example.org'" in text
    (quoted,) = re.findall(r"script: ('(?:[^'\\]|\\.)*')\)", text)
    command = re.sub(r"\\(.)", r"\1", quoted[1:-1])
    record, home = tmp_path / "record", tmp_path / "w"
    fake_rearch(home / "venv")
    ran = run(("sh", "-c", command), tmp_path, WORKSPACE_TMP=str(home), RECORD=str(record), CODE="4")
    assert ran.returncode == 4
    assert record.read_text().splitlines()[:-1] == ["nightly", "--to", "registry.example.org/x", "--to", f"oci:{ODD}"]


def test_one_file_is_printed_as_it_would_be_written(rearch: Cli) -> None:
    printed = rearch.run("setup", "jenkins", "--print").out
    rearch.run("setup", "jenkins", "--out", rearch.project / "ci")
    assert (rearch.project / "ci" / "Jenkinsfile").read_text() == printed
