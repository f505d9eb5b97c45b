"""Upstream's commits between two versions, for people who decide whether to take the new one.

Mirrors in the cache have single commits without history. So the history is fetched for this alone, without trees and
files where the server can leave them out, and thrown away.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rearch.host.sources.git_errors import GitFailed, GitOffline
from rearch.host.sources.git_run import GitRunner, GitSettings
from rearch.host.sources.git_talk import Talker, refused_request
from rearch.host.sources.git_urls import remote
from rearch.model.source import PinnedGit
from rearch.upkeep.bump import Log

# A branch can be older than the release that it is merged after.
_BEFORE = 90 * 86_400


def upstream_log(settings: GitSettings, old: PinnedGit, new: PinnedGit, most: int) -> Log:
    """`git log --oneline old..new`, at most `most` lines.

    Errors: GitOffline, GitUrlRefused, those of Talker.run; GitFailed when the server gives no single commits.
    """
    git = GitRunner(settings)
    talker = Talker(git, remote(new.url, settings.mirrors))
    if settings.offline:
        raise GitOffline(talker.remote.name, "its history")
    with tempfile.TemporaryDirectory(prefix="rearch-log-") as name:
        folder = Path(name)
        made = git.run(folder, "init", "--bare", "--quiet", "--template=", ".")
        if not made.ok:
            raise GitFailed(talker.remote.name, "init", made.said)
        _fetch(talker, folder, old, new)
        return _read(git, folder, old.commit, new.commit, most)


def _fetch(talker: Talker, folder: Path, old: PinnedGit, new: PinnedGit) -> None:
    fixed = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=tree:0")
    specs = tuple(f"+{one.commit}:refs/rearch/{one.commit}" for one in (old, new))
    since = f"--shallow-since={max(0, min(old.time, new.time) - _BEFORE)} +0000"
    ran = None
    for options in ((since,), ()):  # some servers give nothing shallow
        ran = talker.run(folder, *fixed, *options, "--", talker.remote.reach, *specs, limit=talker.git.settings.limit)
        if not refused_request(ran):
            return
    raise GitFailed(talker.remote.name, "fetch", ran.said if ran else ())


def _read(git: GitRunner, folder: Path, old: str, new: str, most: int) -> Log:
    def out(*args: str) -> str:
        ran = git.run(folder, *args)
        if not ran.ok:
            raise GitFailed(folder.name, args[0], ran.said)
        return ran.text

    lines = out("log", "--encoding=UTF-8", "--format=%h %s", f"--max-count={most}", f"{old}..{new}", "--").splitlines()
    total, lost = (int(out("rev-list", "--count", span, "--")) for span in (f"{old}..{new}", f"{new}..{old}"))
    return Log(lines=tuple(line[:200] for line in lines), total=total, lost=lost)
