"""Cattle, Rancher 1.6's own scheduler: docker-compose.yml (version 2) with labels, and rancher-compose.yml.

The labels: rancher-catalog's infra-templates and Rancher's "Scheduling Services" page; a value is `key=value`, several
with commas hold together; global services obey the hard rules alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from rearch.model.application import ARCH_LABEL, Application, Service
from rearch.model.document import Document
from rearch.placing.compose import compose_service, compose_volumes
from rearch.placing.targets import PlacedFile, machine, several_label

AFFINITY = "io.rancher.scheduler.affinity:host_label"
GLOBAL = "io.rancher.scheduler.global"


def cattle_files(application: Application) -> tuple[PlacedFile, ...]:
    """Both files of the stack."""
    services = {name: _service(service) for name, service in application.services.items()}
    volumes = compose_volumes(application)
    compose: dict[str, Document] = {"version": "2", "services": services, **({"volumes": volumes} if volumes else {})}
    settings = {name: _settings(service) for name, service in application.services.items()}
    notes = tuple(cattle_notes(application))
    return (
        PlacedFile(name="docker-compose.yml", documents=(compose,), comments=notes),
        PlacedFile(name="rancher-compose.yml", documents=({"version": "2", "services": settings},)),
    )


def cattle_notes(application: Application) -> Iterator[str]:
    """What Cattle cannot be told, and what has to be done for it."""
    services = application.services.items()
    if asking := [name for name, service in services if service.arch]:
        yield (
            f"{', '.join(asking)}: Rancher knows no architecture of a host. The label {ARCH_LABEL} has to be given, at"
            " registration by CATTLE_HOST_LABELS, or later by labels.sh"
        )
    for name, service in services:
        if service.is_global and (service.prefer or service.prefer_not):
            yield f"{name}: a global service obeys hard rules alone; what it prefers has no effect"


def _service(service: Service) -> dict[str, Document]:
    labels = _labels(service)
    memory: dict[str, Document] = {"mem_limit": service.memory} if service.memory else {}
    return {**compose_service(service), **memory, **({"labels": labels} if labels else {})}


def _labels(service: Service) -> dict[str, Document]:
    rules = {
        "": chain(_arch(service), service.on.items()),
        "_ne": service.not_on.items(),
        "_soft": service.prefer.items(),
        "_soft_ne": service.prefer_not.items(),
    }
    words = {f"{AFFINITY}{kind}": _joined(dict(labels)) for kind, labels in rules.items()}
    found: dict[str, Document] = {key: value for key, value in words.items() if value}
    return {**found, **({GLOBAL: "true"} if service.is_global else {})}


def _arch(service: Service) -> Iterator[tuple[str, str]]:
    platforms = service.platforms
    if len(platforms) == 1:
        yield ARCH_LABEL, machine(platforms[0])
    elif platforms:
        yield several_label(platforms), "yes"


def _joined(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _settings(service: Service) -> dict[str, Document]:
    scale: dict[str, Document] = {} if service.is_global else {"scale": service.count}
    return {**scale, "start_on_create": True}
