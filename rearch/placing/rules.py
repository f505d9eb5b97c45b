"""Which hosts a service's rules admit, and which hosts the commands are for."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rearch.model.application import Application, Host, HostsFile, Service
from rearch.model.frozen import FrozenDict
from rearch.model.platform import Platform


class Labelled(Struct, frozen=True, kw_only=True):
    """A host that is to have these labels.

    Without a file of hosts there is one for each service that asks for something: `service` is its name, `name` is
    then empty, and `platform` may be unknown.
    """

    name: str
    service: str
    platform: Platform | None
    labels: Mapping[str, str]


def admits(service: Service, host: Host) -> bool:
    """Whether the hard rules let the service on this host."""
    if service.arch and host.platform not in service.platforms:
        return False
    if any(host.labels.get(key) != value for key, value in service.on.items()):
        return False
    return all(host.labels.get(key) != value for key, value in service.not_on.items())


def liking(service: Service, host: Host) -> int:
    """How many of the soft rules the host fulfils."""
    wanted = sum(host.labels.get(key) == value for key, value in service.prefer.items())
    return wanted + sum(host.labels.get(key) != value for key, value in service.prefer_not.items())


def candidates(service: Service, hosts: HostsFile) -> tuple[str, ...]:
    """The hosts that its rules admit, those that it likes best first, then by name."""
    fitting = [name for name, host in hosts.hosts.items() if admits(service, host)]
    return tuple(sorted(fitting, key=lambda name: (-liking(service, hosts.hosts[name]), name)))


def labelled_hosts(application: Application, hosts: HostsFile | None) -> tuple[Labelled, ...]:
    """The hosts to label: those of the file, sorted; else one for each service that asks for a label or architecture.

    Of several architectures that a service takes, its host has the first.
    """
    if hosts is not None:
        return tuple(
            Labelled(name=name, service="", platform=host.platform, labels=host.labels)
            for name, host in sorted(hosts.hosts.items())
        )
    return tuple(
        Labelled(name="", service=name, platform=_first(service), labels=_wishes(service))
        for name, service in application.services.items()
        if service.on or service.prefer or service.arch
    )


def several(application: Application) -> tuple[tuple[Platform, ...], ...]:
    """The sets of several platforms that services ask for, each once, sorted."""
    sets = {service.platforms for service in application.services.values() if len(service.platforms) > 1}
    return tuple(sorted(sets))


def _first(service: Service) -> Platform | None:
    return next(iter(service.platforms), None)


def _wishes(service: Service) -> Mapping[str, str]:
    """What it prefers gives way to what it needs."""
    return FrozenDict({**service.prefer, **service.on})
