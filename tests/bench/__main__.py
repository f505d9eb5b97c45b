"""Runs the measurements that are named (or all), prints a table, and fails when a bound is broken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from tests.bench.bundle import bundle
from tests.bench.images import images
from tests.bench.measure import Figure
from tests.bench.memory import memory
from tests.bench.nightly import nightly
from tests.bench.noop import noop
from tests.bench.outdated import outdated
from tests.bench.overlay import overlay
from tests.bench.planning import planning
from tests.bench.publish import publish
from tests.bench.schedule import schedule
from tests.bench.volumes import volumes

ALL: dict[str, Callable[[], Iterator[Figure]]] = {
    "noop": noop,
    "planning": planning,
    "schedule": schedule,
    "memory": memory,
    "images": images,
    "bundle": bundle,
    "publish": publish,
    "volumes": volumes,
    "overlay": overlay,
    "nightly": nightly,
    "outdated": outdated,
}


def main(names: list[str]) -> int:
    """Exit code: 1 when a bound is broken, 2 for a name that is none."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.stderr.write(f"no such measurement: {', '.join(unknown)}; there are {', '.join(ALL)}\n")
        return 2
    broken = 0
    for name in names or ALL:
        for figure in ALL[name]():
            broken += not figure.holds
            sys.stdout.write(f"{figure}\n")
            sys.stdout.flush()
    return 1 if broken else 0


sys.exit(main(sys.argv[1:]))
