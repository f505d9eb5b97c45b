"""systemd's own opinion of unit files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from rearch.host.process import Processes
from rearch.model.command import Command
from rearch.model.setup import SetupFile

PROGRAM = "systemd-analyze"
SECONDS = 60.0


def verify_units(files: Iterable[SetupFile], environment: Mapping[str, str], processes: Processes) -> tuple[str, ...]:
    """What `systemd-analyze verify` says of the services and timers among `files`; () where it is not installed.

    They are written to a folder of their own for it. It looks at all units that ours need, and what it says of others
    is left out.
    """
    path = environment.get("PATH", os.defpath)
    if shutil.which(PROGRAM, path=path) is None:
        return ()
    with tempfile.TemporaryDirectory(prefix="rearch-units-") as folder:
        units = [_written(Path(folder), file) for file in files if file.path.endswith((".service", ".timer"))]
        done = processes.run(
            Command(
                argv=(PROGRAM, "verify", "--man=no", *map(str, units)),
                cwd=Path(folder),
                env=(("LC_ALL", "C"), ("PATH", path), ("SYSTEMD_LOG_COLOR", "0")),
                timeout=SECONDS,
            )
        )
        names = tuple(unit.name for unit in units)
        lines = (line.replace(f"{folder}/", "") for line in done.output.splitlines())
        return tuple(line for line in lines if any(name in line for name in names))


def _written(folder: Path, file: SetupFile) -> Path:
    path = folder / file.path
    path.write_text(file.text)
    return path
