"""The client for registries, made from settings: without all else that a build needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rearch.errors import UsageError
from rearch.host.process import Processes
from rearch.model.settings import Settings
from rearch.registry.client import RegistryClient
from rearch.registry.credentials import Credential, DockerConfig
from rearch.registry.patience import Patience

NAMES = ("REARCH_LOGIN_REGISTRY", "REARCH_LOGIN_USER", "REARCH_LOGIN_PASSWORD")


class HalfALogin(UsageError):
    """Some of the variables of a login are set, and others are not."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(
            f"a login needs all of {', '.join(NAMES)}",
            (f"not set: {', '.join(missing)}",),
            hint="set them all, or none and use `docker login`",
        )


def explicit_login(environment: Mapping[str, str]) -> Mapping[str, Credential]:
    """The login that the environment gives for one registry, as CI systems hand out secrets; it goes before all others.

    Errors: HalfALogin.
    """
    registry, user, password = (environment.get(name, "") for name in NAMES)
    if not (registry or user or password):
        return {}
    missing = [name for name in NAMES if not environment.get(name)]
    if missing:
        raise HalfALogin(missing)
    return {registry: Credential(user=user, secret=password)}


def registry_client(settings: Settings, environment: Mapping[str, str], processes: Processes) -> RegistryClient:
    """A login is looked for when a registry asks for one; pauses end with `processes.stop`. Errors: HalfALogin."""
    return RegistryClient(
        DockerConfig(environment, processes.run, explicit_login(environment)),
        registries=settings.registries,
        mirrors=settings.mirrors,
        offline=settings.offline,
        timeout=settings.timeout,
        patience=Patience(sleep=processes.pause),
    )
