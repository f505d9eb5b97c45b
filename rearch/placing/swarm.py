"""Swarm mode: a stack file of version 3, as `docker stack deploy` takes it (Docker 1.13 and later).

Constraints hold together, and there is no "one of": of several architectures the other ones are excluded, among those
that rearch knows. Nodes tell their architecture themselves, as `uname -m` says it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rearch.model.application import Application, Service
from rearch.model.document import Document
from rearch.placing.compose import compose_service, compose_volumes
from rearch.placing.targets import PlacedFile, machines, other_machines

ARCH = "node.platform.arch"


def swarm_files(application: Application) -> tuple[PlacedFile, ...]:
    """The stack file."""
    services = {name: _service(service) for name, service in application.services.items()}
    volumes = compose_volumes(application)
    stack: dict[str, Document] = {"version": "3", "services": services, **({"volumes": volumes} if volumes else {})}
    return (PlacedFile(name="docker-stack.yml", documents=(stack,), comments=tuple(swarm_notes(application))),)


def swarm_notes(application: Application) -> Iterator[str]:
    """What Swarm cannot be told."""
    for name, service in application.services.items():
        soft = [f"{key}={value}" for key, value in service.prefer.items()]
        soft += [f"not {key}={value}" for key, value in service.prefer_not.items()]
        if soft:
            yield (
                f"{name}: Swarm cannot prefer ({', '.join(soft)}): its placement preferences only spread. Any node that"
                " the constraints admit may get it; a hard rule (`on`, `not_on`) is the way to be sure"
            )
        if service.depends_on:
            yield f"{name}: `docker stack deploy` starts all services at once; {name} has to wait for what it needs"
        if not service.on and any(not volume.is_folder for volume in service.parsed_volumes):
            yield f"{name}: its named volumes stay on the node where it ran; without `on` it may start on another"


def _service(service: Service) -> dict[str, Document]:
    return {**compose_service(service), "deploy": _deploy(service)}


def _deploy(service: Service) -> dict[str, Document]:
    mode: dict[str, Document] = {"mode": "global"} if service.is_global else {"replicas": service.count}
    memory: dict[str, Document] = {"resources": {"limits": {"memory": str(service.memory)}}} if service.memory else {}
    constraints = tuple(_constraints(service))
    return {**mode, **memory, **({"placement": {"constraints": constraints}} if constraints else {})}


def _constraints(service: Service) -> Iterator[str]:
    names = machines(service.platforms)
    if len(names) == 1:
        yield f"{ARCH}=={names[0]}"
    elif names:
        yield from (f"{ARCH}!={name}" for name in other_machines(service.platforms))
    yield from (f"node.labels.{key}=={value}" for key, value in service.on.items())
    yield from (f"node.labels.{key}!={value}" for key, value in service.not_on.items())
