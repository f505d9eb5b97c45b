"""The plan of many recipes, nothing to do: time, memory, growth."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.bench.measure import Figure, run
from tests.support.many_recipes import make_many_recipes

SIZES = (250, 500, 1000)
ROUNDS = 5
_BEST: Mapping[str, Callable[[Sequence[float]], float]] = {"seconds": min, "peak": max}
PLATFORMS = "arm64,amd64,arm/v7,riscv64"

# Every key is in the store; a process of its own makes the plan and tells its time and its peak memory.
PROBE = """
import json, resource, sys, time
started = time.perf_counter()
from rearch.cli.program import Rearch, collection
program = Rearch(name="rearch", binary="rearch", namespace=collection(), version="0")
program.run(["rearch", "--project", sys.argv[1], "plan", "--arch", sys.argv[2]], exit=False)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
json.dump({"seconds": seconds, "peak": peak}, open(sys.argv[3], "w"))
"""


def planning() -> Iterator[Figure]:
    """1,000 recipes on 4 platforms: at most 2 s and 200 MB, and no more than linear growth."""
    figures = _measure()
    biggest = figures[SIZES[-1]]
    yield Figure(name=f"plan of {SIZES[-1]} recipes x 4 platforms", value=biggest["seconds"], bound=2.0, unit=" s")
    yield Figure(name="its peak memory", value=biggest["peak"] / 1e6, bound=200, unit=" MB")
    per_recipe = [
        (figures[big]["seconds"] - figures[small]["seconds"]) / (big - small)
        for small, big in itertools.pairwise(SIZES)
    ]
    shown = ", ".join(f"{size}: {figures[size]['seconds']:.2f} s" for size in SIZES)
    yield Figure(
        name="growth: cost of a recipe", value=per_recipe[1] / per_recipe[0], bound=1.3, unit=" x", detail=shown
    )


def _measure() -> dict[int, dict[str, float]]:
    """The best of each size, in turn, so that what disturbs the machine for a while disturbs all of them."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        for size in SIZES:
            make_many_recipes(base / str(size), size, PLATFORMS, cache=base / f"{size}-cache")
        rounds = [{size: _once(base, size) for size in SIZES} for _ in range(ROUNDS)]
        return {
            size: {figure: best([each[size][figure] for each in rounds]) for figure, best in _BEST.items()}
            for size in SIZES
        }


def _once(base: Path, size: int) -> dict[str, float]:
    answer = base / "answer.json"
    run(
        [sys.executable, "-c", PROBE, base / str(size), PLATFORMS, answer],
        env={"REARCH_CACHE": str(base / f"{size}-cache")},
    )
    found: dict[str, float] = json.loads(answer.read_text())
    return found
