"""An application that is to be placed on hosts by label and architecture, and the hosts that there are.

Rules of one service, all of which hold together: `on` and `not_on` are hard, `prefer` and `prefer_not` soft. A label
that a host does not have differs from every value: `not_on` admits that host. `arch` is the architecture of the host,
not of the image; which platforms the image has is for `place check` to find out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from msgspec import Struct
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rearch.errors import UsageError
from rearch.model.base import Fault, FrozenMap, Model, PlatformName, Says, Size, Text, Variable, refuse
from rearch.model.frozen import NOTHING
from rearch.model.image_name import ImageName
from rearch.model.platform import PLATFORMS, Platform, parse_platform

ARCH_LABEL = "arch"
GLOBAL = "global"
MOST_REPLICAS = 1000
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,48}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PORT = re.compile(r"(?:(?P<host>[0-9]{1,5}):)?(?P<container>[0-9]{1,5})(?:/(?P<protocol>tcp|udp))?")
_VOLUME = re.compile(r"(?P<source>[^:\s]+):(?P<target>/[^:]*)(?::(?P<mode>ro|rw))?")
_VOLUME_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            "it has lower-case letters, digits and -, starts with a letter, ends with no -, at most 50:"
            " Kubernetes and Marathon take nothing else"
        )
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("the name of a host has letters, digits, . and -, and starts and ends with no . or -")
    return value


def _key(value: str) -> str:
    if not value or re.search(r"[\s=,]", value) or not value.isprintable():
        raise ValueError("a label's key is not empty and has no blank, = or comma")
    if value == ARCH_LABEL:
        raise ValueError(f"the label {ARCH_LABEL} is made from the host's architecture: write `arch: arm64` beside it")
    return value


def _value(value: str) -> str:
    if not value or re.search(r"[\s=,]", value) or not value.isprintable():
        raise ValueError("a label's value is not empty and has no blank, = or comma")
    return value


def _architectures(value: object) -> object:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise ValueError("a platform, or a list of them, is wanted, as in `arm64` or `[arm64, arm/v7]`")
    return tuple(dict.fromkeys(str(_platform(word)) for word in words))


def _platform(word: object) -> Platform:
    try:
        return parse_platform(str(word))
    except UsageError:
        known = ", ".join(platform.arch_name for platform in PLATFORMS)
        raise ValueError(f"{word!s:.60} is no platform; known: {known}") from None


def _replicas(value: object) -> object:
    if value == GLOBAL:
        return value
    if isinstance(value, str | int) and re.fullmatch(r"[0-9]{1,4}", str(value)) and int(value) <= MOST_REPLICAS:
        return int(value)
    raise ValueError(f"a number up to {MOST_REPLICAS} is wanted, or `{GLOBAL}` for one on each host that fits")


class Port(Struct, frozen=True, kw_only=True):
    """A port of the container, and the one of the host that leads there; None: it is for other services alone."""

    container: int
    host: int | None
    protocol: str

    def __str__(self) -> str:
        published = f"{self.host}:" if self.host is not None else ""
        return f"{published}{self.container}/{self.protocol}"


class Volume(Struct, frozen=True, kw_only=True):
    """A named volume, or a folder of the host (`source` starts with /), and where the container sees it."""

    source: str
    target: str
    read_only: bool

    @property
    def is_folder(self) -> bool:
        return self.source.startswith("/")

    def __str__(self) -> str:
        return f"{self.source}:{self.target}" + (":ro" if self.read_only else "")


def parse_port(text: str) -> Port:
    """Read `8080:80`, `80`, `53:53/udp`. Errors: ValueError."""
    found = _PORT.fullmatch(text)
    numbers = [int(found[part]) for part in ("host", "container") if found[part]] if found else []
    if not found or not all(0 < number < 65536 for number in numbers):
        raise ValueError("a port is written `80`, `8080:80` (host:container) or `53:53/udp`; no ranges, no addresses")
    return Port(
        container=int(found["container"]),
        host=int(found["host"]) if found["host"] else None,
        protocol=found["protocol"] or "tcp",
    )


def parse_volume(text: str) -> Volume:
    """Read `db:/var/lib/mysql`, `/srv/site:/var/www:ro`. Errors: ValueError."""
    found = _VOLUME.fullmatch(text)
    if not found or ".." in text.split("/") or not text.isprintable():
        raise ValueError("a volume is written `name:/path` or `/folder/of/the/host:/path`, and `:ro` for reading alone")
    source = found["source"]
    if not source.startswith("/") and not _VOLUME_NAME.fullmatch(source):
        raise ValueError("the name of a volume has lower-case letters, digits and - between them, at most 40")
    return Volume(source=source, target=found["target"], read_only=found["mode"] == "ro")


def _port_text(value: str) -> str:
    parse_port(value)
    return value


def _volume_text(value: str) -> str:
    parse_volume(value)
    return value


ServiceName = Annotated[str, AfterValidator(_name), Says("name", "^[a-z]([a-z0-9-]*[a-z0-9])?$")]
HostName = Annotated[str, AfterValidator(_host), Says("name of a host", "^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]
LabelKey = Annotated[str, AfterValidator(_key), Says("key of a label", r"^[^\s=,]+$")]
LabelValue = Annotated[str, AfterValidator(_value), Says("value of a label", r"^[^\s=,]+$")]
Labels = FrozenMap[LabelKey, LabelValue]
PortText = Annotated[
    str, AfterValidator(_port_text), Says("port (`80`, `8080:80`, `53:53/udp`)", "^([0-9]+:)?[0-9]+(/(tcp|udp))?$")
]
VolumeText = Annotated[str, AfterValidator(_volume_text), Says("volume (`name:/path`)", "^[^:]+:/[^:]*(:(ro|rw))?$")]
Architectures = Annotated[
    tuple[str, ...],
    BeforeValidator(_architectures),
    Says("platform (`arm64`, `arm/v7`), or a list of them", types=("string", "number", "array")),
]
Replicas = Annotated[
    int | Literal["global"],
    BeforeValidator(_replicas),
    Says("whole number, or `global`", "^([0-9]{1,4}|global)$", ("integer", "string")),
]


class Service(Model):
    """One service of an application: what runs, and where it may."""

    image: ImageName = Field(description="Its image, the same name for all architectures.")
    command: tuple[Text, ...] = Field(default=(), description="Arguments instead of the image's CMD.")
    environment: FrozenMap[Variable, Text] = Field(default=NOTHING, description="Variables. Every value is text.")
    ports: tuple[PortText, ...] = Field(
        default=(), description="Ports of the container; before a colon the host's port through which all reach it."
    )
    volumes: tuple[VolumeText, ...] = Field(
        default=(), description="Named volumes (one for each name, of the application) and folders of the host."
    )
    depends_on: tuple[ServiceName, ...] = Field(default=(), description="Services that are started before.")
    replicas: Replicas = Field(default=1, description="How many; `global`: one on each host that its rules admit.")
    memory: Size | None = Field(default=None, description="The most memory that it may use (`512M`).")
    on: Labels = Field(default=NOTHING, description="Labels that the host must have, all of them.")
    not_on: Labels = Field(default=NOTHING, description="Labels that the host must not have, none of them.")
    prefer: Labels = Field(default=NOTHING, description="Labels that the host should have.")
    prefer_not: Labels = Field(default=NOTHING, description="Labels that the host should not have.")
    arch: Architectures = Field(default=(), description="Architecture that the host must have, or several.")

    @model_validator(mode="after")
    def _agrees(self) -> Service:
        refuse([*_both(self.on, "on", self.not_on, "not_on"), *_both(self.prefer, "prefer", self.prefer_not)])
        return self

    @property
    def is_global(self) -> bool:
        return self.replicas == GLOBAL

    @property
    def count(self) -> int:
        """How many are wanted; 1 for a global service."""
        return self.replicas if isinstance(self.replicas, int) else 1

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The hosts' platforms that `arch` names, sorted."""
        return tuple(sorted(parse_platform(text) for text in self.arch))

    @property
    def parsed_ports(self) -> tuple[Port, ...]:
        return tuple(parse_port(text) for text in self.ports)

    @property
    def parsed_volumes(self) -> tuple[Volume, ...]:
        return tuple(parse_volume(text) for text in self.volumes)


def _both(one: Mapping[str, str], name: str, other: Mapping[str, str], not_name: str = "prefer_not") -> Iterator[Fault]:
    for key in one:
        if other.get(key) == one[key]:
            yield Fault((not_name, key), f"{name} wants {key}={one[key]}, and this does not: no host fits both")


class Application(Model):
    """Services that belong together, and on which hosts each may run."""

    name: ServiceName = Field(description="Name of the application: of the stack, group or label that it becomes.")
    services: FrozenMap[ServiceName, Service] = Field(min_length=1, description="The services, by name.")

    @model_validator(mode="after")
    def _dependencies(self) -> Application:
        unknown = list(_unknown(self.services))
        refuse(unknown or list(_circles(self.services)))
        return self


def _unknown(services: Mapping[str, Service]) -> Iterator[Fault]:
    for name, service in services.items():
        for number, other in enumerate(service.depends_on):
            if other not in services:
                yield Fault(("services", name, "depends_on", number), f"there is no service {other}")


def _circles(services: Mapping[str, Service]) -> Iterator[Fault]:
    for name in services:
        if name in _needed(services, services[name].depends_on):
            yield Fault(("services", name, "depends_on"), f"{name} would have to be started before itself")
            return


def _needed(services: Mapping[str, Service], names: Iterable[str]) -> frozenset[str]:
    """Everything that these need, with themselves."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += services[name].depends_on
    return frozenset(found)


class Host(Model):
    """One host: what it is, and which labels it has."""

    arch: PlatformName = Field(description="Its architecture, of which `uname -m` is one spelling.")
    labels: Labels = Field(default=NOTHING, description="Its labels.")

    @property
    def platform(self) -> Platform:
        return parse_platform(self.arch)


class HostsFile(Model):
    """The hosts of an environment."""

    hosts: FrozenMap[HostName, Host] = Field(min_length=1, description="The hosts, by name.")
