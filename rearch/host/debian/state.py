"""A private apt state below the cache: apt's own answers, without root, with the host's lists untouched.

The host's configuration stays in force (proxies, certificates, auth.conf, preferences); only where apt
keeps its state, which lists it reads, and for which architecture it answers, is ours. Ours is given with `-c`,
which apt reads after everything else (apt.conf(5)).
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

from msgspec import Struct

from rearch.errors import StepError, TemporaryError
from rearch.formats.urls import OfflineError
from rearch.host.debian.entries import ArchiveEntry, render
from rearch.host.debian.tools import AptTools, Say
from rearch.host.process import Processes
from rearch.model.command import Command

UPDATE_TIMEOUT = 900.0
QUERY_TIMEOUT = 300.0
# Lists younger than this are not fetched again: several names that are resolved in a row mean one update.
FRESH = 300.0


class AptUnreachable(TemporaryError):
    """No list of packages could be fetched, and none is there from before."""

    def __init__(self, places: tuple[str, ...], said: tuple[str, ...]) -> None:
        self.places = places
        self.said = said
        super().__init__(
            "apt could not fetch any list of packages",
            (*(f"from {place}" for place in places), *said),
            hint="try again later; `apt-get update` shows whether this host can reach its archives at all",
        )


class AptFailed(StepError):
    """apt-get or apt-cache did not do what it was asked for."""

    def __init__(self, what: str, said: tuple[str, ...], hint: str | None = None) -> None:
        self.what = what
        self.said = said
        super().__init__(what, said, hint)


class Answer(Struct, frozen=True):
    """What an apt command printed: its answer, and apart from it what it complained of."""

    exit: int | None
    text: str
    said: tuple[str, ...]


class AptState:
    """The state for one architecture and one set of archives. Safe for several runs at once (flock)."""

    def __init__(
        self,
        tools: AptTools,
        cache: Path,
        architecture: str,
        entries: tuple[ArchiveEntry, ...],
        processes: Processes,
        *,
        sources: bool,
    ) -> None:
        """With `sources` the lists of source packages are fetched too."""
        self.architecture = architecture
        self._tools = tools
        self._entries = entries
        self._processes = processes
        self._targets = {"Packages", "Sources"} if sources else {"Packages"}
        self._sources = render(entries, sources=sources)
        identity = hashlib.sha256(f"{architecture}\n{self._sources}".encode()).hexdigest()[:12]
        self._folder = cache / "debian" / f"{architecture}-{identity}"
        self._stamp = self._folder / "updated"
        self._updated = False

    def update(self, say: Say, *, force: bool = False) -> bool:
        """Fetch the lists unless they are fresh; True when it did. With `force` also then, but once in a run.

        Errors: AptUnreachable when there are no lists at all; what is merely old is said. OfflineError.
        """
        with self._locked():
            if self._tools.offline:
                if not self._stamp.exists():
                    raise OfflineError("the list of Debian packages", self._entries[0].uris[0])
                return False
            if self._updated or (self._age() < FRESH and not force):
                return False
            self._update(say)
            self._updated = True
            return True

    def _age(self) -> float:
        try:
            return abs(time.time() - self._stamp.stat().st_mtime)
        except FileNotFoundError:
            return float("inf")

    def _update(self, say: Say) -> None:
        say(f"apt: fetching lists of {self.architecture} packages")
        answer = self._run(("apt-get", "-q", "update"), UPDATE_TIMEOUT)
        targets = self._run(("apt-get", "indextargets", "--format", "$(CREATED_BY)"), QUERY_TIMEOUT)
        if not self._targets <= set(targets.text.split()):
            raise AptUnreachable(self._places(), answer.said[:10])
        for line in answer.said:
            say(f"apt: {line}")
        if answer.exit == 0:
            self._stamp.touch()
        elif not self._stamp.exists():
            # Some lists are there, some are not: usable, and fetched again at the next occasion.
            self._stamp.touch()
            os.utime(self._stamp, (0, 0))

    def _places(self) -> tuple[str, ...]:
        return tuple(f"{uri} {' '.join(entry.suites)}" for entry in self._entries for uri in entry.uris)

    def ask(self, *argv: str) -> Answer:
        """Run apt-get or apt-cache on the lists that are there; nothing is installed, nothing needs root.

        Errors: AptFailed when it does not end.
        """
        with self._locked():
            answer = self._run(argv, QUERY_TIMEOUT)
        if answer.exit is None:
            raise AptFailed(f"{' '.join(argv[:2])} did not end within {QUERY_TIMEOUT:.0f} s", answer.said)
        return answer

    def released(self) -> int:
        """The date of the newest Release file among the lists, in seconds since 1970.

        Errors: AptFailed when none of them says one.
        """
        with self._locked():
            lists = tuple((self._folder / "lists").iterdir())
            found = [path for path in lists if path.name.endswith(("_InRelease", "_Release"))]
            times = [release_time(path.read_text(encoding="utf-8", errors="replace")) for path in found]
        known = [time for time in times if time is not None]
        if not known:
            raise AptFailed("no Release file of the archives says of what date it is", self._places())
        return max(known)

    def _run(self, argv: tuple[str, ...], timeout: float) -> Answer:
        program, *rest = argv
        command = Command(
            argv=(program, "-c", str(self._folder / "apt.conf"), *rest),
            cwd=self._folder,
            env=self._tools.environment,
            timeout=timeout,
        )
        output = io.BytesIO()
        done = self._processes.run(command, output)
        return split_answer(done.exit, output.getvalue().decode("utf-8", "replace"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Readers too: apt rewrites its package cache whenever it finds the lists newer."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._prepare()
            yield

    def _prepare(self) -> None:
        """Lay out the folder. The configuration is written again when it says something else (a time-out, the user)."""
        folder = self._folder
        text = configuration(self._state_settings(), self._tools.timeout).encode()
        conf = folder / "apt.conf"
        if conf.exists() and conf.read_bytes() == text:
            return
        for name in ("lists/partial", "cache/archives/partial", "sources.d"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.d" / "rearch.sources").write_text(self._sources, encoding="utf-8")
        draft = folder / "apt.conf.new"
        draft.write_bytes(text)
        draft.replace(conf)

    def _state_settings(self) -> Mapping[str, str]:
        folder = self._folder
        return {
            "APT::Architecture": self.architecture,
            "Dir::State": str(folder),
            "Dir::State::lists": str(folder / "lists"),
            # Empty: what apt resolves must not depend on what this host has installed.
            "Dir::State::status": str(folder / "status"),
            "Dir::State::extended_states": str(folder / "extended_states"),
            "Dir::Cache": str(folder / "cache"),
            "Dir::Cache::archives": str(folder / "cache/archives"),
            "Dir::Cache::pkgcache": "pkgcache.bin",
            "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": str(folder / "sources.d"),
            "Dir::Log": str(folder / "log"),
        }


def release_time(text: str) -> int | None:
    """The Date of a Release file (https://wiki.debian.org/DebianRepository/Format), None where it has none."""
    found = re.search(r"^Date:[ \t]*(.+?)[ \t]*$", text, re.MULTILINE)
    try:
        return max(0, int(parsedate_to_datetime(found[1]).timestamp())) if found else None
    except (ValueError, OverflowError):
        return None


def configuration(settings: Mapping[str, str], timeout: float) -> str:
    """An apt.conf(5) with these settings and ours for every use."""
    common = {
        # The state may lie below a home that apt's own user cannot enter; every list is signed, every file hashed.
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "APT::Install-Recommends": "false",
        "APT::Install-Suggests": "false",
        "Acquire::Languages": "none",
        "Acquire::http::Timeout": str(max(1, round(timeout))),
        "Acquire::https::Timeout": str(max(1, round(timeout))),
    }
    cleared = ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success")
    lists: dict[str, tuple[str, ...]] = {"APT::Build-Profiles": ("nocheck", "nodoc")}
    if "APT::Architecture" in settings:
        lists["APT::Architectures"] = (settings["APT::Architecture"],)
    lines = [f"#clear {name};" for name in (*cleared, *lists)]
    lines += [f'{name} "{value}";' for name, value in (common | dict(settings)).items()]
    lines += [
        f"{name} {{ {' '.join(f'{chr(34)}{item}{chr(34)};' for item in items)} }};" for name, items in lists.items()
    ]
    return "\n".join(lines) + "\n"


def split_answer(exit_code: int | None, text: str) -> Answer:
    """Tell apt's complaints (`E: `, `W: `, `N: ` at the start of a line) from its answer."""
    lines = text.splitlines()
    said = tuple(line for line in lines if line[:3] in ("E: ", "W: ", "N: "))
    kept = [line for line in lines if line[:3] not in ("E: ", "W: ", "N: ")]
    return Answer(exit_code, "\n".join(kept) + "\n", said)
