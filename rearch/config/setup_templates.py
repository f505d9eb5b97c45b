"""Units and CI files from the templates below templates/setup/ that ship with rearch.

Their brackets are `<< >>` and `<% %>`: `{{` and `{%` belong to GitHub's expressions and to shells.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.config import setup_quoting as quoting
from rearch.config.template_files import FOLDER, template_folders
from rearch.model.setup import SetupFacts, SetupFile, SetupKind

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = f"{FOLDER}/setup"
SECRET = 0o600
# What each kind consists of: the file's path, its template, its permissions; `<name>` is that of the units.
_FILES: dict[SetupKind, tuple[tuple[str, str, int], ...]] = {
    SetupKind.SYSTEMD: (
        ("<name>.service", "systemd.service.j2", 0o644),
        ("<name>.timer", "systemd.timer.j2", 0o644),
        ("<name>.env.example", "secrets.env.j2", SECRET),
    ),
    SetupKind.CRON: (
        ("<name>", "cron.j2", 0o644),
        ("<name>.sh", "cron.sh.j2", 0o755),
        ("<name>.env.example", "secrets.env.j2", SECRET),
    ),
    SetupKind.GITHUB: ((".github/workflows/rearch.yml", "github.yml.j2", 0o644),),
    SetupKind.GITLAB: ((".gitlab/rearch.gitlab-ci.yml", "gitlab.yml.j2", 0o644),),
    SetupKind.JENKINS: (("Jenkinsfile", "jenkins.groovy.j2", 0o644),),
}


def setup_files(kind: SetupKind, facts: SetupFacts, folder: str) -> tuple[SetupFile, ...]:
    """The files of a kind. `folder` is where they will lie, for those that name one another."""
    return tuple(
        SetupFile(path=path.replace("<name>", facts.name), text=_text(template, facts, kind, folder), mode=mode)
        for path, template, mode in _FILES[kind]
    )


def _text(template: str, facts: SetupFacts, kind: SetupKind, folder: str) -> str:
    return _environment().get_template(template).render(facts=facts, kind=kind.value, folder=folder)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_folders(Path()).shipped / "setup"),
        undefined=StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (no HTML: each value is quoted for the language that it stands in)
    )
    environment.filters |= {
        "systemd": quoting.systemd_word,
        "systemd_command": quoting.systemd_command,
        "shell": quoting.shell_command,
        "cron": quoting.cron_command,
        "yaml": quoting.yaml_text,
        "github": quoting.github_text,
        "groovy": quoting.groovy_text,
    }
    return environment
