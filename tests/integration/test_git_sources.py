"""What git alone can do to a source: tags that move, submodules, servers of all kinds, damaged caches."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode, HostileInputError, StepError, TemporaryError
from rearch.host.process import Processes
from rearch.host.sources.git import GitSources
from rearch.host.sources.git_errors import (
    GitCommitGone,
    GitHostile,
    GitNotACommit,
    GitOffline,
    GitRefInvalid,
    GitRefUnknown,
    GitRefused,
    GitSubmodule,
    GitTagMoved,
    GitUnreachable,
    GitUrlRefused,
)
from rearch.host.sources.git_mirror import Mirror
from rearch.host.sources.git_resolve import GitResolver
from rearch.host.sources.git_run import GitRunner, GitSettings
from rearch.host.sources.git_urls import remote
from rearch.model.limits import Limits
from rearch.model.recipe import GitSource
from rearch.model.source import PinnedGit
from tests.support.repositories import (
    FIRST_TIME,
    Link,
    RawEntry,
    Repository,
    empty_repository,
    make_repository,
    with_submodules,
)
from tests.support.web import QuietHandler, serve
from tests.support.workspace import log_of, make_workspace, progress_of

FILES = {"main.go": "package main\n", "vendor/a/a.go": "package a\n"}


def _settings(base: Path, **more: object) -> GitSettings:
    return replace(GitSettings(cache=base / "cache", timeout=10, pause=0.01), **more)


def _pin(repository: Repository, ref: str = "v1", *, commit: str | None = None, submodules: bool = False) -> PinnedGit:
    found = commit or repository.head
    return PinnedGit(url=repository.url, ref=ref, commit=found, time=FIRST_TIME, submodules=submodules)


def _fetch(base: Path, source: PinnedGit, **more: object) -> Path:
    work = make_workspace(base)
    GitSources(_settings(base, **more)).fetch(source, work)
    return work.files / "source"


def _resolve_from(base: Path, address: str, name: str, **more: object) -> PinnedGit:
    """Resolve v1 of a repository that a server of ours has over plain HTTP."""
    settings = _settings(base, mirrors={f"{address}/": f"{address}/"}, **more)
    return GitResolver(settings).resolve(GitSource(git=f"{address}/{name}", ref="v1"))


class TestResolve:
    def test_tags_are_peeled_and_branches_followed(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1", annotated=True)
        first = repository.head
        second = repository.commit({"x": "y"}, time=FIRST_TIME + 7)
        resolver = GitResolver(_settings(tmp_path))
        assert resolver.resolve(GitSource(git=repository.url, ref="v1")) == _pin(repository, commit=first)
        found = resolver.resolve(GitSource(git=repository.url, ref="main"))
        assert (found.commit, found.time) == (second, FIRST_TIME + 7)

    def test_a_whole_commit_names_itself_and_a_short_one_nothing(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES)
        resolver = GitResolver(_settings(tmp_path))
        assert resolver.resolve(GitSource(git=repository.url, ref=repository.head)).commit == repository.head
        with pytest.raises(GitRefUnknown, match="no tag or branch") as caught:
            resolver.resolve(GitSource(git=repository.url, ref=repository.head[:9]))
        assert "40 digits" in str(caught.value.hint)
        assert caught.value.exit_code is ExitCode.USAGE

    def test_a_name_that_is_not_there_shows_the_nearest(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v0.3.8")
        with pytest.raises(GitRefUnknown) as caught:
            GitResolver(_settings(tmp_path)).resolve(GitSource(git=repository.url, ref="0.3.8"))
        assert caught.value.nearest[0] == "v0.3.8"

    def test_a_tag_wins_over_a_branch_and_it_is_said(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        first = repository.head
        repository.set_branch("v1", repository.commit({"x": "y"}))
        said: list[str] = []
        found = GitResolver(_settings(tmp_path), said.append).resolve(GitSource(git=repository.url, ref="v1"))
        assert found.commit == first
        assert "a tag and a branch" in said[0]

    def test_a_moved_tag_shows_both_commits(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1", message="honest release")
        source, resolver = GitSource(git=repository.url, ref="v1"), GitResolver(_settings(tmp_path))
        pinned = resolver.resolve(source)
        assert resolver.resolve(source, pinned) == pinned
        assert resolver.moved(pinned) is None
        repository.tag("v1", repository.commit({"x": "evil"}, "quiet change"))
        with pytest.raises(GitTagMoved) as caught:
            resolver.resolve(source, pinned)
        text = caught.value.render()
        assert caught.value.exit_code is ExitCode.VERIFICATION
        for part in (pinned.commit, repository.head, "honest release", "quiet change", "2017-07-14", "lock --update"):
            assert part in text
        assert isinstance(resolver.moved(pinned), GitTagMoved)
        assert resolver.resolve(source, None).commit == repository.head

    def test_a_branch_waits_for_update(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES)
        source, resolver = GitSource(git=repository.url, ref="main"), GitResolver(_settings(tmp_path))
        pinned = resolver.resolve(source)
        repository.commit({"x": "y"})
        assert resolver.resolve(source, pinned) == pinned
        assert resolver.resolve(source).commit == repository.head

    def test_a_new_name_in_the_recipe_is_resolved_anew(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        resolver = GitResolver(_settings(tmp_path))
        pinned = resolver.resolve(GitSource(git=repository.url, ref="v1"))
        repository.tag("v2", repository.commit({"x": "y"}))
        assert resolver.resolve(GitSource(git=repository.url, ref="v2"), pinned).commit == repository.head

    def test_offline_the_lock_is_enough(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        offline = GitResolver(_settings(tmp_path, offline=True))
        source = GitSource(git=repository.url, ref="v1")
        assert offline.resolve(source, _pin(repository)) == _pin(repository)
        with pytest.raises(GitOffline, match="what v1 names"):
            offline.resolve(source)

    def test_a_tag_on_a_file_is_no_source(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES)
        repository.tag("key", repository.blob("a public key"))
        with pytest.raises(GitNotACommit, match="names a blob"):
            GitResolver(_settings(tmp_path)).resolve(GitSource(git=repository.url, ref="key"))


class TestFetch:
    def test_only_the_commit_is_fetched(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES)
        old = repository.head
        repository.commit({"big": "x" * 100_000})
        _fetch(tmp_path, _pin(repository, "main", commit=old))
        (mirror,) = (tmp_path / "cache/git").glob("*.git")
        listed = subprocess.run(
            ["git", "-C", mirror, "rev-list", "--all"], check=True, capture_output=True, text=True
        ).stdout.split()
        assert listed == [old]

    def test_a_tag_that_moved_after_the_lock_stops_the_fetch(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        pinned = _pin(repository)
        repository.tag("v1", repository.commit({"x": "evil"}))
        with pytest.raises(GitTagMoved):
            _fetch(tmp_path, pinned)

    def test_what_is_cached_is_not_asked_for(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        pinned = _pin(repository)
        _fetch(tmp_path, pinned)
        repository.tag("v1", repository.commit({"x": "later"}))
        assert (_fetch(tmp_path, pinned) / "main.go").exists()

    def test_a_commit_that_upstream_has_dropped(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        with pytest.raises(GitCommitGone) as caught:
            _fetch(tmp_path, _pin(repository, "main", commit="f" * 40))
        assert caught.value.exit_code is ExitCode.VERIFICATION
        assert "locked as main" in caught.value.render()

    def test_a_moved_tag_whose_old_commit_is_gone(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        with pytest.raises(GitTagMoved) as caught:
            _fetch(tmp_path, _pin(repository, commit="f" * 40))
        assert "cannot be had" in caught.value.render()

    @pytest.mark.parametrize("commit", ["--upload-pack=touch x", "HEAD", "0" * 39, "G" * 40])
    def test_a_lock_that_is_no_commit(self, tmp_path: Path, commit: str) -> None:
        repository = make_repository(tmp_path / "a.git", FILES)
        with pytest.raises(GitRefInvalid):
            _fetch(tmp_path, _pin(repository, commit=commit))

    def test_the_log_says_what_came_and_the_bar_moves(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1", message="first light")
        work = make_workspace(tmp_path)
        GitSources(_settings(tmp_path)).fetch(_pin(repository), work)
        assert f"{repository.url}: {repository.head} of 2017-07-14 (first light)" in log_of(work)
        assert ("git objects", 6, 6, "objects") in progress_of(work)

    def test_all_times_are_the_commits(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", {**FILES, "l": Link("main.go")}, time=1_234_567_890)
        source = _fetch(tmp_path, replace(_pin(repository, "main"), time=7))
        assert {path.lstat().st_mtime for path in (source, *source.rglob("*"))} == {1_234_567_890}

    def test_limits_hold(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", {"big": "x" * 5000})
        work = make_workspace(tmp_path, limits=Limits(archive_bytes=4999))
        with pytest.raises(GitHostile, match="more bytes"):
            GitSources(_settings(tmp_path)).fetch(_pin(repository, "main"), work)
        assert not any((work.files / "source").iterdir())


class TestHostileTrees:
    """git's own checks on arrival, and ours where a server's objects came into the cache without them."""

    @pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b".", b"git~1", b".g\xe2\x80\x8cit"])
    def test_names_that_reach_out(self, tmp_path: Path, name: bytes) -> None:
        repository = empty_repository(tmp_path / "a.git")
        inner = repository.raw_tree([RawEntry("100644", b"config", repository.blob("[core]\n"))])
        repository.commit_tree(repository.raw_tree([RawEntry("40000", name, inner)]))
        with pytest.raises(HostileInputError):
            _fetch(tmp_path, _pin(repository, "main"))

    def test_a_slash_in_a_name(self, tmp_path: Path) -> None:
        repository = empty_repository(tmp_path / "a.git")
        repository.commit_tree(repository.raw_tree([RawEntry("100644", b"../../x", repository.blob("x"))]))
        with pytest.raises(HostileInputError):
            _fetch(tmp_path, _pin(repository, "main"))
        assert not (tmp_path / "x").exists()

    def test_one_name_as_link_and_folder(self, tmp_path: Path) -> None:
        repository = empty_repository(tmp_path / "a.git")
        inner = repository.raw_tree([RawEntry("100644", b"x", repository.blob("x"))])
        link = RawEntry("120000", b"a", repository.blob("/tmp"))
        repository.commit_tree(repository.raw_tree([link, RawEntry("40000", b"a", inner)]))
        with pytest.raises(HostileInputError):
            _fetch(tmp_path, _pin(repository, "main"))

    def test_objects_that_came_unchecked_are_checked_before_they_are_written(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES)
        _fetch(tmp_path, _pin(repository, "main"))
        evil = empty_repository(tmp_path / "evil.git")
        inner = evil.raw_tree([RawEntry("100755", b"post-checkout", evil.blob("#!/bin/sh\n"))])
        commit = evil.commit_tree(evil.raw_tree([RawEntry("40000", b".gIt", inner)]))
        (mirror,) = (tmp_path / "cache/git").glob("*.git")
        for path in (evil.path / "objects").glob("??/*"):
            (mirror / "objects" / path.parent.name).mkdir(exist_ok=True)
            (mirror / "objects" / path.parent.name / path.name).write_bytes(path.read_bytes())
        (mirror / "refs/rearch" / commit).write_text(commit + "\n")
        with pytest.raises(GitHostile, match=r"spelling of \.git"):
            _fetch(tmp_path, _pin(repository, "main", commit=commit))


class TestSubmodules:
    def _family(self, base: Path) -> tuple[Repository, Repository, Repository]:
        inner = make_repository(base / "up/inner.git", {"inner.go": "package inner\n"})
        middle = make_repository(
            base / "up/middle.git",
            {"middle.go": "package middle\n"},
            submodules={"deep/inner": ("../inner.git", inner.head)},
        )
        outer = make_repository(base / "up/outer.git", FILES, tag="v1", submodules={"deps/middle": middle})
        return inner, middle, outer

    def test_they_are_followed_to_the_commit_that_is_named(self, tmp_path: Path) -> None:
        inner, _, outer = self._family(tmp_path)
        inner.commit({"inner.go": "package changed\n"})
        source = _fetch(tmp_path, _pin(outer, submodules=True))
        assert (source / "deps/middle/deep/inner/inner.go").read_text() == "package inner\n"
        assert (source / "deps/middle/middle.go").exists()
        assert {path.lstat().st_mtime for path in source.rglob("*")} == {FIRST_TIME}

    def test_left_out_ones_are_said(self, tmp_path: Path) -> None:
        *_, outer = self._family(tmp_path)
        work = make_workspace(tmp_path)
        GitSources(_settings(tmp_path)).fetch(_pin(outer), work)
        assert "'deps/middle'" in log_of(work)
        assert "`submodules` is false" in log_of(work)
        assert list((work.files / "source/deps/middle").iterdir()) == []

    def test_mirrors_hold_for_them_too(self, tmp_path: Path) -> None:
        inner = make_repository(tmp_path / "up/inner", {"inner.go": "package inner\n"})
        outer = make_repository(
            tmp_path / "up/outer", FILES, submodules={"inner": ("https://git.example.org/team/inner", inner.head)}
        )
        pinned = replace(_pin(outer, "main", submodules=True), url="https://git.example.org/team/outer")
        mirrors = {"https://git.example.org/team/": f"file://{tmp_path}/up/"}
        assert (_fetch(tmp_path, pinned, mirrors=mirrors) / "inner/inner.go").exists()

    @pytest.mark.parametrize(
        ("url", "problem"),
        [("", "has no URL"), ("../../../../../../../../../../../../../../x", "climbs above")],
    )
    def test_a_url_that_leads_nowhere(self, tmp_path: Path, url: str, problem: str) -> None:
        files = with_submodules(FILES, {"sub": (url, "1" * 40)})
        if not url:
            files[".gitmodules"] = '[submodule "other"]\n\tpath = other\n\turl = https://example.org/x\n'
        outer = make_repository(tmp_path / "outer.git", files)
        with pytest.raises(GitSubmodule, match=problem):
            _fetch(tmp_path, _pin(outer, "main", submodules=True))

    @pytest.mark.parametrize("url", ["ext::sh -c 'touch /tmp/x'", "-u./payload", "ssh://-oProxyCommand=x/y"])
    def test_a_url_that_runs_something(self, tmp_path: Path, url: str) -> None:
        outer = make_repository(tmp_path / "outer.git", FILES, submodules={"sub": (f'"{url}"', "1" * 40)})
        # git's fsck finds the one that begins with a dash before our policy does.
        with pytest.raises((GitUrlRefused, GitHostile)):
            _fetch(tmp_path, _pin(outer, "main", submodules=True))

    def test_a_repository_from_the_network_cannot_name_a_folder_of_this_machine(self, tmp_path: Path) -> None:
        secret = make_repository(tmp_path / "secret.git", {"secret": "x"})
        outer = make_repository(tmp_path / "up/outer", FILES, submodules={"sub": secret})
        with serve(tmp_path / "up") as address:
            pinned = replace(_pin(outer, "main", submodules=True), url="https://git.example.org/outer")
            with pytest.raises(GitUrlRefused, match="git URL refused") as caught:
                _fetch(tmp_path, pinned, mirrors={"https://git.example.org/": f"{address}/"})
        assert "local folder" in caught.value.reason

    def test_endless_nesting_ends(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "0.git", FILES)
        for number in range(1, 14):
            repository = make_repository(tmp_path / f"{number}.git", {}, submodules={"s": repository})
        with pytest.raises(GitHostile, match="more than 10 deep"):
            _fetch(tmp_path, _pin(repository, "main", submodules=True))


class TestServers:
    def test_a_plain_file_server_is_enough(self, tmp_path: Path) -> None:
        """No shallow fetch, none by hash: the way falls back to a full fetch."""
        repository = make_repository(tmp_path / "up/a.git", FILES, tag="v1", annotated=True)
        old = repository.head
        repository.commit({"x": "y"})
        with serve(tmp_path / "up") as address:
            mirrors = {"https://git.example.org/": f"{address}/"}
            source = GitSource(git="https://git.example.org/a.git", ref="v1")
            pinned = GitResolver(_settings(tmp_path, mirrors=mirrors)).resolve(source)
            assert pinned.commit == old
            assert (_fetch(tmp_path, pinned, mirrors=mirrors) / "main.go").exists()

    def test_http_is_refused_where_nobody_chose_it(self, tmp_path: Path) -> None:
        with pytest.raises(GitUrlRefused):
            GitResolver(_settings(tmp_path)).resolve(GitSource(git="http://127.0.0.1:1/a", ref="v1"))

    def test_a_server_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(GitUnreachable) as caught:
            GitResolver(_settings(tmp_path)).resolve(GitSource(git="https://127.0.0.1:1/a", ref="v1"))
        assert isinstance(caught.value, TemporaryError)
        assert "https://127.0.0.1:1/a" in caught.value.summary
        assert "mirrors:" in str(caught.value.hint)

    def test_a_mirror_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        settings = _settings(tmp_path, mirrors={"https://git.example.org/": "https://127.0.0.1:1/m/"})
        with pytest.raises(GitUnreachable) as caught:
            GitResolver(settings).resolve(GitSource(git="https://git.example.org/a", ref="v1"))
        assert "https://git.example.org/a" in caught.value.summary
        assert "through the mirror https://127.0.0.1:1/m/a" in caught.value.details

    def test_a_repository_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(GitRefused) as caught:
            GitResolver(_settings(tmp_path)).resolve(GitSource(git=f"file://{tmp_path}/none.git", ref="v1"))
        assert caught.value.exit_code is ExitCode.FAILED
        with serve(tmp_path) as address, pytest.raises(GitRefused):
            _resolve_from(tmp_path, address, "none.git")

    def test_a_server_that_asks_for_a_login_is_not_waited_for(self, tmp_path: Path) -> None:
        with serve(tmp_path, handler=_Login) as address, pytest.raises(GitRefused) as caught:
            _resolve_from(tmp_path, address, "private.git")
        assert "credential helper" in str(caught.value.hint)

    def test_the_users_credential_helper_is_asked_and_nothing_else_of_their_configuration(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        home = tmp_path / "home"
        home.mkdir()
        (home / ".gitconfig").write_text(
            '[credential]\n\thelper = "!f() { echo username=me; echo password=pw; }; f"\n'
            '[url "https://127.0.0.1:1/"]\n\tinsteadOf = http://127.0.0.1\n[core]\n\taskPass = /bin/false\n'
        )
        environment = {**os.environ, "HOME": str(home)}
        with serve(tmp_path, handler=_Login) as address:
            assert _resolve_from(tmp_path, address, "a.git", environment=environment).commit == repository.head

    def test_a_server_that_is_silent_is_given_up(self, tmp_path: Path) -> None:
        started = time.monotonic()
        with serve(tmp_path, handler=_Silent) as address, pytest.raises(GitUnreachable):
            _resolve_from(tmp_path, address, "a.git", timeout=0.5)
        assert time.monotonic() - started < 10

    def test_a_server_that_fails_now_and_then_is_asked_again(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        _Flaky.failures = 2
        with serve(tmp_path, handler=_Flaky) as address:
            found = _resolve_from(tmp_path, address, "a.git")
        assert found.commit == repository.head
        assert _Flaky.failures == 0


class TestCache:
    def test_what_a_killed_git_left_does_not_block(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        _fetch(tmp_path, _pin(repository))
        (mirror,) = (tmp_path / "cache/git").glob("*.git")
        for name in ("shallow.lock", "packed-refs.lock", "objects/pack/tmp_pack_x", "refs/rearch/x.lock"):
            (mirror / name).parent.mkdir(parents=True, exist_ok=True)
            (mirror / name).write_text("left")
        (mirror / "objects/tmp_objdir-x").mkdir()
        repository.commit({"new": "file"})
        assert (_fetch(tmp_path, _pin(repository, "main")) / "new").exists()
        assert not list(mirror.rglob("*.lock"))
        assert not list(mirror.rglob("tmp_*"))

    @pytest.mark.parametrize("how", ["cut", "gone", "garbage"])
    def test_a_damaged_mirror_is_fetched_anew(self, tmp_path: Path, how: str) -> None:
        repository = make_repository(tmp_path / "a.git", {"main.go": os.urandom(4000)}, tag="v1")
        _fetch(tmp_path, _pin(repository))
        (mirror,) = (tmp_path / "cache/git").glob("*.git")
        for path in [*mirror.glob("objects/??/*"), *mirror.glob("objects/pack/*.pack")]:
            path.chmod(0o644)
            data = path.read_bytes()
            if how == "gone":
                path.unlink()
            else:
                path.write_bytes(data[: len(data) // 2] if how == "cut" else bytes(len(data)))
        work = make_workspace(tmp_path)
        GitSources(_settings(tmp_path)).fetch(_pin(repository), work)
        assert (work.files / "source/main.go").stat().st_size == 4000

    def test_one_file_of_a_mirror_gone_is_found(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES, tag="v1")
        _fetch(tmp_path, _pin(repository))
        (mirror,) = (tmp_path / "cache/git").glob("*.git")
        for pack in mirror.glob("objects/pack/*.pack"):
            data = pack.read_bytes()
            for part in mirror.glob(f"objects/pack/{pack.stem}.*"):
                part.unlink()
            subprocess.run(["git", "-C", mirror, "unpack-objects", "-q"], input=data, check=True)
        blob = repository.blob(FILES["main.go"])
        (mirror / "objects" / blob[:2] / blob[2:]).unlink()
        work = make_workspace(tmp_path)
        GitSources(_settings(tmp_path)).fetch(_pin(repository), work)
        assert "fetched anew" in log_of(work)
        assert (work.files / "source/main.go").read_text() == FILES["main.go"]

    def test_old_and_new_commits_live_in_one_mirror(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", {"n": "0"})
        commits = [repository.head, *(repository.commit({"n": str(number)}) for number in range(1, 5))]
        for commit in [*reversed(commits), *commits]:
            source = _fetch(tmp_path, _pin(repository, "main", commit=commit))
            assert commits[int((source / "n").read_text())] == commit

    def test_stop_ends_a_transfer(self, tmp_path: Path) -> None:
        processes = Processes()
        with serve(tmp_path, handler=_Silent) as address:
            timer = threading.Timer(0.5, processes.stop)
            timer.start()
            started = time.monotonic()
            with pytest.raises(StepError):
                _resolve_from(tmp_path, address, "a.git", processes=processes, timeout=60)
            assert time.monotonic() - started < 20

    def test_a_writer_waits_for_readers(self, tmp_path: Path) -> None:
        repository = make_repository(tmp_path / "a.git", FILES)
        mirror = Mirror(GitRunner(_settings(tmp_path)), remote(repository.url, {}))
        order: list[str] = []

        def write() -> None:
            with mirror.locked(write=True):
                order.append("writer")

        with mirror.locked(write=False), mirror.locked(write=False):
            thread = threading.Thread(target=write)
            thread.start()
            thread.join(0.2)
            order.append("readers")
        thread.join(10)
        assert order == ["readers", "writer"]


class _Login(QuietHandler):
    """Lets in who says me:pw."""

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:pw").decode():
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="private"')
        self.send_header("Content-Length", "0")
        self.end_headers()


class _Silent(QuietHandler):
    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        time.sleep(3)


class _Flaky(QuietHandler):
    failures = 0

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        if type(self).failures > 0:
            type(self).failures -= 1
            self.send_error(503)
            return
        super().do_GET()
