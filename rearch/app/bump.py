"""`bump`: another version of a component. Everything is worked out and tried first; files are written at the end.

So there is nothing to undo when a version does not exist, a patch no longer applies or somebody presses Ctrl-C; and
`--dry-run` tries as much as the real run does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.bump_libraries import libraries_note
from rearch.app.bump_sha import archive_sha256
from rearch.app.bump_version import new_version
from rearch.app.lock_changes import change_text
from rearch.app.locking import complete
from rearch.app.patch_base import forget_base, remember_base
from rearch.app.prepare import LOCK, load
from rearch.app.request import Request
from rearch.app.upkeep_tree import fetched, try_changes
from rearch.app.wiring import Adapters
from rearch.config.project import load_project
from rearch.config.version_sites import (
    Site,
    VersionSites,
    edited_texts,
    lines_changed,
    version_sites,
)
from rearch.engine.lockfile import lock_text, read_lock
from rearch.engine.rewrite import Rewrite, rewrite
from rearch.errors import RearchError, UsageError, worst
from rearch.model.lock import DebianName, Lock, NotLocked
from rearch.model.recipe import ArchiveSource, DebianSource, LocalSource, Source
from rearch.model.source import PinnedDebian, PinnedGit, PinnedSource
from rearch.model.stack import Component, Project
from rearch.planning.names import Wanted, component_names, pinned_source, wanted_names
from rearch.report import Reporter, Said
from rearch.upkeep.bump import Bumped, Edited, Level, Log, NothingNewer, already

LOG_LINES = 20


class BumpOrder(Struct, frozen=True, kw_only=True):
    """What the flags say. `to`: a version or tag; else the newest of `level`. `force`: though patches fail."""

    component: str
    to: str = ""
    level: Level = "patch"
    dry_run: bool = False
    force: bool = False


class Writing(Struct, frozen=True, kw_only=True):
    """What a bump is about to write. `texts`: YAML file -> its text before and after; both locks."""

    done: Bumped
    texts: Mapping[str, tuple[str, str]]
    before: Lock
    after: Lock


class NothingToBump(UsageError):
    """A component whose source has no version."""

    def __init__(self, component: str) -> None:
        super().__init__(f"{component}: its source is a folder of the project, which has no version")


class NoLongerApplies(RearchError):
    """Patches or edits do not fit the new version; nothing was written."""

    def __init__(self, component: str, new: str, errors: Sequence[RearchError], *, named: bool) -> None:
        """`named`: whether the YAML says the version, so that `--to` can."""
        self.component = component
        self.errors = tuple(errors)
        details = [line for error in errors for line in (error.summary, *(f"  {text}" for text in error.details))]
        super().__init__(
            f"{component}: {len(errors)} of its patches and edits do not apply to {new}; nothing was changed",
            details,
            f"`rearch bump {component}{f' --to {new}' if named else ''} --force`, "
            f"then `rearch patch start {component}` merges the patches",
        )
        self.exit_code = worst(self.errors)


def bump(
    request: Request, order: BumpOrder, report: Reporter, *, begin: Callable[[Writing], None] = lambda _: None
) -> Bumped:
    """Work out, try, write. `begin` is told before anything is written, and may refuse by an error.

    Errors: ConfigProblems, VersionHidden, CannotEdit, NoLongerApplies, ChangedMeanwhile, those of `begin`, of locking
    and of fetching. Whatever the error, YAML and lock are as they were."""
    before = load(replace(request, only=()))
    component = _component(request, before, order.component)
    return _Bump(request, order, report, before, component).run(begin)


def _component(request: Request, project: Project, name: str) -> Component:
    found = [one for stack in project.stacks for one in stack.components if name in (one.id, one.name)]
    if not found:
        load(replace(request, only=(name,)))  # tells it with the nearest name
    return found[0]


class _Bump:
    def __init__(
        self, request: Request, order: BumpOrder, report: Reporter, before: Project, component: Component
    ) -> None:
        self._request = request
        self._order = order
        self._report = report
        self._before = before
        self._component = component
        self._adapters = Adapters(request, before.settings, report)
        self._lock_path = request.project / LOCK

    def run(self, begin: Callable[[Writing], None]) -> Bumped:
        if isinstance(self._component.recipe.source, LocalSource):
            raise NothingToBump(self._component.id)
        sites = version_sites(self._request.project, self._component.stack, self._component.name)
        try:
            new = self._new_version(sites)
        except NothingNewer as none:  # no failure: a script asks for every component
            return self._stays(sites, [none.summary, *none.details])
        texts = edited_texts(self._request.project, self._edits(sites, new))
        if not texts and sites.version is not None:
            return self._stays(sites, [already(self._component.id, sites.current)])
        after = self._loaded(texts)
        changed = _moved(self._before, after, self._component.id)
        lock_before = self._lock_bytes()
        old_lock, lock, locked = self._locked(after, changed)
        done = Bumped(
            component=self._component.id,
            old=sites.current or self._identity(old_lock, self._component),
            new=new or self._identity(lock, changed[0][1]),
            edits=tuple(_edited(texts)),
            locked=locked,
            moved=tuple(one.id for _, one in changed),
        )
        if not done.changed:
            return done
        done = self._tried(done, changed, lock)
        done = replace(done, log=self._log(changed[0], old_lock, lock))
        if self._order.dry_run:
            return done
        begin(Writing(done=done, texts=texts, before=old_lock, after=lock))
        self._write(texts, lock_before, lock_text(lock) if lock != old_lock else None)
        self._remember(done, changed, old_lock)
        return replace(done, wrote=True)

    def _stays(self, sites: VersionSites, why: Sequence[str]) -> Bumped:
        libraries = libraries_note(self._adapters, self._component, read_lock(self._lock_path))
        note = "; ".join(text for text in (*why, libraries) if text)
        return Bumped(component=self._component.id, old=sites.current, new=sites.current, note=note)

    # -- which version

    def _new_version(self, sites: VersionSites) -> str:
        return new_version(self._adapters, self._component, sites, to=self._order.to, level=self._order.level)

    def _edits(self, sites: VersionSites, new: str) -> tuple[tuple[Site, str], ...]:
        edits = sites.edits(new) if new else ()
        if sites.kind != "archive" or not edits:
            return edits
        source = self._source_of(self._loaded(edited_texts(self._request.project, edits)), self._component.id)
        assert isinstance(source, ArchiveSource)
        return sites.edits(new, archive_sha256(self._adapters, source.archive))

    # -- the project and its lock as they would be

    def _loaded(self, texts: dict[str, tuple[str, str]]) -> Project:
        return load_project(
            self._request.project,
            stacks=self._request.stacks,
            platforms=None,
            environment=self._request.environment,
            flags=self._request.flags,
            texts={file: new for file, (_, new) in texts.items()},
        )

    def _source_of(self, project: Project, component: str) -> Source:
        return next(one.recipe.source for stack in project.stacks for one in stack.components if one.id == component)

    def _lock_bytes(self) -> bytes | None:
        return self._lock_path.read_bytes() if self._lock_path.is_file() else None

    def _locked(self, after: Project, changed: _Changed) -> tuple[Lock, Lock, tuple[str, ...]]:
        """The lock before and after, and what changed in it: only the names of what moved are resolved."""
        old = read_lock(self._lock_path)
        wanted = wanted_names(after.stacks, after.toolchains)
        needed = {str(want.name): want.needed_by for want in wanted}
        left, come = (_names(one[side] for one in changed) for side in (0, 1))
        # What has an entry keeps it, or a tag that was moved would slip in; but what apt offers has no other name.
        again = {name for name in come if name == self._unnamed(changed)}
        lock = complete(old, _of(wanted, again), self._adapters, update=True, locked=False).lock
        lock = complete(lock, _of(wanted, come), self._adapters, update=False, locked=False).lock
        entries = {
            name: replace(entry, needed_by=needed[name]) if name in needed and name in left | come else entry
            for name, entry in lock.entries.items()
            if name in needed or name not in left
        }
        new = Lock(entries)
        changes = [
            f"{name}: {change_text(old, new, name)}"
            for name in sorted(entries)
            if name not in old.entries or old.entries[name].identity != entries[name].identity
        ]
        return old, new, tuple(changes)

    def _unnamed(self, changed: _Changed) -> str:
        """The name of a Debian source that takes the version that apt offers; else empty."""
        source = changed[0][1].recipe.source
        return str(DebianName(source)) if isinstance(source, DebianSource) and source.version is None else ""

    def _identity(self, lock: Lock, component: Component) -> str:
        pinned = _pinned(component, lock)
        return pinned.version if isinstance(pinned, PinnedDebian) else ""

    # -- whether it works

    def _tried(self, done: Bumped, changed: _Changed, lock: Lock) -> Bumped:
        applied: list[str] = []
        failures: list[RearchError] = []
        for _, component in changed:
            self._report(Said(text=f"{component.id}: trying its patches and edits on {done.new}"))
            with fetched(self._adapters, pinned_source(component, lock, {})) as (root, work):
                tried = try_changes(root, component, self._adapters.fixes([component]), work)
            prefix = "" if component.id == done.component else f"{component.id}: "
            applied += [prefix + line for line in tried.applied]
            failures += tried.failures
        if failures and not self._order.force:
            raise NoLongerApplies(done.component, done.new, failures, named=bool(done.edits))
        return replace(done, applied=tuple(applied), failures=tuple(error.summary for error in failures))

    def _log(self, pair: tuple[Component, Component], old_lock: Lock, lock: Lock) -> Log:
        """Never a reason to fail: the log is for reading."""
        from rearch.host.sources.git_log import upstream_log

        old, new = _pinned(pair[0], old_lock), _pinned(pair[1], lock)
        if not isinstance(old, PinnedGit) or not isinstance(new, PinnedGit) or old.commit == new.commit:
            return Log()
        try:
            return upstream_log(self._adapters.git_settings, old, new, LOG_LINES)
        except RearchError as error:
            return Log(missing=error.summary)

    # -- and then

    def _write(self, texts: dict[str, tuple[str, str]], lock_before: bytes | None, lock: str | None) -> None:
        files = {}
        for file, (_, new) in texts.items():
            path = self._request.project / file
            data = path.read_bytes()
            mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
            files[path] = Rewrite(old=mark + texts[file][0].encode(), new=mark + new.encode())
        if lock is not None:
            files[self._lock_path] = Rewrite(old=lock_before, new=lock.encode())
        rewrite(self._request.project, files)

    def _remember(self, done: Bumped, changed: _Changed, old_lock: Lock) -> None:
        """`patch start` merges from the source that the patches were made for."""
        for before, after in changed:
            pinned = _pinned(before, old_lock)
            if not done.failures:
                forget_base(self._adapters.cache, self._request.project, after.id)
            elif pinned is not None and after.patches:
                remember_base(self._adapters.cache, self._request.project, after.id, pinned)


_Changed = Sequence[tuple[Component, Component]]


def _moved(before: Project, after: Project, component: str) -> _Changed:
    """The components whose source is said to be another now; the one that was asked for first, even if it is not."""
    old = {one.id: one for stack in before.stacks for one in stack.components}
    pairs = [(old[one.id], one) for stack in after.stacks for one in stack.components]
    own = [pair for pair in pairs if pair[1].id == component]
    others = [pair for pair in pairs if pair[1].id != component and pair[0].recipe.source != pair[1].recipe.source]
    return (*own, *others)


def _names(components: Iterable[Component]) -> set[str]:
    return {str(name) for component in components for name in component_names(component)}


def _of(wanted: Iterable[Wanted], names: set[str]) -> tuple[Wanted, ...]:
    return tuple(want for want in wanted if str(want.name) in names)


def _pinned(component: Component, lock: Lock) -> PinnedSource | None:
    try:
        return pinned_source(component, lock, {})
    except NotLocked:
        return None


def _edited(texts: dict[str, tuple[str, str]]) -> Iterable[Edited]:
    for file, (before, after) in texts.items():
        for line, old, new in lines_changed(before, after):
            yield Edited(file=file, line=line, old=old, new=new)
