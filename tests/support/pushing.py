"""What the tests of pushing share: files to push, a client whose clock does not wait, a pusher."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rearch.model.reference import Reference, parse_reference
from rearch.oci.types import Descriptor, Manifest, descriptor_of, document_bytes
from rearch.registry.client import RegistryClient
from rearch.registry.credentials import Credential, Login
from rearch.registry.patience import Patience
from rearch.registry.push import RegistryPusher
from tests.support.registry import PASSWORD, USER

KIND = "application/vnd.oci.image.layer.v1.tar+gzip"
BIG, CHUNK = 5_000_000, 2_000_000


@dataclass
class Time:
    """A clock that goes on only when somebody sleeps."""

    at: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    @property
    def patience(self) -> Patience:
        return Patience(sleep=self.sleep, clock=lambda: self.at, now=lambda: self.at, random=lambda: 1.0)


class Alice:
    """Whoever asks gets her login."""

    def find(self, _registry: str) -> Login:
        return Login(credential=Credential(user=USER, secret=PASSWORD), source="the test")


@dataclass
class Desk:
    """Files, a client, and a pusher through it."""

    folder: Path
    time: Time
    client: RegistryClient
    pusher: RegistryPusher

    def blob(self, size: int, seed: object = 0) -> tuple[Descriptor, Path]:
        """A file that cannot be compressed, and what describes it: the same for the same words."""
        data = random.Random(f"{size} {seed}").randbytes(size)
        path = self.folder / f"{size}-{hashlib.sha256(str(seed).encode()).hexdigest()[:12]}"
        path.write_bytes(data)
        return descriptor_of(KIND, data), path

    def fresh(self, chunk: int = CHUNK) -> RegistryPusher:
        """A pusher that knows nothing, as that of another run."""
        return RegistryPusher(self.client, chunk=chunk)


@contextlib.contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """A desk, without a login."""
    time = Time()
    with RegistryClient(patience=time.patience, certificates=None) as client:
        yield Desk(folder, time, client, RegistryPusher(client, chunk=CHUNK))


def name(host: str, rest: str = "lib/new") -> Reference:
    """A repository there."""
    return parse_reference(f"{host}/{rest}")


def read_back(desk: Desk, place: Reference, blob: Descriptor) -> bool:
    """Whether the registry gives out just these bytes."""
    return desk.client.fetch_blob(place, blob, desk.folder / "read-back") == blob.hex


def manifest(config: Descriptor, *layers: Descriptor) -> bytes:
    """A manifest of these."""
    return document_bytes(Manifest(config=config, layers=layers))
