"""`manifest` and `inspect` in this process, for a folder with settings of its own.

desk = Desk(tmp_path)
desk.settings(mirrors={"docker.io/": "127.0.0.1:5000/"})
answer = desk.join(spec="...")
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rearch.app.inspect import Inspected, inspect_target, raw_target
from rearch.app.manifest import ManifestAnswer, ManifestOrder, make_manifest
from rearch.app.request import Request
from rearch.oci.types import OCI_CONFIG, OCI_MANIFEST, Descriptor, PlatformObject, descriptor_of, readable
from rearch.report import Event, Said
from tests.support.registry import Server


@dataclass
class Desk:
    """`said` is what was reported: level and text."""

    folder: Path
    said: list[tuple[str, str]] = field(default_factory=list)

    @property
    def request(self) -> Request:
        config = self.folder / "docker"
        config.mkdir(exist_ok=True)
        environment = {"REARCH_CACHE": str(self.folder / "cache"), "DOCKER_CONFIG": str(config)}
        return Request(project=self.folder, environment=environment)

    def settings(self, **values: Any) -> None:
        # JSON is YAML too.
        (self.folder / "rearch.yaml").write_text(json.dumps(values))

    def login(self, host: str, user: str, password: str) -> None:
        """What `docker login` leaves."""
        import base64

        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        (self.folder / "docker").mkdir(exist_ok=True)
        (self.folder / "docker/config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))

    def spec(self, image: str, manifests: Sequence[str | Mapping[str, Any]], **more: Any) -> str:
        """A spec file; its path."""
        listed = [{"image": each} if isinstance(each, str) else each for each in manifests]
        path = self.folder / "spec.yml"
        path.write_text(json.dumps({"image": image, "manifests": listed, **more}))
        return str(path)

    def join(self, **order: Any) -> ManifestAnswer:
        self.said.clear()
        return make_manifest(self.request, ManifestOrder(**order), self._report)

    def inspect(self, name: str, **more: Any) -> Inspected:
        return inspect_target(self.request, name, **more)

    def raw(self, name: str) -> bytes:
        return raw_target(self.request, name)

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(text for level, text in self.said if level == "warning")

    def _report(self, event: Event) -> None:
        if isinstance(event, Said):
            self.said.append((event.level, event.text))


def index_of(server: Server, repository: str, tag: str) -> dict[str, Any]:
    """The document that a tag names, as it is on the registry's disk."""
    found: dict[str, Any] = json.loads(document_of(server, repository, tag))
    return found


def document_of(server: Server, repository: str, tag: str) -> bytes:
    place = server.storage / "docker/registry/v2"
    link = place / "repositories" / repository / "_manifests/tags" / tag / "current/link"
    digits = link.read_text().removeprefix("sha256:")
    return (place / "blobs/sha256" / digits[:2] / digits / "data").read_bytes()


def tags_of(server: Server, repository: str) -> set[str]:
    """The tags of a repository, none where there is no such repository."""
    folder = server.storage / "docker/registry/v2/repositories" / repository / "_manifests/tags"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def attestation(server: Server, repository: str, about: Descriptor, predicate: str) -> Descriptor:
    """Put an attestation as BuildKit writes it; its entry of an index."""
    layer, config = f'{{"predicateType": "{predicate}"}}'.encode(), b"{}"
    described = descriptor_of(
        "application/vnd.in-toto+json", layer, annotations={"in-toto.io/predicate-type": predicate}
    )
    for blob in (layer, config):
        server.put_blob(repository, blob)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": descriptor_of(OCI_CONFIG, config).digest, "size": len(config)},
        "layers": [readable(described)],
    }
    data = json.dumps(manifest).encode()
    found = descriptor_of(
        OCI_MANIFEST,
        data,
        platform=PlatformObject(os="unknown", architecture="unknown"),
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": about.digest,
        },
    )
    server.put_manifest(repository, found.digest, data, OCI_MANIFEST)
    return found
