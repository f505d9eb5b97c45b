"""Downloads through apt's own fetcher: `apt-helper download-file URI FILE HASH...`, several files in one call.

So proxies, certificates and passwords of the host's apt hold here too, and a locked file can be had
without any list of packages. What apt-helper says of a file is read back from its messages.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from urllib.parse import unquote

from msgspec import Struct

from rearch.host.debian.state import configuration
from rearch.host.debian.tools import HELPER, AptTools, check_path
from rearch.model.command import Command, Completed

Run = Callable[[Command], Completed]

# One call's messages must fit into what Completed keeps of the output (64 KB; about 700 bytes a file that failed).
BATCH = 48
_FAILED = re.compile(r"E: Failed to fetch (\S+)  (.*)")
_GONE = re.compile(r"\s*(?:404\s|410\s|File not found\b|.*\(2: No such file or directory\))")
_MISMATCH = re.compile(r"(?:Hash Sum mismatch|File has unexpected size)")


class Miss(Enum):
    """Why a file did not come."""

    GONE = "not there"
    WRONG = "not what was locked"
    UNREACHABLE = "no answer"


class Order(Struct, frozen=True):
    """A download: `uri` to `place`, which must be this sha256 (hexadecimal; None: not known)."""

    uri: str
    place: Path
    sha256: str | None


class Missed(Struct, frozen=True):
    """A download that failed, with apt's words."""

    order: Order
    miss: Miss
    said: str


class AptFetcher:
    """Runs apt-helper. `cache` holds its small configuration file."""

    def __init__(self, tools: AptTools, cache: Path) -> None:
        self._tools = tools
        self._folder = check_path(cache) / "debian" / "fetch"

    def fetch(self, orders: Sequence[Order], run: Run, timeout: float) -> tuple[Missed, ...]:
        """Download all, in calls of BATCH files; what failed, with the reason. A place is never left half-written
        under its own name, but what is there is to be checked by the caller: apt may have left an older file."""
        missed: list[Missed] = []
        for start in range(0, len(orders), BATCH):
            missed += self._call(orders[start : start + BATCH], run, timeout)
        return tuple(missed)

    def _call(self, orders: Sequence[Order], run: Run, timeout: float) -> Iterator[Missed]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._folder, prefix="fetch-", suffix=".conf") as conf:
            conf.write(configuration({"Dir::State": str(self._folder)}, self._tools.timeout))
            conf.flush()
            done = run(fetch_command(Path(conf.name), orders, self._tools, timeout))
        reasons = read_failures(done.output)
        for order in orders:
            Path(f"{order.place}.FAILED").unlink(missing_ok=True)
            reason = reasons.get(unquote(order.uri))
            if reason is not None:
                yield Missed(order, why(reason), reason)
            elif not order.place.exists():
                ended = "at its time limit" if done.exit is None else f"with code {done.exit}"
                yield Missed(order, Miss.UNREACHABLE, f"apt-helper ended {ended} without a word on it")


def fetch_command(conf: Path, orders: Sequence[Order], tools: AptTools, timeout: float) -> Command:
    """The call for these downloads; a hash that is not known is an empty argument."""
    triples = [
        word
        for order in orders
        for word in (order.uri, str(order.place), f"SHA256:{order.sha256}" if order.sha256 else "")
    ]
    argv = (str(HELPER), "-c", str(conf), "download-file", *triples)
    return Command(argv=argv, cwd=conf.parent, env=tools.environment, timeout=timeout)


def read_failures(output: str) -> dict[str, str]:
    """URI (unquoted: apt writes `+` as `%2b` here and there) to reason, from apt-helper's closing lines."""
    return {unquote(found[1]): found[2].strip() for found in map(_FAILED.match, output.splitlines()) if found}


def why(reason: str) -> Miss:
    """Sort apt's words; what is not known counts as a failure that may pass."""
    if _MISMATCH.match(reason):
        return Miss.WRONG
    return Miss.GONE if _GONE.match(reason) else Miss.UNREACHABLE
