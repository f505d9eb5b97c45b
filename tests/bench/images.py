"""Images of two platforms with an index, from binaries that are there: against umoci and buildah, on the same input."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rearch.model.platform import parse_platform
from tests.bench.measure import Figure, run
from tests.support.elves import make_elf

SIZE = 18_000_000
PLATFORMS = ("arm64", "amd64")
RUNS = 5
BIG = 1 << 30

# What an image step and an index step do with layers, in a process of its own: argv is the base folder, the platforms,
# and the file for the answer. "own" is the time after the imports.
PROBE = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from rearch.model.platform import parse_platform
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer import make_layer
from rearch.oci.layout import put_bytes, start_layout, write_index_json
from rearch.oci.types import *
import isal.isal_zlib
base, names, answer = Path(sys.argv[1]), sys.argv[2].split(","), Path(sys.argv[3])
started = time.perf_counter()
layout = base / "layout"
start_layout(layout)

def image(name):
    platform, path = parse_platform(name), base / "bin" / name
    digest = (base / "bin" / (name + ".sha256")).read_text()
    entry = LayerEntry(
        path="tool", kind=EntryKind.FILE, mode=0o755, size=path.stat().st_size, content=path, digest=digest
    )
    layer = make_layer([entry], layout=layout, layers=base / "layers", compression="gzip", media_types="oci")
    row = PlatformObject.of(platform)
    config = ImageConfig(architecture=row.architecture, os=row.os, rootfs=RootFs(diff_ids=(layer.diff_id,)))
    described = put_bytes(layout, document_bytes(config), OCI_CONFIG)
    manifest = Manifest(config=described, layers=(layer.descriptor,))
    return put_bytes(layout, document_bytes(manifest), OCI_MANIFEST, platform=row), layer.made

with ThreadPoolExecutor(2) as jobs:  # as the executor has them
    images, made = zip(*jobs.map(image, names))
index = put_bytes(layout, document_bytes(Index(manifests=images)), OCI_INDEX, annotations={REF_NAME: "v1"})
write_index_json(layout, [index])
own = time.perf_counter() - started
answer.write_text(json.dumps({"own": own, "made": made}))
"""

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
    with open(base / "bin" / name, "rb") as source, open(base / "floor", "wb") as target:
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


def images() -> Iterator[Figure]:
    """Nothing cached: less than umoci, a third of buildah, twice the least that has to be done; 64 MB of memory."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        for platform in PLATFORMS:
            _binary(base / "bin" / platform, SIZE)
        # In turn, so that what disturbs the machine disturbs all of them.
        rounds = [_round(base) for _ in range(RUNS)]
        ours, umoci, buildah, own, floor = (min(seconds) for seconds in zip(*rounds, strict=True))
        shown = f"{ours:.2f} s"
        yield Figure(name="images / two umoci runs", value=ours / umoci, bound=1.0, detail=f"{shown} / {umoci:.2f} s")
        yield Figure(name="images / buildah", value=ours / buildah, bound=1 / 3, detail=f"{shown} / {buildah:.2f} s")
        detail = f"{own:.2f} s / {floor:.2f} s"
        yield Figure(name="without start-up / hash and pack once", value=own / floor, bound=2.0, detail=detail)
        _own(base, PROBE)
        yield from _unchanged(base)
        yield _memory(base)


def _round(base: Path) -> tuple[float, ...]:
    return _ours(base), _umoci(base), _buildah(base), _own(base, PROBE), _own(base, FLOOR)


def _unchanged(base: Path) -> Iterator[Figure]:
    """Binaries and layers that are there: neither is opened, and every blob is the same file as before."""
    before = {path.name: path.stat() for path in (base / "layers/blobs").iterdir()}
    trace = base / "trace"
    argv: list[str | Path] = ["strace", "-f", "-e", "trace=open,openat,creat", "-o", trace, sys.executable, "-c", PROBE]
    shutil.rmtree(base / "layout")
    run([*argv, base, ",".join(PLATFORMS), base / "answer.json"])
    if any(json.loads((base / "answer.json").read_text())["made"]):
        raise SystemExit("a layer was made again")
    after = {path.name: path.stat() for path in (base / "layers/blobs").iterdir()}
    same = [(each.st_ino, each.st_mtime_ns) for each in before.values()]
    if [(after[name].st_ino, after[name].st_mtime_ns) for name in before] != same:
        raise SystemExit("a blob was written again")
    opened = trace.read_text()
    names = [*(str(base / "bin" / name) + '"' for name in PLATFORMS), *before]
    value = sum(opened.count(name) for name in names)
    yield Figure(name="unchanged: blobs and binaries opened", value=value, bound=0)


def _memory(base: Path) -> Figure:
    """Against an interpreter that does nothing: our modules and pydantic's count as ours."""
    _binary(base / "bin" / "riscv64", BIG)
    bare = _own(base, PEAK, figure="peak")
    peak = _own(base, PROBE + PEAK, platforms=("riscv64",), figure="peak")
    detail = f"{peak / 1e6:.0f} MB - {bare / 1e6:.0f} MB"
    return Figure(
        name="memory above Python's own, 1 GB binary", value=(peak - bare) / 1e6, bound=64, unit=" MB", detail=detail
    )


def _binary(path: Path, size: int) -> None:
    """A program that packs about as well as a Go binary does (to some 45 %): half noise, half repetition."""
    path.parent.mkdir(exist_ok=True)
    noise = random.Random(path.name)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        left = size
        data = make_elf(parse_platform(path.name))
        while left:
            file.write(data[:left])
            digest.update(data[:left])
            left -= len(data[:left])
            data = b"".join(noise.randbytes(30) + b"\0" * 18 + b"runtime.morestack " for _ in range(4000))
    path.with_name(f"{path.name}.sha256").write_text(digest.hexdigest())


def _ours(base: Path) -> float:
    _forget(base)
    return run([sys.executable, "-c", PROBE, base, ",".join(PLATFORMS), base / "answer.json"])


def _own(base: Path, script: str, *, platforms: Sequence[str] = PLATFORMS, figure: str = "own") -> float:
    """What the script says of itself."""
    _forget(base)
    run([sys.executable, "-c", script, base, ",".join(platforms), base / "answer.json"])
    answer: dict[str, float] = json.loads((base / "answer.json").read_text())
    return answer[figure]


def _forget(base: Path) -> None:
    for name in ("layout", "layers"):
        shutil.rmtree(base / name, ignore_errors=True)


def _umoci(base: Path) -> float:
    """umoci joins no platforms, so its two images stay without an index: in its favour."""
    layout = base / "umoci"
    shutil.rmtree(layout, ignore_errors=True)
    seconds = run(["umoci", "init", "--layout", layout])
    for platform in PLATFORMS:
        image = f"{layout}:{platform}"
        seconds += run(["umoci", "new", "--image", image])
        seconds += run(["umoci", "insert", "--image", image, base / "bin" / platform, "/tool"])
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
        dockerfile.write_text(f'FROM scratch\nCOPY {platform} /tool\nENTRYPOINT ["/tool"]\n')
        argv = ["buildah", *storage, "bud", "--quiet", "--no-cache", "--platform", f"linux/{platform}"]
        argv += ["--manifest", "bench", "--file", str(dockerfile), str(base / "bin")]
        seconds += run(argv, env=env)
    push = ["buildah", *storage, "manifest", "push", "--quiet", "--all", "bench", f"oci:{base / 'buildah'}:v1"]
    seconds += run(push, env=env)
    run(["buildah", *storage, "rmi", "--all", "--force"], env=env)
    return seconds
