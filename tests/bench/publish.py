"""Publishing, against other programs and against the least that can be done, on one local registry in one run.

crane and manifest-tool are in no Debian release: skopeo and buildah stand for the one, `docker manifest` for the other.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import SCRIPTS, Figure, run
from tests.bench.publish_tools import (
    TAG,
    Bench,
    add_big_image,
    asked,
    buildah_publish,
    docker_publish,
    make_binary,
    note_artifact,
    skopeo_copy,
    take_index,
)
from tests.support.built_output import add_built, make_project, noise
from tests.support.registry import Server, run_registry
from tests.support.registry_images import layer_bytes, put_image

NAMES = ("agent", "healthcheck", "scheduler")
PLATFORMS = ("arm64", "amd64")
BUILT_TAG = "v1.0.0"
LAYER = 1_000_000
BINARY = 18_000_000
BLOB = 128 << 20
BIG = 1 << 30
RUNS = 5

# The image steps, their audits and the index, in a process of its own.
STEPS = "from tests.bench.image_probe import main; main()"

# A task, and the most memory that its process had: not getrusage, whose peak counts who has started it.
PEAK = """
import sys
from rearch.cli.program import main
answer = sys.argv.pop(1)
try:
    main()
finally:
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    open(answer, "w").write(lines["VmHWM"].split()[0])
"""

# How the publisher sends a blob, and its seconds without the start of the process.
PUSH = """
import sys, threading, time
from pathlib import Path
from rearch.model.reference import Reference
from rearch.oci.types import OCI_LAYER
from rearch.planning.publish_values import Blob, SendBlob
from rearch.publishing.journal import Journal
from rearch.publishing.registry_side import RegistrySide
from rearch.registry.client import RegistryClient
from rearch.registry.push import RegistryPusher
import rearch.registry.upload
host, repository, source, digest, answer = sys.argv[1:]
with RegistryClient() as client, Journal(Path(answer).parent / "journal" / repository, host) as journal:
    side = RegistrySide(host, client, RegistryPusher(client), journal, mounter=None, stop=threading.Event())
    blob = Blob(digest=digest, size=Path(source).stat().st_size, media_type=OCI_LAYER)
    started = time.perf_counter()
    sent = side.send_blob(repository, SendBlob(blob=blob, ask=False), Path(source))
    seconds = time.perf_counter() - started
assert sent == blob.size, sent
Path(answer).write_text(str(seconds))
"""


BARE = """
import sys, time
from pathlib import Path
from tests.bench.publish_tools import bare_upload
host, repository, source, digest, answer = sys.argv[1:]
started = time.perf_counter()
bare_upload(host, repository, Path(source), digest)
Path(answer).write_text(str(time.perf_counter() - started))
"""


def publish() -> Iterator[Figure]:
    """All of issue 4's bounds that can be measured without programs from elsewhere."""
    with tempfile.TemporaryDirectory() as name, run_registry(Path(name) / "registry") as server:
        base = Path(name)
        yield from _layouts(_bench(base / "first"), server)
        yield from _changed(_bench(base / "changed"), server)
        yield _joined(_bench(base / "joined"), server)
        yield _rate(base, server)
        yield _memory(_bench(base / "memory"), server)


def _bench(base: Path) -> Bench:
    base.mkdir()
    make_project(base)
    return Bench(base=base)


# --- what lies in output/ already


def _layouts(bench: Bench, server: Server) -> Iterator[Figure]:
    """Three images of two platforms: for the first time, and when all is there."""
    for name in NAMES:
        layers = {
            f"linux/{each}": [[noise(f"base {each}", LAYER)], [noise(f"{name} {each}", LAYER)]] for each in PLATFORMS
        }
        add_built(bench.project, name, tuple(layers), layers=layers)
    rounds = [_first(bench, server, number) for number in range(RUNS)]
    ours, skopeo = (min(seconds) for seconds in zip(*((each[0], each[1]) for each in rounds), strict=True))
    detail = f"{ours:.2f} s / {skopeo:.2f} s"
    yield Figure(
        name="first publish of 3 x 2 / skopeo copy, three times", value=ours / skopeo, bound=1.0, detail=detail
    )
    yield Figure(name="first publish: requests", value=max(each[2] for each in rounds), bound=_most_requests(bench))
    yield from _nothing_new(bench, server)


def _first(bench: Bench, server: Server, number: int) -> tuple[float, float, int]:
    """Seconds of ours and of skopeo, and our requests. Whoever is second finds the registry's disk cache warm."""
    bench.forget_published()
    before = server.requests()
    ours = bench.rearch("publish", "--to", f"{server.host}/first{number}")
    requests = len(asked(server, before))
    return ours, skopeo_copy(bench, server, f"skopeo{number}", NAMES, BUILT_TAG), requests


def _most_requests(bench: Bench) -> int:
    """blobs x 2 + manifests x 2 + tags, where a blob counts in each repository."""
    total = 0
    for name in NAMES:
        blobs = list((bench.project / "output/images" / name / "blobs/sha256").iterdir())
        total += 2 * len(blobs) + 1  # manifests and the index lie there too
    return total


def _nothing_new(bench: Bench, server: Server) -> Iterator[Figure]:
    """A HEAD for each tag, and little more than the start of the interpreter."""
    empty = bench.base / "empty"
    empty.mkdir()
    (empty / "tasks.py").write_text("from invoke import task\n\n\n@task\ndef nothing(context):\n    pass\n")
    words = ("publish", "--to", f"{server.host}/first{RUNS - 1}")
    bench.rearch(*words)
    before = server.requests()
    bench.rearch(*words)
    yield Figure(name="nothing new: requests", value=len(asked(server, before)), bound=len(NAMES) + 1)
    # In turn, so that what disturbs the machine disturbs both.
    pairs = [(bench.rearch(*words), run([SCRIPTS / "invoke", "--list"], cwd=empty)) for _ in range(2 * RUNS)]
    idle, listed = (min(seconds) for seconds in zip(*pairs, strict=True))
    detail = f"{idle:.2f} s / {listed:.2f} s"
    yield Figure(name="nothing new / empty invoke --list", value=idle / listed, bound=2.5, unit=" x", detail=detail)


# --- from new binaries to an index in the registry


def _changed(bench: Bench, server: Server) -> Iterator[Figure]:
    """Binaries that nobody has seen: made into images, audited, joined, pushed; by whole processes on each side."""
    docker = _docker_environment()
    rounds = []
    for number in range(RUNS):
        for platform in PLATFORMS:
            make_binary(bench.base / "bin" / platform / "bin/tool", platform, BINARY, str(number))
            note_artifact(bench.base / "bin" / platform)
        ours, requests = _ours(bench, server)
        buildah = buildah_publish(bench.base, server, PLATFORMS, number)
        slowest = docker_publish(bench.base, server, PLATFORMS, number, docker) if docker else 0.0
        rounds.append((ours, buildah, slowest, requests))
    # The first push makes the repository; those after it are a changed image in a place that is known.
    ours, buildah, slowest, _ = (min(values) for values in zip(*rounds[1:], strict=True))
    shown = f"{ours:.2f} s"
    yield Figure(
        name="changed binaries to an index / buildah",
        value=ours / buildah,
        bound=0.3,
        detail=f"{shown} / {buildah:.2f} s",
    )
    if docker:
        detail = f"{shown} / {slowest:.2f} s"
        yield Figure(name="changed binaries to an index / docker", value=ours / slowest, bound=0.2, detail=detail)
    yield Figure(name="changed binaries: requests", value=max(each[3] for each in rounds[1:]), bound=20)


def _ours(bench: Bench, server: Server) -> tuple[float, int]:
    """Seconds of the image steps and of publish, and the requests."""
    shutil.rmtree(bench.base / "work", ignore_errors=True)
    argv: list[str | Path] = [sys.executable, "-c", STEPS, bench.base, ",".join(PLATFORMS), bench.base / "answer.json"]
    seconds = run(argv)
    take_index(bench, bench.base / "work/index/files")
    before = server.requests()
    seconds += bench.rearch("publish", "--to", f"{server.host}/changed")
    return seconds, len(asked(server, before))


def _docker_environment() -> dict[str, str]:
    """Of an engine of our own; empty where none can be started, which the table shows by the line that is missing."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("docker", "dockerd", "containerd"))):
        sys.stderr.write("no Docker engine can be started here: nothing is compared with docker build\n")
        return {}
    from tests.support.engine import engine_environment

    return engine_environment()


# --- the parts


def _joined(bench: Bench, server: Server) -> Figure:
    """An index from two images that are there."""
    for platform in PLATFORMS:
        layers = [layer_bytes(f"tool-{platform}")]
        put_image(server, "joined/tool", f"linux/{platform}", tag=f"{TAG}_{platform}", layers=layers)
    before = server.requests()
    name = f"{server.host}/joined/tool:{TAG}"
    platforms = ",".join(f"linux/{platform}" for platform in PLATFORMS)
    bench.rearch("manifest", "--platforms", platforms, "--template", f"{name}_ARCH", "--target", name)
    return Figure(name="index from two images: requests", value=len(asked(server, before)), bound=8)


def _rate(base: Path, server: Server) -> Figure:
    """One large blob, as the publisher sends it (hashed once more on the way), against a bare loop."""
    source, answer = base / "blob", base / "seconds"
    data = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with source.open("wb") as file:
        for number in range(BLOB >> 20):
            piece = number.to_bytes(8, "big") + data[8:]
            file.write(piece)
            digest.update(piece)

    def seconds(script: str, repository: str) -> float:
        run([sys.executable, "-c", script, server.host, repository, source, f"sha256:{digest.hexdigest()}", answer])
        return float(answer.read_text())

    pairs = [(seconds(PUSH, f"rate{number}"), seconds(BARE, f"bare{number}")) for number in range(RUNS)]
    ours, least = map(min, zip(*pairs, strict=True))
    detail = f"{BLOB / ours / 1e6:.0f} MB/s / {BLOB / least / 1e6:.0f} MB/s"
    return Figure(name="seconds of an upload / a bare POST and PUT", value=ours / least, bound=1 / 0.8, detail=detail)


def _memory(bench: Bench, server: Server) -> Figure:
    """A layer of 1 GB, by the task itself."""
    content = bench.base / "tool"
    make_binary(content, "amd64", BIG)
    add_big_image(bench, content, "linux/amd64")
    peak = bench.base / "peak"
    words = bench.argv("publish", "--to", f"{server.host}/memory")[1:]
    run([sys.executable, "-c", PEAK, peak, *words], env=bench.env)
    value = int(peak.read_text()) * 1024 / 1e6
    return Figure(name="memory of a publish with a layer of 1 GB", value=value, bound=100, unit=" MB")
