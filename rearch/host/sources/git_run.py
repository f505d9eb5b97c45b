"""Runs git, through GitPython, with an environment of our own and in a session of its own.

GitPython starts every child with all of os.environ and can only kill the children that it can list with `pgrep`.
So: `env -u` takes away what is not named (names only: values would show in the process list), and the
child's whole session is ended at a time limit, on Ctrl-C and by `Processes.stop`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from rearch.host.process import Processes
from rearch.host.sources.git_environment import CONFIG_TEXT, Setting, git_environment, git_settings
from rearch.host.sources.git_errors import GitMissing
from rearch.host.sources.git_streams import Progress, Ran, progress_reader, talk
from rearch.host.sources.git_urls import Protocol
from rearch.model.frozen import NOTHING

if TYPE_CHECKING:
    from git.cmd import Git

LOCAL_LIMIT = 1800.0
"""Seconds that a command without network may take."""

_OLDEST = (2, 32)  # GIT_CONFIG_GLOBAL and GIT_CONFIG_COUNT


class GitSettings(Struct, frozen=True, kw_only=True):
    """What the git adapters need to know. `cache` is the cache folder of rearch; times in seconds.

    `timeout` is the longest silence of a server, `limit` the longest run of one transfer. `environment` is the user's;
    what of it enters is said in git_environment.py. `processes` is the run's, so that Ctrl-C ends git too.
    """

    cache: Path
    mirrors: Mapping[str, str] = NOTHING
    offline: bool = False
    timeout: float = 30.0
    limit: float = 7200.0
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    processes: Processes = field(default_factory=Processes)
    pause: float = 1.0
    """Seconds before the first of two more attempts at a transfer that broke off."""

    @property
    def folder(self) -> Path:
        """Where the mirrors are."""
        return self.cache / "git"


class GitRunner:
    """Runs git for one configuration. Safe to share between threads."""

    def __init__(self, settings: GitSettings) -> None:
        self.settings = settings

    def run(
        self,
        folder: Path,
        *args: str,
        protocol: Protocol | None = None,
        limit: float = LOCAL_LIMIT,
        extra: Mapping[str, str] = NOTHING,
        progress: Progress | None = None,
    ) -> Ran:
        """Run `git ARGS` in a folder. It may speak `protocol` alone; `limit` in seconds. Errors: GitMissing."""
        user = self._user_settings if protocol in ("http", "https") else ()
        stall = self.settings.timeout
        git = git_settings(protocol, stall, user)
        env = git_environment(self.settings.environment, git, self._config, stall) | dict(extra)
        return self._spawn(folder, ("git", *args), env, limit, progress)

    def _spawn(
        self, folder: Path, argv: tuple[str, ...], env: Mapping[str, str], limit: float, progress: Progress | None
    ) -> Ran:
        foreign = [word for name in sorted(os.environ) if name not in env for word in ("-u", name)]
        process = self._git(folder).execute(
            ["env", *foreign, "--", *argv] if foreign else list(argv),
            as_process=True,
            env=dict(env),
            start_new_session=True,
        )
        child = process.proc
        assert child is not None
        with self.settings.processes.adopt(child):
            return talk(child, limit, progress_reader(progress))

    def _git(self, folder: Path) -> Git:
        _ = self._checked
        from git.cmd import Git

        return Git(folder)

    @cached_property
    def _checked(self) -> bool:
        """git is there, and new enough."""
        if shutil.which("git", path=self.settings.environment.get("PATH")) is None:
            raise GitMissing(None, ".".join(map(str, _OLDEST)))
        from git.cmd import Git

        found = Git().version_info
        if found[:2] < _OLDEST:
            raise GitMissing(".".join(map(str, found)), ".".join(map(str, _OLDEST)))
        return True

    @cached_property
    def _config(self) -> Path:
        """The file that stands in for ~/.gitconfig; the same text from every run, so it needs no lock."""
        path = self.settings.folder / "gitconfig"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != CONFIG_TEXT:
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".gitconfig-", delete=False) as file:
                file.write(CONFIG_TEXT)
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        return path

    @cached_property
    def _user_settings(self) -> tuple[Setting, ...]:
        """All of the user's and the host's git configuration; git_environment.py picks from it."""
        env = {
            name: value
            for name, value in self.settings.environment.items()
            if name in ("PATH", "HOME", "XDG_CONFIG_HOME")
        }
        found: list[Setting] = []
        for scope in ("--system", "--global"):
            ran = self._spawn(Path("/"), ("git", "config", scope, "--includes", "--list", "-z"), env, 10.0, None)
            pairs = (entry.partition("\n") for entry in ran.text.split("\0") if entry)
            found += [(key, value) for key, _, value in pairs] if ran.ok else []
        return tuple(found)
