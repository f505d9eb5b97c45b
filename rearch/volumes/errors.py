"""What can keep a volume from being filled, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rearch.errors import StepError, TemporaryError, UsageError, VerificationError

if TYPE_CHECKING:
    from rearch.model.platform import Platform
    from rearch.volumes.things import File


class NotBuilt(UsageError):
    """Volumes want binaries that output/ does not hold. `missing`: `stack/component name`, each once."""

    def __init__(self, missing: Sequence[str], platform: Platform) -> None:
        self.missing = tuple(missing)
        self.platform = platform
        super().__init__(
            f"not built for {platform}: {', '.join(self.missing)}",
            hint=f"build them: `rearch build --arch {platform.arch_name}`",
        )


class InTheWay(StepError):
    """The volume holds something else where a file, folder or link has to be. `things`: path, found, wanted."""

    def __init__(self, volume: str, things: Sequence[tuple[str, str, str]]) -> None:
        self.volume = volume
        self.things = tuple(things)
        super().__init__(
            f"volume {volume}: something else stands in the way; nothing was written",
            [f"{path}: a {wanted} is wanted, and a {found} is there" for path, found, wanted in self.things],
            hint="look what it is; move it away, or change `volumes:` in stack.yaml",
        )


class VolumeInUse(StepError):
    """Running containers use the volume. `containers` by name."""

    def __init__(self, volume: str, containers: Sequence[str]) -> None:
        self.volume = volume
        self.containers = tuple(containers)
        super().__init__(
            f"volume {volume} is in use by {len(self.containers)} running "
            f"container{'s' * (len(self.containers) != 1)}: {', '.join(self.containers)}; nothing was written",
            hint="stop them first; or write all the same with --in-use: what is running keeps the file that it has "
            "open, what is started later gets the new one",
        )


class VolumeFull(StepError):
    """No space is left for the new files, which are written beside the old ones. `need` in bytes."""

    def __init__(self, volume: str, need: int) -> None:
        self.volume = volume
        self.need = need
        super().__init__(
            f"volume {volume} is full: {need / 1e6:.1f} MB are wanted beside what is there, which is untouched",
            hint="make room where the volume lies (`docker system df -v` on its host)",
        )


class VolumeMissing(UsageError):
    """A volume is not there, and is not to be made. `where`: the engine or the folder."""

    def __init__(self, volume: str, where: str) -> None:
        self.volume = volume
        super().__init__(f"there is no volume {volume} at {where}", hint="leave --no-create out, and it is made")


class VolumeBusy(TemporaryError):
    """Another run of rearch fills the volume at this moment. `helper`: the container's name."""

    def __init__(self, volume: str, helper: str) -> None:
        self.volume = volume
        self.helper = helper
        super().__init__(
            f"volume {volume} is being filled by somebody else (container {helper})",
            hint=f"try again when that is done; if nobody does it any more: `docker rm {helper}`",
        )


class WrongEngine(VerificationError):
    """The engine's host does not run the platform (None: none was asked for, and rearch knows no word for the host).
    `machine`: what the engine says it is on."""

    def __init__(self, engine: str, machine: str, platform: Platform | None) -> None:
        self.engine = engine
        self.machine = machine
        self.platform = platform
        why = f"which does not run {platform} programs" if platform else "for which nothing can be built"
        super().__init__(
            f"the Docker engine at {engine} is on {machine}, {why}",
            hint="name the right engine (--engine ssh://pi4) or the right platform (--arch); "
            "for a disk that is carried over: --to FOLDER",
        )


class WrongProgram(VerificationError):
    """A file that is to go into a volume, or was just written there, is not for the platform."""

    def __init__(self, file: File, where: str, differences: Sequence[str]) -> None:
        self.file = file
        self.differences = tuple(differences)
        super().__init__(
            f"{where}: {file.path} is no {file.platform} program; the volume is as it was",
            self.differences,
            hint="build again: `rearch build`; a file of the stack's files/ has to be one for the platform",
        )


class NotAsWritten(VerificationError):
    """What was read back is not what was written. `untouched`: whether the old files are still in their places."""

    def __init__(self, volume: str, path: str, found: str, *, untouched: bool) -> None:
        self.volume = volume
        self.path = path
        self.untouched = untouched
        after = "; what was there before is untouched" if untouched else ""
        super().__init__(
            f"volume {volume}: {path} was written, and read back it is {found}{after}",
            hint="does something else write to the volume, or is it kept in memory only while a container uses it "
            "(driver option type=tmpfs)? else the disk is failing",
        )


class SourceChanged(VerificationError):
    """A file on this machine is not what it was when it was looked at first."""

    def __init__(self, file: File) -> None:
        self.file = file
        super().__init__(
            f"{file.source} is not what was verified",
            (f"its sha256 was {file.sha256}, of {file.size} bytes",),
            hint="build again: `rearch build`",
        )
