"""The image smoke step: commands are started in the image's own file tree, and have to answer as the recipe says.

No engine is needed: the tree is extracted and becomes the root folder of the program, under qemu-user where it is of
another platform; see image_smoke_worker.py for how, and for what the program can reach (nothing of the host).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from msgspec import Struct, field

from rearch.formats.printable import printable
from rearch.model.command import Command, Completed
from rearch.model.smoke import Smoke
from rearch.model.step_images import ImageSmokeInputs
from rearch.oci.extract import extract_tree
from rearch.oci.image_tree import read_tree
from rearch.oci.layout import read_image
from rearch.oci.types import RunConfig
from rearch.steps.image_smoke_run import HIDDEN, CannotBegin, Report, Stage, is_static, prepare, read_report
from rearch.steps.ports import Emulator, Outcome, Workspace
from rearch.steps.smoke import MISSING, attempt, known_end, missing_loader, no_emulator, not_run, passed
from rearch.steps.smoke_errors import EmulatorGone, Failure, SmokeFailed
from rearch.steps.smoke_run import Trial

_NO_EXEC = "Exec format error"


class _NotHere(Exception):
    """This host lets nobody start a program in another root. Never leaves this step."""


def run_image_smoke(inputs: ImageSmokeInputs, work: Workspace, emulator: Emulator | None) -> Outcome:
    """Start every check in the tree of the image of the role `image`, each in a fresh one where the kernel can.

    Facts: as those of run_smoke. Errors: SmokeFailed with every check that failed; EmulatorCrashed; EmulatorGone when
    the plan knew one; those of read_image, read_tree and extract_tree.
    """
    if inputs.emulator == MISSING:
        return not_run(no_emulator(inputs.platform), MISSING, work)
    if inputs.emulator is not None and emulator is None:
        raise EmulatorGone(inputs.emulator)
    used = emulator if inputs.emulator is not None else None
    if used is not None and not is_static(Path(used.argv[0])):
        why = f"{used.argv[0]} needs libraries that an image does not have (apt-get install qemu-user-static)"
        return not_run(why, inputs.emulator, work)
    stage = _stage(inputs, work, used)
    bench = _Bench(stage, work)
    try:
        failures = [failure for number, check in enumerate(inputs.checks, 1) if (failure := bench.check(check, number))]
    except _NotHere as refusal:
        return not_run(f"this host does not allow it: {refusal}", inputs.emulator, work)
    if failures:
        raise SmokeFailed(inputs.platform, len(inputs.checks), tuple(failures))
    return passed(inputs.checks, inputs.emulator)


def _stage(inputs: ImageSmokeInputs, work: Workspace, emulator: Emulator | None) -> Stage:
    """The image's tree on disk, with the emulator in it."""
    layout = work.needs["image"].files
    image = read_image(layout)
    tree = read_tree(layout, image.manifest.layers, work.caches / "audit")
    root = work.scratch / "root"
    root.mkdir()
    root.chmod(0o755)  # whatever the umask: the image's own USER has to get in
    extracted = extract_tree(tree, root)
    if extracted.skipped:
        names = ", ".join("/" + printable(path) for path in extracted.skipped[:5])
        work.say(f"{len(extracted.skipped)} devices or fifos are left out: {names}")
    hidden = None
    if emulator is not None:
        name = HIDDEN
        while name in tree.entries:
            name += "_"
        (root / name).mkdir()
        hidden = f"{name}/{Path(emulator.argv[0]).name}"
        shutil.copyfile(emulator.argv[0], root / hidden)
        (root / hidden).chmod(0o755)
    run = image.config.config or RunConfig()
    return Stage(tree=tree, root=root, run=run, platform=inputs.platform, emulator=emulator, hidden=hidden)


class _Bench(Struct):
    """Runs checks on one stage. `said` are the worker's notes that are in the log already."""

    stage: Stage
    work: Workspace
    said: set[str] = field(default_factory=set)

    def check(self, check: Smoke, number: int) -> Failure | None:
        folder = self.work.scratch / f"check-{number}"
        folder.mkdir()
        try:
            trial = prepare(check, self.stage, folder)
        except CannotBegin as error:
            return self._stillborn(check, folder, str(error))
        return attempt(trial, self.work, lambda command: self._run(command, trial, folder), self._hint)

    def _run(self, command: Command, trial: Trial, folder: Path) -> Completed:
        """Errors: _NotHere. A program that the kernel does not start says so as its output."""
        (folder / "report.json").unlink(missing_ok=True)
        done = self.work.run(command)
        report = read_report(folder)
        if report is None:
            return done
        if not report.means:
            raise _NotHere(report.error or "")
        self._say(report)
        if report.error is None:
            return done
        text = f"{trial.words[-len(trial.check.run)]}: it cannot be started: {report.error}\n"
        self.work.say(text.rstrip())
        return Completed(exit=127, output=done.output + text, seconds=done.seconds)

    def _say(self, report: Report) -> None:
        for note in (f"started in a root of its own by {report.means}", *report.notes):
            if note not in self.said:
                self.said.add(note)
                self.work.say(note)

    def _stillborn(self, check: Smoke, folder: Path, why: str) -> Failure:
        command = Command(argv=tuple(check.run), cwd=folder, env=tuple(sorted(check.env.items())))
        trial = Trial(check=check, binary=folder / "none", command=command, emulator=self.stage.emulator)
        done = Completed(exit=127, output="", seconds=0.0)
        self.work.say(f"{check.run[0]}: {why}")
        return Failure(
            trial=trial, completed=done, reasons=(why,), hint="correct `image.smoke`, or add what is missing"
        )

    def _hint(self, trial: Trial, done: Completed) -> str | None:
        """What is known about such an end."""
        loader = missing_loader(trial, done)
        if loader:
            return f"it is dynamic and {loader} is not in the image: add its packages to `image.base.packages`"
        emulator = self.stage.emulator
        if emulator is not None and _NO_EXEC in done.output:
            return (
                "the program starts others, and only the kernel can hand those to qemu: register it with binfmt_misc "
                "(apt-get install qemu-user-static binfmt-support), or use Linux 6.7 or newer"
            )
        return known_end(trial, done)
