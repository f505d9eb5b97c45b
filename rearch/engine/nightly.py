"""What the nightly job keeps below output/.rearch/nightly/, and the lock that lets one of them run at a time.

`state.json`: what people were told, updates that were refused, dated tags of a publish that has begun.
`before.lock`, `after.lock`: rearch.lock around an update until it was built and recorded; `versions.json`: the
versions that were taken in it. A run that was killed leaves them, and the next one knows what it may go back to.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from rearch.engine.durable import write_whole
from rearch.engine.lockfile import BadLock, lock_text, parse_lock, read_lock, write_lock
from rearch.engine.refused import make_folder
from rearch.errors import TemporaryError
from rearch.model.frozen import NOTHING, FrozenDict
from rearch.model.lock import Entry, Lock
from rearch.model.typed import Undecodable, decode_json
from rearch.reporting.night_record import Night
from rearch.upkeep.bump import Edited
from rearch.upkeep.notify import Told
from rearch.upkeep.trial import Trial

FOLDER = Path(".rearch") / "nightly"
RECORD = "nightly.json"
_FORMAT = 1
_REMEMBERED = 1000


class Refused(Struct, frozen=True, kw_only=True):
    """An update that did not build. `identity`: what was refused, as rearch.lock writes it, or a tag; `recipes`: digest
    of the recipes then, since with other ones it may build; `why` in a line; `since`: the night; `moved`: the
    components that it was of; `broke`: those that failed."""

    identity: str
    recipes: str
    why: str
    since: str
    moved: tuple[str, ...] = ()
    broke: tuple[str, ...] = ()


class Begun(Struct, frozen=True, kw_only=True):
    """A publish that has begun: the index's digest, and the dated tag that it gets."""

    digest: str
    tag: str


class NightlyState(Struct, frozen=True, kw_only=True):
    """`refused` by name of an entry or of a version's change, `begun` by component. `order`: dated tags in the order in
    which their publishing began, which a clock that was set back does not change."""

    format: int = _FORMAT
    told: Told = field(default_factory=Told)
    refused: Mapping[str, Refused] = field(default_factory=dict)
    begun: Mapping[str, Begun] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    def with_begun(self, begun: Mapping[str, Begun]) -> NightlyState:
        """A publish begins."""
        tags = sorted({one.tag for one in begun.values()})
        order = (*(tag for tag in self.order if tag not in tags), *tags)[-_REMEMBERED:]
        return replace(self, begun=dict(sorted({**self.begun, **begun}.items())), order=order)


class _Version(Struct, frozen=True, kw_only=True):
    """A trial on disk. `lost`: as a file rearch.lock."""

    component: str
    old: str
    new: str
    tag: str
    moved: tuple[str, ...]
    edits: tuple[Edited, ...]
    lost: str
    gained: tuple[str, ...]


class _Versions(Struct, frozen=True, kw_only=True):
    format: int = _FORMAT
    versions: tuple[_Version, ...] = ()


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds the lock. `since`: seconds since 1970; -1 where that is not known."""

    pid: int = -1
    since: int = -1
    host: str = ""

    @property
    def words(self) -> str:
        """For people."""
        if self.pid < 0:
            return "it does not say who it is"
        since = f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M:%S} UTC" if self.since >= 0 else "unknown"
        return f"process {self.pid} on {self.host or 'an unknown host'}, since {since}"


class NightlyRuns(TemporaryError):
    """Another nightly run works on this project."""

    def __init__(self, path: Path, holder: Holder) -> None:
        self.path = path
        self.holder = holder
        super().__init__(
            "a nightly run is under way in this project",
            (holder.words, f"lock: {path}"),
            hint="wait for its end; a lock whose process has ended counts for nothing, and nobody has to remove it",
        )


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Be the one nightly run of this project. The kernel lets go of the lock when the process ends, however it does.

    Errors: NightlyRuns, HostError.
    """
    folder = output / FOLDER
    make_folder(folder, "the nightly run keeps its state there")
    path = folder / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NightlyRuns(path, _holder(path)) from None
        own = Holder(pid=os.getpid(), since=int(time.time()), host=socket.gethostname())
        os.ftruncate(handle, 0)
        with suppress(OSError):  # on a full disk the night has to go on, or nobody is told
            os.pwrite(handle, msgspec.json.encode(own), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _holder(path: Path) -> Holder:
    try:
        return decode_json(path.read_bytes(), Holder)
    except (Undecodable, OSError):
        return Holder()


class NightlyFolder:
    """The files of one project's nightly runs."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._folder = output / FOLDER

    def state(self) -> tuple[NightlyState, str]:
        """The state, and a line for people where it was torn: then all is as if no night had been yet."""
        path = self._folder / "state.json"
        try:
            found = decode_json(path.read_bytes(), NightlyState)
        except FileNotFoundError:
            return NightlyState(), ""
        except (Undecodable, RecursionError) as error:
            return NightlyState(), f"{path} is torn, and left aside: {error}"
        if found.format != _FORMAT:
            return NightlyState(), f"{path} is of another format, and left aside"
        return found, ""

    def keep(self, state: NightlyState) -> None:
        """Write the state. Errors: OSError."""
        write_whole(self._folder / "state.json", _json(state))

    def record(self, night: Night) -> None:
        """output/nightly.json: this night, for programs. Errors: OSError."""
        write_whole(self._output / RECORD, _json(night))

    def begin_trial(self, before: Lock, after: Lock) -> None:
        """Remember both before rearch.lock is written. Errors: OSError."""
        write_lock(self._folder / "before.lock", before)
        write_lock(self._folder / "after.lock", after)

    def end_trial(self, later: Iterable[Trial] = (), before: Mapping[str, Entry] = NOTHING) -> None:
        """The update was built, or taken back; but for versions and entries of components that were not built.
        Errors: OSError."""
        later = tuple(later)
        self.keep_versions(later) if later else self._forget("versions.json")
        if before:
            write_lock(self._folder / "before.lock", Lock(FrozenDict(before)))
        else:
            self._forget("after.lock", "before.lock")

    def _forget(self, *names: str) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def keep_versions(self, trials: Iterable[Trial]) -> None:
        """Remember versions before the recipes are edited, in the order in which they are taken. Errors: OSError."""
        kept = tuple(
            _Version(
                component=one.component,
                old=one.old,
                new=one.new,
                tag=one.tag,
                moved=one.moved,
                edits=one.edits,
                lost=lock_text(one.lost),
                gained=one.gained,
            )
            for one in trials
        )
        write_whole(self._folder / "versions.json", _json(_Versions(versions=kept)))

    def versions(self) -> tuple[tuple[Trial, ...], str]:
        """Versions that no build has tried to its end, and a line for people where the file was torn."""
        path = self._folder / "versions.json"
        try:
            found = decode_json(path.read_bytes(), _Versions)
            return tuple(_trial(path, one) for one in found.versions), ""
        except FileNotFoundError:
            return (), ""
        except (Undecodable, RecursionError, BadLock) as error:
            return (), f"{path} is torn, and left aside: a version of the last night may stand untried ({error})"

    def untried(self, lock: Lock) -> tuple[Mapping[str, Entry], str]:
        """Entries as they were before an update that no build has tried to its end, where rearch.lock still has what
        that update made of them; and a line for people where that cannot be read."""
        try:
            before, after = read_lock(self._folder / "before.lock"), read_lock(self._folder / "after.lock")
        except BadLock as error:
            return {}, f"what the last night updated may stand untried: {error.summary}; it is left aside"
        found = {
            name: entry
            for name, entry in before.entries.items()
            if name in after.entries
            and after.entries[name].identity != entry.identity
            and name in lock.entries
            and lock.entries[name].identity == after.entries[name].identity
        }
        return found, ""


def _trial(path: Path, kept: _Version) -> Trial:
    return Trial(
        component=kept.component,
        old=kept.old,
        new=kept.new,
        tag=kept.tag,
        moved=kept.moved,
        edits=kept.edits,
        lost=parse_lock(path, kept.lost),
        gained=kept.gained,
    )


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
