"""Images of two platforms with an index, from binaries that are there: against umoci and buildah, on the same input.

What is measured of rearch is a new process that performs the real steps: image_probe.py.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rearch.model.platform import parse_platform
from tests.bench.measure import SCRIPTS, Figure, run
from tests.bench.publish_tools import note_artifact
from tests.support.elves import make_elf
from tests.support.image_project import image_demo

SIZE = 18_000_000
PLATFORMS = ("arm64", "amd64")
RUNS = 7
BIG = 1 << 30
BUILT = "arm64,amd64"

PROBE = "from tests.bench.image_probe import main; main()"

# Not getrusage: its peak counts the process from which this one was started.
PEAK = """
import json, sys
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
open(sys.argv[3], "w").write(json.dumps({"peak": int(lines["VmHWM"].split()[0]) * 1024}))
"""

# The least that has to be done: hash the bytes, pack them, hash what comes out, write it.
FLOOR = """
import hashlib, json, sys, time
from pathlib import Path
from isal import isal_zlib
base, names, answer = Path(sys.argv[1]), sys.argv[2].split(","), Path(sys.argv[3])
started = time.perf_counter()
for name in names:
    plain, packed, out = hashlib.sha256(), hashlib.sha256(), isal_zlib.compressobj(2, isal_zlib.DEFLATED, 31)
    with open(base / "bin" / name / "bin" / "tool", "rb") as source, open(base / "floor", "wb") as target:
        while data := source.read(1 << 20):
            plain.update(data)
            done = out.compress(data)
            packed.update(done)
            target.write(done)
        done = out.flush()
        packed.update(done)
        target.write(done)
answer.write_text(json.dumps({"own": time.perf_counter() - started}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """Seconds. `ours` is the whole process, `own` what it takes after its imports, `bare` an interpreter alone."""

    ours: float
    own: float
    bare: float
    floor: float
    umoci: float
    buildah: float


def images() -> Iterator[Figure]:
    """Nothing cached: less than umoci, a third of buildah, twice the least that has to be done; 64 MB of memory.

    What "is not interpreter start-up" can be read in two ways, and both are shown. Starting an interpreter that
    imports what is needed depends on no byte of the binaries, so that is the start-up which is taken off for the bound.
    """
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        for platform in PLATFORMS:
            _binary(base, platform, SIZE)
        _own(base, PROBE)  # so that all byte code is there
        # In turn, so that what disturbs the machine disturbs all of them.
        best = _best([_round(base) for _ in range(RUNS)])
        yield _ratio("images / two umoci runs", best.ours, best.umoci, 1.0)
        yield _ratio("images / buildah", best.ours, best.buildah, 1 / 3)
        yield _ratio("without start-up and imports / hash and pack once", best.own, best.floor, 2.0)
        yield _ratio("the same with the imports (no bound)", best.ours - best.bare, best.floor, float("inf"))
        yield _again(base)
        yield _memory(base)
    yield from _unchanged()


def _ratio(name: str, ours: float, other: float, bound: float) -> Figure:
    return Figure(name=name, value=ours / other, bound=bound, detail=f"{ours:.2f} s / {other:.2f} s")


def _round(base: Path) -> _Round:
    _forget(base)
    return _Round(
        ours=run([sys.executable, "-c", PROBE, base, ",".join(PLATFORMS), base / "answer.json"]),
        own=_own(base, PROBE),
        bare=run([sys.executable, "-c", "pass"]),
        floor=_own(base, FLOOR),
        umoci=_umoci(base),
        buildah=_buildah(base),
    )


def _best(rounds: Sequence[_Round]) -> _Round:
    return _Round(
        ours=min(each.ours for each in rounds),
        own=min(each.own for each in rounds),
        bare=min(each.bare for each in rounds),
        floor=min(each.floor for each in rounds),
        umoci=min(each.umoci for each in rounds),
        buildah=min(each.buildah for each in rounds),
    )


def _own(base: Path, script: str, *, platforms: Sequence[str] = PLATFORMS, figure: str = "own") -> float:
    """What the script says of itself, with nothing cached."""
    _forget(base)
    return float(str(_answer(base, script, platforms)[figure]))


def _answer(base: Path, script: str, platforms: Sequence[str] = PLATFORMS, *, loaded: bool = True) -> dict[str, object]:
    how = ("loaded",) if loaded else ()
    run([sys.executable, "-c", script, base, ",".join(platforms), base / "answer.json", *how])
    answer: dict[str, object] = json.loads((base / "answer.json").read_text())
    if loaded and (late := answer.get("late")):
        raise SystemExit(f"imported while the clock ran, add them to LAZY of image_probe.py: {late}")
    return answer


def _forget(base: Path) -> None:
    for name in ("work", "caches"):
        shutil.rmtree(base / name, ignore_errors=True)


def _again(base: Path) -> Figure:
    """The same images once more, of the same layers: none is made, and the index is the same."""
    _forget(base)
    first = _answer(base, PROBE, loaded=False)
    shutil.rmtree(base / "work")
    second = _answer(base, PROBE, loaded=False)
    if first["digest"] != second["digest"] or first["made"] != len(PLATFORMS):
        raise SystemExit(f"not the same image twice: {first}, {second}")
    made = float(str(second["made"]))
    return Figure(name="layers made again", value=made, bound=0, detail=f"of {first['made']}")


def _unchanged() -> Iterator[Figure]:
    """`rearch build` when nothing has changed: no blob and no binary is opened."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        rearch = image_demo(base, "hello")
        first, again = (_opened(base, rearch.project, rearch.cache) for _ in range(2))
        if not first:
            raise SystemExit("strace saw no blob opened by the first build: the measurement is wrong")
        detail = f"first build: {first}"
        yield Figure(name="unchanged: blobs and binaries opened", value=again, bound=0, detail=detail)


def _opened(base: Path, project: Path, cache: Path) -> int:
    """How many times blobs of layouts, remembered layers and binaries are opened by a build."""
    trace = base / "trace"
    argv: list[str | Path] = ["strace", "-f", "-e", "trace=open,openat,openat2,creat", "-o", trace, SCRIPTS / "rearch"]
    run([*argv, "--project", project, "build", "--arch", BUILT], env={"REARCH_CACHE": str(cache)})
    opened = re.compile(r'"[^"]*(?:/blobs/(?:sha256/)?[0-9a-f]{64}|/bin/hello)"')
    return sum(len(opened.findall(line)) for line in trace.read_text(errors="replace").splitlines())


def _memory(base: Path) -> Figure:
    """Against an interpreter that does nothing: our modules and pydantic's count as ours."""
    _binary(base, "riscv64", BIG)
    bare = _own(base, PEAK, figure="peak")
    peak = _own(base, f"{PROBE}\n{PEAK}", platforms=("riscv64",), figure="peak")
    detail = f"{peak / 1e6:.0f} MB - {bare / 1e6:.0f} MB"
    return Figure(
        name="memory above Python's own, 1 GB binary", value=(peak - bare) / 1e6, bound=64, unit=" MB", detail=detail
    )


def _binary(base: Path, platform: str, size: int) -> None:
    """A program that packs about as well as a Go binary does (to some 45 %): half noise, half repetition.

    It lies where a compile step leaves it: `BASE/bin/<platform>` is the step's result.
    """
    path = base / "bin" / platform / "bin" / "tool"
    path.parent.mkdir(parents=True)
    noise = random.Random(platform)
    with path.open("wb") as file:
        left = size
        data = make_elf(parse_platform(platform))
        while left:
            file.write(data[:left])
            left -= len(data[:left])
            data = b"".join(noise.randbytes(30) + b"\0" * 18 + b"runtime.morestack " for _ in range(4000))
    path.chmod(0o755)
    note_artifact(path.parents[1])


def _umoci(base: Path) -> float:
    """umoci joins no platforms, so its two images stay without an index: in its favour."""
    layout = base / "umoci"
    shutil.rmtree(layout, ignore_errors=True)
    seconds = run(["umoci", "init", "--layout", layout])
    for platform in PLATFORMS:
        image, tool = f"{layout}:{platform}", base / "bin" / platform / "bin" / "tool"
        seconds += run(["umoci", "new", "--image", image])
        seconds += run(["umoci", "insert", "--image", image, tool, "/tool"])
        seconds += run(["umoci", "config", "--image", image, "--architecture", platform])
    return seconds


def _buildah(base: Path) -> float:
    """Two images and a manifest list, written into a layout as ours are."""
    storage = ["--root", str(base / "containers"), "--runroot", str(base / "run"), "--storage-driver", "vfs"]
    shutil.rmtree(base / "buildah", ignore_errors=True)
    dockerfile = base / "Dockerfile"
    env = {"BUILDAH_ISOLATION": "chroot"}
    seconds = 0.0
    for platform in PLATFORMS:
        dockerfile.write_text('FROM scratch\nCOPY bin/tool /tool\nENTRYPOINT ["/tool"]\n')
        argv = ["buildah", *storage, "bud", "--quiet", "--no-cache", "--platform", f"linux/{platform}"]
        argv += ["--manifest", "bench", "--file", str(dockerfile), str(base / "bin" / platform)]
        seconds += run(argv, env=env)
    push = ["buildah", *storage, "manifest", "push", "--quiet", "--all", "bench", f"oci:{base / 'buildah'}:v1"]
    seconds += run(push, env=env)
    run(["buildah", *storage, "rmi", "--all", "--force"], env=env)
    return seconds
