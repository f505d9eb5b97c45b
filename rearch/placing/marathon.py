"""Mesos: a group of applications for Marathon (`PUT /v2/groups`), placed by attributes of the agents.

Marathon's constraints page: LIKE and UNLIKE take a regular expression that matches all of the value; an agent without
the attribute is refused by LIKE and taken by UNLIKE. The `docker.network` form is read by Marathon 0.x to 1.4, as
Rancher's Mesos environment has it, and converted by later ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from rearch.model.application import ARCH_LABEL, Application, HostsFile, Port, Service, Volume
from rearch.model.document import Document
from rearch.placing.rules import candidates
from rearch.placing.targets import PlacedFile, machine

# What an agent offers unless its --resources say otherwise (Mesos, docs/attributes-resources.md).
OFFERED = range(31000, 32001)
_OFFERED = f"{OFFERED.start}-{OFFERED.stop - 1}"
_SPECIAL = re.compile(r"[.+*?()\[\]{}|^$\\/-]")

Mapped = dict[str, Document]


def marathon_files(application: Application, hosts: HostsFile | None) -> tuple[PlacedFile, ...]:
    """The group. `hosts` tells how many instances one on each host is."""
    apps = tuple(_app(application, name, service, hosts) for name, service in application.services.items())
    group: Mapped = {"id": f"/{application.name}", "apps": apps}
    return (PlacedFile(name="marathon.json", documents=(group,)),)


def marathon_notes(application: Application, hosts: HostsFile | None) -> Iterator[str]:
    """What Marathon cannot be told, and what has to be done for it."""
    asking = [name for name, service in application.services.items() if service.arch]
    if asking:
        yield f"{', '.join(asking)}: Mesos knows no architecture of an agent: it needs the attribute {ARCH_LABEL}"
    if len(application.services) > 1:
        name = next(iter(application.services))
        yield (
            f"Marathon gives services no names: with Mesos-DNS {name} is {name}-{application.name}.marathon.mesos, and"
            " only the ports that it lists lead to it"
        )
    for name, service in application.services.items():
        yield from _notes(name, service, hosts)


def _notes(name: str, service: Service, hosts: HostsFile | None) -> Iterator[str]:
    soft = [f"{key}={value}" for key, value in service.prefer.items()]
    soft += [f"not {key}={value}" for key, value in service.prefer_not.items()]
    if soft:
        yield f"{name}: Marathon cannot prefer ({', '.join(soft)}): any agent that the constraints admit may get it"
    if service.is_global and hosts is None:
        yield f"{name}: Marathon has no global services: set `instances` to the number of agents, or give --hosts"
    elif service.is_global:
        yield f"{name}: Marathon has no global services: for a new agent raise `instances` by hand"
    ports = [str(port.host) for port in service.parsed_ports if port.host and port.host not in OFFERED]
    if ports:
        yield (
            f"{name}: agents offer the ports {_OFFERED} alone, unless they are started with"
            f" --resources='ports:[{', '.join(f'{port}-{port}' for port in ports)}, {_OFFERED}]'"
        )
    if not service.memory:
        yield f"{name}: without `memory` Marathon allows 128 MiB, and kills what takes more"


def _app(application: Application, name: str, service: Service, hosts: HostsFile | None) -> Document:
    keys: Mapped = {
        "id": f"/{application.name}/{name}",
        "instances": _instances(service, hosts),
        "mem": -(-service.memory // 2**20) if service.memory else 0,
        "args": service.command,
        "env": dict(service.environment),
        "container": _container(application, service),
        "constraints": tuple(_constraints(service)),
        "dependencies": tuple(f"/{application.name}/{other}" for other in service.depends_on),
    }
    return {key: value for key, value in keys.items() if value or key == "instances"}


def _instances(service: Service, hosts: HostsFile | None) -> int:
    return len(candidates(service, hosts)) if service.is_global and hosts is not None else service.count


def _container(application: Application, service: Service) -> Document:
    """A published port is the host's; another gets one that Mesos chooses (0)."""
    volumes = service.parsed_volumes
    named = tuple(_parameter(application, volume) for volume in volumes if not volume.is_folder)
    docker: Mapped = {
        "image": service.image,
        "network": "BRIDGE",
        "portMappings": tuple(_mapping(port) for port in service.parsed_ports),
        "parameters": named,
    }
    keys: Mapped = {
        "type": "DOCKER",
        "docker": {key: value for key, value in docker.items() if value},
        "volumes": tuple(_folder(volume) for volume in volumes if volume.is_folder),
    }
    return {key: value for key, value in keys.items() if value}


def _mapping(port: Port) -> Mapping[str, Document]:
    return {"containerPort": port.container, "hostPort": port.host or 0, "protocol": port.protocol}


def _folder(volume: Volume) -> Mapping[str, Document]:
    mode = "RO" if volume.read_only else "RW"
    return {"containerPath": volume.target, "hostPath": volume.source, "mode": mode}


def _parameter(application: Application, volume: Volume) -> Mapping[str, Document]:
    """`docker run --volume`: Marathon's own named volumes need another driver."""
    return {"key": "volume", "value": f"{application.name}-{volume}"}


def _constraints(service: Service) -> Iterator[Document]:
    names = sorted({machine(platform) for platform in service.platforms})
    if names:
        yield ARCH_LABEL, "LIKE", _one_of(names)
    yield from ((key, "LIKE", _escaped(value)) for key, value in service.on.items())
    yield from ((key, "UNLIKE", _escaped(value)) for key, value in service.not_on.items())
    if service.is_global:
        yield "hostname", "UNIQUE"


def _one_of(names: Iterable[str]) -> str:
    return "|".join(map(_escaped, names))


def _escaped(value: str) -> str:
    """A text as a regular expression of Java, where re.escape's `\\ ` and `\\_` need not be known."""
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", value)
