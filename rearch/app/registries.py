"""The client for registries, made from settings: without all else that a build needs."""

from __future__ import annotations

from collections.abc import Mapping

from rearch.host.process import Processes
from rearch.model.settings import Settings
from rearch.registry.client import RegistryClient
from rearch.registry.credentials import DockerConfig
from rearch.registry.patience import Patience


def registry_client(settings: Settings, environment: Mapping[str, str], processes: Processes) -> RegistryClient:
    """A login is looked for when a registry asks for one; pauses end with `processes.stop`."""
    return RegistryClient(
        DockerConfig(environment, processes.run),
        registries=settings.registries,
        mirrors=settings.mirrors,
        offline=settings.offline,
        timeout=settings.timeout,
        patience=Patience(sleep=processes.pause),
    )
