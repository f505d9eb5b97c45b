"""What the measurements of `publish` are made on: binaries, layouts with their build.json, and other programs."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rearch.model.platform import parse_platform
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer import make_layer
from rearch.oci.layout import put_bytes, start_layout, write_index_json
from rearch.oci.types import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    RootFs,
    document_bytes,
)
from tests.bench.measure import SCRIPTS, run
from tests.support.elves import make_elf
from tests.support.registry import Server

TAG = "v1"
PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where the measuring is done: nothing of the user's is read, no login and no cache."""

    base: Path

    @property
    def project(self) -> Path:
        return self.base / "project"

    @property
    def env(self) -> dict[str, str]:
        return {"DOCKER_CONFIG": str(self.base / "no-logins"), "REARCH_CACHE": str(self.base / "cache")}

    def rearch(self, *words: str | Path) -> float:
        """Seconds of a task, as a process of its own."""
        return run(self.argv(*words), env=self.env)

    def argv(self, *words: str | Path) -> list[str | Path]:
        """The console script, on the project."""
        return [SCRIPTS / "rearch", "--project", self.project, *words]

    def forget_published(self) -> None:
        """As if nothing had been published from here."""
        shutil.rmtree(self.project / "output" / ".rearch" / "publish", ignore_errors=True)


def asked(server: Server, before: Sequence[str]) -> list[str]:
    """The requests since `before`, which is what server.requests() gave then. Pings are among them."""
    return list(server.requests()[len(before) :])


def note_artifact(result: Path) -> None:
    """Beside a binary what the store knows of it: image_probe.py reads it in place of the store."""
    path = result / "bin" / "tool"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    artifact = {"path": "bin/tool", "size": path.stat().st_size, "digest": digest, "mode": 0o755}
    (result / "artifact.json").write_text(json.dumps(artifact))


def make_binary(path: Path, platform: str, size: int, seed: str = "") -> None:
    """A program that packs about as well as a Go binary does (to some 45 %): half noise, half repetition."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = random.Random(f"{platform} {seed}")
    with path.open("wb") as file:
        left = size
        data = make_elf(parse_platform(platform))
        while left:
            file.write(data[:left])
            left -= len(data[:left])
            data = b"".join(noise.randbytes(30) + b"\0" * 18 + b"runtime.morestack " for _ in range(4000))


def file_digest(path: Path) -> str:
    """In hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def add_big_image(bench: Bench, content: Path, platform: str) -> None:
    """An image of one platform, whose layer is not compressed and holds a file of any size; it is never in memory."""
    layout = bench.project / "output/images/tool"
    start_layout(layout)
    entry = LayerEntry(
        path="tool",
        kind=EntryKind.FILE,
        mode=0o755,
        size=content.stat().st_size,
        content=content,
        digest=file_digest(content),
    )
    layers = bench.base / "layers"
    layer = make_layer([entry], layout=layout, layers=layers, compression="", media_types="oci")
    row = PlatformObject.of(parse_platform(platform))
    config = ImageConfig(architecture=row.architecture, os=row.os, rootfs=RootFs(diff_ids=(layer.diff_id,)))
    manifest = Manifest(config=put_bytes(layout, document_bytes(config), OCI_CONFIG), layers=(layer.descriptor,))
    image = put_bytes(layout, document_bytes(manifest), OCI_MANIFEST, platform=row)
    top = put_bytes(layout, document_bytes(Index(manifests=(image,))), OCI_INDEX, annotations={REF_NAME: TAG})
    write_index_json(layout, [top])
    write_build_json(bench, top.digest, {platform: image.digest})


def take_index(bench: Bench, files: Path) -> None:
    """Put what an index step left into output/, as the engine does, with the build.json over it."""
    layout = bench.project / "output/images/tool"
    shutil.rmtree(layout, ignore_errors=True)
    shutil.copytree(files, layout, copy_function=os.link)
    top = json.loads((layout / "index.json").read_text())["manifests"][0]
    index = json.loads((layout / "blobs/sha256" / top["digest"].removeprefix("sha256:")).read_text())
    rows = {f"{each['platform']['os']}/{each['platform']['architecture']}": each for each in index["manifests"]}
    write_build_json(bench, top["digest"], {platform: each["digest"] for platform, each in rows.items()})


def write_build_json(bench: Bench, digest: str, platforms: Mapping[str, str]) -> None:
    """What a build says of the image `tool`: audited, and started."""
    (bench.project / "output/.rearch").mkdir(parents=True, exist_ok=True)
    rows = [
        {"platform": platform, "digest": image, "audit": {"outcome": "passed"}, "smoke": "passed"}
        for platform, image in platforms.items()
    ]
    names = {"component": "bench/tool", "repository": "tool", "tag": TAG, "path": "images/tool", "key": "k"}
    document = {"rearch": "0", "binaries": [], "images": [{**names, "digest": digest, "platforms": rows}]}
    (bench.project / "output/build.json").write_text(json.dumps(document))


def bare_upload(host: str, repository: str, source: Path, digest: str) -> None:
    """POST, then one PUT with the whole file: the least that an upload can be."""
    with closing(http.client.HTTPConnection(host, blocksize=PIECE)) as connection, source.open("rb") as file:
        connection.request("POST", f"/v2/{repository}/blobs/uploads/")
        answer = connection.getresponse()
        answer.read()
        place = answer.headers["Location"]
        headers = {"Content-Length": str(source.stat().st_size), "Content-Type": "application/octet-stream"}
        connection.request("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", file, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.CREATED:
            raise SystemExit(f"the bare upload failed with {answer.status}")


def skopeo_copy(bench: Bench, server: Server, prefix: str, images: Iterable[str], tag: str) -> float:
    """Seconds of a `skopeo copy --all` for each image of output/."""
    seconds = 0.0
    for name in images:
        source = f"oci:{bench.project / 'output/images' / name}:{tag}"
        target = f"docker://{server.host}/{prefix}/{name}:{tag}"
        seconds += run(["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", source, target])
    return seconds


def buildah_publish(base: Path, server: Server, platforms: Iterable[str], number: int) -> float:
    """Seconds of two `buildah bud` and a push of their manifest list."""
    storage = ["--root", str(base / "containers"), "--runroot", str(base / "run"), "--storage-driver", "vfs"]
    env = {"BUILDAH_ISOLATION": "chroot"}
    dockerfile = base / "Dockerfile"
    seconds = 0.0
    for platform in platforms:
        dockerfile.write_text('FROM scratch\nCOPY bin/tool /tool\nENTRYPOINT ["/tool"]\n')
        argv = ["buildah", *storage, "bud", "--quiet", "--no-cache", "--platform", f"linux/{platform}"]
        argv += ["--manifest", "bench", "--file", str(dockerfile), str(base / "bin" / platform)]
        seconds += run(argv, env=env)
    target = f"docker://{server.host}/buildah{number}/tool:{TAG}"
    argv = ["buildah", *storage, "manifest", "push", "--quiet", "--all", "--tls-verify=false", "bench", target]
    seconds += run(argv, env=env)
    run(["buildah", *storage, "rmi", "--all", "--force"], env=env)
    return seconds


def docker_publish(base: Path, server: Server, platforms: Iterable[str], number: int, env: Mapping[str, str]) -> float:
    """Seconds of two `docker build`, two pushes, and a manifest list made by docker itself."""
    name = f"{server.host}/docker{number}/tool:{TAG}"
    dockerfile = base / "Dockerfile"
    seconds, made = 0.0, []
    for platform in platforms:
        dockerfile.write_text('FROM scratch\nCOPY bin/tool /tool\nENTRYPOINT ["/tool"]\n')
        made.append(f"{name}_{platform}")
        argv = ["docker", "build", "--quiet", "--no-cache", "--platform", f"linux/{platform}", "--tag", made[-1]]
        seconds += run([*argv, "--file", dockerfile, base / "bin" / platform], env=env)
        seconds += run(["docker", "push", "--quiet", made[-1]], env=env)
    seconds += run(["docker", "manifest", "create", "--insecure", name, *made], env=env)
    seconds += run(["docker", "manifest", "push", "--insecure", "--purge", name], env=env)
    run(["docker", "image", "rm", "--force", *made], env=env)
    return seconds
