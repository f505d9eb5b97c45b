"""Why something was not published, or not as it was asked for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from rearch.errors import ExitCode, RearchError, StepError, TemporaryError, UsageError, VerificationError

BUILD = "`invoke build` makes and audits it again; then publish"


class NothingToPublish(UsageError):
    """output/ holds no image, or none that was asked for. `there`: components with an image."""

    def __init__(self, output: Path, wanted: str, there: Sequence[str]) -> None:
        self.output = output
        self.wanted = wanted
        self.there = tuple(there)
        names = [*there, *(name.rpartition("/")[2] for name in there), *(name.partition("/")[0] for name in there)]
        near = difflib.get_close_matches(wanted, names, n=1) if wanted else []
        super().__init__(
            f"there is no image of {wanted} in {output}" if wanted else f"there is no image in {output}",
            (f"it has images of {', '.join(there)}",) if there else (),
            hint=f"did you mean {near[0]}?" if near else "`invoke build` makes images of recipes with an `image:` part",
        )


class DamagedBuildFile(UsageError):
    """output/build.json is there, and is not what a build writes. `why` is a line."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path} is damaged", (why,), hint="`invoke build` writes it again; then publish")


class NoRoomForRefs(UsageError):
    """--image-refs names a file that cannot be written. `why` is the end of a sentence."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(
            f"--image-refs {path}: {why}", hint="nothing was published; create the folder, or name another file"
        )


class OfflineRegistry(TemporaryError):
    """No network, and a registry as the target. As everything that --offline stands in the way of: exit code 75."""

    def __init__(self, registries: Sequence[str]) -> None:
        self.registries = tuple(registries)
        super().__init__(
            "--offline forbids to publish to a registry",
            tuple(f"it cannot be published to {registry} without network" for registry in registries),
            hint="leave --offline out (or `offline` of the settings), or publish to a folder: --to oci:FOLDER",
        )


class NoTarget(UsageError):
    """Neither --to nor the stack says where to."""

    def __init__(self, stacks: Sequence[str]) -> None:
        self.stacks = tuple(stacks)
        super().__init__(
            "where shall it be published?",
            tuple(f"recipes/{stack}/stack.yaml has no `publish: {{to: [...]}}`" for stack in stacks),
            hint="--to registry.example.org/prefix, or --to oci:FOLDER; several with commas between them",
        )


class ChangedAfterAudit(VerificationError):
    """The layout in output/ is not what the build wrote down when everything was checked."""

    def __init__(self, layout: Path, why: str) -> None:
        self.layout = layout
        self.why = why
        super().__init__(f"{layout} changed after it was audited: {why}", hint=BUILD)


class NotAudited(VerificationError):
    """build.json has no audit of these images. `missing`: `stack/name linux/arm64`."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__("these images were not audited, and are not published", self.missing, hint=BUILD)


class NotStarted(StepError):
    """--require-smoke, and nobody has started these images. `missing`: `stack/name linux/arm64`."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(
            "these images were not started on the build host, and --require-smoke wants that",
            self.missing,
            hint="apt-get install qemu-user-static there, `invoke build`, then publish",
        )


class HeldBack(VerificationError):
    """Not tagged, because something else in output/ had changed after its audit."""

    def __init__(self, place: str, because: RearchError) -> None:
        self.place = place
        self.because = because
        super().__init__(f"{place}: not tagged, since output/ is not as it was audited", (because.summary,), hint=BUILD)


class NotReadable(TemporaryError):
    """The registry took it, and does not show it. `seconds`: how long it was waited for."""

    def __init__(self, what: str, seconds: float, found: str) -> None:
        self.what = what
        self.seconds = seconds
        self.found = found
        super().__init__(
            f"{what}: taken by the registry, and not to be read {seconds:.0f} s later",
            (f"it shows {found}",),
            hint="its readers lag behind: run the same command again later, which sends nothing twice",
        )


class TagContested(TemporaryError):
    """Somebody else moves the tag whenever we do."""

    def __init__(self, place: str, tries: int, found: str) -> None:
        self.place = place
        self.tries = tries
        self.found = found
        super().__init__(
            f"{place}: another builder moves this tag at the same time",
            (f"set {tries} times; now it names {found}",),
            hint="run the same command again when the other is done; with --merge each keeps the other's platforms",
        )


class PublishedInPart(RearchError):
    """Some of it is there for all to read, some is not. `done` and `failed` are lines."""

    exit_code = ExitCode.PARTIAL

    def __init__(self, done: Sequence[str], failed: Sequence[str]) -> None:
        self.done = tuple(done)
        self.failed = tuple(failed)
        super().__init__(
            f"published in part: {len(done)} of {len(done) + len(failed)}",
            (*(f"published  {line}" for line in done), *(f"MISSING    {line}" for line in failed)),
            hint="mend what the errors above say, then run the same command again: what is there is not sent twice",
        )
