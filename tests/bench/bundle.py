"""Refit of a 500 MB bundle in which 3 of 4,000 files change, beside unpacking and packing it with the same library."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Figure, run

FILES, SIZE, PROGRAMS = 4_000, 125_000, 3

MAKE = """
import random, sys
from pathlib import Path
from tests.support.bundles import big_bundle
big_bundle(Path(sys.argv[1]), files=int(sys.argv[2]), size=int(sys.argv[3]), programs=int(sys.argv[4]))
"""

REFIT = """
import json, resource, sys, time
from pathlib import Path
from rearch.bundle.refit import refit_bundle
from rearch.model.limits import Limits
from tests.support.bundles import big_plan
base = Path(sys.argv[1])
plan = big_plan(base, programs=int(sys.argv[2]))
started = time.perf_counter()
done = refit_bundle(base / "big.tar.gz", base / "out.tar.gz", plan, limits=Limits())
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
(base / "refit.json").write_text(json.dumps({"seconds": seconds, "peak": peak, "put": len(done.put)}))
"""

REPACK = """
import json, sys, time
from pathlib import Path
from isal import isal_zlib
from rearch.formats.archive import plain_tar
from rearch.formats.archive_stream import Meter
from rearch.model.limits import Limits
base = Path(sys.argv[1])
started = time.perf_counter()
with (base / "big.tar.gz").open("rb") as source, (base / "again.tar.gz").open("wb") as target:
    packer = isal_zlib.compressobj(2, isal_zlib.DEFLATED, 31)
    with plain_tar(source, Meter("big", Limits())) as stream:
        while data := stream.read(1 << 20):
            target.write(packer.compress(data))
    target.write(packer.flush())
(base / "repack.json").write_text(json.dumps({"seconds": time.perf_counter() - started}))
"""


def bundle() -> Iterator[Figure]:
    """The sums stand in front of the files: the worst place, since all that comes after them has to wait."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        run([sys.executable, "-c", MAKE, base, str(FILES), str(SIZE), str(PROGRAMS)])
        seconds: dict[str, float] = {}
        found = {}
        for _ in range(3):  # in turn, so that both have the same machine
            for script, answer in ((REPACK, "repack"), (REFIT, "refit")):
                run([sys.executable, "-c", script, base, str(PROGRAMS)])
                found = json.loads((base / f"{answer}.json").read_text())
                seconds[answer] = min(found["seconds"], seconds.get(answer, found["seconds"]))
        if found["put"] != PROGRAMS:
            raise SystemExit(f"{found['put']} programs were replaced")
        yield Figure(
            name="refit of a 500 MB bundle, beside unpacking and packing it",
            value=seconds["refit"] / seconds["repack"],
            bound=1.3,
            unit=" times",
            detail=f"{seconds['refit']:.1f} s and {seconds['repack']:.1f} s",
        )
        yield Figure(name="its peak memory", value=found["peak"] / 1e6, bound=100, unit=" MB")
