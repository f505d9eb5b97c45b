"""A Rancher server for tests (the rehearsal's own stand-in), archives for it, and overlays before it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from rearch.host.rancher.repack import Packed, pack_content

SCRIPTS = Path(sys.executable).parent

# In the shape of the Go agent's (fact sheet 5.1, step 9): installs itself, and starts what it has installed.
APPLY = b"""#!/bin/sh
set -eu
case ${1:-} in
    start) exec "$CATTLE_HOME/pyagent/agent" ;;
    *)
        rm -rf "$CATTLE_HOME/pyagent"
        mkdir -p "$CATTLE_HOME/pyagent"
        cp apply.sh "$CATTLE_HOME/pyagent/"
        cp bin/agent "$CATTLE_HOME/pyagent/agent"
        ;;
esac
"""


def go_agent(target: Path, says: str = "agent of the server", *, root: str = "0b5f-server", extra: int = 0) -> Path:
    """A go-agent archive whose program is a script that says who it is; `extra` bytes of ballast that packs badly."""
    files = [
        Packed(path="apply.sh", data=APPLY, mode=0o755),
        Packed(path="bin/agent", data=f"#!/bin/sh\necho '{says}'\n".encode(), mode=0o755),
    ]
    if extra:
        import random

        files.append(Packed(path="ballast", data=random.Random(7).randbytes(extra)))
    pack_content(target, root, tuple(files))
    return target


def text_in(archive: Path, name: str) -> str:
    """The text of a file in an archive; `name` without the root folder."""
    with tarfile.open(archive, "r:gz") as tar:
        member = next(each for each in tar if each.name.partition("/")[2] == name)
        file = tar.extractfile(member)
        assert file is not None
        return file.read().decode()


class RunningOverlay(Struct, frozen=True, kw_only=True):
    """`address` is `http://HOST:PORT`; `log` the file with its standard error."""

    address: str
    log: Path
    process: subprocess.Popen[str]

    @property
    def lines(self) -> list[str]:
        """Its log so far."""
        return self.log.read_text().splitlines()


@contextmanager
def run_overlay(folder: Path, server: str, *words: str) -> Iterator[RunningOverlay]:
    """`rearch overlay --server SERVER WORDS` on a free port, while the block runs; ended with SIGTERM."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "overlay.log"
    argv = [str(SCRIPTS / "rearch"), "overlay", "--server", server, "--listen", "127.0.0.1:0", *words]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, log.read_text()
            yield RunningOverlay(address=address, log=log, process=process)
        finally:
            process.terminate()
            process.wait(timeout=20)
