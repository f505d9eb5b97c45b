"""Named volumes of a Docker engine (rearch.volumes.place.Place), also on another host.

Everything goes through the archive calls of a container that is never started: nothing of the engine's platform has to
run, here or there. What such a container can do is look, and unpack a tar stream.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from rearch.errors import RearchError
from rearch.formats.elf import BrokenElf, read_elf_stream
from rearch.formats.elf_facts import ElfFacts
from rearch.formats.hashing import copy_hashed
from rearch.host.docker.engine import PIECE, SILENCE, Engine, asked
from rearch.host.docker.errors import EngineFailed
from rearch.host.docker.helper import LABEL, TOP, Helpers
from rearch.model.volumes import STAGING
from rearch.volumes.errors import VolumeFull, VolumeMissing
from rearch.volumes.streams import stage_stream, swap_stream, tidy_stream
from rearch.volumes.things import File, Found, FoundFile, FoundFolder, FoundLink, FoundOther, Thing

if TYPE_CHECKING:
    from requests import Response

# No program of ours is as large; what is larger is not read only to be replaced.
LARGEST = 1 << 30
# ModeDir of Go's os.FileMode, which the engine's answer has.
_GO_FOLDER = 1 << 31
# The engine would pack its answer with gzip, which takes it longer than all the rest, on a Pi above all.
_PLAIN = {"Accept-Encoding": "identity"}
_USING = ("running", "paused", "restarting")
_KINDS = {tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device", tarfile.FIFOTYPE: "pipe"}


class DockerVolume:
    """A volume that is there, through a helper container. Made by `docker_volume`."""

    def __init__(self, engine: Engine, volume: str, container: str) -> None:
        self._engine = engine
        self._volume = volume
        self._container = container
        self._url = f"{engine.api.base_url}/v{engine.api.api_version}/containers/{container}/archive"

    @property
    def name(self) -> str:
        return f"volume {self._volume} at {self._engine.name}"

    @property
    def sets_owners(self) -> bool:
        return True

    def look(self, path: str, *, brief: bool = False) -> Found | None:
        """What is at the path. Errors: EngineFailed, EngineDropped.

        The engine tells from itself that something is a folder. For its owner, its bytes or where it points to, it
        starts a program that packs it, which takes as long as thirty questions.
        """
        if brief and (folder := self._folder(path)) is not None:
            return folder
        with self._entries(path) as tar:
            entry = None if tar is None else tar.next()
            return None if tar is None or entry is None else _found(tar, entry)

    def users(self) -> tuple[str, ...]:
        """Running, paused and restarting containers, by name. Errors: EngineFailed, EngineDropped."""
        wanted = {"volume": [self._volume], "status": list(_USING)}
        with asked(f"list who uses the volume {self._volume}"):
            found: list[dict[str, Any]] = self._engine.api.containers(filters=wanted)
        return tuple(sorted(str(one["Names"][0]).removeprefix("/") for one in found))

    def names(self) -> Iterator[str]:
        """Everything in it: the engine sends the whole volume for that. Errors: EngineFailed, EngineDropped."""
        with self._entries(".") as tar:
            for entry in tar or ():
                name = entry.name.removeprefix("./")
                if name not in ("", "."):
                    yield name

    def stage(self, files: Sequence[File], mtime: int) -> None:
        """Errors: VolumeFull, SourceChanged, EngineFailed, EngineDropped."""
        try:
            self._put(stage_stream(files, mtime), "take the new files")
        except EngineFailed as error:
            if "no space left" in error.said or "quota exceeded" in error.said:
                raise VolumeFull(self._volume, sum(file.size for file in files)) from None
            raise

    def swap(self, things: Sequence[Thing], mtime: int) -> None:
        """Errors: EngineFailed, EngineDropped."""
        self._put(swap_stream(things, mtime), "put the new files into their places")

    def tidy(self) -> None:
        """The engine's answer is always an error (streams.tidy_stream); what counts is what is there afterwards.

        Errors: EngineFailed, EngineDropped.
        """
        with suppress(EngineFailed):
            self._put(tidy_stream(), "remove the staging folder")
        if isinstance(self.look(STAGING, brief=True), FoundFolder):
            raise EngineFailed(f"remove {STAGING} from the volume {self._volume}", "it is still there")

    def _folder(self, path: str) -> FoundFolder | None:
        """A folder, with its mode alone; None: something else, or nothing, or no answer to that."""
        with asked(f"tell what {path} is ({self.name})"):
            answer = self._engine.api.head(self._url, params={"path": f"{TOP}/{path}"}, timeout=SILENCE)
        said = answer.headers.get("X-Docker-Container-Path-Stat", "")
        if answer.status_code != 200 or not said:
            return None
        mode = int(json.loads(base64.b64decode(said))["mode"])
        return FoundFolder(mode=mode & 0o777, uid=0, gid=0) if mode & _GO_FOLDER else None

    def _put(self, stream: Iterator[bytes], doing: str) -> None:
        with asked(f"{doing} ({self.name})"):
            self._engine.api.put_archive(self._container, TOP, stream)

    @contextmanager
    def _entries(self, path: str) -> Iterator[tarfile.TarFile | None]:
        """The archive of a path; None: there is nothing. The answer is closed at the end, however much was read: the
        engine holds the container as long as it sends."""
        with asked(f"show {path} ({self.name})"):
            answer = self._engine.api.get(
                self._url, params={"path": f"{TOP}/{path}"}, headers=_PLAIN, stream=True, timeout=SILENCE
            )
            try:
                if not _is_there(answer, f"show {path} ({self.name})"):
                    yield None
                    return
                with tarfile.open(fileobj=io.BufferedReader(_Body(answer), PIECE), mode="r|", bufsize=PIECE) as tar:
                    yield tar
            except tarfile.TarError as error:
                raise EngineFailed(f"show {path} ({self.name})", f"what it sent is no tar: {error}") from None
            finally:
                answer.close()


@contextmanager
def docker_volume(helpers: Helpers, volume: str, *, write: bool, create: bool = False) -> Iterator[DockerVolume]:
    """The volume of that name, made where it is missing if `create`; taken away again if nothing could be put into it.

    Errors: VolumeMissing, VolumeBusy; EngineFailed, EngineDropped.
    """
    engine = helpers.engine
    new = not has_volume(engine, volume)
    if new and not create:
        raise VolumeMissing(volume, engine.name)
    if new:
        with asked(f"make the volume {volume}"):
            engine.api.create_volume(volume, labels={LABEL: volume})
    try:
        with helpers.container(volume, write=write) as container:
            yield DockerVolume(engine, volume, container)
    except BaseException:
        if new:
            with suppress(RearchError), asked(f"remove the volume {volume}"):
                engine.api.remove_volume(volume)
        raise


def has_volume(engine: Engine, volume: str) -> bool:
    """Errors: EngineFailed, EngineDropped."""
    from docker.errors import NotFound

    with asked(f"look for the volume {volume}"):
        try:
            engine.api.inspect_volume(volume)
        except NotFound:
            return False
    return True


class _Body(io.RawIOBase):
    """An answer's body as a file to read from."""

    def __init__(self, answer: Response) -> None:
        self._pieces = answer.iter_content(PIECE)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _is_there(answer: Response, doing: str) -> bool:
    """404 is said for a path that is not there, and for a container that is not there, too."""
    if answer.status_code == 200:
        return True
    said = _said(answer)
    if answer.status_code == 404 and "No such container" not in said:
        return False
    raise EngineFailed(doing, said)


def _said(answer: Response) -> str:
    try:
        document: Mapping[str, Any] = answer.json()
        return str(document["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


def _found(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Found:
    if entry.isdir():
        return FoundFolder(mode=entry.mode, uid=entry.uid, gid=entry.gid)
    if entry.issym():
        return FoundLink(target=entry.linkname)
    content = tar.extractfile(entry) if entry.isreg() else None
    if content is None:
        return FoundOther(kind=_KINDS.get(entry.type, "special file"))
    sha256, elf = _read(content, entry) if entry.size <= LARGEST else ("", None)
    return FoundFile(mode=entry.mode, uid=entry.uid, gid=entry.gid, size=entry.size, sha256=sha256, elf=elf)


def _read(content: IO[bytes], entry: tarfile.TarInfo) -> tuple[str, ElfFacts | None]:
    """In one pass; an ELF file has to be seen as a whole before it can be read, so it goes to the disk."""
    with tempfile.TemporaryFile() as copy:
        sha256, _ = copy_hashed(content, copy)
        try:
            return sha256, read_elf_stream(copy, entry.name)
        except BrokenElf:
            return sha256, None
