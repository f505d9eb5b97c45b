"""Whether each service has a host that can take it, and each such host an image that it can run.

A scheduler looks at rules and not at images: every host that the rules admit may be chosen, so every one of them has
to have its platform in the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from rearch.errors import RearchError
from rearch.model.application import Application, HostsFile, Service
from rearch.model.platform import Platform
from rearch.placing.rules import candidates


class Fit(Enum):
    """Whether a host can run an image.

    MAYBE: its kernel may run that architecture without emulation, and engines differ in whether they ask for it.
    """

    RUNS = "runs"
    MAYBE = "maybe"
    CANNOT = "cannot"


class ImageFacts(Struct, frozen=True, kw_only=True):
    """What the registry says. `platforms` as rearch spells them, those that it has no word for as they are written.

    `faults`: what is wrong with the image itself. `error`: why nothing is known; then the rest is empty.
    """

    platforms: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    error: RearchError | None = None


class HostFit(Struct, frozen=True, kw_only=True):
    """One host that the rules of a service admit. `fit` is None where the image is not known."""

    host: str
    platform: Platform
    fit: Fit | None


class ServiceCheck(Struct, frozen=True, kw_only=True):
    """One service. `hosts`: those that its rules admit, best liked first. `problems`: a line each."""

    service: str
    image: str
    facts: ImageFacts
    hosts: tuple[HostFit, ...]
    problems: tuple[str, ...]
    doubts: tuple[str, ...]


def check_placement(
    application: Application, hosts: HostsFile, images: Mapping[str, ImageFacts]
) -> tuple[ServiceCheck, ...]:
    """Every service, in the order of the file. `images`: what is known of each image that a service names."""
    return tuple(_check(name, service, hosts, images[service.image]) for name, service in application.services.items())


def fit(platform: Platform, image: tuple[str, ...]) -> Fit:
    """Whether a host of this platform runs an image that has these."""
    if str(platform) in image:
        return Fit.RUNS
    others = {f"{platform.os}/{name}" for name in platform.arch.also_runs}
    return Fit.MAYBE if others & set(image) else Fit.CANNOT


def _check(name: str, service: Service, hosts: HostsFile, facts: ImageFacts) -> ServiceCheck:
    known = facts.error is None
    found = tuple(_host_fit(host, hosts, facts, known=known) for host in candidates(service, hosts))
    wrong = tuple(
        f"{each.host} is {each.platform}, and {service.image} is for {_listed(facts.platforms)}"
        for each in found
        if each.fit is Fit.CANNOT
    )
    nobody = () if found else (f"no host fits its rules: {_rules(service)}",)
    return ServiceCheck(
        service=name,
        image=service.image,
        facts=facts,
        hosts=found,
        problems=(*nobody, *wrong, *facts.faults),
        doubts=tuple(_doubt(each, facts) for each in found if each.fit is Fit.MAYBE),
    )


def _host_fit(name: str, hosts: HostsFile, facts: ImageFacts, *, known: bool) -> HostFit:
    platform = hosts.hosts[name].platform
    return HostFit(host=name, platform=platform, fit=fit(platform, facts.platforms) if known else None)


def _doubt(host: HostFit, facts: ImageFacts) -> str:
    return (
        f"{host.host} is {host.platform}, and the image is for {_listed(facts.platforms)}: most such hosts run it,"
        " some engines do not choose it"
    )


def _listed(platforms: tuple[str, ...]) -> str:
    return ", ".join(platforms) or "no platform"


def _rules(service: Service) -> str:
    """The hard rules, in words."""
    words = [f"{key}={value}" for key, value in service.on.items()]
    words += [f"not {key}={value}" for key, value in service.not_on.items()]
    words += [" or ".join(str(platform) for platform in service.platforms)] if service.arch else []
    return ", ".join(words) or "none"
